"""Codes of a second factor: wrong ones are counted by person, before they are looked at."""

from types import SimpleNamespace

import pytest
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
    assert 0 < request.retry_after <= 60
    assert outcome("b", "right", request) == "right"
