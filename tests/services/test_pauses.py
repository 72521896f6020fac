"""A gateway that refuses the account or its own orders: nothing is sent or concluded, and it goes on by itself."""

from contextlib import closing
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.template.loader import render_to_string
from django.utils import timezone

from playground import queue
from playground.domain.status import Status
from playground.gateway.errors import AccountRefused, NotFound, NotSent, Unclear
from playground.gateway.types import Job, JobState, Limits
from playground.models import AuditEntry, Event, Gateway, Generation, LedgerEntry, Membership, Notice, Role, Run
from playground.services import asking, doubts, engine, estimates, gateways, outcomes, pace, pauses, runs, submit
from playground.services.price_checks import QuoteState
from tests import factories
from tests.bench import money, run_queue
from tests.services.test_exactly_once import step
from tests.services.upstream import model_of_gateway, queued, running, upstream

EMPTY = (402, {"error": {"code": "INSUFFICIENT_BALANCE", "message": "Insufficient balance"}})
REVOKED = (401, {"error": {"code": "AUTHENTICATION_FAILED", "message": "Invalid API key"}})


@pytest.fixture
def member(db: None) -> Membership:
    return factories.make_member(role=Role.ADMIN)


def left(dollars: float) -> tuple[int, Any]:
    return 200, {"billing_type": "prepaid", "available": {"amount": dollars, "currency": "usd"}}


def the_gateway() -> Gateway:
    return Gateway.objects.get(is_default=True)


@pytest.mark.parametrize(("refusal", "reason", "ended"), [(EMPTY, "balance", 1), (REVOKED, "key", 0)])
def test_refused_account_gets_no_further_order_and_what_waits_goes_on_waiting(
    settings: Any, member: Membership, refusal: tuple[int, Any], reason: str, ended: int
) -> None:
    with upstream(settings, refuses=refusal) as gateway:
        model = model_of_gateway()
        rows = [queued(by=member, model=model) for _ in range(8)]
        for _ in range(3):
            step()

    assert len(gateway.posts) == 1
    states = list(Generation.objects.order_by("status").values_list("status", flat=True))
    assert states == [Status.QUEUED] * (8 - ended) + [Status.REJECTED] * ended
    assert sum("release" in money(row) for row in rows) == ended
    assert the_gateway().paused_reason == reason
    assert [(notice.kind, notice.team_id) for notice in Notice.objects.all()] == [("gateway_paused", member.team_id)]
    assert AuditEntry.objects.filter(kind="gateway_paused").count() == 1


def test_order_whose_deadline_passes_during_a_pause_ends_for_free(settings: Any, member: Membership) -> None:
    with upstream(settings):
        generation = queued(by=member, model=model_of_gateway(), deadline_at=timezone.now() + timedelta(seconds=20))
        pauses.pause(generation.gateway, reason=pauses.BALANCE, now=timezone.now())
        submit.submit_queued(generation.id)
        waits = Generation.objects.get()
        Generation.objects.update(deadline_at=timezone.now())
        submit.submit_queued(generation.id)

    assert waits.next_check_at == waits.deadline_at
    assert Generation.objects.get().state is Status.CANCELLED
    assert list(money(generation)) == ["hold", "release"]


def test_pause_that_comes_after_the_claim_still_keeps_the_order_here(settings: Any, member: Membership) -> None:
    with upstream(settings) as gateway:
        generation = queued(by=member, model=model_of_gateway())
        claim_id = submit.claim_queued(generation, now=timezone.now())
        assert claim_id is not None
        generation.refresh_from_db()
        pauses.pause(generation.gateway, reason=pauses.KEY, now=timezone.now())
        submit._send(generation, claim_id)

    assert gateway.posts == []
    assert Generation.objects.get().state is Status.QUEUED


@pytest.mark.parametrize(("dollars", "goes_on"), [(0.0, False), (0.39, False), (0.4, True)])
def test_empty_account_is_used_again_once_it_pays_for_the_cheapest_that_waits(
    settings: Any, member: Membership, dollars: float, goes_on: bool
) -> None:
    with upstream(settings, balance=left(dollars)) as gateway:
        generation = queued(by=member, model=model_of_gateway())
        now = timezone.now()
        pauses.pause(generation.gateway, reason=pauses.BALANCE, now=now - pauses.PROBE_FIRST)
        assert pauses.due(now=now) == [generation.gateway_id]
        pauses.probe_due(now=now)
        step()

    assert (the_gateway().paused_at is None) is goes_on
    assert len(gateway.posts) == goes_on
    assert AuditEntry.objects.filter(kind="gateway_resumed", by=None).exists() is goes_on


