"""Setting limits while others do, what is told of them, and the stop of all spending."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from playground.models import AuditEntry, Budget, Generation, Membership, Notice, Role, Team
from playground.services import budget_levels, ledger, limits
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Membership:
    return factories.make_member(role=Role.ADMIN)


def test_counters_are_changed_in_the_order_in_which_orders_take_them(admin, monkeypatch):
    month = ledger.month_of(admin.team, timezone.now())
    next_month = (month + timedelta(days=32)).replace(day=1)
    for of, user in ((next_month, None), (month, admin.user), (month, None)):
        Budget.objects.create(team=admin.team, user=user, month=of, cap_micros=1)
    changed = []
    monkeypatch.setattr(Budget, "refresh_from_db", lambda row: changed.append((row.month, row.user_id)))
    limits.change(by=admin, limits=limits.Limits(50_000_000, None, None, "UTC"))
    assert changed == [(month, None), (month, admin.user_id), (next_month, None)]


def test_limits_that_another_admin_has_set_meanwhile_are_not_replaced_by_the_suggested_ones(admin):
    Team.objects.update(limits_accepted_at=None)
    late = Membership.objects.select_related("team").get(id=admin.id)
    limits.change(by=admin, limits=limits.Limits(10_000_000, None, 1_000_000, "UTC"))

    limits.accept_suggested(by=late)

    assert Team.objects.get().monthly_cap_micros == 10_000_000
    assert late.team.monthly_cap_micros == 10_000_000


def test_raise_for_a_run_leaves_what_was_set_since_the_page_was_opened(admin):
    late = Membership.objects.select_related("team").get(id=admin.id)
    limits.change(by=admin, limits=limits.Limits(90_000_000, 4_000_000, 1_000_000, "Europe/Berlin"))

    raised = {"team_cap_micros": 60_000_000, "own_cap_micros": 3_000_000}
    limits.raise_to(by=late, user=admin.user, **raised, now=timezone.now())

    assert limits.suggested(Team.objects.get()) == limits.Limits(90_000_000, 4_000_000, 1_000_000, "Europe/Berlin")
    assert Membership.objects.get().monthly_cap_micros is None


NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


def counter(by: Membership, *, own: bool = False, **money: int) -> Budget:
    month = ledger.month_of(by.team, NOON)
    return Budget.objects.create(team=by.team, user=by.user if own else None, month=month, **money)


def test_suggested_limits_are_accepted_at_their_time_and_once(admin):
    Team.objects.update(limits_accepted_at=None, monthly_cap_micros=None, confirm_above_micros=None)
    limits.accept_suggested(by=admin, now=NOON)
    team = Team.objects.get()
    assert (team.limits_accepted_at, team.limits_accepted_by) == (NOON, admin.user)
    assert (team.monthly_cap_micros, team.confirm_above_micros) == (50_000_000, 5_000_000)
    limits.accept_suggested(by=admin, now=NOON + timedelta(days=1))
    assert Team.objects.get().limits_accepted_at == NOON
    assert AuditEntry.objects.get().at == NOON


def test_who_sets_a_limit_sets_none_in_another_team(admin):
    elsewhere, colleague = factories.make_member(), factories.make_member(team=admin.team)
    own = {elsewhere.id: 1_000_000, colleague.id: 2_000_000}
    limits.change(by=admin, limits=limits.Limits(None, None, None, "UTC"), own=own, now=NOON)
    caps = dict(Membership.objects.values_list("id", "monthly_cap_micros"))
    assert caps == {admin.id: None, colleague.id: 2_000_000, elsewhere.id: None}


def test_limit_of_a_member_alone_is_on_record_with_who_set_it(admin):
    standing, colleague = limits.suggested(admin.team), factories.make_member(team=admin.team)
    limits.change(by=admin, limits=standing, own={colleague.id: 2_000_000}, now=NOON)
    limits.change(by=admin, limits=standing, own={colleague.id: 2_000_000}, now=NOON)
    entry = AuditEntry.objects.get()
    assert (entry.kind, entry.by, entry.team, entry.at) == ("limits_changed", admin.user, admin.team, NOON)
    assert entry.data == {"members": {str(colleague.user_id): {"was": None, "is": 2_000_000}}}


def test_counters_of_the_month_take_the_limits_and_those_of_before_keep_theirs(admin):
    colleague = factories.make_member(team=admin.team)
    team, own, others = counter(admin), counter(admin, own=True), counter(colleague, own=True)
    Budget.objects.create(team=admin.team, month=(NOON - timedelta(days=40)).date().replace(day=1), cap_micros=7)
    caps = limits.Limits(9_000_000, 3_000_000, None, "UTC")
    limits.change(by=admin, limits=caps, own={admin.id: 4_000_000}, now=NOON)
    found = dict(Budget.objects.values_list("id", "cap_micros"))
    assert [found.pop(row.id) for row in (team, own, others)] == [9_000_000, 4_000_000, 3_000_000]
    assert list(found.values()) == [7]


def test_limit_that_somebody_set_to_the_same_meanwhile_is_no_conflict(admin):
    shown = limits.Limits(10_000_000, None, None, "UTC")
    limits.change(by=admin, limits=shown, now=NOON)
    wanted = limits.Limits(20_000_000, None, None, "UTC")
    limits.change(by=admin, limits=wanted, now=NOON)
    limits.change(by=admin, limits=wanted, shown=shown, now=NOON)
    other = limits.Limits(30_000_000, None, 2_000_000, "UTC")
    with pytest.raises(limits.ChangedMeanwhile) as raised:
        limits.change(by=admin, limits=other, shown=shown, now=NOON)
    assert (list(raised.value.fields), list(raised.value.members)) == (["monthly_cap_micros"], [])
    assert Team.objects.get().monthly_cap_micros == 20_000_000


def test_raise_leaves_what_has_no_limit_and_what_is_higher(admin):
    limits.change(by=admin, limits=limits.Limits(None, 5_000_000, None, "UTC"), now=NOON)
    raised = {"by": admin, "user": admin.user, "now": NOON}
    limits.raise_to(team_cap_micros=60_000_000, own_cap_micros=4_000_000, **raised)
    assert Team.objects.get().monthly_cap_micros is None
    limits.raise_to(team_cap_micros=None, own_cap_micros=None, **raised)
    assert Membership.objects.get().monthly_cap_micros is None
    limits.raise_to(team_cap_micros=None, own_cap_micros=6_000_000, **raised)
    assert Membership.objects.get().monthly_cap_micros == 6_000_000
    assert Team.objects.get().member_cap_micros == 5_000_000


def test_pause_is_said_of_who_and_when_and_makes_waiting_orders_due_when_it_ends(admin):
    model = factories.make_model(gateway=factories.make_gateway(is_sandbox=False))
    waits = factories.make_generation(by=admin, model=model, status="queued", next_check_at=NOON + timedelta(hours=1))
    runs = factories.make_generation(by=admin, model=model, status="running", next_check_at=NOON + timedelta(hours=1))
    elsewhere = factories.make_generation(by=factories.make_member(), model=model, status="queued")
    limits.pause(by=admin, paused=True, now=NOON)
    limits.pause(by=admin, paused=True, now=NOON + timedelta(minutes=1))
    team = Team.objects.get(id=admin.team_id)
    assert (team.spending_paused_at, team.spending_paused_by) == (NOON, admin.user)
    assert Generation.objects.get(id=waits.id).next_check_at == waits.next_check_at
    limits.pause(by=admin, paused=False, now=NOON + timedelta(minutes=2))
    team.refresh_from_db()
    assert (team.spending_paused_at, team.spending_paused_by) == (None, None)
    due = dict(Generation.objects.values_list("id", "next_check_at"))
    assert due[waits.id] == NOON + timedelta(minutes=2)
    assert (due[runs.id], due[elsewhere.id]) == (runs.next_check_at, elsewhere.next_check_at)
    versions = dict(Generation.objects.values_list("id", "version"))
    assert [versions[row.id] - row.version for row in (waits, runs, elsewhere)] == [2, 0, 0]
    kinds = AuditEntry.objects.order_by("id").values_list("kind", "by_id", "team_id", "at")
    assert list(kinds) == [
        ("spending_paused", admin.user_id, admin.team_id, NOON),
        ("spending_resumed", admin.user_id, admin.team_id, NOON + timedelta(minutes=2)),
    ]


@pytest.mark.parametrize(
    ("used", "level"), [(0, 0), (4_999_999, 0), (5_000_000, 50), (7_999_999, 50), (8_000_000, 80), (10_000_000, 100)]
)
def test_level_is_told_from_its_very_micro_on(admin, used, level):
    budget = counter(admin, cap_micros=10_000_000, spent_micros=used)
    budget_levels.looked_at(budget=budget, at=NOON)
    assert [notice.data["percent"] for notice in Notice.objects.all()] == [level] * bool(level)


def test_counter_without_a_limit_tells_no_level(admin):
    budget = counter(admin, spent_micros=90_000_000)
    budget_levels.looked_at(budget=budget, at=NOON)
    budget_levels.grown(budget=budget, by_micros=90_000_000, at=NOON)
    assert not Notice.objects.exists()


def test_counter_that_grows_past_a_level_tells_it_once_and_at_its_time(admin):
    counter(admin, cap_micros=5_000_000, spent_micros=4_000_000)
    budget = counter(admin, own=True, cap_micros=10_000_000, held_micros=3_000_000, spent_micros=3_000_000)
    budget_levels.grown(budget=budget, by_micros=0, at=NOON)
    budget_levels.grown(budget=budget, by_micros=1_000_000, at=NOON)
    assert not Notice.objects.exists()
    budget_levels.grown(budget=budget, by_micros=1_000_001, at=NOON)
    notice = Notice.objects.get()
    assert (notice.at, notice.user, notice.team) == (NOON, admin.user, admin.team)
    assert notice.kind == "budget_level"
    said = {"percent": 50, "is_own": True, "month": "2026-11-01", "time_zone": admin.team.time_zone}
    assert said.items() <= notice.data.items()
    assert (notice.data["used_micros"], notice.data["cap_micros"]) == (6_000_000, 10_000_000)
    assert notice.data["forecast_micros"] > 6_000_000


@pytest.mark.parametrize("own", [False, True])
def test_limit_that_takes_no_more_is_told_to_whom_it_concerns_alone(admin, own):
    """Counters of both, of somebody else and of another month are there: none of them speaks for another."""
    for user in (None, admin.user):
        month = (NOON - timedelta(days=40)).date().replace(day=1)
        Budget.objects.create(team=admin.team, user=user, month=month, cap_micros=77, spent_micros=76)
    colleague = factories.make_member(team=admin.team)
    counter(colleague, own=True, cap_micros=1, spent_micros=1)
    counter(admin, own=True, cap_micros=10_000_000 if not own else 6_000_000, spent_micros=5_500_000)
    counter(admin, cap_micros=6_000_000 if not own else 10_000_000, spent_micros=5_500_000)
    budget_levels.no_room(by=admin, video_micros=500_000, at=NOON)
    assert not Notice.objects.exists()
    budget_levels.no_room(by=admin, video_micros=500_001, at=NOON)
    notice = Notice.objects.get()
    assert (notice.user_id, notice.data["is_own"]) == ((admin.user_id, True) if own else (None, False))
    assert (notice.data["percent"], notice.data["cap_micros"], notice.at) == (100, 6_000_000, NOON)
