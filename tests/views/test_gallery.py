"""The gallery: order, paging, filters, what is new, what a tile says."""

import itertools
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from playground.domain.capabilities import SHAPES, nearest_shape
from playground.forms.videos import GalleryFilters, shape_bounds
from playground.models import Gateway, Lifecycle, TeamModel, Video, VideoModel
from tests import factories

GALLERY = "/gallery/"


def shown(answer) -> list[str]:
    """The ids of the tiles in the order of the page."""
    found = re.findall(r'href="/videos/([0-9a-f-]{36})/', answer.content.decode())
    return list(dict.fromkeys(found))


def make_many(member, count, **fields):
    model = factories.make_model("sora-2")
    return [factories.make_video(by=member, model=model, files=False, **fields) for _ in range(count)]


def test_newest_is_first_and_the_trash_is_left_out(member, browser_of):
    first, second, gone = make_many(member, 3)
    browser_of(member).post(reverse("videos.trash"), {"video": str(gone.id)})
    assert shown(browser_of(member).get(GALLERY)) == [str(second.id), str(first.id)]


def test_pages_follow_one_another_without_repeat_or_gap_while_videos_arrive(member, browser_of):
    made = make_many(member, 60)
    client, seen, address = browser_of(member), [], GALLERY
    while address:
        answer = client.get(address)
        assert answer.status_code == 200
        seen += shown(answer)
        more = re.search(r'href="(/gallery/\?[^"]*before=[^"]*)"', answer.content.decode())
        address = more.group(1).replace("&amp;", "&") if more else None
        make_many_one(member)
    assert seen == [str(video.id) for video in reversed(made)]


def make_many_one(member):
    factories.make_video(by=member, model=factories.make_model(), files=False)


def test_htmx_gets_the_next_tiles_alone_and_the_same_address_is_a_whole_page(member, browser_of):
    made = make_many(member, 30)
    address = f"{GALLERY}?before={made[10].id}"
    fragment = browser_of(member, htmx=True).get(address)
    page = browser_of(member).get(address)
    assert shown(fragment) == shown(page) == [str(video.id) for video in reversed(made[:10])]
    assert b"<html" not in fragment.content
    assert b"<html" in page.content
    assert b"Show more" not in fragment.content
    assert "HX-Push-Url" not in fragment.headers


def test_cursor_that_is_no_id_shows_the_first_page(member, browser_of):
    (video,) = make_many(member, 1)
    assert shown(browser_of(member).get(f"{GALLERY}?before=nonsense")) == [str(video.id)]


def test_queries_do_not_grow_with_the_tiles(member, browser_of):
    client = browser_of(member)
    make_many(member, 2)
    client.get(GALLERY)
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(GALLERY)
    make_many_more = [factories.make_video(by=member, files=False) for _ in range(22)]
    with CaptureQueriesContext(connection) as many:
        answer = client.get(GALLERY)
    assert len(shown(answer)) == 2 + len(make_many_more)
    assert len(many) == len(few) <= 13


def test_filters_narrow_and_stay_in_the_links(member, admin, browser_of):
    kling = factories.make_model("kling-v3")
    mine = factories.make_video(by=member, model=kling, files=False, size=(96, 160))
    factories.make_video(by=admin, model=kling, files=False, size=(96, 160))
    factories.make_video(by=member, model=factories.make_model("wan"), files=False, size=(96, 160))
    factories.make_video(by=member, model=kling, files=False, size=(160, 90))
    query = f"?owner={member.user_id}&model=kling-v3&shape=9%3A16"
    answer = browser_of(member).get(GALLERY + query)
    assert shown(answer) == [str(mine.id)]
    assert f"/videos/{mine.id}/{escape(query)}" in answer.content.decode()


@pytest.mark.parametrize(
    "size",
    [
        (1280, 720),
        (720, 1280),
        (1000, 1000),
        (640, 480),
        (480, 640),
        (2560, 1080),
        (1365, 768),
        (720, 480),
        (480, 720),
        (1024, 576),
        (4000, 100),
        (100, 4000),
        (1180, 1000),
    ],
)
def test_shape_filter_agrees_with_the_shape_that_is_shown(member, size):
    video = factories.make_video(by=member, files=False, size=size)
    holding = [shape for shape in SHAPES if GalleryFilters(shape=shape).apply(Video.objects.all()).exists()]
    assert holding == [video.shape] == [nearest_shape(*size)]


def test_shape_bounds_leave_no_gap_and_no_overlap():
    bounds = sorted(shape_bounds(shape) for shape in SHAPES)
    assert bounds[0][0] == 0
    for (_, upper), (lower, _) in itertools.pairwise(bounds):
        assert upper == lower


def test_empty_gallery_says_how_to_begin(member, browser_of):
    page = browser_of(member).get(GALLERY).content.decode()
    assert "No videos yet." in page
    assert "Make one" in page


@pytest.mark.parametrize("address", [GALLERY, "/runs/", "/spend/"])
def test_empty_list_offers_what_a_viewer_may_do(viewer, browser_of, address):
    page = browser_of(viewer).get(address).content.decode()
    assert "Make one" not in page
    assert "Ask for one" in page


def test_no_match_names_the_filters_and_what_each_one_hides(member, browser_of):
    factories.make_video(by=member, model=factories.make_model("wan-2.6"), files=False, size=(96, 160))
    factories.make_video(by=member, model=factories.make_model("sora-2"), files=False, size=(160, 90))
    page = browser_of(member).get(f"{GALLERY}?model=wan-2.6&shape=16:9").content.decode()
    assert "wan-2.6 + 16:9" in page
    assert "1 video matches without the model." in page
    assert 'href="/gallery/?shape=16%3A9">Drop model' in page
    assert "Clear all" in page


