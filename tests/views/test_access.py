"""Who gets in: every page of the gallery, runs, trash, media and gateway, for every kind of visitor."""

import pytest
from django.urls import reverse

from tests import factories

LISTS = ["gallery.index", "gallery.newer", "runs.index", "trash.index"]
OBJECTS = ["videos.detail", "media.video", "media.poster", "media.preview", "media.download"]


@pytest.mark.parametrize("name", [*LISTS, "gateway.connect"])
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
        assert answer.status_code == 403


def test_member_changes_only_their_own_videos_and_an_admin_all(member, admin, browser_of):
    video = factories.make_video(by=admin)
    other = factories.make_video(by=member)
    rename = reverse("videos.rename", args=[video.id])
    assert browser_of(member).post(rename, {"title": "mine now"}).status_code == 403
    assert browser_of(member).post(reverse("videos.trash"), {"video": str(video.id)}).status_code == 403
    assert browser_of(admin).post(reverse("videos.trash"), {"video": str(other.id)}).status_code == 303
    other.refresh_from_db()
    assert other.trashed_by == admin.user


def test_form_of_another_of_my_teams_is_refused(member, browser_of):
    other = factories.make_team()
    video = factories.make_video(by=member)
    answer = browser_of(member).post(reverse("videos.trash"), {"video": str(video.id), "team": other.slug})
    assert answer.status_code == 403
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
    assert browser_of(member).get(reverse("gateway.connect")).status_code == 403
    assert browser_of(member).post(reverse("gateway.check")).status_code == 403
    assert browser_of(admin).get(reverse("gateway.connect")).status_code == 200
