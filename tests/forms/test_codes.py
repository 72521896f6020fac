"""Codes of a second factor: wrong ones are counted by person and client, and looser by person."""

from types import SimpleNamespace

import pytest
import time_machine
from allauth.core import context
from django.core.exceptions import ValidationError

from playground import accounts
from playground.forms.codes import CountedCode

pytestmark = [pytest.mark.django_db, pytest.mark.pure]


class Looks:
    """What a form of allauth does: look at the code."""

    def __init__(self, person: str, code: str) -> None:
        self.user, self.code = SimpleNamespace(pk=person), code

    def clean_code(self) -> str:
        if self.code != "right":
            raise ValidationError("wrong", code="incorrect_code")
        return self.code


class Counted(CountedCode, Looks):
    pass


def outcome(person: str, code: str, request) -> str:
    with context.request_context(request):
        try:
            return Counted(person, code).clean_code()
        except ValidationError as error:
            return str(error.code)


def test_five_wrong_codes_of_a_person_then_even_the_right_one_waits(rf):
    request = rf.post("/")
    assert [outcome("a", "right", request) for _ in range(9)] == ["right"] * 9
    assert [outcome("a", "wrong", request) for _ in range(5)] == ["incorrect_code"] * 5
    assert outcome("a", "right", request) == accounts.TOO_MANY
    assert 0 < request.retry_after <= 180
    assert outcome("b", "right", request) == "right"


def test_stranger_who_guesses_on_for_a_day_from_one_place_keeps_the_owner_never_out(rf):
    stranger, owner = (rf.post("/", REMOTE_ADDR=address) for address in ("192.0.2.66", "192.0.2.1"))
    looked_at = 0
    with time_machine.travel("2026-11-21 09:00:00+00:00", tick=False) as clock:
        for _minute in range(24 * 60):
            while outcome("a", "wrong", stranger) == "incorrect_code":
                looked_at += 1
            if _minute % 10 == 0:
                assert outcome("a", "right", owner) == "right"
            clock.shift(60)
    assert looked_at <= 5 + 24 * 20


def test_guesses_from_everywhere_are_bounded_by_person(rf):
    places = [rf.post("/", REMOTE_ADDR=f"192.0.2.{number}") for number in range(1, 21)]
    with time_machine.travel("2026-11-21 09:00:00+00:00", tick=False) as clock:
        first = [outcome("a", "wrong", place) for place in places for _ in range(5)]
        clock.shift(3600)
        second = [outcome("a", "wrong", place) for place in places for _ in range(5)]
        assert outcome("b", "right", places[0]) == "right"
    assert (first.count("incorrect_code"), second.count("incorrect_code")) == (30, 30)
