"""Making a team, settling what is so in it, and how long its videos stay."""

from datetime import timedelta

import pytest
from django.utils import timezone

from playground.models import AuditEntry, Collection, CollectionItem, Favourite, Membership, Role, ShareLink, Video
from playground.services import housekeeping, members, retention, teams, videos
from tests import factories

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def admin() -> Membership:
    return factories.make_member(role=Role.ADMIN)


def test_maker_of_a_team_is_its_admin_and_limits_are_still_to_accept(admin):
    admin.team.time_zone = "Europe/Berlin"
    admin.team.save()
    made = teams.make(by=admin, name=" Second  ")
    assert (made.team.name, made.role, made.user) == ("Second", Role.ADMIN, admin.user)
    assert (made.team.time_zone, made.team.limits_accepted_at) == ("Europe/Berlin", None)
    assert AuditEntry.objects.get(team=made.team).kind == "team_made"


def test_same_name_twice_is_two_teams(admin):
    assert len({teams.make(by=admin, name="Second").team.slug for _ in range(3)}) == 3


def test_only_admins_make_and_settle(admin):
    member = factories.make_member(team=admin.team)
    with pytest.raises(teams.NotAdmin):
        teams.make(by=member, name="Second")
    with pytest.raises(teams.NotAdmin):
        teams.settle(by=member, values={"name": "Mine"})


def test_what_is_settled_is_on_record_with_old_and_new(admin):
    was = admin.team.name
    assert teams.settle(by=admin, values={"name": "New", "link_days": 7, "retention_days": 90}) == [
        "name",
        "retention_days",
    ]
    data = AuditEntry.objects.get().data
    assert data == {"name": {"was": was, "is": "New"}, "retention_days": {"was": None, "is": 90}}
    assert teams.settle(by=admin, values={"name": "New"}) == []
    assert AuditEntry.objects.count() == 1


def test_command_that_allows_videos_without_a_price_is_on_record(admin):
    teams.allow_unpriced(team=admin.team, allowed=True)
    teams.allow_unpriced(team=admin.team, allowed=True)
    entry = AuditEntry.objects.get()
    assert (entry.kind, entry.by, entry.data) == ("team_changed", None, {"allow_unpriced": {"was": False, "is": True}})


def old_video(by: Membership, days: int = 31, **fields) -> Video:
    video = factories.make_video(by=by, files=False, **fields)
    Video.objects.filter(id=video.id).update(created_at=NOW - timedelta(days=days))
    return video


def link_to(video: Video, **fields) -> ShareLink:
    return ShareLink.objects.create(team=video.team, name="Client", video=video, token_hash=video.id.hex, **fields)


def test_old_videos_go_to_the_trash_but_those_that_are_kept_for_a_reason(admin):
    admin.team.retention_days = 30
    admin.team.save()
    gone, starred, young = old_video(admin), old_video(admin), old_video(admin, days=29)
    over, revoked = old_video(admin), old_video(admin)
    approved = old_video(admin, approved_at=NOW)
    collected, shared, endless = old_video(admin), old_video(admin), old_video(admin)
    Favourite.objects.create(user=admin.user, video=starred)
    collection = Collection.objects.create(team=admin.team, owner=admin.user, name="Best")
    CollectionItem.objects.create(collection=collection, video=collected)
    link_to(shared, expires_at=NOW + timedelta(days=1))
    link_to(endless)
    link_to(over, expires_at=NOW - timedelta(days=1))
    link_to(revoked, revoked_at=NOW)
    assert retention.trash_old(now=NOW) == 4
    assert set(Video.objects.trashed()) == {gone, starred, over, revoked}
    assert set(Video.objects.kept()) == {young, approved, collected, shared, endless}
    assert AuditEntry.objects.get().data == {"videos": 4, "days": 30}
    assert retention.trash_old(now=NOW) == 0


def test_video_that_is_brought_back_stays_for_the_teams_time_again(admin):
    admin.team.retention_days = 30
    admin.team.save()
    video = old_video(admin, days=90)
    assert retention.trash_old(now=NOW) == 1
    assert videos.restore(by=admin, videos=[video], now=NOW + timedelta(minutes=5)) == 1
    assert retention.trash_old(now=NOW + timedelta(days=30)) == 0
    assert retention.trash_old(now=NOW + timedelta(days=30, minutes=6)) == 1


def test_private_videos_of_somebody_who_left_go_to_the_trash_after_a_month(admin):
    member, other = (factories.make_member(team=admin.team) for _ in range(2))
    private, shared, theirs = (
        factories.make_video(by=by, files=False, visibility=visibility)
        for by, visibility in ((member, "private"), (member, "team"), (other, "private"))
    )
    members.remove(by=admin, member=member, now=NOW)
    assert retention.trash_left_behind(now=NOW + timedelta(days=30)) == 0
    housekeeping.tidy(now=NOW + timedelta(days=30, minutes=1))
    assert list(Video.objects.trashed()) == [private]
    assert set(Video.objects.kept()) == {shared, theirs}
    assert AuditEntry.objects.get(kind="videos_trashed_left_behind").data == {"videos": 1, "days": 30}
    back = factories.make_member(team=admin.team, user=member.user)
    assert videos.restore(by=back, videos=[private]) == 1
    assert retention.trash_left_behind(now=NOW + timedelta(days=90)) == 0


@pytest.mark.parametrize("account_is_gone", [False, True])
def test_owner_of_whose_going_nothing_is_on_record_is_waited_for_from_when_that_is_found(admin, account_is_gone):
    member = factories.make_member(team=admin.team)
    private = factories.make_video(by=member, files=False, visibility="private")
    (member.user if account_is_gone else member).delete()
    assert retention.trash_left_behind(now=NOW) == 0
    user = "" if account_is_gone else str(member.user_id)
    assert AuditEntry.objects.get(kind="owner_found_gone").data == {"user": user}
    assert retention.trash_left_behind(now=NOW + timedelta(days=30)) == 0
    assert retention.trash_left_behind(now=NOW + timedelta(days=30, minutes=1)) == 1
    assert list(Video.objects.trashed()) == [private]
    assert AuditEntry.objects.filter(kind="owner_found_gone").count() == 1


def test_without_a_time_videos_stay_for_ever(admin):
    old_video(admin, days=3000)
    assert retention.trash_old(now=NOW) == 0
    assert not AuditEntry.objects.exists()


def test_hourly_tidying_looks_for_old_videos(admin):
    admin.team.retention_days = 30
    admin.team.save()
    video = old_video(admin)
    housekeeping.tidy(now=NOW)
    video.refresh_from_db()
    assert video.trashed_at == NOW