def test_pauses_between_probes_grow_up_to_five_minutes(settings: Any, member: Membership) -> None:
    with upstream(settings, balance=left(0)):
        generation = queued(by=member, model=model_of_gateway())
    now = timezone.now()
    pauses.pause(generation.gateway, reason=pauses.BALANCE, now=now)
    gaps = []
    for _ in range(6):
        at = the_gateway().resume_check_at
        assert at is not None
        pauses.probe_due(now=at)
        gaps.append((the_gateway().resume_check_at - at).total_seconds())  # type: ignore[operator]

    assert gaps == [60, 120, 240, 300, 300, 300]
    assert pauses.due(now=now) == []


def test_press_during_a_pause_is_refused_before_anything_is_stored(settings: Any, member: Membership) -> None:
    with upstream(settings) as gateway:
        model = model_of_gateway(has_dry_run=False)
        member.team.allow_unpriced = True
        wanted = estimates.Wanted(model=model, size="1280x720", seconds=4)
        pauses.pause(model.gateway, reason=pauses.BALANCE, now=timezone.now())
        model.refresh_from_db()
        with pytest.raises(runs.NotPriced) as refused:
            runs.start(by=member, wanted=wanted, prompt="x", token="t", quoted_micros=None, accept_unpriced=True)

    assert refused.value.quote.state is QuoteState.ACCOUNT_EMPTY
    assert refused.value.quote.message == (
        "The gateway account is out of credit. Nothing was sent. An admin can top it up; your prompt is kept."
    )
    assert not Run.objects.exists()
    assert not LedgerEntry.objects.exists()
    assert gateway.posts == []
    assert queue.take_all() == []


def jobs(member: Membership, count: int, **fields: Any) -> list[Generation]:
    model = model_of_gateway()
    return [running(by=member, model=model, upstream_id=f"job_{n}", **fields) for n in range(count)]


def sweep(minutes: float = 0) -> None:
    """One round of questions, `minutes` from now, to all that is due then."""
    pace.load()
    now = timezone.now() + timedelta(minutes=minutes)
    with patch.object(pace, "CALM_PER_S", 1000.0), closing(asking.Asker()) as asker:
        asker.ask(Gateway.objects.all(), asking.overview(), now=now)
        while asker.under_way:
            asker.record(wait_s=30)


def states() -> set[str]:
    return set(Generation.objects.values_list("status", flat=True))


@pytest.mark.parametrize(
    ("poll", "balance", "reason"),
    [
        ((404, {"error": {"code": "NOT_FOUND"}}), left(10), "answers"),
        ((401, {"error": {"code": "AUTHENTICATION_FAILED"}}), (401, {}), "key"),
        ((404, {"error": {"code": "NOT_FOUND"}}), (401, {}), "key"),
    ],
)
def test_no_order_changes_when_most_are_unknown_or_refused_and_there_is_one_alarm(
    settings: Any, member: Membership, poll: tuple[int, Any], balance: tuple[int, Any], reason: str
) -> None:
    with upstream(settings, poll=lambda _id: poll, balance=balance) as gateway:
        rows = jobs(member, 5)
        for _ in range(3):
            sweep()
            Generation.objects.update(next_check_at=timezone.now())
        asked = gateway.polls
        Generation.objects.update(next_check_at=timezone.now())
        paused = the_gateway()
        pauses.hold_questions(paused, until=paused.resume_check_at)  # type: ignore[arg-type]
        sweep()
        still = gateway.polls
        for _ in range(3):
            Gateway.objects.update(resume_check_at=timezone.now())
            pauses.probe_due()
        stays = the_gateway().paused_at
        gateway.poll, gateway.balance = (lambda id: (200, {"id": id, "status": "in_progress"})), left(10)
        Gateway.objects.update(resume_check_at=timezone.now())
        pauses.probe_due()
        Generation.objects.update(next_check_at=timezone.now())
        sweep()

    assert (still, paused.paused_reason) == (asked, reason)
    assert stays is not None
    assert states() == {Status.RUNNING}
    assert Notice.objects.filter(kind="gateway_paused").count() == 1
    assert the_gateway().paused_at is None
    assert all(not Generation.objects.get(id=row.id).not_found_count for row in rows)


