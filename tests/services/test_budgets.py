"""Months and their limits: nothing is promised beyond a cap, and counters are what the ledger adds up to."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, date, datetime
from threading import Barrier

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone

from playground.domain.money import set_aside_micros
from playground.domain.status import Status
from playground.models import Budget, Event, Generation, LedgerEntry, Membership, Notice, Role, Run, Team
from playground.services import agreed, budgets, estimates, ledger, limits, runs
from tests import factories

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
VIDEO = 800_000
ASIDE = 1_000_000


@pytest.fixture
def model(db):
    return factories.make_model("kling-v3", gateway=factories.make_gateway(is_sandbox=False, is_default=True))


@pytest.fixture
def member(model):
    return factories.make_member()


def priced(model, micros=VIDEO) -> estimates.Wanted:
    """What costs `micros` a video, by a price that stands in the cache."""
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4)
    answer = {"state": "estimated", "unit_micros": micros, "provider": "fal", "checked_at": timezone.now().timestamp()}
    cache.set(estimates._key(wanted), answer, 60)
    return wanted


def press(by, wanted, token="press", **more):
    given = {"quoted_micros": VIDEO * wanted.count, **more}
    return runs.start(by=by, wanted=wanted, prompt="A boat", token=token, **given)


def ordered(by, model, *, aside=ASIDE, at=NOON) -> Generation:
    generation = factories.make_generation(by=by, model=model, status="running")
    with transaction.atomic():
        ledger.hold(generation=generation, amount_micros=aside, at=at)
    return generation


def cap(team: Team, micros: int | None, *, per_member: int | None = None) -> None:
    Team.objects.filter(id=team.id).update(monthly_cap_micros=micros, member_cap_micros=per_member)
    team.refresh_from_db()


def counters(team, month=date(2026, 11, 1)) -> dict:
    """Held and spent by person; None is the team."""
    rows = Budget.objects.filter(team=team, month=month)
    return {row.user_id: (row.held_micros, row.spent_micros) for row in rows}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("per_member", [False, True])
def test_hundred_presses_at_once_against_room_for_ten_are_ten_runs(model, member, per_member):
    cap(member.team, None if per_member else 10 * ASIDE, per_member=10 * ASIDE if per_member else None)
    wanted = priced(model)
    together = Barrier(50)

    def presses(number: int) -> list[str]:
        outcomes = []
        by = Membership.objects.select_related("team", "user").get(id=member.id)
        together.wait(30)
        for turn in range(2):
            try:
                press(by, wanted, token=f"press-{number}-{turn}")
                outcomes.append("made")
            except runs.OverBudget:
                outcomes.append("over budget")
        connection.close()
        return outcomes

    with ThreadPoolExecutor(50) as pool:
        outcomes = [outcome for some in pool.map(presses, range(50)) for outcome in some]

    assert (outcomes.count("made"), outcomes.count("over budget")) == (10, 90)
    assert (Run.objects.count(), Generation.objects.count()) == (10, 10)
    assert LedgerEntry.objects.filter(kind="hold", amount_micros=ASIDE).count() == 10
    assert set(Budget.objects.values_list("held_micros", "spent_micros")) == {(10 * ASIDE, 0)}
    assert Notice.objects.filter(data__percent=100).count() == 1


@pytest.mark.django_db
def test_caps_hold_to_the_micro_for_the_team_and_for_each_member(model, member):
    other = factories.make_member(team=member.team)
    cap(member.team, 3 * ASIDE, per_member=2 * ASIDE)
    ordered(member, model)
    ordered(member, model)
    with pytest.raises(ledger.OverBudget) as own:
        ordered(member, model, aside=1)
    ordered(other, model, aside=ASIDE - 1)
    with pytest.raises(ledger.OverBudget) as teams:
        ordered(other, model, aside=2)
    ordered(other, model, aside=1)

    assert (own.value.budget.user_id, teams.value.budget.user_id) == (member.user_id, None)
    assert counters(member.team) == {None: (3_000_000, 0), member.user_id: (2_000_000, 0), other.user_id: (ASIDE, 0)}


@pytest.mark.django_db
def test_press_for_which_not_one_video_fits_tells_the_admins_that_the_limit_is_reached(model, member):
    cap(member.team, 2 * ASIDE - 1)
    ordered(member, model, at=timezone.now())
    assert not Notice.objects.filter(data__percent=100).exists()
    with pytest.raises(runs.OverBudget):
        press(member, priced(model))
    notice = Notice.objects.get(data__percent=100)
    assert (notice.kind, notice.user) == ("budget_level", None)


def test_own_limit_of_a_member_goes_before_that_for_members(model, member):
    cap(member.team, None, per_member=5 * ASIDE)
    Membership.objects.filter(id=member.id).update(monthly_cap_micros=ASIDE)
    ordered(member, model)
    with pytest.raises(ledger.OverBudget):
        ordered(member, model)
    assert Budget.objects.get(user=member.user).cap_micros == ASIDE


@pytest.mark.django_db
def test_four_videos_with_money_for_three_are_none(model, member):
    cap(member.team, 4 * ASIDE - 1)
    four = estimates.Wanted(model=model, size="1280x720", seconds=4, count=4)
    priced(model)
    with pytest.raises(runs.OverBudget) as refused:
        press(member, four)

    assert refused.value.quote.one_fits
    assert not Run.objects.exists()
    assert not LedgerEntry.objects.exists()
    assert not Notice.objects.exists()
    cap(member.team, 4 * ASIDE)
    assert press(member, four).generations.count() == 4
    assert counters(member.team, ledger.month_of(member.team, timezone.now()))[None] == (4 * ASIDE, 0)


@pytest.mark.django_db
def test_second_of_two_presses_of_one_form_gives_the_run_of_the_first_which_took_the_last_room(
    model, member, monkeypatch
):
    cap(member.team, ASIDE)
    wanted, quote, firsts = priced(model), estimates.quote, []

    def waits_while_the_first_orders(**given):
        monkeypatch.setattr(estimates, "quote", quote)
        firsts.append(press(member, wanted))
        return quote(**given)

    monkeypatch.setattr(estimates, "quote", waits_while_the_first_orders)
    assert press(member, wanted) == firsts[0]


def test_race_lost_while_writing_leaves_nothing_of_the_run(model, member, monkeypatch):
    cap(member.team, 4 * ASIDE - 1)
    four = estimates.Wanted(model=model, size="1280x720", seconds=4, count=4)
    priced(model)
    monkeypatch.setattr(agreed, "check_limits", lambda *args: None)
    with pytest.raises(runs.OverBudget):
        press(member, four)
    assert not Run.objects.exists()
    assert not LedgerEntry.objects.exists()
    assert not Budget.objects.filter(held_micros__gt=0).exists()


@pytest.mark.django_db
def test_cost_above_what_was_set_aside_is_settled_in_full_said_and_stops_further_orders(model, member):
    cap(member.team, 12 * ASIDE)
    generation = ordered(member, model)
    ledger.settle(generation=generation, cost_micros=10 * VIDEO + 4_500_000, at=NOON)

    assert counters(member.team)[None] == (0, 12_500_000)
    event = Event.objects.get(generation=generation, kind="cost_above_set_aside")
    assert event.data == {"held_micros": ASIDE, "cost_micros": 12_500_000}
    assert Notice.objects.get(kind="cost_above_set_aside").data["cost_micros"] == 12_500_000
    assert Notice.objects.get(kind="budget_level").data["percent"] == 100
    with pytest.raises(ledger.OverBudget):
        ordered(member, model, aside=0)


@pytest.mark.django_db
@pytest.mark.parametrize("cost", [0, 500_000, 1_000_000])
def test_cost_up_to_what_was_set_aside_is_no_news(model, member, cost):
    generation = ordered(member, model)
    ledger.settle(generation=generation, cost_micros=cost, at=NOON)
    ledger.release(generation=generation, at=NOON)

    assert counters(member.team) == {None: (0, cost), member.user_id: (0, cost)}
    assert set(LedgerEntry.objects.values_list("kind", "amount_micros")) == {("hold", ASIDE), ("settle", cost)}
    assert not Event.objects.exists()
    assert not Notice.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "held_at", "settled_at", "month"),
    [
        ("UTC", "2026-11-30T23:59:59", "2026-12-01T00:00:00", date(2026, 11, 1)),
        ("Europe/Berlin", "2026-11-30T22:59:59", "2026-12-03T00:00:00", date(2026, 11, 1)),
        ("Europe/Berlin", "2026-11-30T23:00:00", "2026-12-03T00:00:00", date(2026, 12, 1)),
        # Clocks go back on 25 October, forward on 29 March.
        ("Europe/Berlin", "2026-10-25T00:30:00", "2026-10-31T23:30:00", date(2026, 10, 1)),
        ("Europe/Berlin", "2026-03-29T00:59:59", "2026-03-31T22:00:01", date(2026, 3, 1)),
        # Clocks go forward at the very midnight with which April begins.
        ("Asia/Amman", "2011-03-31T21:59:59", "2011-03-31T22:00:00", date(2011, 3, 1)),
        ("Asia/Amman", "2011-03-31T22:00:00", "2011-04-30T21:00:00", date(2011, 4, 1)),
    ],
)
def test_cost_lands_in_the_month_in_which_it_was_set_aside(model, member, zone, held_at, settled_at, month):
    Team.objects.filter(id=member.team_id).update(time_zone=zone)
    member.team.refresh_from_db()
    generation = ordered(member, model, at=datetime.fromisoformat(f"{held_at}+00:00"))
    ledger.settle(generation=generation, cost_micros=5, at=datetime.fromisoformat(f"{settled_at}+00:00"))

    assert set(LedgerEntry.objects.values_list("month", flat=True)) == {month}
    assert set(Budget.objects.values_list("month", "held_micros", "spent_micros")) == {(month, 0, 5)}


@pytest.mark.django_db
def test_sandbox_is_not_asked_for_limits_and_uses_none():
    member = factories.make_member(team=factories.make_team(limits_accepted_at=None, spending_paused_at=NOON))
    cap(member.team, 1)
    sandbox = factories.make_model("play", gateway=factories.make_gateway(slug="sandbox", is_default=True))
    quote = estimates.quote(by=member, wanted=priced(sandbox))

    press(member, priced(sandbox), confirmed_micros=None)

    assert (quote.left_micros, quote.is_closed, quote.needs_confirmation) == (None, False, False)
    assert not Budget.objects.exists()


@pytest.fixture
def admin(member):
    return factories.make_member(team=member.team, role=Role.ADMIN)


@pytest.mark.django_db
def test_paused_team_orders_nothing_until_it_goes_on(model, member, admin):
    limits.pause(by=admin, paused=True)
    member.team.refresh_from_db()
    with pytest.raises(runs.SpendingClosed) as refused:
        press(member, priced(model))
    assert refused.value.quote.is_paused
    limits.pause(by=admin, paused=False)
    member.team.refresh_from_db()
    assert press(member, priced(model)).generations.count() == 1


@pytest.mark.django_db
def test_pause_that_comes_after_the_price_check_refuses_the_order(model, member, admin):
    limits.pause(by=admin, paused=True)
    with pytest.raises(runs.SpendingClosed):
        press(member, priced(model))
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_first_order_waits_until_an_admin_has_accepted_limits(model):
    team = factories.make_team(limits_accepted_at=None)
    member, admin = factories.make_member(team=team), factories.make_member(team=team, role=Role.ADMIN)
    with pytest.raises(runs.SpendingClosed) as refused:
        press(member, priced(model))
    assert refused.value.quote.lacks_limits

    limits.accept_suggested(by=admin)

    team.refresh_from_db()
    assert (team.monthly_cap_micros, team.confirm_above_micros) == (50_000_000, 5_000_000)
    assert team.limits_accepted_by == admin.user
    assert press(Membership.objects.get(id=member.id), priced(model)).generations.count() == 1


@pytest.mark.django_db
def test_run_above_the_threshold_needs_its_sum_confirmed(model, member):
    Team.objects.update(confirm_above_micros=VIDEO)
    member.team.refresh_from_db()
    two = estimates.Wanted(model=model, size="1280x720", seconds=4, count=2)
    priced(model)
    for confirmed in (None, VIDEO, 2 * VIDEO - 1):
        with pytest.raises(runs.NeedsConfirmation):
            press(member, two, confirmed_micros=confirmed)
    assert not Run.objects.exists()
    assert press(member, priced(model), token="at-the-threshold").generations.count() == 1
    assert press(member, two, confirmed_micros=2 * VIDEO).generations.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("team_cap", "own_cap", "left"), [(5, 4, (4, 4, True)), (4, 5, (4, 4, False)), (3, None, (3, 3, False))]
)
def test_left_before_the_first_order_of_a_month_is_the_tighter_limit(member, team_cap, own_cap, left):
    cap(member.team, team_cap, per_member=own_cap)
    found = budgets.left_of(member, at=NOON)
    assert (found.micros, found.cap_micros, found.is_own) == left


@pytest.mark.django_db
def test_price_that_fits_by_itself_but_not_with_what_is_set_aside_is_over_budget(model, member):
    cap(member.team, VIDEO)
    quote = estimates.quote(by=member, wanted=priced(model))
    assert quote.set_aside_micros == set_aside_micros(VIDEO)
    assert quote.is_over_budget
    assert not quote.one_fits


UNPRICED = {"quoted_micros": None, "accept_unpriced": True}


def unpriced(model, count=1) -> estimates.Wanted:
    """What a gateway gives no price for, by an answer that stands in the cache."""
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4, count=count)
    answer = {"state": "unavailable", "no_price": True, "checked_at": timezone.now().timestamp()}
    cache.set(estimates._key(wanted), answer, 600)
    return wanted


@pytest.fixture
def bold(member):
    """Of a team that may order without a known price."""
    Team.objects.filter(id=member.team_id).update(allow_unpriced=True)
    member.team.refresh_from_db()
    return member


@pytest.mark.parametrize(("count", "confirmed", "made"), [(1, None, 0), (1, 1, 1), (2, 1, 0), (2, 2, 2), (1, 0, 0)])
def test_run_without_a_price_is_asked_about_once_more_whatever_the_threshold(model, bold, count, confirmed, made):
    wanted = unpriced(model, count)
    with nullcontext() if made else pytest.raises(runs.NeedsConfirmation):
        press(bold, wanted, **UNPRICED, confirmed_unpriced=confirmed, confirmed_micros=10**9)
    assert Generation.objects.count() == made


def test_run_without_a_price_is_ordered_by_whoever_says_so_alone(model, bold):
    with pytest.raises(runs.OfPrice):
        press(bold, unpriced(model), quoted_micros=None, confirmed_unpriced=1)
    assert not Run.objects.exists()
    press(bold, unpriced(model), **UNPRICED, confirmed_unpriced=1)
    assert Run.objects.count() == 1


def test_play_money_without_a_price_is_not_asked_about_nor_counted(model, bold, monkeypatch):
    cap(bold.team, 10 * ASIDE)
    monkeypatch.setattr(budgets, "UNPRICED_A_MONTH", 1)
    model.gateway.is_sandbox = True
    model.gateway.save()
    for number in range(2):
        press(bold, unpriced(model), token=f"press-{number}", **UNPRICED)
    assert budgets.unpriced_left(bold.team, at=timezone.now()) == 1


@pytest.mark.django_db(transaction=True)
def test_hundred_presses_at_once_without_a_price_are_as_many_as_a_month_takes(model, bold):
    """No more of them, though the cap has room for any number of orders that set nothing aside; those that were
    refused before take no place."""
    cap(bold.team, 10 * ASIDE)
    wanted = unpriced(model)
    press(bold, unpriced(model, 3), token="refused", **UNPRICED, confirmed_unpriced=3)
    for generation in Generation.objects.select_related("gateway", "team", "run"):
        ended(generation, Status.REJECTED, error_kind="moderation")
    together = Barrier(50)

    def presses(number: int) -> list[str]:
        outcomes = []
        by = Membership.objects.select_related("team", "user").get(id=bold.id)
        together.wait(30)
        for turn in range(2):
            try:
                press(by, wanted, token=f"press-{number}-{turn}", **UNPRICED, confirmed_unpriced=1)
                outcomes.append("made")
            except runs.OverBudget:
                outcomes.append("over")
        connection.close()
        return outcomes

    with ThreadPoolExecutor(50) as pool:
        outcomes = [outcome for each in pool.map(presses, range(50)) for outcome in each]
    assert (outcomes.count("made"), outcomes.count("over")) == (20, 80)
    assert Generation.objects.exclude(status=Status.REJECTED).count() == 20
    assert LedgerEntry.objects.filter(kind="hold").count() == 23


def ended(generation: Generation, status: Status, **fields) -> None:
    Generation.objects.filter(id=generation.id).update(**{"status": status, "next_check_at": None} | fields)
    ledger.release(generation=generation, at=timezone.now())


@pytest.mark.parametrize(
    ("status", "fields", "counts"),
    [
        (Status.REJECTED, {"error_kind": "moderation"}, False),
        (Status.CANCELLED, {}, False),
        (Status.CANCELLED, {"attempts": 3, "sent_at": NOON}, False),
        (Status.REJECTED, {"error_kind": "never_ran"}, True),
        (Status.CANCELLED, {"error_kind": "never_ran"}, True),
        (Status.CANCELLED, {"submitted_at": NOON}, True),
        (Status.CANCELLED, {"submitted_at": NOON, "cost_micros": 0}, False),
        (Status.CANCELLED, {"submitted_at": NOON, "cost_micros": 0, "next_check_at": NOON}, True),
        (Status.CANCELLED, {"unclear_at": NOON}, True),
        (Status.FAILED, {"submitted_at": NOON}, True),
        (Status.EXPIRED, {"submitted_at": NOON}, True),
        (Status.UNKNOWN, {"unclear_at": NOON}, True),
    ],
)
def test_order_that_was_refused_or_never_sent_takes_no_place_of_those_without_a_price(
    model, bold, monkeypatch, status, fields, counts
):
    cap(bold.team, 10 * ASIDE)
    monkeypatch.setattr(budgets, "UNPRICED_A_MONTH", 1)
    press(bold, unpriced(model), **UNPRICED, confirmed_unpriced=1)
    ended(Generation.objects.select_related("gateway", "team", "run").get(), status, **fields)
    assert budgets.unpriced_left(bold.team, at=timezone.now(), user_id=bold.user_id) == (0 if counts else 1)
    with pytest.raises(runs.OverBudget) if counts else nullcontext():
        press(bold, unpriced(model), token="second", **UNPRICED, confirmed_unpriced=1)


def test_run_that_is_partly_too_many_without_a_price_is_not_made_at_all(model, bold, monkeypatch):
    """Also where the page had not seen it coming."""
    cap(bold.team, 10 * ASIDE)
    monkeypatch.setattr(budgets, "UNPRICED_A_MONTH", 3)
    press(bold, unpriced(model, 2), **UNPRICED, confirmed_unpriced=2)
    monkeypatch.setattr(budgets, "unpriced_left", lambda team, *, at, user_id=None: None)
    with pytest.raises(runs.OverBudget):
        press(bold, unpriced(model, 2), token="second", **UNPRICED, confirmed_unpriced=2)
    assert Generation.objects.count() == LedgerEntry.objects.count() == 2
    press(bold, unpriced(model), token="third", **UNPRICED, confirmed_unpriced=1)


@pytest.mark.parametrize("whose", ["own", "each member's"])
def test_members_limit_alone_bounds_what_they_order_without_a_price(model, bold, monkeypatch, whose):
    """The member's, and nobody else's."""
    monkeypatch.setattr(budgets, "UNPRICED_A_MONTH", 1)
    if whose == "own":
        Membership.objects.filter(id=bold.id).update(monthly_cap_micros=10 * ASIDE)
    else:
        Team.objects.filter(id=bold.team_id).update(member_cap_micros=10 * ASIDE)
    bold = Membership.objects.select_related("team", "user").get(id=bold.id)
    other = factories.make_member(team=bold.team)
    press(bold, unpriced(model), **UNPRICED, confirmed_unpriced=1)

    left = [budgets.unpriced_left(by.team, at=timezone.now(), user_id=by.user_id) for by in (bold, other)]
    assert left == [0, None if whose == "own" else 1]
    with pytest.raises(runs.OverBudget) as refused:
        press(bold, unpriced(model), token="second", **UNPRICED, confirmed_unpriced=1)
    assert refused.value.quote.is_over_count
    press(other, unpriced(model), token="other", **UNPRICED, confirmed_unpriced=1)


def test_number_without_a_price_holds_only_with_a_limit_for_a_month_and_while_the_cost_is_unknown(
    model, bold, monkeypatch
):
    monkeypatch.setattr(budgets, "UNPRICED_A_MONTH", 1)
    for number in range(2):
        press(bold, unpriced(model), token=f"press-{number}", **UNPRICED, confirmed_unpriced=1)
    assert budgets.unpriced_left(bold.team, at=timezone.now()) is None
    cap(bold.team, 10 * ASIDE)
    assert budgets.unpriced_left(bold.team, at=timezone.now()) == 0
    with pytest.raises(runs.OverBudget) as refused:
        press(bold, unpriced(model), **UNPRICED, confirmed_unpriced=1)
    assert refused.value.quote.is_over_count
    first, second = Generation.objects.select_related("gateway", "team", "run")
    ledger.settle(generation=first, cost_micros=None, at=timezone.now())
    assert budgets.unpriced_left(bold.team, at=timezone.now()) == 0
    for generation in (first, second):
        ledger.settle(generation=generation, cost_micros=500_000, at=timezone.now())
    press(bold, unpriced(model), token="again", **UNPRICED, confirmed_unpriced=1)
    assert Budget.objects.get(user=None).spent_micros == 1_000_000


def test_cost_below_what_was_set_aside_tells_no_level_that_was_passed_before(member, model):
    cap(member.team, 10 * ASIDE)
    dear = ordered(member, model, aside=9 * ASIDE)
    ledger.settle(generation=dear, cost_micros=6 * ASIDE, at=NOON)
    told = Notice.objects.filter(kind="budget_level", user=None)
    assert [notice.data["percent"] for notice in told] == [80]
