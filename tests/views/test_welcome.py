"""The first account and one-time links: opening changes nothing, the button uses up, all dead links look the same."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from playground.models import AuditEntry, Membership, Role, SignInLink, User
from playground.services import people
from tests import factories

pytestmark = pytest.mark.pure

BASE = "http://localhost:8000"
FIELDS = {"name": "A Person", "team_name": "Film Lab", "email": "a@example.com", "password": "a long enough password"}


@pytest.fixture
def welcome_link(db) -> str:
    link = people.first_admin_link(BASE)
    assert link
    return urlsplit(link).path


def test_opening_the_welcome_link_changes_nothing(welcome_link, client):
    for _ in range(2):
        answer = client.get(welcome_link)
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
    assert not User.objects.exists()


def test_welcome_makes_an_admin_with_a_team_and_signs_in(welcome_link, client):
    answer = client.post(welcome_link, FIELDS)
    assert (answer.status_code, answer.url) == (302, "/create/")
    membership = Membership.objects.get()
    assert (membership.user.email, membership.team.name, membership.role) == ("a@example.com", "Film Lab", Role.ADMIN)
    entry = AuditEntry.objects.get()
    assert (entry.kind, entry.by, entry.team) == ("team_made", membership.user, membership.team)
    assert client.get("/gallery/").status_code == 200
    assert client.get(welcome_link).status_code == 410


@pytest.mark.parametrize(
    ("field", "value"), [("name", ""), ("team_name", " "), ("email", "nobody"), ("password", "short"), ("password", "")]
)
def test_wrong_input_is_named_beside_its_field_and_the_link_stays_good(welcome_link, client, field, value):
    answer = client.post(welcome_link, {**FIELDS, field: value})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert f'id="id_{field}_error"' in page
    assert 'value="Film Lab"' in page or field == "team_name"
    assert FIELDS["password"] not in page
    assert not User.objects.exists()
    assert client.post(welcome_link, FIELDS).status_code == 302


def test_welcome_link_ends_once_somebody_has_an_account(welcome_link, client):
    factories.make_user()
    assert client.get(welcome_link).status_code == 410
    assert client.post(welcome_link, FIELDS).status_code == 410
    assert User.objects.count() == 1


def test_opening_a_sign_in_link_signs_nobody_in(db, client):
    path = urlsplit(people.signin_link(email="a@example.com", base_url=BASE)).path
    assert "Sign in as a@example.com" in client.get(path).content.decode()
    assert client.get("/gallery/").status_code == 302


def test_sign_in_link_works_once(db, client):
    path = urlsplit(people.signin_link(email="a@example.com", base_url=BASE)).path
    assert client.post(path).url == "/create/"
    assert client.get("/gallery/").status_code == 200
    client.logout()
    assert client.post(path).status_code == 410
    assert client.get("/gallery/").status_code == 302


def test_wrong_used_and_old_links_are_one_page(db, client):
    used = urlsplit(people.signin_link(email="a@example.com", base_url=BASE)).path
    client.post(used)
    client.logout()
    old = urlsplit(people.signin_link(email="a@example.com", base_url=BASE)).path
    SignInLink.objects.filter(used_at=None).update(expires_at=timezone.now() - timedelta(seconds=1))
    answers = [client.get(path) for path in (used, old, "/sign-in/never-was/")]
    assert {answer.status_code for answer in answers} == {410}
    assert len({answer.content for answer in answers}) == 1
    assert "This link has ended." in answers[0].content.decode()


def test_link_of_a_person_who_was_switched_off_has_ended(db, client):
    path = urlsplit(people.signin_link(email="a@example.com", base_url=BASE)).path
    User.objects.update(is_active=False)
    assert client.post(path).status_code == 410


def test_secret_address_goes_to_no_other_site_and_no_search_engine(welcome_link, client):
    answer = client.get(welcome_link)
    assert answer["Referrer-Policy"] in {"same-origin", "no-referrer"}
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
