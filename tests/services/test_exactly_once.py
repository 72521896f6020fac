"""One order, one charge: what every answer to a POST leads to, and who may send after an unclear one."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.template.loader import get_template
from django.utils import timezone

from playground import queue
from playground.domain.status import ENDED, Status
from playground.gateway.types import Job, JobState, Limits, Timing
from playground.models import Budget, Gateway, Generation, Membership, Notice, Role
from playground.services import (
    accepted,
    backlog,
    gateways,
    lanes,
    ledger,
    limits,
    lookups,
    parking,
    replies,
    stops,
    submit,
    sweep,
)
from playground.views.cards import card_of
from tests import factories
from tests.bench import money, run_queue
from tests.services.upstream import model_of_gateway, queued, upstream

LOST = b""
SERVER_ERROR = b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}"
SHORT = Timing(connect=1, read=0.3, write=1, total=0.3)


@pytest.fixture
def member(db: None) -> Membership:
    return factories.make_member(role=Role.ADMIN)


def fresh(generation: Generation) -> Generation:
    return Generation.objects.select_related("gateway", "team", "run", "model").get(id=generation.id)


def later(generation: Generation, **ago: float) -> Generation:
    """As if so much time had passed: everything the order remembers is older, and it is due."""
    shift = timedelta(**ago)
    row = fresh(generation)
    moved = {
        name: value - shift
        for name in ("sent_at", "unclear_at", "deadline_at", "submitted_at")
        if (value := getattr(row, name)) is not None
    }
    Generation.objects.filter(id=row.id).update(**moved, next_check_at=timezone.now())
    for event in row.events.all():
        row.events.filter(id=event.id).update(at=event.at - shift)
    return fresh(generation)


def step() -> None:
    """Everything is due: one sweep over what is to be sent, then what is on the queue."""
    now = timezone.now()
    Generation.objects.filter(next_check_at__gt=now).update(next_check_at=now)
    by_id = Gateway.objects.in_bulk()
    sweep._send({(Status.QUEUED, gateway_id) for gateway_id in by_id}, by_id, now=now)
    run_queue()


def kinds(generation: Generation) -> list[str]:
    return list(generation.events.values_list("kind", flat=True))


@pytest.mark.parametrize(
    ("status", "error", "ends", "kind"),
    [
        (400, {"code": "CONTENT_POLICY_VIOLATION"}, Status.REJECTED, "moderation"),
        (403, {"code": "FORBIDDEN"}, Status.REJECTED, "key"),
        (404, {"code": "MODEL_NOT_FOUND"}, Status.REJECTED, "other"),
        (422, {"code": "INVALID"}, Status.REJECTED, "other"),
        (402, {"code": "INSUFFICIENT_BALANCE"}, Status.REJECTED, "balance"),
        (401, {"code": "AUTHENTICATION_FAILED"}, Status.QUEUED, ""),
        (409, {"code": "IN_FLIGHT"}, Status.SUBMITTING, ""),
        (429, {"code": "RATE_LIMITED"}, Status.QUEUED, ""),
        (500, {"code": "INTERNAL"}, Status.SUBMITTING, ""),
    ],
)
def test_refusal_ends_the_order_and_all_else_keeps_its_money_aside(
    settings: Any, member: Membership, status: int, error: dict[str, str], ends: Status, kind: str
) -> None:
    with upstream(settings, refuses=(status, {"error": error})):
        generation = queued(by=member, model=model_of_gateway())
        submit.submit_queued(generation.id)

    row = fresh(generation)
    assert (row.state, row.error_kind) == (ends, kind)
    assert ("release" in money(row)) is (ends is Status.REJECTED)
    assert row.events.get(kind__in=("refused", "answer_unclear", "put_back")).data["http_status"] == status


def test_nothing_listens_so_nothing_was_sent_and_it_waits(settings: Any, member: Membership) -> None:
    with upstream(settings):
        generation = queued(by=member, model=model_of_gateway())
    submit.submit_queued(generation.id)

    row = fresh(generation)
    assert (row.state, row.unclear_at) == (Status.QUEUED, None)
    assert list(money(row)) == ["hold"]


def test_unclear_order_goes_out_six_times_with_one_key_within_half_an_hour_and_is_then_looked_for(
    settings: Any, member: Membership
) -> None:
    with upstream(settings, spoils=lambda _order, _number: SERVER_ERROR, log=(200, {"data": []})) as gateway:
        generation = queued(by=member, model=model_of_gateway())
        for _ in range(12):
            step()

    row = fresh(generation)
    assert row.state is Status.UNKNOWN
    assert gateway.posts == [str(generation.id)] * replies.MAX_TRIES
    assert len(gateway.charged) == 1
    assert list(money(row)) == ["hold"]
    assert sum(replies.UNCLEAR_S) <= replies.UNCLEAR_FOR.total_seconds()


def test_answer_that_got_lost_is_asked_for_with_the_same_key_and_charged_once(
    settings: Any, member: Membership
) -> None:
    with upstream(settings, spoils=lambda _order, number: LOST if number < 3 else None) as gateway:
        generation = queued(by=member, model=model_of_gateway())
        for _ in range(3):
            step()

    assert (fresh(generation).state, fresh(generation).upstream_id) == (Status.SUBMITTED, "video_0")
    assert (len(gateway.posts), len(gateway.charged)) == (3, 1)


@pytest.mark.parametrize("ago", [{"seconds": 3600}, {"minutes": 31}], ids=["key too old", "unclear for too long"])
def test_key_that_is_too_old_is_not_sent_again(settings: Any, member: Membership, ago: dict[str, float]) -> None:
    with upstream(settings, spoils=lambda _order, _number: LOST, log=(200, {"data": []})) as gateway:
        generation = queued(by=member, model=model_of_gateway(), deadline_at=timezone.now() + timedelta(days=1))
        step()
        later(generation, **ago)
        for _ in range(3):
            step()

    assert fresh(generation).state is Status.UNKNOWN
    assert len(gateway.posts) == 1


@pytest.mark.parametrize("answer", [LOST, SERVER_ERROR, b"HTTP/1.1 409 Busy\r\nContent-Length: 2\r\n\r\n{}"])
def test_gateway_without_keys_and_log_gets_an_unclear_order_once_and_admins_are_told(
    settings: Any, member: Membership, answer: bytes
) -> None:
    declared = {"honours_idempotency_key": False, "has_request_log": False}
    with upstream(settings, spoils=lambda _order, _number: answer) as gateway:
        model = model_of_gateway()
        Gateway.objects.filter(id=model.gateway_id).update(**declared)
        generation = queued(by=member, model=model)
        submit.submit_queued(generation.id)
        step()

    assert fresh(generation).state is Status.UNKNOWN
    assert gateway.posts == [""]
    notice = Notice.objects.get(kind="unclear_order")
    assert (notice.team_id, notice.data["generation"]) == (member.team_id, str(generation.id))
    assert notice.data["held_micros"] == money(generation)["hold"] == 400_000


def without_keys(member: Membership) -> Generation:
    model = model_of_gateway()
    Gateway.objects.filter(id=model.gateway_id).update(honours_idempotency_key=False)
    return queued(by=member, model=model)


def test_lost_order_that_the_log_leads_to_goes_on_with_its_id(settings: Any, member: Membership) -> None:
    with upstream(settings, spoils=lambda _order, _number: LOST) as gateway:
        generation = without_keys(member)
        submit.submit_queued(generation.id)
        waits = fresh(generation)
        step()

    row = fresh(generation)
    assert (waits.state, waits.error_code) == (Status.SUBMITTING, parking.LOOKED_FOR)
    assert waits.next_check_at is not None
    assert waits.next_check_at - timezone.now() > timedelta(seconds=50)
    assert (row.state, row.upstream_id, len(gateway.posts)) == (Status.RUNNING, "video_0", 1)
    assert row.events.get(kind="found_in_log").data["log"][0]["id"] == "video_0"


def test_video_that_is_reached_by_a_request_id_is_taken_up_by_its_own(settings: Any, member: Membership) -> None:
    def told(id: str) -> tuple[int, Any]:
        return 200, {"id": "video_0", "status": "queued"}

    with upstream(settings, spoils=lambda _order, _number: LOST, poll=told) as gateway:
        generation = without_keys(member)
        submit.submit_queued(generation.id)
        gateway.log = (200, {"data": [gateway.logged(gateway.charged[0], id="req_9")]})
        step()

    assert fresh(generation).upstream_id == "video_0"


@pytest.mark.parametrize(
    ("entry", "ends", "kind"),
    [
        ({"id": "req_9", "status": "rejected", "cost": 0, "error_code": "POLICY"}, Status.REJECTED, "log_says_refused"),
        ({"id": "req_9", "status": "rejected", "cost": 0.4}, Status.UNKNOWN, "answer_lost"),
        ({"id": "req_9", "status": "completed", "cost": 0}, Status.UNKNOWN, "answer_lost"),
        ({"id": "req_9", "trace_id": "f" * 32}, Status.UNKNOWN, "answer_lost"),
        (None, Status.UNKNOWN, "answer_lost"),
    ],
)
def test_only_a_refusal_that_cost_nothing_closes_an_order_and_absence_proves_nothing(
    settings: Any, member: Membership, entry: dict[str, Any] | None, ends: Status, kind: str
) -> None:
    with upstream(settings, spoils=lambda _order, _number: LOST) as gateway:
        generation = without_keys(member)
        submit.submit_queued(generation.id)
        logged = [gateway.logged(gateway.charged[0], **entry)] if entry else []
        gateway.log = (200, {"data": logged})
        step()

    row = fresh(generation)
    assert (row.state, len(gateway.posts)) == (ends, 1)
    assert row.events.last().kind == kind  # type: ignore[union-attr]
    assert ("release" in money(row)) is (ends is Status.REJECTED)
    assert len(row.events.last().data["log"]) == (entry is not None and "trace_id" not in entry)  # type: ignore[union-attr]


@pytest.mark.parametrize(("entries", "ends"), [(1, Status.UNKNOWN), (2, Status.REJECTED)])
def test_refusal_of_one_try_does_not_close_an_order_that_was_sent_twice(
    settings: Any, member: Membership, entries: int, ends: Status
) -> None:
    with upstream(settings, spoils=lambda _order, _number: LOST) as gateway:
        generation = without_keys(member)
        submit.submit_queued(generation.id)
        factories.make_event(generation, "sent_again")
        refused = {"status": "rejected", "cost": 0}
        logged = [gateway.logged(gateway.charged[0], id=f"req_{number}", **refused) for number in range(entries)]
        gateway.log = (200, {"data": logged})
        step()

    row = fresh(generation)
    assert row.state is ends
    assert len(row.events.last().data["log"]) == entries  # type: ignore[union-attr]
    assert ("release" in money(row)) is (ends is Status.REJECTED)


def test_log_that_cannot_be_read_is_tried_again_and_a_person_is_asked_at_last(
    settings: Any, member: Membership
) -> None:
    with upstream(settings, spoils=lambda _order, _number: LOST, log=(404, {})) as gateway:
        generation = without_keys(member)
        submit.submit_queued(generation.id)
        gateway.log = (401, {"error": {"message": "Who are you"}})
        step()
        waits = fresh(generation)
        later(generation, minutes=11)
        step()

    assert (waits.state, waits.error_code) == (Status.SUBMITTING, parking.LOOKED_FOR)
    assert fresh(generation).state is Status.UNKNOWN
    assert "Who are you" in fresh(generation).events.last().data["log_error"]  # type: ignore[union-attr]


def test_look_that_never_ends_is_given_up_but_not_before_one_was_begun(settings: Any, member: Membership) -> None:
    with upstream(settings, spoils=lambda _order, _number: LOST) as gateway:
        generation = without_keys(member)
        submit.submit_queued(generation.id)
        for minutes in (14, 2):
            submit.take_over(later(generation, minutes=minutes), now=timezone.now())
            Generation.objects.filter(id=generation.id, status=Status.SUBMITTING).update(claim_id=None)
        begun = later(generation)
        assert (begun.state, begun.claim_id) == (Status.SUBMITTING, None)
        submit.take_over(begun, now=timezone.now())
        submit.take_over(later(generation), now=timezone.now())

    told = fresh(generation).events.get(kind="answer_lost").data
    assert (fresh(generation).state, told["code"], told["log"]) == (Status.UNKNOWN, "log_unreadable", None)
    assert Notice.objects.filter(kind="unclear_order").exists()
    assert len(gateway.posts) == 1


def test_look_that_takes_too_long_is_ended_and_made_again(
    settings: Any, member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "FIND_S", 0)
    with upstream(settings, spoils=lambda _order, _number: LOST):
        generation = without_keys(member)
        submit.submit_queued(generation.id)
        step()

    row = fresh(generation)
    assert (row.state, row.claim_id, row.error_code) == (Status.SUBMITTING, None, parking.LOOKED_FOR)
    assert row.events.get(kind="log_not_read").data["code"] == "deadline"


def test_slow_answers_end_in_one_charge_each_with_the_right_id(
    settings: Any, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client gives up after 0.3 s; the gateway took the order and would have answered after half a second."""
    client_for = gateways.client_for
    monkeypatch.setattr(gateways, "client_for", lambda gateway: client_for(gateway, limits=Limits(create=SHORT)))
    slow = threading.Event()

    def dawdle(_order: Any, number: int) -> None:
        if number == 1:
            slow.wait(0.5)

    member = factories.make_member()
    with upstream(settings, spoils=dawdle) as gateway:
        model = model_of_gateway()
        rows = [queued(by=member, model=model) for _ in range(6)]
        for _ in range(4):
            step()

    assert len(gateway.charged) == len(rows)
    of_key = {order.key: order.id for order in gateway.charged}
    assert {str(row.id): fresh(row).upstream_id for row in rows} == of_key


