"""Who gets in: every page of the gallery, runs, trash, media and gateway, for every kind of visitor."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from playground.models import Collection, Heartbeat
from tests import factories

pytestmark = pytest.mark.pure

LISTS = ["gallery.index", "gallery.newer", "runs.index", "trash.index"]
OBJECTS = ["videos.detail", "media.video", "media.poster", "media.preview", "media.download"]


@pytest.mark.parametrize("name", [*LISTS, "team_gateways.index"])
def test_list_sends_a_signed_out_visitor_to_sign_in_and_back(db, browser_of, name):
    answer = browser_of().get(reverse(name))
    assert answer.status_code == 302
    assert answer.url == f"{reverse('account_login')}?next={reverse(name)}"


@pytest.mark.parametrize("name", OBJECTS)
def test_video_pages_are_for_the_team_alone(member, stranger, browser_of, name):
    address = reverse(name, args=[factories.make_video(by=member).id])
    assert browser_of().get(address).status_code == 302
    assert browser_of(stranger).get(address).status_code == 404
    assert browser_of(member).get(address).status_code == 200


def test_run_page_is_for_the_team_alone(member, stranger, browser_of):
    address = reverse("runs.detail", args=[factories.make_generation(by=member).run_id])
    assert browser_of().get(address).status_code == 302
    assert browser_of(stranger).get(address).status_code == 404
    assert browser_of(member).get(address).status_code == 200


def test_private_video_is_for_its_owner_alone(member, admin, browser_of):
    video = factories.make_video(by=member, visibility="private", prompt="my secret boat")
    for name in OBJECTS:
        assert browser_of(admin).get(reverse(name, args=[video.id])).status_code == 404
    assert b"my secret boat" not in browser_of(admin).get(reverse("gallery.index")).content
    assert b"my secret boat" in browser_of(member).get(reverse("gallery.index")).content


@pytest.mark.parametrize("name", ["videos.trash", "videos.restore", "videos.purge"])
def test_video_of_another_team_cannot_be_moved(member, stranger, browser_of, name):
    video = factories.make_video(by=member)
    answer = browser_of(stranger).post(reverse(name), {"video": str(video.id), "sure": "1"})
    assert answer.status_code == 404
    video.refresh_from_db()
    assert video.trashed_at is None


@pytest.mark.parametrize("name", ["videos.trash", "videos.purge"])
def test_moving_needs_a_post(member, browser_of, name):
    assert browser_of(member).get(reverse(name)).status_code == 405


def test_viewer_sees_but_changes_nothing(member, viewer, browser_of):
    video = factories.make_video(by=member)
    page = browser_of(viewer).get(reverse("gallery.index")).content.decode()
    assert "One more" not in page
    assert "Move to trash" not in page
    for name, args in (("videos.trash", []), ("videos.rename", [video.id])):
        answer = browser_of(viewer).post(reverse(name, args=args), {"video": str(video.id), "title": "x"})
        assert answer.status_code == 404


def test_member_changes_only_their_own_videos_and_an_admin_all(member, admin, browser_of):
    video = factories.make_video(by=admin)
    other = factories.make_video(by=member)
    rename = reverse("videos.rename", args=[video.id])
    assert browser_of(member).post(rename, {"title": "mine now"}).status_code == 404
    assert browser_of(member).post(reverse("videos.trash"), {"video": str(video.id)}).status_code == 404
    assert browser_of(admin).post(reverse("videos.trash"), {"video": str(other.id)}).status_code == 303
    other.refresh_from_db()
    assert other.trashed_by == admin.user


def test_form_of_another_of_my_teams_is_refused(member, browser_of):
    other = factories.make_team()
    video = factories.make_video(by=member)
    answer = browser_of(member).post(reverse("videos.trash"), {"video": str(video.id), "team": other.slug})
    assert answer.status_code == 404
    video.refresh_from_db()
    assert video.trashed_at is None


def test_person_without_a_team_is_told_so(db, browser_of):
    client = browser_of()
    client.force_login(factories.make_user())
    for name in LISTS:
        answer = client.get(reverse(name))
        assert answer.status_code == 403
        assert "You are in no team yet." in answer.content.decode()


def test_gateway_page_is_for_admins(member, admin, browser_of):
    assert browser_of(member).get(reverse("team_gateways.index")).status_code == 404
    assert browser_of(member).post(reverse("team_gateways.check")).status_code == 404
    assert browser_of(admin).get(reverse("team_gateways.index")).status_code == 200


@pytest.fixture
def in_two(member):
    """The member's second team."""
    return factories.make_member(user=member.user)


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_is_read_in_its_own_team(in_two, member, browser_of, name):
    for team in (member, in_two):
        address = reverse(name, args=[factories.make_video(by=team).id])
        assert browser_of(member).get(address).status_code == 200


