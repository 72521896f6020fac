"""Setting limits while others do."""

import pytest
from django.utils import timezone

from playground.models import Budget, Membership, Role, Team
from playground.services import budget_levels, ledger, limits
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Membership:
    return factories.make_member(role=Role.ADMIN)


def test_counters_are_changed_in_the_order_in_which_orders_take_them(admin, monkeypatch):
    month = ledger.month_of(admin.team, timezone.now())
    for user in (admin.user, None):
        Budget.objects.create(team=admin.team, user=user, month=month, cap_micros=1)
    changed = []
    monkeypatch.setattr(budget_levels, "looked_at", lambda *, budget, at: changed.append(budget.user_id))
    limits.change(by=admin, limits=limits.Limits(50_000_000, None, None, "UTC"))
    assert changed == [None, admin.user_id]


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