def test_workers_and_the_sweep_claim_one_order_and_it_is_sent_once(settings: Any, transactional_db: None) -> None:
    member = factories.make_member()
    with upstream(settings) as gateway:
        model = model_of_gateway()
        rows = [queued(by=member, model=model) for _ in range(25)]

        def work() -> None:
            for row in rows:
                submit.submit_queued(row.id)
            connection.close()

        def sweeping() -> None:
            for _ in range(5):
                now = timezone.now()
                by_id = Gateway.objects.in_bulk()
                sweep._send({(Status.QUEUED, gateway_id) for gateway_id in by_id}, by_id, now=now)
            connection.close()

        with ThreadPoolExecutor(3) as pool:
            for done in [pool.submit(work), pool.submit(work), pool.submit(sweeping)]:
                done.result()
        run_queue()
        run_queue()

    assert sorted(gateway.posts) == sorted(str(row.id) for row in rows)
    assert Generation.objects.filter(status=Status.SUBMITTED).count() == len(rows)


def test_tasks_that_the_queue_gives_out_twice_send_nothing_twice(settings: Any, member: Membership) -> None:
    with upstream(settings, spoils=lambda _order, number: LOST if number == 1 else None) as gateway:
        generation = queued(by=member, model=model_of_gateway())
        for _ in range(3):
            submit.submit_queued(generation.id)
        step()
        claim_id = fresh(generation).claim_id
        submit.submit_claimed(generation.id, generation.id)

    assert claim_id is None
    assert len(gateway.posts) == 2


