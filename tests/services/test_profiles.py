"""Whose an address is."""

import pytest
from allauth.account.models import EmailAddress

from playground.services import profiles
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("typed", ["kim@example.org", " KIM@Example.org "])
def test_address_is_its_accounts_however_it_is_written(typed: str) -> None:
    user = factories.make_user("kim@example.org")
    assert profiles.owner_of(typed) == user


def test_address_that_a_database_takes_for_another_is_nobodys() -> None:
    factories.make_user("kim@example.org")
    assert profiles.owner_of("k\N{LATIN SMALL LETTER DOTLESS I}m@example.org") is None


def test_address_that_waits_to_be_proven_is_nobodys() -> None:
    EmailAddress.objects.create(user=factories.make_user(), email="kim@example.org")
    assert profiles.owner_of("kim@example.org") is None
