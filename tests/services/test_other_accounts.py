"""A key that was replaced may be another account's: nothing is paid there again, and nothing believed that it says."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Generation, LedgerEntry, Membership, Role
from playground.services import engine, keys_used, replies, restored, submit, sweep, unclear
from playground.services.sent_with import is_another, mark
from tests import factories
from tests.services.upstream import model_of_gateway, queued, upstream

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def member() -> Membership:
    return factories.make_member(role=Role.ADMIN)


def fresh(row: Generation) -> Generation:
    return Generation.objects.select_related("gateway", "team", "run", "model").get(id=row.id)


@pytest.mark.parametrize("is_marked", [True, False])
@pytest.mark.parametrize("key", ["same", "another"])
def test_restored_order_is_not_sent_with_another_accounts_key(
    settings: Any, member: Membership, key: str, is_marked: bool
) -> None:
    """It waited when the backup was made, so no try tells which key was there; an older order does not either."""
    with upstream(settings) as gateway:
        row = queued(by=member, model=model_of_gateway())
        if is_marked:
            engine.note(row.id, "ordered", now=timezone.now(), data={"key": mark(row.gateway)})
        restored.mark(at=timezone.now() - timedelta(minutes=10))
        settings.GATEWAY_API_KEY += "-of-another-account" if key == "another" else ""
        restored.settle(now=timezone.now())
        claim_id = submit.take_over(fresh(row), now=timezone.now())
        if claim_id is not None:
            submit.submit_claimed(row.id, claim_id)
        is_known = unclear.is_key_known(fresh(row), unclear.evidence_of([row])[row.id], now=timezone.now())

    assert bool(gateway.posts) == (key == "same" and is_marked)
    assert is_known == (key == "same" and is_marked)


@pytest.mark.parametrize("was_another_in_use", [True, False])
def test_restored_order_is_not_sent_with_its_key_where_another_was_in_use_since(
    settings: Any, member: Membership, tmp_path: Path, was_another_in_use: bool
) -> None:
    """The first key is back, as the backup has it; meanwhile the order may have gone out with the other account's."""
    settings.DATA_DIR, now = tmp_path, timezone.now()
    with upstream(settings) as gateway:
        first = settings.GATEWAY_API_KEY
        row = queued(by=member, model=model_of_gateway())
        engine.note(row.id, "ordered", now=now, data={"key": mark(row.gateway)})
        keys_used.note(now=now - timedelta(hours=1))
        if was_another_in_use:
            settings.GATEWAY_API_KEY = first + "-of-another-account"
        keys_used.note(now=now - timedelta(minutes=5))
        settings.GATEWAY_API_KEY = first
        restored.mark(at=now - timedelta(minutes=10))
        restored.settle(now=timezone.now())
        keys_used.note(now=timezone.now())
        claim_id = submit.take_over(fresh(row), now=timezone.now())
        if claim_id is not None:
            submit.submit_claimed(row.id, claim_id)
        is_known = unclear.is_key_known(fresh(row), unclear.evidence_of([row])[row.id], now=timezone.now())

    assert bool(gateway.posts) == is_known == (not was_another_in_use)