def test_order_that_kills_its_sender_every_time_is_parked(settings: Any, member: Membership) -> None:
    with upstream(settings) as gateway:
        model = model_of_gateway()
        Gateway.objects.filter(id=model.gateway_id).update(has_request_log=False)
        generation = queued(by=member, model=model)
        assert submit.claim_queued(generation, now=timezone.now())
        deaths = 0
        while claim_id := submit.take_over(later(generation), now=timezone.now()):
            deaths += 1
            submit._begin(fresh(generation), claim_id, now=timezone.now())

    assert fresh(generation).state is Status.UNKNOWN
    assert kinds(generation).count("sender_lost") == deaths + 1 == replies.MAX_DEATHS == 3
    assert gateway.posts == []


def test_sender_that_died_before_its_try_began_counts_for_nothing(settings: Any, member: Membership) -> None:
    with upstream(settings, refuses=(429, {"error": {"code": "RATE_LIMITED"}})) as gateway:
        generation = queued(by=member, model=model_of_gateway())
        submit.submit_queued(generation.id)
        for _ in range(2 * replies.MAX_DEATHS):
            assert submit.claim_queued(later(generation), now=timezone.now(), begins=False)
            submit.take_over(later(generation), now=timezone.now())
        waits = fresh(generation)
        gateway.refuses = None
        cache.clear()
        step()

    assert (waits.state, waits.attempts, waits.unclear_at, waits.error_code) == (Status.QUEUED, 1, None, "throttled")
    assert "sender_lost" not in kinds(generation)
    assert (fresh(generation).state, fresh(generation).attempts) == (Status.SUBMITTED, 2)
    assert len(gateway.posts) == 2


