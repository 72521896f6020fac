"""Favourites: personal, and the same however often they are pressed."""

import pytest

from playground.models import Favourite
from playground.services import favourites
from tests import factories


@pytest.fixture
def member(db):
    return factories.make_member()


def test_star_is_set_once_and_taken_away(member):
    video = factories.make_video(by=member, files=False)
    for _ in range(2):
        favourites.mark(by=member, video=video, on=True)
    assert Favourite.objects.count() == 1
    assert favourites.among(by=member, videos=[video]) == {video.id}
    for _ in range(2):
        favourites.mark(by=member, video=video, on=False)
    assert not Favourite.objects.exists()


def test_star_of_one_is_not_that_of_another(member):
    video = factories.make_video(by=member, files=False)
    other = factories.make_member(team=member.team)
    favourites.mark(by=other, video=video, on=True)
    favourites.mark(by=member, video=video, on=False)
    assert favourites.among(by=member, videos=[video]) == set()
    assert favourites.among(by=other, videos=[video]) == {video.id}


def test_stars_of_a_page_take_one_query(member, django_assert_num_queries):
    videos = [factories.make_video(by=member, files=False) for _ in range(3)]
    favourites.mark(by=member, video=videos[1], on=True)
    with django_assert_num_queries(1):
        assert favourites.among(by=member, videos=videos) == {videos[1].id}
