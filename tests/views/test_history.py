"""The history of a run: what comes again and again is one line with its count."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Event, Generation
from playground.views.history import Entry, history
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
BEGAN = timezone.now() - timedelta(days=7)


def happened(generation: Generation, *kinds: str, at: datetime = BEGAN, apart_s: float = 240) -> None:
    Event.objects.bulk_create(
        Event(generation=generation, kind=kind, at=at + timedelta(seconds=apart_s * n), data={"try": n})
        for n, kind in enumerate(kinds)
    )


def counts(entries: list[Entry]) -> list[tuple[str, int, int]]:
    return [(str(entry.words).split(";")[0], entry.position, entry.count) for entry in entries]


def test_week_of_tries_is_a_few_lines_with_their_counts_and_times(member: Any, browser_of: Any) -> None:
    row = factories.make_generation(by=member, status=Status.COMPLETED, next_check_at=timezone.now())
    happened(row, "completed", *["saving_started", "saving_failed"] * 2520, apart_s=120)
    page = browser_of(member).get(f"/runs/{row.run_id}/")

    made, started, failed = history([row])
    assert (made.count, started.count, failed.count) == (1, 2520, 2520)
    assert (failed.at, failed.last_at) == (BEGAN + timedelta(minutes=4), BEGAN + timedelta(minutes=10080))
    assert len(page.content) < 60_000
    assert page.content.decode().count("2520 times, last <time datetime=") == 2


def test_one_try_that_failed_is_told_line_by_line(member: Any) -> None:
    row = factories.make_generation(by=member)
    happened(row, "saving_started", "saving_failed", "saving_started", "stored")

    assert [count for _, _, count in counts(history([row]))] == [1, 1, 1, 1]


def test_lines_of_several_videos_are_folded_each_by_itself(member: Any) -> None:
    run = factories.make_run(by=member)
    first, second = (factories.make_generation(run=run, position=position) for position in (0, 1))
    happened(first, "ordered", *["not_found"] * 4)
    happened(second, "ordered", *["not_found"] * 3, "lost", at=BEGAN + timedelta(seconds=1))

    assert counts(history([first, second])) == [
        ("Ordered", 1, 1),
        ("Ordered", 2, 1),
        ("The gateway does not know it just now", 1, 4),
        ("The gateway does not know it just now", 2, 3),
        ("The gateway no longer knows it", 2, 1),
    ]


def test_lines_of_other_words_or_another_person_stay_apart(member: Any) -> None:
    row = factories.make_generation(by=member)
    other = factories.make_member(team=member.team)
    for by in (member.user, other.user, None):
        Event.objects.create(generation=row, kind="stop_requested", by=by, at=BEGAN)

    assert [entry.count for entry in history([row])] == [1, 1, 1]