def test_task_that_never_runs_takes_no_try_from_an_order_that_is_unclear(settings: Any, member: Membership) -> None:
    with upstream(settings, spoils=lambda _order, number: LOST if number == 1 else None) as gateway:
        generation = queued(by=member, model=model_of_gateway())
        submit.submit_queued(generation.id)
        for _ in range(2 * replies.MAX_TRIES):
            assert submit.take_over(later(generation), now=timezone.now())
        step()

    assert (fresh(generation).state, fresh(generation).attempts) == (Status.SUBMITTED, 2)
    assert [kind for kind in kinds(generation) if kind != "ordered"] == [
        "sending",
        "answer_unclear",
        "sent_again",
        "submitted",
    ]
    assert (len(gateway.posts), len(gateway.charged)) == (2, 1)


def test_key_that_grew_too_old_while_its_order_waited_for_a_free_place_is_not_sent(
    settings: Any, member: Membership
) -> None:
    with upstream(settings, spoils=lambda _order, _number: LOST) as gateway:
        model = model_of_gateway()
        Gateway.objects.filter(id=model.gateway_id).update(has_request_log=False)
        generation = queued(by=member, model=model)
        submit.submit_queued(generation.id)
        claim_id = submit.take_over(later(generation), now=timezone.now())
        assert claim_id is not None
        Gateway.objects.filter(id=model.gateway_id).update(key_trusted_seconds=60)
        later(generation, minutes=2)
        submit.submit_claimed(generation.id, claim_id)

    assert len(gateway.posts) == 1
    assert (fresh(generation).state, fresh(generation).attempts) == (Status.UNKNOWN, 1)
    assert list(money(generation)) == ["hold"]


