"""What a share link shows follows what its maker may share now."""

import pytest
from django.utils import timezone

from playground.models import AuditEntry, Collection, Membership, Role, ShareLink, Video, Visibility
from playground.services import members, sharing, visibility
from playground.services.people import LinkEnded
from tests import factories
from tests.support.sharing import make_collection, make_link

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator():
    return factories.make_member()


@pytest.fixture
def admin(creator):
    return factories.make_member(team=creator.team, role=Role.ADMIN)


@pytest.fixture
def video(creator):
    return factories.make_video(by=creator, files=False)


def shown_by(token: str) -> list:
    try:
        return list(sharing.open_link(token=token).videos())
    except LinkEnded:
        return []


def test_link_to_a_video_shows_that_one_alone(creator, video):
    factories.make_video(by=creator, files=False)
    assert shown_by(make_link(by=creator, video=video)[1]) == [video]


def test_new_address_given_by_an_admin_shows_no_private_video_of_its_maker(creator, admin, video):
    private = factories.make_video(by=creator, files=False, visibility=Visibility.PRIVATE)
    collection = make_collection(private, video, by=creator)
    link, old = make_link(by=creator, collection=collection)
    assert shown_by(old) == [video]
    new = sharing.renew(by=admin, link=link, shown=sharing.mark_of(link))
    assert shown_by(new) == [video]
    assert not sharing.still_shows(link=link, video=private)


def test_private_collection_shows_private_videos_and_is_ruled_by_its_owner_alone(creator, admin, video):
    private = factories.make_video(by=creator, files=False, visibility=Visibility.PRIVATE)
    theirs = factories.make_video(by=admin, files=False, visibility=Visibility.PRIVATE)
    collection = make_collection(private, video, theirs, by=creator, visibility=Visibility.PRIVATE)
    link, token = make_link(by=creator, collection=collection)
    assert shown_by(token) == [private, video]
    with pytest.raises(sharing.NotYours):
        sharing.renew(by=admin, link=link, shown=sharing.mark_of(link))
    with pytest.raises(sharing.NotYours):
        sharing.change(by=admin, link=link, terms=sharing.Terms("Client A", 7), keeps_password=False)
    collection.visibility = Visibility.TEAM
    collection.save()
    assert shown_by(token) == [video]


def test_creators_link_shows_only_their_own_videos_of_a_collection(creator, admin, video):
    theirs = factories.make_video(by=admin, files=False)
    collection = make_collection(video, theirs, by=creator)
    link, token = make_link(by=creator, collection=collection)
    assert shown_by(token) == [video]
    assert not sharing.still_shows(link=link, video=theirs)
    assert shown_by(make_link(by=admin, collection=collection)[1]) == [video, theirs]


def test_admin_who_became_a_creator_shows_only_their_own(creator, admin, video):
    own = factories.make_video(by=admin, files=False)
    collection = make_collection(video, own, by=admin)
    tokens = [make_link(by=admin, **of)[1] for of in ({"video": video}, {"video": own}, {"collection": collection})]
    others = make_link(by=admin, collection=make_collection(own, by=creator))[1]
    Membership.objects.filter(id=admin.id).update(role=Role.CREATOR)
    assert [shown_by(token) for token in (*tokens, others)] == [[], [own], [own], []]


def test_maker_who_became_a_viewer_shows_nothing(creator, video):
    link, token = make_link(by=creator, video=video)
    of_collection = make_link(by=creator, collection=make_collection(video, by=creator))[1]
    Membership.objects.filter(id=creator.id).update(role=Role.VIEWER)
    assert shown_by(token) == shown_by(of_collection) == list(link.videos()) == []
    assert not ShareLink.objects.open().exists()
    assert ShareLink.objects.ended().count() == 2


def test_deleted_collection_is_shared_by_nobody(creator, video):
    collection = make_collection(video, by=creator)
    _link, token = make_link(by=creator, collection=collection)
    assert shown_by(token) == [video]
    # As one sees it who pressed "share" at the moment of its deletion.
    Collection.objects.update(removed_at=timezone.now())
    assert shown_by(token) == []
    collection.refresh_from_db()
    with pytest.raises(sharing.NotYours):
        make_link(by=creator, collection=collection)


def test_cost_is_shown_while_the_maker_of_the_link_sees_spend(creator, video):
    link, _token = make_link(by=creator, video=video, shows_cost=True)

    def lets_cost() -> bool:
        return ShareLink.objects.get(id=link.id).lets_cost

    assert lets_cost()
    Membership.objects.filter(id=creator.id).update(sees_spend=False)
    assert not lets_cost()
    Membership.objects.filter(id=creator.id).update(role=Role.ADMIN)
    assert lets_cost()
    ShareLink.objects.update(shows_cost=False)
    assert not lets_cost()


