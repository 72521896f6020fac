"""Views that may be asked for only so often: 429 in words with the wait, nothing done, nothing lost."""

import pytest
from django.test import Client

from playground.rate_limits import DEFAULTS, Limit
from playground.services import people
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.pure]


@pytest.fixture(autouse=True)
def tight(settings):
    settings.RATE_LIMITS = {name: Limit(2, 60) for name in DEFAULTS}


@pytest.fixture
def model():
    return factories.make_model("kling-v3", gateway=factories.make_gateway(slug="sandbox", is_default=True))


def test_client_with_too_many_wrong_tokens_is_not_heard_and_another_one_is(member):
    good = people.signin_link(email=member.user.email, base_url="").partition("/sign-in/")[2]
    paths = ["/sign-in/wrong/", "/welcome/wrong/"]
    assert [Client().get(path).status_code for path in paths] == [410, 410]
    refused = Client().get(f"/sign-in/{good}")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert "Too often in a short time" in refused.text
    assert member.user.email not in refused.text
    assert Client(REMOTE_ADDR="198.51.100.7").get(f"/sign-in/{good}").status_code == 200


def test_right_tokens_are_never_too_many(member):
    good = people.signin_link(email=member.user.email, base_url="").partition("/sign-in/")[2]
    assert {Client().get(f"/sign-in/{good}").status_code for _ in range(9)} == {200}