@pytest.mark.parametrize("changed", ["account", "dialect"])
def test_order_whose_sender_died_is_not_sent_again_with_another_key(
    settings: Any, member: Membership, changed: str
) -> None:
    """Another account knows no idempotency key of the first; what went out without one has none to be known by."""
    with upstream(settings) as gateway:
        settings.GATEWAY_DIALECT = "openai" if changed == "dialect" else "lumenfall"
        generation = queued(by=member, model=model_of_gateway())
        assert submit.claim_queued(generation, now=timezone.now())
        settings.GATEWAY_DIALECT = "lumenfall"
        settings.GATEWAY_API_KEY += "-of-another-account" if changed == "account" else ""
        gateways.ensure_default()
        submit.take_over(later(generation), now=timezone.now())
        looked = fresh(generation)
        step()

    assert gateway.posts == []
    assert (looked.state, looked.error_code) == (Status.SUBMITTING, parking.LOOKED_FOR)
    parked = fresh(generation)
    assert (parked.state, parked.error_code) == (Status.UNKNOWN, "key_replaced")
    assert "key was replaced" in parked.events.get(kind="answer_lost").data["log_error"]


def test_claim_that_was_lost_before_the_try_began_sends_nothing(settings: Any, member: Membership) -> None:
    with upstream(settings) as gateway:
        generation = queued(by=member, model=model_of_gateway())
        claim_id = submit.claim_queued(generation, now=timezone.now(), begins=False)
        assert claim_id is not None
        frozen = fresh(generation)
        submit.take_over(later(generation), now=timezone.now())
        submit._send(frozen, claim_id, is_begun=False)

    assert gateway.posts == []
    assert fresh(generation).state is Status.QUEUED


