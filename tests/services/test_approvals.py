"""Approval: whoever was first stays named, and the history of the video tells of it."""

from datetime import UTC, datetime

import pytest

from playground.models import Event, Video, Visibility
from playground.services import approvals
from tests import factories

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.fixture
def member(db):
    return factories.make_member()


def test_first_approval_stays_and_is_remembered(member):
    video = factories.make_video(by=member, files=False)
    other = factories.make_member(team=member.team)
    assert approvals.approve(by=member, video=video, now=NOW)
    assert not approvals.approve(by=other, video=video)
    video.refresh_from_db()
    assert (video.approved_at, video.approved_by) == (NOW, member.user)
    assert [(event.kind, event.by) for event in Event.objects.filter(generation=video.generation)] == [
        ("approved", member.user)
    ]


def test_approval_is_taken_back_by_anybody_once(member):
    video = factories.make_video(by=member, files=False)
    other = factories.make_member(team=member.team)
    approvals.approve(by=member, video=video)
    assert approvals.take_back(by=other, video=video)
    assert not approvals.take_back(by=other, video=video)
    video.refresh_from_db()
    assert (video.approved_at, video.approved_by) == (None, None)
    assert [event.kind for event in Event.objects.order_by("id")] == ["approved", "approval_taken_back"]


def test_video_that_is_not_seen_is_not_approved(member):
    private = factories.make_video(by=member, files=False, visibility=Visibility.PRIVATE)
    alien = factories.make_video(by=factories.make_member(), files=False)
    other = factories.make_member(team=member.team)
    for video in (private, alien):
        assert not approvals.approve(by=other, video=video)
    assert not Video.objects.filter(approved_at__isnull=False).exists()
    assert not Event.objects.exists()


def test_import_without_a_generation_is_approved_too(member):
    video = factories.make_video(by=member, files=False)
    Video.objects.filter(id=video.id).update(generation=None)
    video.refresh_from_db()
    assert approvals.approve(by=member, video=video)
    assert not Event.objects.exists()
