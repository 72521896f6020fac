"""`manage.py team`: what it prints and what it changes."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from playground.models import Team
from tests import factories

pytestmark = pytest.mark.django_db


def told(*words: str) -> str:
    out = StringIO()
    call_command("team", *words, stdout=out)
    return out.getvalue()


def test_prices_can_be_done_without_and_asked_for_again() -> None:
    team, other = factories.make_team("Studio"), factories.make_team("Other")

    assert "Videos without a price: no" in told(team.slug)
    assert "Videos without a price: yes" in told(team.slug, "--allow-unpriced", "yes")
    assert "Videos without a price: yes" in told(team.slug)
    assert not Team.objects.get(id=other.id).allow_unpriced
    assert "Videos without a price: no" in told(team.slug, "--allow-unpriced", "no")


def test_unknown_team_names_those_there_are() -> None:
    team = factories.make_team("Studio")
    with pytest.raises(CommandError, match=team.slug):
        told("nobody")


def test_other_words_than_yes_and_no_change_nothing() -> None:
    team = factories.make_team("Studio")
    with pytest.raises(CommandError):
        told(team.slug, "--allow-unpriced", "maybe")

    assert not Team.objects.get(id=team.id).allow_unpriced
