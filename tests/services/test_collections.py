"""Collections: who sees and changes what, order, undo, and what becomes of videos that go."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from playground.models import AuditEntry, Collection, CollectionItem, Membership, Role, ShareLink, Video, Visibility
from playground.services import collections, members, sharing, videos
from tests import factories

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.fixture
def member(db):
    return factories.make_member()


@pytest.fixture
def admin(member):
    return factories.make_member(team=member.team, role=Role.ADMIN)


@pytest.fixture
def viewer(member):
    return factories.make_member(team=member.team, role=Role.VIEWER)


def make_video(by, **fields):
    return factories.make_video(by=by, files=False, **fields)


def shown(by, collection) -> list[Video]:
    items = CollectionItem.objects.shown_to(by).filter(collection=collection).order_by("-id")
    return [item.video for item in items]


def make_link(collection, by, **fields):
    return ShareLink.objects.create(
        team=by.team,
        created_by=by.user,
        name="Client A",
        collection=collection,
        token_hash=str(timezone.now()),
        **fields,
    )


def test_what_is_added_last_comes_first_and_is_in_it_once(member):
    one, two, three = (make_video(member) for _ in range(3))
    made = collections.create(by=member, name="Boats", videos=[two, one], now=NOW)
    assert shown(member, made) == [two, one]
    assert collections.add(by=member, collection=made, videos=[one, three], now=NOW + timedelta(hours=1)) == 1
    assert shown(member, made) == [three, two, one]
    made.refresh_from_db()
    assert made.changed_at == NOW + timedelta(hours=1)
    assert collections.add(by=member, collection=made, videos=[one]) == 0
    made.refresh_from_db()
    assert made.changed_at == NOW + timedelta(hours=1)


def test_only_videos_that_one_sees_are_added(member):
    alien, private = make_video(factories.make_member()), make_video(member, visibility=Visibility.PRIVATE)
    other = factories.make_member(team=member.team)
    made = collections.create(by=other, name="Boats", videos=[alien, private])
    assert not made.items.exists()


def test_team_collection_shows_each_what_they_may_see_anyway(member, admin):
    open_one, own = make_video(member), make_video(member, visibility=Visibility.PRIVATE)
    made = collections.create(by=member, name="Boats", videos=[open_one, own])
    assert shown(member, made) == [own, open_one]
    assert shown(admin, made) == [open_one]


def test_trashed_video_vanishes_and_comes_back_and_a_purged_one_is_gone(member):
    one, two = make_video(member), make_video(member)
    made = collections.create(by=member, name="Boats", videos=[one, two])
    videos.trash(by=member, videos=[two])
    assert shown(member, made) == [one]
    videos.restore(by=member, videos=[two])
    assert shown(member, made) == [two, one]
    videos.trash(by=member, videos=[two])
    videos.purge(by=member, videos=[two])
    assert shown(member, made) == [one]
    assert made.items.count() == 1


def test_private_collection_is_its_owners_alone(member, admin):
    made = collections.create(by=member, name="Drafts", seen_by=Visibility.PRIVATE)
    for rows in (Collection.objects.visible_to, Collection.objects.fillable_by, Collection.objects.managed_by):
        assert list(rows(member)) == [made]
        assert list(rows(admin)) == []


def test_team_collection_is_filled_by_creators_and_managed_by_owner_and_admin(member, admin, viewer):
    made = collections.create(by=member, name="Boats")
    other, stranger = factories.make_member(team=member.team), factories.make_member(role=Role.ADMIN)
    can = {by: [] for by in (member, admin, other, viewer, stranger)}
    for name in ("visible_to", "fillable_by", "managed_by"):
        for by in can:
            if getattr(Collection.objects, name)(by).filter(id=made.id).exists():
                can[by].append(name)
    assert can[member] == can[admin] == ["visible_to", "fillable_by", "managed_by"]
    assert can[other] == ["visible_to", "fillable_by"]
    assert can[viewer] == ["visible_to"]
    assert can[stranger] == []


def test_what_was_taken_out_comes_back_to_its_place(member):
    one, two, three = (make_video(member) for _ in range(3))
    made = collections.create(by=member, name="Boats", videos=[one, two, three])
    taken = collections.remove(by=member, collection=made, videos=[two])
    assert shown(member, made) == [three, one]
    kept = [collections.Taken.from_json(one.to_json()) for one in taken]
    assert collections.put_back(by=member, collection=made, taken=kept) == 1
    assert shown(member, made) == [three, two, one]
    assert collections.put_back(by=member, collection=made, taken=kept) == 0


def test_what_was_purged_meanwhile_is_not_put_back(member):
    video = make_video(member)
    made = collections.create(by=member, name="Boats", videos=[video])
    taken = collections.remove(by=member, collection=made, videos=[video])
    videos.trash(by=member, videos=[video])
    videos.purge(by=member, videos=[video])
    assert collections.put_back(by=member, collection=made, taken=taken) == 0


def test_nobody_takes_out_what_they_do_not_see(member, admin):
    own = make_video(member, visibility=Visibility.PRIVATE)
    made = collections.create(by=member, name="Boats", videos=[own])
    assert collections.remove(by=admin, collection=made, videos=[own]) == []
    assert shown(member, made) == [own]


def test_deleting_leaves_the_videos_ends_the_links_and_is_undone_whole(member):
    made = collections.create(by=member, name="Boats", videos=[make_video(member)])
    link, earlier = make_link(made, member), make_link(made, member, revoked_at=NOW)
    later = timezone.now()
    assert collections.delete(by=member, collection=made, now=later) == 1
    assert collections.delete(by=member, collection=made) is None
    assert not Collection.objects.kept().exists()
    assert Video.objects.count() == 1
    link.refresh_from_db()
    assert (link.revoked_at, link.revoked_by) == (later, member.user)
    assert collections.restore(by=member, collection=made)
    assert not collections.restore(by=member, collection=made)
    for row, revoked_at in ((link, None), (earlier, NOW)):
        row.refresh_from_db()
        assert row.revoked_at == revoked_at
    assert [entry.kind for entry in AuditEntry.objects.order_by("at")] == ["link_revoked", "link_restored"]
    assert len(shown(member, Collection.objects.kept().get())) == 1


def test_link_that_is_revoked_after_the_deletion_stays_revoked(member, admin):
    made = collections.create(by=member, name="Boats")
    link = make_link(made, member)
    collections.delete(by=member, collection=made)
    assert sharing.revoke(by=admin, link=link)
    assert not sharing.revoke(by=admin, link=link)
    assert collections.restore(by=member, collection=made)
    link.refresh_from_db()
    assert (link.revoked_at is None, link.revoked_by) == (False, admin.user)
    kinds = [entry.kind for entry in AuditEntry.objects.order_by("at")]
    assert kinds == ["link_revoked", "link_revoked"]


def test_links_of_a_maker_who_left_do_not_come_back_with_the_collection(member, admin):
    made = collections.create(by=member, name="Boats")
    link = make_link(made, member)
    collections.delete(by=admin, collection=made)
    members.remove(by=admin, member=member)
    collections.restore(by=admin, collection=made)
    Membership.objects.create(team=admin.team, user=member.user, role=Role.CREATOR)
    link.refresh_from_db()
    assert link.revoked_at
    assert not ShareLink.objects.open().exists()


def test_link_that_was_revoked_at_the_moment_of_the_deletion_stays_revoked(member):
    made = collections.create(by=member, name="Boats")
    link = make_link(made, member, revoked_at=NOW)
    collections.delete(by=member, collection=made, now=NOW)
    collections.restore(by=member, collection=made)
    link.refresh_from_db()
    assert link.revoked_at == NOW


def test_only_managers_delete_and_name_anew(member, admin, viewer):
    made = collections.create(by=member, name="Boats")
    for by in (factories.make_member(team=member.team), viewer, factories.make_member(role=Role.ADMIN)):
        assert collections.delete(by=by, collection=made) is None
        collections.rename(by=by, collection=made, name="Mine now")
    made.refresh_from_db()
    assert (made.name, made.removed_at) == ("Boats", None)
    collections.rename(by=admin, collection=made, name="Ships")
    made.refresh_from_db()
    assert made.name == "Ships"


def test_deleted_collection_is_forgotten_after_a_day(member):
    made, kept = (collections.create(by=member, name=name) for name in ("Boats", "Kept"))
    collections.delete(by=member, collection=made, now=NOW)
    assert collections.forget_removed(now=NOW + timedelta(hours=23)) == 0
    assert collections.forget_removed(now=NOW + timedelta(hours=25)) == 1
    assert list(Collection.objects.all()) == [kept]


@pytest.mark.django_db(transaction=True)
def test_two_who_add_the_same_video_at_once_add_it_once():
    member = factories.make_member()
    made = collections.create(by=member, name="Boats")
    video = make_video(member)
    counts = []

    def add():
        try:
            counts.append(collections.add(by=member, collection=made, videos=[video]))
        finally:
            connection.close()

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 0, 0, 0, 1]
