"""Asking for more, and the answers."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from playground.models import AuditEntry, Budget, BudgetRequest, Membership, Notice, Reference, Role, Team
from playground.services import budget_requests, estimates, housekeeping, ledger, teams
from playground.services.budget_requests import MOST_OPEN, AskedTooOften, AskerGone, Raise, StillShort
from tests import factories

pytestmark = pytest.mark.django_db
DOLLAR = 1_000_000


@pytest.fixture
def member() -> Membership:
    return factories.make_member()


@pytest.fixture
def admin(member) -> Membership:
    return factories.make_member(team=member.team, role=Role.ADMIN)


@pytest.fixture
def model():
    return factories.make_model(gateway=factories.make_gateway(is_sandbox=False, is_default=True))


def ask(by, model, prompt="A fox", *, total=4 * DOLLAR, references=()) -> BudgetRequest:
    """One video; a quarter more than `total` is set aside for it."""
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4, references=tuple(references))
    quote = estimates.Quote(estimates.QuoteState.ESTIMATED, count=1, seconds=4, unit_micros=total)
    return budget_requests.ask(by=by, wanted=wanted, prompt=prompt, quote=quote)


def used(by, micros, *, cap, user=None) -> None:
    month = ledger.month_of(by.team, timezone.now())
    Budget.objects.create(team=by.team, user=user, month=month, cap_micros=cap, spent_micros=micros)


def test_run_that_would_not_fit_although_the_button_raises_is_not_granted(member, admin, model):
    asked = ask(member, model)
    Team.objects.update(monthly_cap_micros=42 * DOLLAR)
    used(member, 40 * DOLLAR, cap=42 * DOLLAR)
    with pytest.raises(StillShort) as short:
        budget_requests.grant(by=admin, request=asked, to=Raise(team_cap_micros=44 * DOLLAR))
    assert short.value.to == Raise(team_cap_micros=45 * DOLLAR)
    with pytest.raises(StillShort):
        budget_requests.grant(by=admin, request=asked, to=Raise())
    asked.refresh_from_db()
    assert asked.granted is None
    assert Budget.objects.get().cap_micros == 42 * DOLLAR
    assert not Notice.objects.filter(kind="budget_answered").exists()
    assert not AuditEntry.objects.exists()
    assert budget_requests.grant(by=admin, request=asked, to=short.value.to)
    assert Notice.objects.filter(kind="budget_answered", user=member.user).exists()


def test_both_limits_are_raised_where_both_are_in_the_way(member, admin, model):
    Team.objects.update(monthly_cap_micros=2 * DOLLAR, member_cap_micros=1 * DOLLAR)
    asked = ask(member, model)
    admin.team.refresh_from_db()
    to = budget_requests.raises([asked], team=admin.team, at=timezone.now())[asked.id]
    assert to == Raise(5 * DOLLAR, 5 * DOLLAR)
    assert budget_requests.grant(by=admin, request=asked, to=to)
    assert Team.objects.get().monthly_cap_micros == 5 * DOLLAR
    assert Membership.objects.get(id=member.id).monthly_cap_micros == 5 * DOLLAR
    assert Membership.objects.get(id=admin.id).monthly_cap_micros is None


def test_who_left_the_team_is_not_granted_a_run_and_can_be_declined(member, admin, model):
    asked = ask(member, model)
    Membership.objects.filter(id=member.id).delete()
    with pytest.raises(AskerGone):
        budget_requests.grant(by=admin, request=asked, to=Raise(team_cap_micros=99 * DOLLAR))
    assert Team.objects.get().monthly_cap_micros is None
    assert budget_requests.decline(by=admin, request=asked)


def test_who_is_no_admin_any_more_answers_nothing(member, admin, model):
    """Their press came in while they were one."""
    asked = ask(member, model)
    Membership.objects.filter(id=admin.id).update(role=Role.CREATOR)
    with pytest.raises(teams.NotAdmin):
        budget_requests.decline(by=admin, request=asked)
    with pytest.raises(teams.NotAdmin):
        budget_requests.grant(by=admin, request=asked, to=Raise(team_cap_micros=99 * DOLLAR))
    asked.refresh_from_db()
    assert asked.granted is None


def test_one_person_has_only_so_many_runs_waiting_for_an_answer(member, admin, model):
    asked = [ask(member, model, f"Fox {number}") for number in range(MOST_OPEN)]
    with pytest.raises(AskedTooOften):
        ask(member, model, "One fox more")
    assert ask(member, model, "Fox 0") == asked[0]
    assert ask(factories.make_member(team=member.team), model)
    budget_requests.decline(by=admin, request=asked[0])
    assert ask(member, model, "One fox more")


def test_many_requests_are_worked_out_with_as_many_queries_as_one(member, admin, model):
    colleague = factories.make_member(team=member.team)
    used(member, 8 * DOLLAR, cap=10 * DOLLAR)
    used(member, 1 * DOLLAR, cap=2 * DOLLAR, user=colleague.user)
    asked = [ask(member, model), ask(colleague, model), ask(colleague, model, total=8 * DOLLAR, prompt="A dear fox")]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = budget_requests.raises(asked, team=member.team, at=timezone.now())
    assert [found[one.id] for one in asked] == [
        Raise(13 * DOLLAR, None),
        Raise(13 * DOLLAR, 6 * DOLLAR),
        Raise(18 * DOLLAR, 11 * DOLLAR),
    ]
    assert len(queries) == 2


@pytest.mark.parametrize(
    ("granted", "days", "stays"), [(None, 0, True), (True, 29, True), (True, 31, False), (False, 1, False)]
)
def test_picture_of_a_run_that_an_admin_made_room_for_stays_for_a_month(member, model, granted, days, stays):
    picture = factories.make_reference(by=member)
    asked = ask(member, model, references=[picture])
    answered_at = timezone.now() - timedelta(days=days)
    BudgetRequest.objects.filter(id=asked.id).update(granted=granted, answered_at=answered_at)
    Reference.objects.update(created_at=timezone.now() - timedelta(days=90))
    housekeeping.tidy()
    assert Reference.objects.filter(id=picture.id).exists() is stays
