"""Who sees a video: its owner decides, its run follows, its links are told of."""

import pytest
from django.utils import timezone

from playground.domain.status import Status
from playground.models import AuditEntry, Role, ShareLink, Video, Visibility
from playground.services import collections, visibility
from tests import factories

TEAM, PRIVATE = Visibility.TEAM, Visibility.PRIVATE


@pytest.fixture
def member(db):
    return factories.make_member()


def make_link(video, by, **fields):
    return ShareLink.objects.create(
        team=by.team, created_by=by.user, name="Client A", video=video, token_hash=str(timezone.now()), **fields
    )


def seen_by(member, video) -> bool:
    return Video.objects.visible_to(member).filter(id=video.id).exists()


def test_owner_alone_switches_and_the_video_leaves_others_collections(member):
    admin = factories.make_member(team=member.team, role=Role.ADMIN)
    video = factories.make_video(by=member, files=False)
    made = collections.create(by=admin, name="Boats", videos=[video])
    assert not visibility.switch(by=admin, of=video, to=PRIVATE)
    assert seen_by(admin, video)
    assert visibility.switch(by=member, of=video, to=PRIVATE)
    assert not visibility.switch(by=member, of=video, to=PRIVATE)
    assert not seen_by(admin, video)
    assert not made.items.shown_to(admin).exists()
    assert visibility.switch(by=member, of=video, to=TEAM)
    assert made.items.shown_to(admin).exists()


def test_links_go_on_unless_they_are_ended(member):
    video = factories.make_video(by=member, files=False)
    link = make_link(video, member)
    make_link(video, member, revoked_at=timezone.now())
    assert list(visibility.lasting_links(video)) == [link]
    visibility.switch(by=member, of=video, to=PRIVATE)
    assert list(visibility.lasting_links(video)) == [link]
    visibility.switch(by=member, of=video, to=TEAM)
    visibility.switch(by=member, of=video, to=PRIVATE, ends_links=True)
    assert list(visibility.lasting_links(video)) == []
    entry = AuditEntry.objects.get()
    assert entry.kind == "link_revoked"
    assert entry.data.items() >= {"link": str(link.id), "video": str(video.id), "name": link.name}.items()


def test_run_is_for_the_team_while_one_of_its_videos_is(member):
    run = factories.make_run(by=member)
    one, two = (
        factories.make_video(by=member, files=False, generation=factories.make_generation(run=run)) for _ in range(2)
    )
    factories.make_generation(run=run, status=Status.FAILED)
    for video, to, expected in ((one, PRIVATE, TEAM), (two, PRIVATE, PRIVATE), (one, TEAM, TEAM)):
        visibility.switch(by=member, of=video, to=to)
        run.refresh_from_db()
        assert run.visibility == expected


def test_run_that_may_still_bring_videos_keeps_what_was_chosen_for_them(member):
    run = factories.make_run(by=member, visibility=PRIVATE)
    video = factories.make_video(
        by=member, files=False, generation=factories.make_generation(run=run), visibility=PRIVATE
    )
    factories.make_generation(run=run, status=Status.RUNNING)
    visibility.switch(by=member, of=video, to=TEAM)
    run.refresh_from_db()
    assert run.visibility == PRIVATE


def test_run_of_somebody_else_stays_as_they_chose(member):
    other = factories.make_member(team=member.team)
    generation = factories.make_generation(run=factories.make_run(by=other))
    video = factories.make_video(by=member, files=False, generation=generation)
    visibility.switch(by=member, of=video, to=PRIVATE)
    generation.run.refresh_from_db()
    assert generation.run.visibility == TEAM


def test_collection_is_switched_by_its_owner_alone(member):
    admin = factories.make_member(team=member.team, role=Role.ADMIN)
    made = collections.create(by=member, name="Boats")
    assert not visibility.switch(by=admin, of=made, to=PRIVATE)
    assert visibility.switch(by=member, of=made, to=PRIVATE)
    made.refresh_from_db()
    assert made.visibility == PRIVATE
