"""The switch between the team and only me, on the page of a video."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from playground.models import Run, ShareLink, Visibility
from tests import factories
from tests.support.sharing import make_collection
from tests.support.sharing import make_link as make_shared

pytestmark = pytest.mark.pure


def address(video) -> str:
    return reverse("videos.visibility", args=[video.id])


def words_of(answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def make_link(video, by, name):
    return ShareLink.objects.create(team=by.team, created_by=by.user, name=name, video=video, token_hash=name)


def test_owner_hides_and_shows_their_video(member, admin, browser_of):
    video = factories.make_video(by=member, files=False)
    client = browser_of(member)
    answer = client.post(address(video), {"visibility": "private"})
    assert (answer.status_code, answer.url) == (303, f"/videos/{video.id}/")
    assert "Only you see it now." in words_of(client.get(answer.url))
    assert browser_of(admin).get(answer.url).status_code == 404
    client.post(address(video), {"visibility": "team"})
    assert browser_of(admin).get(answer.url).status_code == 200


def test_nobody_else_may_switch(member, admin, viewer, stranger, browser_of):
    video = factories.make_video(by=member, files=False)
    for by in (admin, viewer, stranger):
        assert browser_of(by).post(address(video), {"visibility": "private"}).status_code == 404
        page = browser_of(by).get(f"/videos/{video.id}/").content.decode()
        assert address(video) not in page
    assert browser_of(member).post(address(video), {"visibility": "world"}).status_code == 404
    assert browser_of(member).get(address(video)).status_code == 405
    video.refresh_from_db()
    assert video.visibility == Visibility.TEAM


def test_links_that_go_on_are_named_before_anything_changes(member, admin, browser_of):
    video = factories.make_video(by=member, files=False)
    for by, name in ((member, "Ann"), (member, "Cleo"), (admin, "Ben")):
        make_link(video, by, name)
    client = browser_of(member)
    asked = client.post(address(video), {"visibility": "private"})
    assert asked.status_code == 200
    assert "2 links go on working" in words_of(asked)
    assert "Ann" in words_of(asked)
    assert "Cleo" in words_of(asked)
    assert "Ben" not in words_of(asked)
    assert "Links of others, and to collections of the team, stop showing it." in words_of(asked)
    video.refresh_from_db()
    assert video.visibility == Visibility.TEAM
    client.post(address(video), {"visibility": "private", "links": "keep"})
    video.refresh_from_db()
    assert video.visibility == Visibility.PRIVATE
    assert ShareLink.objects.open().count() == 3
    assert ShareLink.objects.answering().count() == 2


def test_links_can_be_ended_with_the_switch(member, browser_of):
    video = factories.make_video(by=member, files=False)
    make_link(video, member, "Ann")
    browser_of(member).post(address(video), {"visibility": "private", "links": "end"})
    assert not ShareLink.objects.open().exists()


def test_video_of_a_run_that_is_not_seen_offers_no_order_and_no_run(member, admin, browser_of):
    video = factories.make_video(by=member, files=False)
    Run.objects.update(visibility=Visibility.PRIVATE)
    for by, is_offered in ((member, True), (admin, False)):
        page = browser_of(by).get(f"/videos/{video.id}/").content.decode()
        assert ("One more" in page) is is_offered
        assert (reverse("runs.detail", args=[video.generation.run_id]) in page) is is_offered


def test_links_to_own_private_collections_that_hold_it_are_named_too(member, browser_of):
    video = factories.make_video(by=member, files=False)
    private = make_collection(video, by=member, name="Boats", visibility="private")
    link, _token = make_shared(by=member, collection=private, name="Client C")
    asked = words_of(browser_of(member).post(address(video), {"visibility": "private"}))
    assert "Client C" in asked
    assert "Boats" in asked
    browser_of(member).post(address(video), {"visibility": "private", "links": "end"})
    link.refresh_from_db()
    assert link.revoked_at


def test_links_to_collections_of_the_team_do_not_show_it_any_more_and_that_is_said(member, browser_of):
    video = factories.make_video(by=member, files=False)
    _link, token = make_shared(by=member, collection=make_collection(video, by=member))
    assert Client().get(f"/s/{token}/{video.id}/").status_code == 200
    said = words_of(browser_of(member).post(address(video), {"visibility": "private"}, follow=True))
    assert "Only you see it now. Links of others, and to collections of the team, do not show it any more." in said
    assert Client().get(f"/s/{token}/{video.id}/").status_code == 404
    alone = factories.make_video(by=member, files=False)
    assert "collections of the team" not in words_of(
        browser_of(member).post(address(alone), {"visibility": "private"}, follow=True)
    )
