"""The star on tiles and on the page of a video, for every role; the place where favourites stand."""

import re

import pytest
from django.urls import reverse

from playground.models import Favourite, Visibility
from playground.services import favourites
from tests import factories

pytestmark = pytest.mark.pure

GALLERY = "/gallery/"


def address(video) -> str:
    return reverse("favourites.mark", args=[video.id])


def shown(answer) -> list[str]:
    return list(dict.fromkeys(re.findall(r'href="/videos/([0-9a-f-]{36})/', answer.content.decode())))


@pytest.mark.parametrize("role", ["member", "admin", "viewer"])
def test_each_member_has_favourites_of_their_own(member, browser_of, request, role):
    video = factories.make_video(by=member, files=False)
    by = request.getfixturevalue(role)
    answer = browser_of(by, htmx=True).post(address(video), {"on": "1"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'aria-pressed="true"' in page
    assert 'name="on" value="0"' in page
    assert "<html" not in page
    assert [row.user for row in Favourite.objects.all()] == [by.user]
    browser_of(by, htmx=True).post(address(video), {"on": "0"})
    assert not Favourite.objects.exists()


def test_star_works_without_scripts_and_leads_back(member, browser_of):
    video = factories.make_video(by=member, files=False)
    client = browser_of(member)
    answer = client.post(address(video), {"on": "1", "next": "/gallery/?model=sora-2"})
    assert (answer.status_code, answer.url) == (303, "/gallery/?model=sora-2")
    assert client.post(address(video), {"on": "1", "next": "https://example.org/"}).url == f"/videos/{video.id}/"
    assert 'aria-pressed="true"' in client.get(GALLERY).content.decode()


def test_words_of_the_star_stay_where_they_were(member, browser_of):
    video = factories.make_video(by=member, files=False)
    small, large = (
        browser_of(member, htmx=True).post(address(video), {"on": "1", **look}).content.decode()
        for look in ({}, {"look": "page"})
    )
    assert "btn--icon" in small
    assert "btn--icon" not in large
    assert 'name="look" value="page"' in large


def test_what_one_does_not_see_cannot_be_starred(member, admin, stranger, browser_of):
    private = factories.make_video(by=member, files=False, visibility=Visibility.PRIVATE)
    assert browser_of(admin).post(address(private), {"on": "1"}).status_code == 404
    assert browser_of(stranger).post(address(private), {"on": "1"}).status_code == 404
    video = factories.make_video(by=member, files=False)
    assert browser_of(stranger).post(address(video), {"on": "1"}).status_code == 404
    assert browser_of().post(address(video), {"on": "1"}).status_code == 302
    assert browser_of(member).get(address(video)).status_code == 405
    assert not Favourite.objects.exists()


def test_form_of_another_of_my_teams_is_refused(member, browser_of):
    video, other = factories.make_video(by=member, files=False), factories.make_member(user=member.user)
    assert browser_of(member).post(address(video), {"on": "1", "team": other.team.slug}).status_code == 404
    assert not Favourite.objects.exists()


def test_favourites_are_a_place_that_combines_with_the_filters(member, admin, browser_of):
    kling, wan = factories.make_model("kling-v3"), factories.make_model("wan")
    one, two, three = (factories.make_video(by=member, files=False, model=model) for model in (kling, wan, kling))
    for video in (one, two):
        favourites.mark(by=member, video=video, on=True)
    favourites.mark(by=admin, video=three, on=True)
    client = browser_of(member)
    assert shown(client.get(f"{GALLERY}?favourite=1")) == [str(two.id), str(one.id)]
    answer = client.get(f"{GALLERY}?favourite=1&model=kling-v3")
    assert shown(answer) == [str(one.id)]
    page = " ".join(answer.content.decode().split())
    assert '<a href="/gallery/?model=kling-v3&amp;favourite=1" aria-current="page">Favourites</a>' in page
    assert '<a href="/gallery/?model=kling-v3" >All</a>' in page
    assert '<input type="hidden" name="favourite" value="1">' in page
    assert 'href="/gallery/?favourite=1">Clear all' in page
    assert f"/videos/{one.id}/?model=kling-v3&amp;favourite=1" in page


def test_neighbours_of_a_favourite_are_favourites(member, browser_of):
    one, _other, two = (factories.make_video(by=member, files=False) for _ in range(3))
    for video in (one, two):
        favourites.mark(by=member, video=video, on=True)
    page = " ".join(browser_of(member).get(f"/videos/{two.id}/?favourite=1").content.decode().split())
    assert f'data-older href="/videos/{one.id}/?favourite=1"' in page


def test_empty_favourites_say_how_to_begin(member, browser_of):
    factories.make_video(by=member, files=False)
    page = browser_of(member).get(f"{GALLERY}?favourite=1").content.decode()
    assert "No favourites yet." in page
    both = browser_of(member).get(f"{GALLERY}?favourite=1&approved=1").content.decode()
    assert "Nothing matches" in both
    assert "Not only favourites" in both or "Clear all" in both
