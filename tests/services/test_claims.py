"""A claim that is kept during long work, and what counts as a look at an order."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Generation
from playground.services import engine
from tests import factories

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
def claimed(transactional_db) -> tuple[Generation, Any]:
    """Taken ten seconds ago."""
    row = factories.make_generation(status=Status.QUEUED)
    then = timezone.now() - timedelta(seconds=10)
    claim = engine.claim(row.id, source=Status.QUEUED, target=Status.SUBMITTING, event="sending", now=then)
    assert claim is not None
    row.refresh_from_db()
    return row, claim


class Renewals:
    """What became of each: counted, and waited for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *first: Exception) -> None:
        self.results, self._there, self._renew = [], threading.Condition(), engine.renew
        self._first = list(first)
        monkeypatch.setattr(engine, "RENEW_EVERY_S", 0.01)
        monkeypatch.setattr(engine, "renew", self.renew)

    def renew(self, *what: Any, **how: Any) -> bool:
        result = None
        try:
            if self._first:
                raise self._first.pop(0)
            result = self._renew(*what, **how)
            return result
        finally:
            with self._there:
                self.results.append(result)
                self._there.notify_all()

    def wait_for(self, count: int) -> None:
        with self._there:
            assert self._there.wait_for(lambda: len(self.results) >= count, 30)


def keepers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "keep-claim"]


def test_claim_is_renewed_while_the_block_lasts_and_no_longer(claimed, monkeypatch):
    row, claim = claimed
    renewals, began = Renewals(monkeypatch), timezone.now()
    with engine.kept(row.id, claim):
        renewals.wait_for(2)
        assert len(keepers()) == 1
    assert keepers() == []
    assert set(renewals.results) == {True}
    row.refresh_from_db()
    assert began + engine.CLAIM_FOR <= row.next_check_at <= timezone.now() + engine.CLAIM_FOR


def test_claim_that_somebody_else_has_is_not_renewed_again(claimed, monkeypatch):
    row, claim = claimed
    renewals = Renewals(monkeypatch)
    with engine.kept(row.id, claim):
        renewals.wait_for(1)
        due = timezone.now() + timedelta(hours=1)
        Generation.objects.filter(id=row.id).update(claim_id=row.run_id, next_check_at=due)
        for thread in keepers():
            thread.join(30)
        assert renewals.results[-1] is False
    row.refresh_from_db()
    assert row.next_check_at == due


def test_database_that_is_away_for_a_moment_ends_no_claim(claimed, monkeypatch):
    row, claim = claimed
    renewals = Renewals(monkeypatch, DatabaseError("away"), DatabaseError("away"))
    with engine.kept(row.id, claim):
        renewals.wait_for(4)
    assert renewals.results[:4] == [None, None, True, True]


@pytest.mark.parametrize(
    ("status", "seen", "is_stale"),
    [
        (Status.RUNNING, None, True),
        (Status.SUBMITTED, timedelta(seconds=6), True),
        (Status.RUNNING, timedelta(seconds=5), False),
        (Status.RUNNING, timedelta(0), False),
        (Status.QUEUED, None, False),
        (Status.DONE, timedelta(hours=1), False),
    ],
)
def test_look_is_written_every_five_seconds_of_what_is_under_way(status, seen, is_stale):
    row = Generation(status=status, viewed_at=None if seen is None else NOON - seen)
    assert engine.is_view_stale(row, now=NOON) is is_stale
