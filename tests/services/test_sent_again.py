"""An order that an admin sent again: while its key was known it was promised to cost once, and that is kept."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from playground.domain.status import NEVER_RAN, Status
from playground.gateway.types import Job, JobState
from playground.models import Gateway, Generation, Membership, Role, Team
from playground.services import accepted, engine, outcomes, pauses, sent_with, stops, submit, sweep, unclear
from playground.views.card_money import is_surely_free
from playground.views.cards import card_of
from tests import factories
from tests.bench import money, run_queue
from tests.services.test_exactly_once import fresh
from tests.services.upstream import Upstream, model_of_gateway, queued, upstream

pytestmark = pytest.mark.django_db(transaction=True)
TRUSTED = timedelta(hours=1)


@pytest.fixture
def admin() -> Membership:
    return factories.make_member(role=Role.ADMIN)


def unclear_since(admin: Membership, age: timedelta, **fields: Any) -> Generation:
    """It went out so long ago, to a gateway that keeps no log, and no answer came."""
    row = queued(by=admin, model=model_of_gateway(has_request_log=False, key_trusted_seconds=3600))
    first = timezone.now() - age
    engine.note(row.id, "sending", now=first, data={"try": 1, "key": sent_with.mark(row.gateway)})
    fields = {"sent_at": first, "unclear_at": first, "next_check_at": None, **fields}
    Generation.objects.filter(id=row.id).update(status=Status.UNKNOWN, **fields)
    return fresh(row)


def sent_by_its_task(row: Generation) -> None:
    submit.submit_queued(row.id)


def sent_by_the_sweep(row: Generation) -> None:
    sweep.sweep_once(now=timezone.now())
    run_queue()


def claimed_in_time(row: Generation, settings: Any, change: str) -> None:
    """Handed out by the sweep while the key was known; its task begins when it is not."""
    claim_id = submit.claim_queued(fresh(row), now=timezone.now(), begins=False)
    assert claim_id is not None
    changed(row, settings, change)
    submit.submit_claimed(row.id, claim_id)


def changed(row: Generation, settings: Any, change: str) -> None:
    if change == "forgotten":
        Generation.objects.filter(id=row.id).update(sent_at=F("sent_at") - timedelta(minutes=10))
    elif change == "not honoured":
        Gateway.objects.update(honours_idempotency_key=False)
    else:
        settings.GATEWAY_API_KEY += "-of-another-account"


def asked_about_anew(row: Generation, gateway: Upstream) -> None:
    after = fresh(row)
    assert gateway.posts == []
    assert (after.state, after.error_code, after.claim_id) == (Status.UNKNOWN, "key_forgotten", None)
    assert list(money(after)) == ["hold"]


@pytest.mark.parametrize("change", ["forgotten", "not honoured", "another account"])
@pytest.mark.parametrize("send", [sent_by_its_task, sent_by_the_sweep])
def test_order_sent_again_while_its_key_was_known_is_not_sent_once_it_is_not(
    settings: Any, admin: Membership, send: Any, change: str
) -> None:
    with upstream(settings) as gateway:
        row = unclear_since(admin, timedelta(minutes=55))
        unclear.send_again(by=admin, generation=row)
        changed(row, settings, change)
        send(row)
    asked_about_anew(row, gateway)


@pytest.mark.parametrize("change", ["forgotten", "not honoured", "another account"])
def test_order_whose_key_is_forgotten_between_its_claim_and_its_sending_is_not_sent(
    settings: Any, admin: Membership, change: str
) -> None:
    with upstream(settings) as gateway:
        row = unclear_since(admin, timedelta(minutes=55))
        unclear.send_again(by=admin, generation=row)
        claimed_in_time(row, settings, change)
    asked_about_anew(row, gateway)


@pytest.mark.parametrize("send", [sent_by_its_task, sent_by_the_sweep])
@pytest.mark.parametrize("minutes", [5, 65])
def test_order_sent_again_goes_out_while_its_key_is_known_and_where_the_admin_knew_that_it_was_not(
    settings: Any, admin: Membership, minutes: int, send: Any
) -> None:
    with upstream(settings) as gateway:
        row = unclear_since(admin, timedelta(minutes=minutes))
        unclear.send_again(by=admin, generation=row)
        send(row)
    assert gateway.posts == [str(row.id)]
    assert fresh(row).state is Status.SUBMITTED


@pytest.mark.parametrize("send", [sent_by_its_task, sent_by_the_sweep])
def test_order_that_was_asked_about_anew_goes_out_when_the_admin_says_so_once_more(
    settings: Any, admin: Membership, send: Any
) -> None:
    with upstream(settings) as gateway:
        row = unclear_since(admin, timedelta(minutes=55))
        unclear.send_again(by=admin, generation=row)
        changed(row, settings, "forgotten")
        send(row)
        unclear.send_again(by=admin, generation=fresh(row))
        send(row)
    assert gateway.posts == [str(row.id)]
    assert fresh(row).state is Status.SUBMITTED


@pytest.mark.parametrize("trouble", ["paused", "spending", "busy", "none"])
def test_order_that_was_sent_again_and_waits_is_not_called_free(settings: Any, admin: Membership, trouble: str) -> None:
    """Its first try may have been charged: an admin's word alone says that it never ran."""
    with upstream(settings, refuses=(429, {"error": {"message": "later"}})):
        row = unclear_since(admin, timedelta(hours=3))
        unclear.send_again(by=admin, generation=row)
        if trouble == "paused":
            pauses.pause(row.gateway, reason=pauses.BALANCE, now=timezone.now())
        elif trouble == "spending":
            Team.objects.update(spending_paused_at=timezone.now())
        elif trouble == "busy":
            submit.submit_queued(row.id)
        card = card_of(Generation.objects.for_cards().get(id=row.id), by=admin)

    assert "Not charged" not in card.sentence
    assert "Cancel" in [action.label for action in card.actions]