def test_newer_is_announced_and_never_inserted(member, browser_of):
    first, *_rest = make_many(member, 4)
    client = browser_of(member, htmx=True)
    answer = client.get(f"{reverse('gallery.newer')}?after={first.id}")
    assert "3 new - show" in answer.content.decode()
    assert "<li" not in answer.content.decode()


def test_newer_is_quiet_when_nothing_came_and_counts_only_what_the_filters_show(member, browser_of):
    first, last = make_many(member, 2)
    client = browser_of(member, htmx=True)
    assert client.get(f"{reverse('gallery.newer')}?after={last.id}").status_code == 204
    assert client.get(f"{reverse('gallery.newer')}?after={first.id}&model=other").status_code == 204


def test_newer_opened_as_a_page_leads_to_the_gallery(member, browser_of):
    answer = browser_of(member).get(reverse("gallery.newer") + "?model=sora-2")
    assert answer.status_code == 302
    assert answer.url == "/gallery/?model=sora-2"


def test_one_more_carries_the_price_it_shows(member, browser_of):
    video = factories.make_video(by=member, files=False)
    page = browser_of(member).get(GALLERY).content.decode()
    assert "One more - about $0.40" in page
    assert f'action="/generations/{video.generation_id}/again/"' in page
    assert 'name="quoted_micros" value="400000"' in page


def test_no_button_spends_without_a_price_or_with_a_model_that_is_gone(member, browser_of):
    unpriced = factories.make_run(by=member)
    factories.make_video(
        by=member, files=False, generation=factories.make_generation(run=unpriced, estimate_micros=None)
    )
    gone = factories.make_model(lifecycle=Lifecycle.RETIRED)
    factories.make_video(by=member, files=False, model=gone)
    page = browser_of(member).get(GALLERY).content.decode()
    assert "One more" not in page
    assert page.count("Reuse settings") == 2
    assert "No price given · cost not reported" in page
    assert "$0.00" not in page


def gateway_of_the_team(member):
    factories.make_gateway(team=member.team, is_default=True)


def gateway_that_was_left(member):
    old = Gateway.objects.get()
    Gateway.objects.filter(id=old.id).update(team=member.team, is_default=False, removed_at=timezone.now())
    factories.make_gateway(is_default=True)


def model_switched_off(member):
    TeamModel.objects.create(team=member.team, model=VideoModel.objects.get(), enabled=False)


@pytest.mark.parametrize("change", [gateway_of_the_team, gateway_that_was_left, model_switched_off])
def test_no_button_spends_at_what_the_team_does_not_order_from_now(member, browser_of, change):
    video = factories.make_video(by=member, files=False)
    addresses = [GALLERY, f"/videos/{video.id}/", f"/runs/{video.generation.run_id}/", "/create/"]
    again, browser = f"/generations/{video.generation_id}/again/", browser_of(member)
    spends = [again in browser.get(address).content.decode() for address in addresses]
    assert spends == [True, True, True, True]
    change(member)
    pages = [browser.get(address).content.decode() for address in addresses]
    assert [again in page for page in pages] == [False] * 4
    for page in pages[:3]:
        assert f"/create/?from={video.generation_id}" in page


def test_select_mode_works_without_scripts_and_moves_what_was_chosen(member, browser_of):
    one, two, three = make_many(member, 3)
    client = browser_of(member)
    page = client.get(f"{GALLERY}?select=1").content.decode()
    assert "is-selecting" in page
    answer = client.post(reverse("videos.trash"), {"video": [str(one.id), str(two.id)], "next": "/gallery/?select=1"})
    assert answer.status_code == 303
    assert answer.url == "/gallery/?select=1"
    page = client.get(GALLERY)
    assert shown(page) == [str(three.id)]
    assert "2 videos moved to the trash." in page.content.decode()
    assert 'action="/videos/restore/?last=1"' in page.content.decode()


def test_undo_brings_back_what_was_moved_last(member, browser_of):
    one, two = make_many(member, 2)
    client = browser_of(member)
    client.post(reverse("videos.trash"), {"video": [str(one.id), str(two.id)]})
    answer = client.post(
        reverse("videos.restore") + "?last=1", headers={"referer": "http://testserver/gallery/?model=sora-2"}
    )
    assert answer.status_code == 303
    assert answer.url == "http://testserver/gallery/?model=sora-2"
    assert len(shown(client.get(GALLERY))) == 2


def test_press_without_a_choice_moves_nothing(member, browser_of):
    make_many(member, 1)
    client = browser_of(member)
    assert client.post(reverse("videos.trash")).status_code == 303
    page = client.get(GALLERY)
    assert len(shown(page)) == 1
    assert "No video was chosen." in page.content.decode()


def test_way_back_never_leads_to_another_site(member, browser_of):
    (video,) = make_many(member, 1)
    data = {"video": str(video.id), "next": "https://example.org/"}
    assert browser_of(member).post(reverse("videos.trash"), data).url == GALLERY


def test_words_of_a_person_are_shown_as_words(member, browser_of):
    factories.make_video(by=member, files=False, prompt='<img src=x onerror=alert(1)> hx-get="/x" {{ 7 }}')
    page = browser_of(member).get(GALLERY).content.decode()
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
