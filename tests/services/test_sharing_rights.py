"""What a share link shows follows what its maker may share now."""

import pytest

from playground.models import Role, Visibility
from playground.services import sharing
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
