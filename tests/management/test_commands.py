"""Commands for people: sign-in links and first videos."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from playground.models import AuditEntry, Membership, Role, Run, SignInLink, Team, User
from playground.services import invitations
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


@pytest.mark.parametrize("role", ["viewer", "creator"])
@pytest.mark.parametrize("team", [[], ["--team", "film-lab"]])
def test_new_team_is_not_made_without_an_admin(team, role):
    with pytest.raises(CommandError, match="first is its admin"):
        link_for("a@example.com", *team, "--role", role)
    assert not Team.objects.exists()
    assert not User.objects.exists()
    assert not SignInLink.objects.exists()
    link_for("a@example.com", *team, "--role", "admin")
    link_for("b@example.com", *team, "--role", role)
    assert [row.role for row in Membership.objects.order_by("id")] == ["admin", role]


def test_what_the_link_changes_of_a_team_is_on_its_record():
    link_for("a@example.com", "--team", "film-lab")
    link_for("b@example.com", "--role", "admin")
    link_for("a@example.com", "--role", "viewer")
    link_for("a@example.com", "--role", "viewer")
    kept = AuditEntry.objects.exclude(kind="signin_link_made")
    rows = kept.order_by("id").values_list("kind", "data__name", "data__role", "by")
    assert list(rows) == [
        ("team_made", "Film lab", None, None),
        ("member_added", "a", "admin", None),
        ("member_added", "b", "admin", None),
        ("member_changed", "a", {"was": "admin", "is": "viewer"}, None),
    ]
    assert set(AuditEntry.objects.values_list("team__slug", flat=True)) == {"film-lab"}


def test_link_that_stands_for_a_password_is_on_the_record_of_each_team_of_theirs():
    user = factories.make_member(team=factories.make_team("One")).user
    factories.make_member(team=factories.make_team("Two"), user=user)
    link = link_for(user.email)
    rows = AuditEntry.objects.order_by("id")
    assert [(row.kind, row.team.name, row.by, row.data["user"]) for row in rows] == [
        ("signin_link_made", "One", None, str(user.id)),
        ("signin_link_made", "Two", None, str(user.id)),
    ]
    assert link.rstrip("/").rpartition("/")[2] not in str([row.data for row in rows])


def test_last_admin_stays_one_and_gets_no_link():
    link_for("a@example.com")
    with pytest.raises(CommandError, match="would be without an admin"):
        link_for("a@example.com", "--role", "viewer")
    assert Membership.objects.get().role == Role.ADMIN
    assert SignInLink.objects.count() == 1


def test_invitations_of_an_admin_who_is_made_less_end():
    admin = factories.make_member(role=Role.ADMIN)
    factories.make_member(team=admin.team, role=Role.ADMIN)
    invitations.invite(by=admin, role=Role.ADMIN, base_url="http://localhost")
    link_for(admin.user.email, "--role", "creator")
    assert not invitations.open_ones().exists()


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
