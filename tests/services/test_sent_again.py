"""An order that an admin sent again: while its key was known it was promised to cost once, and that is kept."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from playground.domain.status import NEVER_RAN, Status
from playground.models import Gateway, Generation, Membership, Role
from playground.services import engine, sent_with, submit, sweep, unclear
from playground.views.card_money import is_surely_free
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