def test_cost_is_shown_by_what_its_maker_sees_and_nobody_else(creator, admin):
    """Of a team in which others see spend, some of them members for longer."""
    keeper = factories.make_member(team=creator.team)
    link, _token = make_link(by=keeper, video=factories.make_video(by=keeper, files=False), shows_cost=True)
    Membership.objects.filter(id=keeper.id).update(sees_spend=False)
    assert not ShareLink.objects.get(id=link.id).lets_cost
    keeper.delete()
    assert not ShareLink.objects.get(id=link.id).lets_cost


def test_whoever_is_in_no_team_sees_no_links_and_only_admins_those_of_others(creator, admin, video):
    link, _token = make_link(by=creator, video=video)
    stranger = factories.make_member(role=Role.ADMIN)
    colleague = factories.make_member(team=creator.team)
    seen = {by: list(ShareLink.objects.visible_to(by)) for by in (None, stranger, colleague, creator, admin)}
    assert seen == {None: [], stranger: [], colleague: [], creator: [link], admin: [link]}


def test_what_was_deleted_for_good_meanwhile_is_not_shared(creator, video):
    collection = make_collection(video, by=creator)
    Collection.objects.all().delete()
    Video.objects.all().delete()
    for thing in ({"video": video}, {"collection": collection}):
        with pytest.raises(sharing.NotYours):
            make_link(by=creator, **thing)


def take_address(admin, link) -> str:
    link.refresh_from_db()
    return sharing.renew(by=admin, link=link, shown=sharing.mark_of(link))


def test_address_that_an_admin_took_is_the_admins_and_stops_when_its_thing_becomes_private(creator, admin, video):
    collection = make_collection(video, by=creator)
    for thing in ({"collection": collection}, {"video": video}):
        link, _ = make_link(by=creator, **thing)
        token = take_address(admin, link)
        assert shown_by(token) == [video]
        assert visibility.switch(by=creator, of=collection if "collection" in thing else video, to=Visibility.PRIVATE)
        assert shown_by(token) == []
        link.refresh_from_db()
        assert link.created_by == admin.user
        assert AuditEntry.objects.latest("at").data["fields"] == ["address", "made by"]


def test_own_new_address_stays_ones_own(creator, video):
    link, _ = make_link(by=creator, video=video)
    sharing.renew(by=creator, link=link, shown=sharing.mark_of(link))
    link.refresh_from_db()
    assert link.created_by == creator.user
    assert AuditEntry.objects.latest("at").data["fields"] == ["address"]


def test_collection_that_becomes_private_shows_no_more_by_the_links_of_before(creator, video):
    private = factories.make_video(by=creator, files=False, visibility=Visibility.PRIVATE)
    collection = make_collection(private, video, by=creator)
    _, before = make_link(by=creator, collection=collection)
    visibility.switch(by=creator, of=collection, to=Visibility.PRIVATE)
    assert shown_by(before) == [video]
    collection.refresh_from_db()
    _, after = make_link(by=creator, collection=collection)
    assert shown_by(after) == [private, video]
    assert sharing.count_showing(collection=collection, videos=[private]) == 1
    assert sharing.count_showing(collection=collection, videos=[video]) == 2


def test_who_was_removed_or_became_a_viewer_meanwhile_makes_no_link(creator, admin, video):
    viewer = factories.make_member(team=creator.team)
    theirs = factories.make_video(by=viewer, files=False)
    Membership.objects.filter(id=viewer.id).update(role=Role.VIEWER)
    members.remove(by=admin, member=creator)
    for by, thing in ((creator, video), (viewer, theirs)):
        with pytest.raises(sharing.NotYours):
            make_link(by=by, video=thing)
    assert not ShareLink.objects.exists()


def test_what_became_private_meanwhile_is_shared_by_nobody_who_saw_it_before(creator, admin, video):
    seen = Video.objects.get(id=video.id)
    visibility.switch(by=creator, of=video, to=Visibility.PRIVATE)
    for by in (creator, admin):
        with pytest.raises(sharing.NotYours):
            make_link(by=by, video=seen)


def test_who_is_no_admin_any_more_takes_no_address_and_changes_no_link(creator, admin, video):
    """Their press came in while they were one."""
    link, _token = make_link(by=creator, video=video, password="open sesame")
    link.refresh_from_db()
    Membership.objects.filter(id=admin.id).update(role=Role.CREATOR)
    with pytest.raises(sharing.NotYours):
        sharing.renew(by=admin, link=link, shown=sharing.mark_of(link))
    with pytest.raises(sharing.NotYours):
        sharing.change(by=admin, link=link, terms=sharing.Terms("Client B", 7), keeps_password=False)
    Membership.objects.filter(id=creator.id).delete()
    with pytest.raises(sharing.NotYours):
        sharing.renew(by=creator, link=link, shown=sharing.mark_of(link))
    assert ShareLink.objects.get(id=link.id).token_hash == link.token_hash
    assert not AuditEntry.objects.filter(kind="link_changed").exists()
