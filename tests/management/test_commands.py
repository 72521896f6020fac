"""Commands for people: sign-in links and first videos."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from playground.models import Membership, Role, Run
from tests import factories

pytestmark = pytest.mark.django_db


def link_for(*arguments: str) -> str:
    out = StringIO()
    call_command("signin_link", *arguments, stdout=out)
    return out.getvalue().strip()


def test_printed_link_signs_in(client, settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.PUBLIC_URL = "https://videos.example.com"
    link = link_for("a@example.com")
    assert link.startswith("https://videos.example.com/sign-in/")
    assert client.post(link.removeprefix("https://videos.example.com")).url == "/create/"


def test_first_person_is_admin_of_a_new_team_and_the_next_a_creator_of_it():
    link_for("a@example.com")
    link_for("b@example.com")
    roles = dict(Membership.objects.values_list("user__email", "role"))
    assert roles == {"a@example.com": Role.ADMIN, "b@example.com": Role.CREATOR}
    assert len(set(Membership.objects.values_list("team", flat=True))) == 1


def test_team_and_role_can_be_named():
    team = factories.make_team("Film Lab")
    link_for("a@example.com", "--team", team.slug, "--role", "viewer")
    membership = Membership.objects.get()
    assert (membership.team, membership.role) == (team, Role.VIEWER)


def test_bad_address_is_one_line():
    with pytest.raises(CommandError, match="valid email"):
        link_for("nobody")


def test_seed_without_anybody_says_what_to_do_first():
    with pytest.raises(CommandError, match="No team with an admin"):
        call_command("seed")


def test_seed_never_orders_from_a_gateway_that_bills(settings):
    factories.make_member(role=Role.ADMIN)
    settings.LUMENFALL_API_KEY = "lmnfl_x"
    with pytest.raises(CommandError, match="bills"):
        call_command("seed")
    assert not Run.objects.exists()


@pytest.mark.parametrize("count", ["0", "99"])
def test_seed_has_a_limit(count):
    with pytest.raises(CommandError, match="--count"):
        call_command("seed", "--count", count)
