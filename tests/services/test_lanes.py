"""How many orders go out at once, by whose gateway it is: those of teams leave room for everybody else's work."""

from contextlib import ExitStack

import pytest

from playground.services import slots, submit
from tests import factories

pytestmark = [pytest.mark.pure, pytest.mark.django_db]


def entered(stack: ExitStack, gateway) -> bool:
    return stack.enter_context(submit._lane(gateway))


def test_gateway_of_a_team_sends_one_at_a_time_and_all_of_them_three(tmp_path, settings):
    settings.DATA_DIR = tmp_path
    teams = [factories.make_gateway(team=factories.make_team()) for _ in range(4)]
    shared = factories.make_gateway()
    with ExitStack() as stack:
        assert entered(stack, teams[0])
        assert not entered(stack, teams[0])
        assert [entered(stack, gateway) for gateway in teams[1:]] == [True, True, False]
        assert [entered(stack, shared) for _ in range(submit.AT_ONCE + 1)] == [True] * 3 + [False]
    with ExitStack() as stack:
        assert entered(stack, teams[3]), "a place is given back"


def test_together_the_lanes_of_teams_leave_work_for_others():
    assert submit.TEAMS_AT_ONCE < slots.WORK
    assert submit.TEAM_AT_ONCE < submit.TEAMS_AT_ONCE