def test_questions_begin_again_spread_over_seconds(settings: Any, member: Membership) -> None:
    with upstream(settings):
        jobs(member, 40)
    now = timezone.now()
    pauses.pause(the_gateway(), reason=pauses.KEY, now=now)
    assert not Generation.objects.filter(next_check_at__lt=now + pauses.PROBE_FIRST).exists()
    pauses.resume(the_gateway(), by=member.user, now=now)
    due = list(Generation.objects.values_list("next_check_at", flat=True))
    assert max(due.count(at) for at in due) == 2
    assert max(due) < now + timedelta(seconds=pauses.RESUME_OVER_S)  # type: ignore[type-var]


def test_one_order_among_others_that_is_unknown_is_lost_after_ten_minutes_of_it(
    settings: Any, member: Membership
) -> None:
    def poll(id: str) -> tuple[int, Any]:
        return (404, {}) if id == "job_0" else (200, {"id": id, "status": "in_progress"})

    with upstream(settings, poll=poll):
        gone, *_others = jobs(member, 3)
        for _ in range(6):
            Generation.objects.update(next_check_at=timezone.now())
            sweep()
        early = Generation.objects.get(id=gone.id)
        gone.events.filter(kind="not_found").update(at=timezone.now() - timedelta(minutes=10))
        Generation.objects.update(next_check_at=timezone.now())
        sweep()

    assert (early.state, early.not_found_count) == (Status.RUNNING, 6)
    assert Generation.objects.get(id=gone.id).state is Status.LOST
    assert list(money(gone)) == ["hold", "release"]
    assert states() == {Status.RUNNING, Status.LOST}
    assert the_gateway().paused_at is None


def test_few_forgotten_orders_stop_nobody_and_are_lost_one_by_one(settings: Any, member: Membership) -> None:
    """Nothing else is asked in that minute, so all of the answers are 404, of a gateway that takes our key."""
    with upstream(settings, poll=lambda _id: (404, {})):
        rows = jobs(member, 2)
        for _ in range(5):
            Generation.objects.update(next_check_at=timezone.now())
            sweep()
        early = states()
        Event.objects.filter(kind="not_found").update(at=timezone.now() - doubts.LOST_AFTER)
        Generation.objects.update(next_check_at=timezone.now())
        sweep()

    assert (early, states()) == ({Status.RUNNING}, {Status.LOST})
    assert [list(money(row)) for row in rows] == [["hold", "release"]] * 2
    assert the_gateway().paused_at is None
    assert set(Notice.objects.values_list("kind", flat=True)) == {"order_lost"}
    words = render_to_string("notices/kinds/order_lost.html", {"notice": Notice.objects.first()})
    assert "reported no charge, so the money set aside is free again" in words


def test_orders_are_not_lost_by_the_word_of_another_account(settings: Any, member: Membership) -> None:
    with upstream(settings, poll=lambda _id: (404, {})):
        (row,) = jobs(member, 1, not_found_count=9)
        Event.objects.create(generation=row, kind="sending", data={"key": "of another account"}, at=timezone.now())
        Event.objects.create(generation=row, kind="not_found", at=timezone.now() - doubts.LOST_AFTER)
        sweep()

    assert states() == {Status.RUNNING}


def test_few_unknown_orders_are_not_lost_while_the_key_is_refused(settings: Any, member: Membership) -> None:
    with upstream(settings, poll=lambda _id: (404, {}), balance=(401, {})):
        jobs(member, 2, not_found_count=9)
        sweep()

    assert states() == {Status.RUNNING}
    assert the_gateway().paused_reason == "key"