def test_keys_in_use_are_written_down_once_each_and_not_the_keys(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR, now = tmp_path, timezone.now()
    with upstream(settings):
        gateway = model_of_gateway().gateway
        for number in range(3):
            keys_used.note(now=now + timedelta(minutes=number))
        settings.GATEWAY_API_KEY += "-new"
        keys_used.note(now=now + timedelta(minutes=9))
        text = (tmp_path / "keys-used.jsonl").read_text()

        assert len(text.split()) == 6
        assert settings.GATEWAY_API_KEY not in text
        assert keys_used.changed_since(gateway, now + timedelta(minutes=5))
        assert not keys_used.changed_since(gateway, now + timedelta(minutes=10))


@pytest.mark.parametrize("torn", [b'["2026-11', b"\xff\xfe", b'["2026-11-22T05:00:00", 1]'])
def test_line_that_cannot_be_read_counts_as_another_key_until_the_next_start(
    settings: Any, tmp_path: Path, torn: bytes
) -> None:
    settings.DATA_DIR, now = tmp_path, timezone.now()
    with upstream(settings):
        gateway = model_of_gateway().gateway
        keys_used.note(now=now - timedelta(hours=2))
        with (tmp_path / "keys-used.jsonl").open("ab") as file:
            file.write(torn)
        assert keys_used.changed_since(gateway, now - timedelta(hours=1))
        keys_used.note(now=now)

        assert keys_used.changed_since(gateway, now - timedelta(hours=1))
        assert not keys_used.changed_since(gateway, now + timedelta(seconds=1))


def test_file_that_cannot_be_read_counts_as_another_key(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    (tmp_path / "keys-used.jsonl").mkdir()
    with upstream(settings):
        assert keys_used.changed_since(model_of_gateway().gateway, timezone.now())


def test_row_of_before_without_a_key_hides_none_of_the_same_address(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR, now = tmp_path, timezone.now()
    with upstream(settings):
        gateway = model_of_gateway().gateway
        factories.make_gateway(slug="lumenfall", is_sandbox=False, base_url=gateway.base_url)
        keys_used.note(now=now - timedelta(hours=1))
        settings.GATEWAY_API_KEY += "-new"
        keys_used.note(now=now)
        lines = (tmp_path / "keys-used.jsonl").read_text().split("\n")

    assert [json.loads(line)[2] != "" for line in filter(None, lines)] == [True, True]


def test_key_that_is_written_down_after_a_torn_line_is_read(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR, now = tmp_path, timezone.now()
    with upstream(settings):
        gateway, first = model_of_gateway().gateway, settings.GATEWAY_API_KEY
        keys_used.note(now=now - timedelta(hours=2))
        with (tmp_path / "keys-used.jsonl").open("a") as file:
            file.write('["2026-11')
        settings.GATEWAY_API_KEY = first + "-new"
        keys_used.note(now=now - timedelta(minutes=20))
        settings.GATEWAY_API_KEY = first

        assert keys_used.changed_since(gateway, now - timedelta(hours=1))


def test_disk_that_gives_and_takes_nothing_keeps_no_worker_from_starting(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    (tmp_path / "keys-used.jsonl").mkdir()
    with upstream(settings), structlog.testing.capture_logs() as logs:
        model_of_gateway()
        keys_used.note(now=timezone.now())

    assert [line["event"] for line in logs] == ["keys_in_use_not_read", "keys_in_use_not_written_down"]


def test_money_of_an_earlier_accounts_order_stays_set_aside_when_the_new_one_does_not_know_it(
    settings: Any, member: Membership
) -> None:
    with upstream(settings, poll=lambda _id: (404, {"error": {"code": "NOT_FOUND", "message": "unknown"}})):
        row, now = queued(by=member, model=model_of_gateway()), timezone.now()
        engine.note(row.id, "sending", now=now, data={"try": 1, "key": mark(row.gateway)})
        settings.GATEWAY_API_KEY += "-of-another-account"
        held = []
        for days in (2, 15):
            ended_at = now - timedelta(days=days)
            Generation.objects.filter(id=row.id).update(
                status=Status.EXPIRED,
                upstream_id="video_a",
                submitted_at=ended_at,
                ended_at=ended_at,
                next_check_at=now,
            )
            sweep.sweep_once(now=timezone.now())
            held.append(not LedgerEntry.objects.filter(generation=row).exclude(kind="hold").exists())

    assert held == [True, False]


def test_gateways_memory_of_a_key_counts_from_its_first_use_also_after_an_admin_sent_again(
    settings: Any, member: Membership
) -> None:
    """What is sent again while the key is known may be a repetition, which renews nothing."""
    with upstream(settings):
        row, now = queued(by=member, model=model_of_gateway()), timezone.now()
        first = now - timedelta(minutes=55)
        engine.note(row.id, "sending", now=first, data={"try": 1})
        Generation.objects.filter(id=row.id).update(
            status=Status.UNKNOWN, sent_at=first, unclear_at=first, next_check_at=None
        )
        unclear.send_again(by=member, generation=fresh(row), now=now)
        submit.claim_queued(fresh(row), now=now)
        Generation.objects.filter(id=row.id).update(unclear_at=now)
        may = [replies.may_send_again(fresh(row), now=first + timedelta(minutes=m), uncounted="") for m in (59, 65)]

    assert may == [True, False]


def test_try_without_any_key_does_not_hide_the_account_of_an_earlier_one(settings: Any, member: Membership) -> None:
    """The page, and the sending that it promises, go by the newest key that is known."""
    with upstream(settings):
        row, now = queued(by=member, model=model_of_gateway()), timezone.now()
        for number, key in enumerate((mark(row.gateway), "")):
            engine.note(row.id, "sending" if number == 0 else "sent_again", now=now, data={"try": number, "key": key})
        Generation.objects.filter(id=row.id).update(status=Status.UNKNOWN, sent_at=now, unclear_at=now)
        known = []
        for suffix in ("", "-of-another-account"):
            settings.GATEWAY_API_KEY += suffix
            page = unclear.is_key_known(fresh(row), unclear.evidence_of([row])[row.id], now=timezone.now())
            known.append((page, not is_another(fresh(row))))

    assert known == [(True, True), (False, False)]