def test_busy_gateway_is_waited_for_an_hour_with_growing_pauses(settings: Any, member: Membership) -> None:
    with upstream(settings, refuses=(429, {"error": {"code": "RATE_LIMITED"}})) as gateway:
        model = model_of_gateway()
        generation, behind = queued(by=member, model=model), queued(by=member, model=model)
        pauses = []
        for _ in range(9):
            submit.submit_queued(generation.id) if not pauses else step_of(generation)
            row = fresh(generation)
            assert row.next_check_at is not None
            pauses.append(round((row.next_check_at - timezone.now()).total_seconds()))
        waits = fresh(generation)
        gone = later(generation, minutes=59)
        Generation.objects.filter(id=gone.id).update(created_at=gone.created_at - timedelta(minutes=59))
        step_of(generation)

    assert (waits.state, waits.unclear_at, waits.error_code) == (Status.QUEUED, None, "throttled")
    assert waits.deadline_at == waits.created_at + replies.BUSY_FOR
    assert fresh(behind).deadline_at == fresh(behind).created_at + replies.BUSY_FOR
    assert pauses == [*backlog.WAIT_S, *[backlog.WAIT_S[-1]] * 3]
    row = fresh(generation)
    assert (row.state, row.error_kind, list(money(row))) == (Status.REJECTED, "busy", ["hold", "release"])
    assert len(gateway.posts) == 10


def step_of(generation: Generation) -> None:
    """Its turn, whatever the gateway said of others."""
    row = later(generation)
    claim_id = submit.claim_queued(row, now=timezone.now(), begins=False)
    assert claim_id is not None
    cache.delete(backlog._key(row.gateway_id))  # the gateway's pause is over; what it said before is not forgotten
    submit.submit_claimed(row.id, claim_id)


def test_pause_that_a_busy_gateway_asks_for_is_kept(settings: Any, member: Membership) -> None:
    asks = b"HTTP/1.1 429 Busy\r\nRetry-After: 90\r\nContent-Length: 2\r\n\r\n{}"
    with upstream(settings, spoils=lambda _order, _number: asks):
        generation = queued(by=member, model=model_of_gateway())
        submit.submit_queued(generation.id)

    due = fresh(generation).next_check_at
    assert due is not None
    assert timedelta(seconds=85) < due - timezone.now() <= timedelta(seconds=90)
    assert backlog.allowed(generation.gateway_id, now=timezone.now() + timedelta(seconds=85)) == 0


@pytest.fixture
def paid(settings: Any, member: Membership) -> Any:
    """An order at a gateway that costs, of a team whose spending is paused while it waits."""
    with upstream(settings) as gateway:
        generation = queued(by=member, model=model_of_gateway())
        limits.pause(by=member, paused=True)
        yield gateway, generation


def test_order_that_waits_is_not_sent_while_all_spending_is_paused_and_goes_out_when_it_goes_on(
    paid: Any, member: Membership
) -> None:
    gateway, generation = paid
    submit.submit_queued(generation.id)
    step()
    waits = fresh(generation)
    assert (waits.state, waits.attempts, len(gateway.posts)) == (Status.QUEUED, 0, 0)
    assert waits.next_check_at > timezone.now()  # type: ignore[operator]
    limits.pause(by=member, paused=False)
    assert fresh(generation).next_check_at < timezone.now()  # type: ignore[operator]
    step()
    assert (fresh(generation).state, len(gateway.posts)) == (Status.SUBMITTED, 1)


def test_pause_of_all_spending_that_comes_after_the_claim_holds_the_order_too(paid: Any, member: Membership) -> None:
    gateway, generation = paid
    limits.pause(by=member, paused=False)
    claim_id = submit.claim_queued(fresh(generation), now=timezone.now(), begins=False)
    assert claim_id is not None
    limits.pause(by=member, paused=True)
    submit.submit_claimed(generation.id, claim_id)
    assert (fresh(generation).state, gateway.posts) == (Status.QUEUED, [])