@pytest.mark.parametrize(
    ("answer", "is_forgotten"),
    [
        (NotSent("away"), False),
        (Unclear("trouble"), False),
        (AccountRefused("key", reason="key"), False),
        (NotFound("unknown"), True),
        (Job("job_0", JobState.RUNNING), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_day_of_silence_gives_back_no_money_of_a_given_up_order(
    settings: Any, member: Membership, answer: outcomes.Answer, is_forgotten: bool
) -> None:
    now = timezone.now()
    with upstream(settings):
        (row,) = jobs(member, 1, ended_at=now - timedelta(hours=25))
    Generation.objects.update(status=Status.EXPIRED)
    row.refresh_from_db()
    outcomes.record(gateway=row.gateway, answers=[(row, answer)], now=now)

    row.refresh_from_db()
    assert list(money(row)) == ["hold", "release"][: 1 + is_forgotten]
    assert row.next_check_at == (None if is_forgotten else now + timedelta(hours=1))


def test_gateway_is_asked_once_and_shortly_whether_it_takes_our_key_however_many_orders_it_lost(
    settings: Any, member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Limits] = []
    client_for = gateways.client_for
    monkeypatch.setattr(
        gateways, "client_for", lambda gateway, *, limits: told.append(limits) or client_for(gateway, limits=limits)
    )
    now = timezone.now()
    with upstream(settings):
        rows = jobs(member, 7, minutes=20, not_found_count=4)
        for row in rows:
            engine.note(row.id, "not_found", now=now - timedelta(minutes=10))
        answers = [
            (row, NotFound("unknown") if n < 3 else Job(row.upstream_id, JobState.RUNNING))
            for n, row in enumerate(rows)
        ]
        outcomes.record(gateway=the_gateway(), answers=answers, now=now)

    assert Generation.objects.filter(status=Status.LOST).count() == 3
    assert [(limits.balance.total, limits.models.total) for limits in told] == [(pauses.KNOWS_US_S, pauses.KNOWS_US_S)]


def test_orders_asked_after_one_by_one_are_doubted_by_what_the_minute_said(settings: Any, member: Membership) -> None:
    """One unknown in a round of its own says little; beside it stand the others of the last minute."""
    with upstream(settings, poll=lambda _id: (404, {})):
        rows = jobs(member, doubts.FEWEST)
        later = timezone.now() + timedelta(hours=1)
        for row in rows:
            Generation.objects.update(next_check_at=later)
            Generation.objects.filter(id=row.id).update(next_check_at=timezone.now())
            sweep()
        assert the_gateway().paused_reason == "answers"
        pauses.resume(the_gateway(), by=None, now=timezone.now())
        Generation.objects.update(next_check_at=later, not_found_count=0, last_checked_at=timezone.now())
        Generation.objects.filter(id=rows[0].id).update(next_check_at=timezone.now())
        sweep()

    assert the_gateway().paused_at is None
    assert states() == {Status.RUNNING}


def test_new_orders_may_be_unknown_for_two_minutes(settings: Any, member: Membership) -> None:
    with upstream(settings, poll=lambda _id: (404, {})):
        jobs(member, 5, minutes=1)
        sweep()

    assert the_gateway().paused_at is None
    assert set(Generation.objects.values_list("not_found_count", flat=True)) == {0}


def test_doubted_order_is_not_held_for_ever_past_its_deadline(settings: Any, member: Membership) -> None:
    with upstream(settings, poll=lambda _id: (404, {})):
        rows = jobs(member, doubts.FEWEST)
        now = timezone.now()
        Generation.objects.update(deadline_at=now - timedelta(minutes=1))
        Generation.objects.filter(id=rows[0].id).update(deadline_at=now - timedelta(minutes=6))
        sweep()

    assert Generation.objects.get(id=rows[0].id).state is Status.EXPIRED
    assert Generation.objects.filter(status=Status.RUNNING).count() == doubts.FEWEST - 1
    assert set(money(rows[0])) == {"hold"}


def test_gateway_that_is_down_for_an_hour_fails_no_order_and_is_asked_ever_less(
    settings: Any, member: Membership
) -> None:
    with upstream(settings):
        jobs(member, 30)
    settings.GATEWAY_BASE_URL = "http://127.0.0.1:9/openai/v1"
    Gateway.objects.update(base_url=settings.GATEWAY_BASE_URL)
    gaps = []
    for _ in range(6):
        Generation.objects.update(next_check_at=timezone.now())
        sweep()
        now = timezone.now()
        due = [at for at in Generation.objects.values_list("next_check_at", flat=True) if at is not None]
        gaps.append(sorted((at - now).total_seconds() for at in due))

    assert states() == {Status.RUNNING}
    assert the_gateway().paused_at is None
    assert 3 < gaps[0][0] < gaps[0][-1] < 7
    assert 45 < gaps[-1][0] < 60 < gaps[-1][-1] < 75
    assert len({round(gap) for gap in gaps[-1]}) > 5


def test_admin_lets_it_go_on_and_it_pauses_again_when_it_still_refuses(settings: Any, member: Membership) -> None:
    with upstream(settings, refuses=EMPTY) as gateway:
        model = model_of_gateway()
        for _ in range(3):
            queued(by=member, model=model)
        step()
        first = the_gateway()
        assert pauses.resume(first, by=member.user, now=timezone.now())
        assert not pauses.resume(first, by=member.user, now=timezone.now())
        step()

    assert len(gateway.posts) == 2
    assert the_gateway().paused_reason == "balance"
    assert AuditEntry.objects.get(kind="gateway_resumed").by == member.user
    run_queue()