def test_lists_take_the_team_of_the_address_and_remember_it(in_two, member, browser_of):
    factories.make_video(by=in_two, prompt="a boat of the second team", files=False)
    browser = browser_of(member)
    assert "a boat of the second" not in browser.get(reverse("gallery.index")).content.decode()
    page = browser.get(reverse("gallery.index"), {"team": in_two.team.slug}).content.decode()
    assert "a boat of the second" in page
    assert f"?team={member.team.slug}" in page
    assert "a boat of the second" in browser.get(reverse("gallery.index")).content.decode()


def test_a_team_of_others_in_the_address_changes_nothing(stranger, member, browser_of):
    factories.make_video(by=stranger, prompt="a boat of others", files=False)
    page = browser_of(member).get(reverse("gallery.index"), {"team": stranger.team.slug}).content.decode()
    assert "a boat of others" not in page


@pytest.mark.parametrize(
    "name", ["create.index", "references.upload", "videos.trash", "videos.restore", "videos.purge"]
)
@pytest.mark.parametrize("team", [None, "of-others"])
def test_a_form_without_a_team_of_mine_is_refused(member, browser_of, name, team):
    browser = browser_of(member)
    browser.team = team or ""
    assert browser.post(reverse(name)).status_code == 404


@pytest.mark.parametrize("name", ["generations.again", "generations.cancel"])
def test_a_card_button_without_its_team_is_refused(member, browser_of, name):
    browser = browser_of(member)
    browser.team = ""
    generation = factories.make_generation(by=member, status="queued")
    assert browser.post(reverse(name, args=[generation.id])).status_code == 404
    generation.refresh_from_db()
    assert generation.status == "queued"


@pytest.mark.parametrize("name", ["gallery.index", "create.index", "runs.index"])
def test_html_says_that_it_differs_for_htmx_whoever_asks(member, browser_of, name):
    for htmx in (False, True):
        assert "HX-Request" in browser_of(member, htmx=htmx).get(reverse(name)).headers["Vary"]


@pytest.mark.parametrize("parameter", ["model", "prompt", "from", "before", "team"])
def test_a_nul_in_the_address_leads_nowhere(member, browser_of, parameter):
    assert browser_of(member).get(reverse("create.index"), {parameter: "a\0b"}).status_code == 404


@pytest.mark.parametrize(("age_s", "shown"), [(5, False), (90, True), (None, True)])
def test_pages_say_that_the_worker_is_silent(member, browser_of, age_s, shown):
    if age_s is not None:
        Heartbeat.objects.create(name="worker", at=timezone.now() - timedelta(seconds=age_s))
    assert ("Videos wait until it runs" in browser_of(member).get(reverse("runs.index")).content.decode()) is shown


def test_form_is_taken_in_the_team_it_was_made_in_whichever_is_at_hand(member, browser_of):
    """By somebody who is in both; from another's it is 404, as if there were no such team."""
    other, stranger = factories.make_member(user=member.user), factories.make_member()
    browser = browser_of(member)
    assert browser.get(reverse("collections.index"), {"team": member.team.slug}).status_code == 200
    for by in (other, member):
        form = {"name": f"Boats of {by.team.slug}", "visibility": "team", "team": by.team.slug}
        assert browser.post(reverse("collections.create"), form).status_code == 302
        assert Collection.objects.get(name=form["name"]).team == by.team
    form = {"name": "Boats", "visibility": "team", "team": stranger.team.slug}
    assert browser.post(reverse("collections.create"), form).status_code == 404
    assert Collection.objects.count() == 2
