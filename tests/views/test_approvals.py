"""Approved: who may say it, where it is said, and the place in the gallery."""

import pytest
from django.urls import reverse

from playground.models import Video, Visibility
from playground.services import approvals
from tests import factories

pytestmark = pytest.mark.pure


def address(video) -> str:
    return reverse("approvals.mark", args=[video.id])


def is_approved(video) -> bool:
    return Video.objects.filter(id=video.id, approved_at__isnull=False).exists()


@pytest.mark.parametrize("role", ["member", "admin"])
def test_creators_and_admins_approve_and_take_it_back(member, browser_of, request, role):
    video = factories.make_video(by=member, files=False)
    by = request.getfixturevalue(role)
    answer = browser_of(by).post(address(video), {"on": "1"})
    assert (answer.status_code, answer.url) == (303, f"/videos/{video.id}/")
    assert is_approved(video)
    page = browser_of(by).get(f"/videos/{video.id}/").content.decode()
    assert by.user.display_name in page
    assert "Take back" in page
    browser_of(by).post(address(video), {"on": "0"})
    assert not is_approved(video)


def test_panel_is_drawn_anew_with_the_badge_beside_the_name(member, browser_of):
    video = factories.make_video(by=member, files=False)
    page = browser_of(member, htmx=True).post(address(video), {"on": "1"}).content.decode()
    assert 'id="standing"' in page
    assert 'id="video-badges" class="cluster" hx-swap-oob="true"' in page
    assert "badge--good" in page
    assert "<html" not in page


def test_viewer_sees_it_and_may_not_say_it(member, viewer, browser_of):
    video = factories.make_video(by=member, files=False)
    assert browser_of(viewer).post(address(video), {"on": "1"}).status_code == 404
    assert not is_approved(video)
    approvals.approve(by=member, video=video)
    for page in ("/gallery/", f"/videos/{video.id}/"):
        assert "Approved" in browser_of(viewer).get(page).content.decode()
    assert browser_of(viewer).post(address(video), {"on": "0"}).status_code == 404
    assert is_approved(video)
    assert "Take back" not in browser_of(viewer).get(f"/videos/{video.id}/").content.decode()


def test_others_get_the_same_404(member, admin, stranger, browser_of):
    private = factories.make_video(by=member, files=False, visibility=Visibility.PRIVATE)
    assert browser_of(admin).post(address(private), {"on": "1"}).status_code == 404
    assert browser_of(stranger).post(address(private), {"on": "1"}).status_code == 404
    assert browser_of(member).get(address(private)).status_code == 405
    assert not is_approved(private)


def test_approved_is_a_place_in_the_gallery(member, viewer, browser_of):
    one, two = factories.make_video(by=member, files=False), factories.make_video(by=member, files=False)
    assert "Nothing is approved yet." in browser_of(viewer).get("/gallery/?approved=1").content.decode()
    approvals.approve(by=member, video=one)
    page = browser_of(viewer).get("/gallery/?approved=1").content.decode()
    assert str(one.id) in page
    assert str(two.id) not in page
    assert "badge--approved" in page


def test_history_tells_of_it(member, browser_of):
    video = factories.make_video(by=member, files=False)
    approvals.approve(by=member, video=video)
    approvals.take_back(by=member, video=video)
    page = browser_of(member).get(f"/videos/{video.id}/").content.decode()
    assert "Approval taken back" in page