def test_order_that_waits_too_long_for_a_pause_of_all_spending_ends_for_free(paid: Any) -> None:
    gateway, generation = paid
    later(generation, minutes=31)
    step()
    ended = fresh(generation)
    assert (ended.state, ended.error_code, gateway.posts) == (Status.CANCELLED, "spending_paused", [])
    assert list(money(generation)) == ["hold", "release"]


def test_pause_of_all_spending_stops_no_order_of_play_money(member: Membership) -> None:
    sandbox = factories.make_model(gateway=factories.make_gateway(is_sandbox=True))
    generation = queued(by=member, model=sandbox)
    limits.pause(by=member, paused=True)
    assert submit.claim_queued(generation, now=timezone.now())


def test_unclear_order_is_cleared_up_while_all_spending_is_paused(settings: Any, member: Membership) -> None:
    with upstream(settings, spoils=lambda _order, number: LOST if number == 1 else None) as gateway:
        generation = queued(by=member, model=model_of_gateway())
        submit.submit_queued(generation.id)
        limits.pause(by=member, paused=True)
        step()
    assert fresh(generation).state is Status.SUBMITTED
    assert (len(gateway.posts), len(gateway.charged)) == (2, 1)


def thawed(generation: Generation) -> Any:
    """The claim of a sender that was frozen while another took over."""
    claim_id = submit.claim_queued(generation, now=timezone.now())
    assert submit.take_over(later(generation), now=timezone.now())
    return claim_id


def test_thawed_sender_with_an_error_changes_nothing(settings: Any, member: Membership) -> None:
    with upstream(settings, refuses=(400, {"error": {"code": "INVALID"}})):
        generation = queued(by=member, model=model_of_gateway())
        frozen = fresh(generation)
        claim_id = thawed(frozen)
        before = Generation.objects.filter(id=generation.id).values().get()
        events = kinds(generation)
        submit._send(frozen, claim_id)

    assert Generation.objects.filter(id=generation.id).values().get() == before
    assert kinds(generation) == events


@pytest.mark.parametrize("state", [Status.UNKNOWN, Status.QUEUED, Status.REJECTED, Status.CANCELLED])
def test_answer_that_comes_after_a_person_decided_is_kept_and_stops_a_second_sending(
    settings: Any, member: Membership, state: Status
) -> None:
    with upstream(settings) as gateway:
        generation = queued(by=member, model=model_of_gateway())
        claim_id = submit.claim_queued(generation, now=timezone.now())
        assert claim_id is not None
        due = None if state is not Status.QUEUED else timezone.now()
        past = timezone.now() - timedelta(minutes=1)
        ended = {"ended_at": past} if state in ENDED else {}
        rows = Generation.objects.filter(id=generation.id)
        rows.update(status=state, claim_id=None, next_check_at=due, deadline_at=past, **ended)
        accepted.keep(generation, Job(id="paid-1", state=JobState.QUEUED))
        step()

    row = fresh(generation)
    assert (row.state, row.upstream_id, row.ended_at) == (Status.SUBMITTED, "paid-1", None)
    assert row.deadline_at is not None
    assert row.deadline_at > timezone.now() + timedelta(minutes=29)
    assert row.is_late is (state in ENDED)
    assert gateway.posts == []


def test_video_that_was_paid_although_cancelled_is_watched_marked_as_late_and_settled(
    settings: Any, member: Membership
) -> None:
    done = {"id": "paid-1", "status": "completed", "cost": 0.3, "output": {"url": "https://x.example/v.mp4"}}
    with upstream(settings, poll=lambda _id: (200, done)):
        generation = queued(by=member, model=model_of_gateway())
        frozen = fresh(generation)
        assert stops.cancel(by=member, generation=generation)
        accepted.keep(frozen, Job(id="paid-1", state=JobState.QUEUED))
        waiting = card_of(Generation.objects.for_cards().get(), by=member)
        due = fresh(generation).next_check_at
        assert due is not None
        sweep.sweep_once(now=due)

    row = fresh(generation)
    assert (row.state, row.is_late) == (Status.COMPLETED, True)
    assert waiting.sentence == "It had been sent before it was stopped. What comes is kept."
    ledger.settle(generation=row, cost_micros=300_000, at=timezone.now())
    budgets = Budget.objects.filter(team=member.team)
    assert money(row) == {"hold": 400_000, "release": 400_000, "settle": 300_000}
    assert {(budget.held_micros, budget.spent_micros) for budget in budgets} == {(0, 300_000)}


