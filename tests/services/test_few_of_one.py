"""One person has few pictures looked at at a time; others are not held up by it."""

from contextlib import ExitStack

import pytest

from playground.models.base import new_id
from playground.services import few_of_one

pytestmark = pytest.mark.pure


def test_one_person_gets_few_turns_and_another_all_of_theirs():
    one, other = new_id(), new_id()
    with ExitStack() as turns:
        mine = [turns.enter_context(few_of_one.turn(one)) for _ in range(few_of_one.MOST + 2)]
        assert mine == [True] * few_of_one.MOST + [False] * 2
        assert turns.enter_context(few_of_one.turn(other))
    with few_of_one.turn(one) as again:
        assert again
    assert not few_of_one._busy
