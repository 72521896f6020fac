"""The refresh of cards and their buttons."""

import pytest

from playground.domain.status import Status
from playground.models import Generation
from tests.factories import make_generation, make_member
from tests.views.conftest import MemberClient

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/create/"}


@pytest.fixture
def member():
    return make_member()


@pytest.fixture
def client(member):
    client = MemberClient()
    client.team = member.team.slug
    client.force_login(member.user)
    return client


def ask(client, *pairs):
    return client.get("/generations/cards/", {"g": ",".join(f"{row.id}:{stamp}" for row, stamp in pairs)}, headers=HTMX)


def test_nothing_new_is_answered_without_a_body(client, member):
    row = make_generation(by=member, status=Status.RUNNING)
    assert ask(client, (row, row.version)).status_code == 204


def test_only_the_card_that_changed_is_sent(client, member):
    same = make_generation(by=member, status=Status.RUNNING)
    other = make_generation(by=member, status=Status.RUNNING, version=3)
    html = ask(client, (same, same.version), (other, 2)).content.decode()
    assert f'id="job-{other.id}"' in html
    assert f'id="job-{same.id}"' not in html
    assert "2 running" in html
    assert " data-active" in html


def test_when_all_have_ended_the_answer_polls_no_more(client, member):
    row = make_generation(by=member, status=Status.FAILED, version=5)
    html = ask(client, (row, 4)).content.decode()
    assert "Failed" in html
    assert "data-active" not in html


def test_cards_of_another_team_are_not_shown(client):
    foreign = make_generation(by=make_member(), status=Status.RUNNING)
    assert str(foreign.id) not in ask(client, (foreign, 0)).content.decode()
    assert client.post(f"/generations/{foreign.id}/cancel/").status_code == 404
    assert client.post(f"/generations/{foreign.id}/again/").status_code == 404


def test_cancelling_before_it_is_sent_is_free_and_says_so(client, member):
    row = make_generation(by=member, status=Status.QUEUED)
    html = client.post(f"/generations/{row.id}/cancel/", headers=HTMX).content.decode()
    assert "Cancelled before it was sent. Not charged." in html
    assert Generation.objects.get(id=row.id).status == Status.CANCELLED


def test_cancel_after_finish_changes_nothing(client, member):
    row = make_generation(by=member, status=Status.FAILED)
    client.post(f"/generations/{row.id}/cancel/")
    assert Generation.objects.get(id=row.id).status == Status.FAILED


def test_nonsense_in_the_question_is_left_out(client):
    assert client.get("/generations/cards/?g=abc,:,x:1", headers=HTMX).status_code == 200


def test_a_back_address_of_another_site_is_not_followed(client, member):
    row = make_generation(by=member, status=Status.FAILED)
    answer = client.post(f"/generations/{row.id}/cancel/", {"next": "https://evil.example/"})
    assert answer.headers["Location"] == "/create/"