def test_id_that_comes_for_an_order_stopped_under_its_own_id_changes_nothing(settings: Any, member: Membership) -> None:
    with upstream(settings):
        generation = queued(by=member, model=model_of_gateway())
    rows = Generation.objects.filter(id=generation.id)
    rows.update(status=Status.CANCELLED, upstream_id="paid-1", ended_at=timezone.now())
    for id in ("paid-1", "paid-2"):
        accepted.keep(fresh(generation), Job(id=id, state=JobState.QUEUED))

    assert (fresh(generation).state, fresh(generation).upstream_id) == (Status.CANCELLED, "paid-1")
    assert Notice.objects.get().data["other"] == "paid-2"


def test_second_id_for_an_order_is_noted_and_told_the_admins_once(settings: Any, member: Membership) -> None:
    with upstream(settings):
        generation = queued(by=member, model=model_of_gateway())
        claim_id = submit.claim_queued(generation, now=timezone.now())
        assert claim_id is not None
        for id in ("paid-1", "paid-1", "paid-2", "paid-2"):
            accepted.keep(generation, Job(id=id, state=JobState.QUEUED))

    assert fresh(generation).upstream_id == "paid-1"
    assert {event.data["upstream_id"] for event in generation.events.filter(kind="other_id_told")} == {"paid-2"}
    notice = Notice.objects.get(kind="other_id_told")
    assert (notice.team_id, notice.user) == (member.team_id, None)
    words = get_template("notices/kinds/other_id_told.html").render({"notice": notice, "row": {"shows_run": True}})
    assert "as paid-1, then answered once more as paid-2" in words
    assert str(generation.run_id) in words


def test_stop_that_fails_after_the_end_changes_nothing(settings: Any, member: Membership) -> None:
    with upstream(settings):
        generation = queued(by=member, model=model_of_gateway())
    stopped_at = timezone.now()
    rows = Generation.objects.filter(id=generation.id)
    rows.update(status=Status.SUBMITTED, upstream_id="video_0", stop_requested_at=stopped_at)

    class Ended:
        def __enter__(self) -> "Ended":
            rows.update(status=Status.FAILED, next_check_at=None)
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing is held."""

        def cancel(self, _id: str) -> None:
            raise gateways.GatewayNotConfigured("gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateways, "client_for", lambda _gateway: Ended())
        stops.ask_to_stop(generation.id)

    assert fresh(generation).stop_requested_at == stopped_at


def test_no_more_than_three_orders_are_on_their_way_to_a_gateway(settings: Any, transactional_db: None) -> None:
    member, open_door = factories.make_member(), threading.Event()
    inside: list[str] = []

    def wait(order: Any, _number: int) -> None:
        inside.append(order.key)
        open_door.wait(10)

    with upstream(settings, spoils=wait) as gateway:
        model = model_of_gateway()
        rows = [queued(by=member, model=model) for _ in range(5)]

        def send(row: Generation) -> None:
            submit.submit_queued(row.id)
            if queue.waiting_for("submit") == 0 and len(inside) > lanes.AT_ONCE:
                raise AssertionError("too many")
            connection.close()

        with ThreadPoolExecutor(5) as pool:
            tasks = [pool.submit(send, row) for row in rows]
            wait_for_tasks(tasks, len(rows) - lanes.AT_ONCE)
            on_their_way = len(gateway.posts)
            open_door.set()
            for task in tasks:
                task.result()

    assert on_their_way <= lanes.AT_ONCE


def wait_for_tasks(tasks: list[Any], count: int) -> None:
    from tests.support.processes import wait_until

    wait_until(lambda: sum(task.done() for task in tasks) >= count, within=10, what="those without a lane left")
