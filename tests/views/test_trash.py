"""The trash: what is in it, back out of it, and gone for good."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from playground.media import storage
from playground.models import Video
from playground.services import housekeeping
from tests import factories

pytestmark = pytest.mark.pure

TRASH = "/trash/"


def test_empty_trash(member, browser_of):
    factories.make_video(by=member, files=False)
    assert "The trash is empty." in browser_of(member).get(TRASH).content.decode()


def test_trash_says_who_moved_it_and_when_it_is_gone(member, browser_of):
    moved_at = timezone.now() - timedelta(days=10)
    factories.make_video(by=member, files=False, trashed_at=moved_at, trashed_by=member.user)
    page = browser_of(member).get(TRASH).content.decode()
    assert "Kept for 30 days, then deleted for good." in page
    assert f"Moved here by {member.user.name}" in page
    gone = moved_at + timedelta(days=30)
    assert f"Deleted for good on {gone:%b}"[:24] in page.replace("\n", "")


def test_restored_video_is_in_the_gallery_again(member, browser_of):
    video = factories.make_video(by=member, files=False, trashed_at=timezone.now())
    client = browser_of(member)
    answer = client.post(reverse("videos.restore"), {"video": str(video.id), "next": TRASH})
    assert answer.url == TRASH
    assert "1 video is back in the gallery." in client.get(TRASH).content.decode()
    assert str(video.id) in client.get("/gallery/").content.decode()


def test_deleting_asks_first_and_then_takes_row_and_files(member, browser_of):
    video = factories.make_video(by=member, trashed_at=timezone.now())
    client, data = browser_of(member), {"video": str(video.id)}
    question = client.post(reverse("videos.purge"), data)
    assert "Delete this video for good?" in " ".join(question.content.decode().split())
    assert Video.objects.filter(id=video.id).exists()
    answer = client.post(reverse("videos.purge"), {**data, "sure": "1"})
    assert (answer.status_code, answer.url) == (303, TRASH)
    assert not Video.objects.filter(id=video.id).exists()
    assert not any(storage.exists(key) for key in (video.key, video.poster_key, video.preview_key))


def test_what_is_not_in_the_trash_cannot_be_deleted(member, browser_of):
    video = factories.make_video(by=member, files=False)
    answer = browser_of(member).post(reverse("videos.purge"), {"video": str(video.id), "sure": "1"})
    assert answer.status_code == 404
    assert Video.objects.filter(id=video.id).exists()


def test_others_videos_have_no_buttons_for_a_creator(member, admin, browser_of):
    factories.make_video(by=admin, files=False, trashed_at=timezone.now())
    assert "Delete for good</" not in browser_of(member).get(TRASH).content.decode().replace("<span", "</span")
    assert "Delete for good" in browser_of(admin).get(TRASH).content.decode()


def test_the_day_of_deletion_is_the_one_the_worker_keeps_to(member, browser_of):
    moved_at = timezone.now() - housekeeping.TRASH_KEPT + timedelta(minutes=1)
    factories.make_video(by=member, files=False, trashed_at=moved_at)
    page = browser_of(member).get(reverse("trash.index")).content.decode()
    assert f"Kept for {housekeeping.TRASH_KEPT.days} days" in page


def test_every_page_that_names_the_days_takes_them_from_the_one_place(member, browser_of, monkeypatch):
    monkeypatch.setattr("playground.views.context.TRASH_KEPT", timedelta(days=11))
    video = factories.make_video(by=member, files=False, trashed_at=timezone.now())
    browser = browser_of(member)
    for address in ("/trash/", f"/videos/{video.id}/", "/nowhere/"):
        page = browser.get(address).text
        assert "for 11 days" in page
        assert "30 days" not in page
