"""The page of an invitation: opening changes nothing, the button takes the seat, all ended links look the same."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from allauth.socialaccount.providers.github.provider import GitHubProvider
from django.http import HttpResponseRedirect
from django.utils import timezone

from playground.models import Invitation, Membership, Role, User
from playground.services import invitations
from tests import factories

pytestmark = pytest.mark.pure

FORM = {"name": "A Person", "email": "a@example.com", "password": "a long enough password"}


@pytest.fixture
def link(admin):
    def make(**fields) -> str:
        fields = {"role": Role.CREATOR, "base_url": "http://localhost:8000", **fields}
        return urlsplit(invitations.invite(by=admin, **fields)[1]).path

    return make


def test_opening_changes_nothing_and_keeps_the_address_private(link, client, browser_of, stranger):
    path = link()
    for browser in (client, browser_of(stranger)):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        assert "no-store" in answer["Cache-Control"]
    assert Invitation.objects.get().accepted_at is None


@pytest.mark.parametrize(("role", "lands"), [("creator", "/create/"), ("admin", "/create/"), ("viewer", "/gallery/")])
def test_stranger_makes_an_account_and_lands_in_the_team(link, admin, client, role, lands):
    answer = client.post(link(role=role), FORM)
    assert (answer.status_code, answer.url) == (303, lands)
    membership = Membership.objects.get(user__email="a@example.com")
    assert (membership.team, membership.role) == (admin.team, role)
    page = client.get("/gallery/").content.decode()
    assert f"You are in {admin.team.name}." in page


def test_person_with_an_account_joins_and_has_the_team_at_hand(link, admin, stranger, browser_of):
    browser = browser_of(stranger)
    path = link()
    assert f"Join {admin.team.name} as Creator" in browser.get(path).content.decode()
    assert browser.post(path, {"join": "1"}).status_code == 303
    assert browser.session["team"] == admin.team.slug
    assert browser.post(path, {"join": "1"}).status_code == 303, "a second press leads to the team, too"
    assert browser.get(path).status_code == 410
    assert stranger.user.memberships.count() == 2


def test_form_of_a_stranger_does_not_join_who_signed_in_meanwhile(link, stranger, browser_of):
    path = link()
    assert browser_of(stranger).post(path, FORM).status_code == 200
    assert stranger.user.memberships.count() == 1
    assert not User.objects.filter(email=FORM["email"]).exists()


@pytest.mark.parametrize(("field", "value"), [("name", ""), ("email", "nobody"), ("password", "short")])
def test_wrong_input_is_named_beside_its_field_and_the_link_stays_good(link, client, field, value):
    path = link()
    answer = client.post(path, FORM | {field: value})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in page
    assert FORM["password"] not in page
    assert client.post(path, FORM).status_code == 303


def test_address_with_an_account_signs_in_first_and_comes_back(link, client):
    path = link()
    factories.make_user("a@example.com")
    answer = client.post(path, FORM)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Sign in first" in page
    assert f'href="/account/login/?next={path}"' in page
    signed_in = client.post("/account/login/", {"login": "a@example.com", "password": factories.PASSWORD, "next": path})
    assert signed_in.url == path


def test_invitation_to_an_address_is_not_told_to_others(link, client, stranger, browser_of):
    path = link(email="invited@example.com")
    answers = [client.get(path), client.post(path, FORM), browser_of(stranger).get(path)]
    answers.append(browser_of(stranger).post(path, {"join": "1"}))
    assert [answer.status_code for answer in answers] == [200, 422, 200, 422]
    for answer in answers:
        assert "invited@example.com" not in answer.content.decode()
    assert "another e-mail address" in answers[2].content.decode()
    assert not Membership.objects.filter(user=stranger.user, team__invitations__isnull=False).exists()


def test_member_without_gain_is_told_and_leaves_the_seat_open(link, admin, browser_of):
    page = browser_of(admin).get(link(role="viewer")).content.decode()
    assert "You are in this team already" in page
    assert 'name="join"' not in page


def test_form_sent_by_hand_takes_no_seat_that_gives_nothing(link, admin, browser_of):
    path, member = link(role="viewer"), factories.make_member(team=admin.team)
    Membership.objects.filter(id=member.id).update(sees_spend=False)
    browser = browser_of(member)
    answer = browser.post(path, {"join": "1"})
    assert answer.status_code == 422
    assert "The invitation changes nothing for you and stays open." in answer.text
    assert browser.get("/spend/").status_code == 404
    assert Invitation.objects.get().accepted_at is None
    assert browser.get(path).status_code == 200


def test_all_ended_links_are_one_page(link, admin, client):
    used, old, revoked = link(), link(), link()
    client.post(used, FORM)
    client.logout()
    rows = list(Invitation.objects.order_by("id"))
    Invitation.objects.filter(id=rows[1].id).update(expires_at=timezone.now() - timedelta(seconds=1))
    invitations.revoke(by=admin, invitation=rows[2])
    answers = [client.get(path) for path in (used, old, revoked, "/invite/never-was/")]
    answers += [client.post(path, FORM | {"email": "b@example.com"}) for path in (used, old, revoked, "/invite/x/")]
    assert {answer.status_code for answer in answers} == {410}
    assert len({answer.content for answer in answers}) == 1
    page = answers[0].content.decode()
    assert "Ask the person who invited you" in page
    assert "manage.py" not in page


def test_removed_member_gets_nothing_by_the_link_they_used(link, admin, client):
    path = link()
    client.post(path, FORM)
    Membership.objects.filter(user__email=FORM["email"]).delete()
    assert client.post(path, {"join": "1"}).status_code == 410


def test_one_client_cannot_ask_for_many_addresses(link, client):
    path = link()
    factories.make_user("a@example.com")
    codes = [client.post(path, FORM).status_code for _ in range(21)]
    assert codes == [422] * 20 + [429]


def test_provider_finds_the_invitation_in_the_session(link, client, settings, monkeypatch):
    settings.SOCIALACCOUNT_PROVIDERS = {"github": {"APPS": [{"client_id": "id", "secret": "secret"}]}}
    away = {}

    def redirect(self, request, **options):
        away.update(options, provider=self.id)
        return HttpResponseRedirect("https://github.example/authorize")

    monkeypatch.setattr(GitHubProvider, "redirect", redirect)
    path = link()
    assert "Go on with GitHub" in client.get(path).content.decode()
    assert "https://github.example/authorize" in client.post(path, {"provider": "github"}).content.decode()
    assert away == {"provider": "github", "process": "login", "next_url": path}
    assert client.session["invitation"] == path.removeprefix("/invite/").rstrip("/")
    assert Invitation.objects.get().accepted_at is None
    assert client.post(path, {"provider": "nobody"}).status_code == 404