def test_order_that_was_sent_again_and_is_refused_says_why_and_by_whose_word(settings: Any, admin: Membership) -> None:
    blocked = {"error": {"message": "Not in this land", "code": "moderation_blocked"}}
    with upstream(settings, refuses=(400, blocked)):
        row = unclear_since(admin, timedelta(hours=3))
        unclear.send_again(by=admin, generation=row)
        submit.submit_queued(row.id)
        card = card_of(fresh(row), by=admin)

    assert card.word == "Refused"
    assert card.sentence == (
        "The gateway refused it: Not in this land. "
        "An admin had it sent again, since its first try never ran; its money is free again."
    )


@pytest.mark.parametrize("end", ["cancelled", "closed"])
def test_late_answer_of_an_order_that_was_free_sets_nothing_aside_anew(
    settings: Any, admin: Membership, end: str
) -> None:
    with upstream(settings):
        if end == "cancelled":
            row = queued(by=admin, model=model_of_gateway(), estimate_micros=400_000)
            assert stops.cancel(by=admin, generation=row)
        else:
            row = unclear_since(admin, timedelta(hours=3))
            unclear.close(by=admin, generation=row)
        accepted.keep(fresh(row), Job("v0", JobState.QUEUED))
        went_on = card_of(fresh(row), by=None)
        Generation.objects.filter(id=row.id).update(stop_requested_at=timezone.now())
        stopping = card_of(fresh(row), by=None)
        stopped = (fresh(row), Job("v0", JobState.CANCELLED))
        outcomes.record(gateway=row.gateway, answers=[stopped], now=timezone.now())
        row = fresh(row)

    assert list(money(row)) == ["hold", "release"]
    assert "It had been sent" in went_on.sentence
    assert "Stopping. It may still cost $0.40." in stopping.sentence
    assert "It is looked for until" in card_of(row, by=None).sentence
    assert "set aside" not in card_of(row, by=None).sentence


def test_order_that_was_sent_again_and_is_refused_is_not_called_free(settings: Any) -> None:
    """What the first try cost only the admin's word tells."""
    admin = factories.make_member(role=Role.ADMIN)
    with upstream(settings) as gateway:
        row = unclear_since(admin, timedelta(minutes=120))
        unclear.send_again(by=admin, generation=row)
        gateway.refuses = (400, {"error": {"code": "content_policy", "message": "no"}})
        submit.submit_queued(row.id)

    row = fresh(row)
    assert (row.state, row.error_kind, row.error_code) == (Status.REJECTED, NEVER_RAN, "content_policy")
    assert not is_surely_free(row)
