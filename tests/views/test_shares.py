"""What somebody with a share link gets: the pages, the password, the marks; and what nobody gets."""

import logging
import re
import uuid
from datetime import timedelta
from html import unescape
from urllib.parse import urlsplit

import pytest
import structlog
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from playground.logs import scrub
from playground.models import Membership, Rate, ShareLink, ShareMark, Video, Visibility
from playground.services import collections, sharing, videos
from playground.views import shared_things
from tests import factories
from tests.support.sharing import BROWSER, make_collection, make_link

pytestmark = [pytest.mark.django_db, pytest.mark.pure]

MEDIA = ("video", "poster", "preview", "download")


@pytest.fixture
def guest():
    return Client(headers={"User-Agent": BROWSER}, enforce_csrf_checks=False)


@pytest.fixture
def video(member):
    member.user.name = "Maria Muster"
    member.user.save()
    member.team.name = "Secret Studio"
    member.team.save()
    return factories.make_video(by=member, prompt="A harbour at dawn", cost_micros=380_000)


def page_of(token: str, *more) -> str:
    return reverse("shares.video" if more else "shares.index", args=[token, *more])


def media_of(token: str, video, kind: str) -> str:
    return reverse(f"share_media.{kind}", args=[token, video.id])


def text(answer) -> str:
    return unescape(answer.content.decode())


# --- the page ----------------------------------------------------------------------------------------------------
def test_page_shows_the_video_and_nothing_of_the_team(guest, member, video):
    _link, token = make_link(by=member, video=video)
    answer = guest.get(page_of(token))
    assert answer.status_code == 200
    said = text(answer)
    assert f'src="{media_of(token, video, "video")}"' in said
    assert all(word in said for word in ("controls", "playsinline", 'preload="metadata"', "Download"))
    secrets = ("Client A", "Secret Studio", "Maria", "harbour", "$0.38", member.team.slug, "sora", video.sha256)
    assert [word for word in secrets if word in said] == []
    assert "og:" not in said
    assert "twitter:" not in said


def test_page_leads_nowhere_into_the_product(guest, member, video):
    _link, token = make_link(by=member, collection=make_collection(video, by=member), takes_marks=True)
    for address in (page_of(token), page_of(token, video.id), page_of("wrong")):
        for target in re.findall(r'(?:href|action|src)="([^"]*)"', text(guest.get(address))):
            assert target.startswith((f"/s/{token}/", "/static/", "#main", "?page=")), target


@pytest.mark.parametrize("has_password", [False, True])
def test_page_is_the_same_whoever_is_signed_in(guest, member, stranger, admin, video, browser_of, has_password):
    _link, token = make_link(by=member, video=video, password="open sesame" if has_password else "")
    pages = {
        re.sub(rb'value="\w{64}"', b"", browser.get(page_of(token)).content)
        for browser in (guest, browser_of(member), browser_of(admin), browser_of(stranger))
    }
    assert len(pages) == 1


def test_prompt_cost_and_download_by_their_switches(guest, member, video):
    _link, token = make_link(by=member, video=video, shows_prompt=True, shows_cost=True, allows_download=False)
    said = text(guest.get(page_of(token)))
    assert "A harbour at dawn" in said
    assert "cost $0.38" in said
    assert "Download" not in said
    assert guest.get(media_of(token, video, "download")).status_code == 404


def test_headers_keep_the_address_secret(guest, member, video):
    _link, token = make_link(by=member, video=video)
    for address in (page_of(token), page_of("wrong"), media_of(token, video, "video")):
        answer = guest.get(address)
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert ("no-store" in answer["Cache-Control"]) == ("/media/" not in address)
        assert "public" not in answer["Cache-Control"]


def test_previews_name_the_picture_by_its_whole_address_and_the_video_neutrally(guest, member, video, settings):
    settings.PUBLIC_URL = "https://videos.example.com"
    video.title = "For nobody else"
    video.save()
    _link, token = make_link(by=member, video=video, has_previews=True)
    head = text(guest.get(page_of(token))).partition("</head>")[0]
    whole = f"https://videos.example.com{media_of(token, video, 'poster')}"
    assert f'<meta property="og:image" content="{whole}">' in head
    assert '<meta property="og:video:type" content="video/mp4">' in head
    assert '<meta property="og:video:width" content="160">' in head
    assert '<meta property="og:title" content="Shared video">' in head
    assert "For nobody else" not in head
    assert "harbour" not in head


def test_no_previews_of_what_a_password_guards(guest, member, video):
    _link, token = make_link(by=member, video=video, has_previews=True, password="open sesame")
    assert "og:" not in text(guest.get(page_of(token)))
    guest.post(reverse("shares.unlock", args=[token]), {"password": "open sesame"})
    assert "og:" not in text(guest.get(page_of(token)))


def test_text_of_people_is_shown_as_text(guest, member):
    video = factories.make_video(by=member, prompt="<script>alert(1)</script>", title='"><img src=x onerror=alert(1)>')
    collection = make_collection(video, by=member, name="<svg onload=alert(1)>")
    _link, token = make_link(by=member, collection=collection, shows_prompt=True, has_previews=True, takes_marks=True)
    note = {"note": "</textarea><script>alert(1)</script>"}
    guest.post(reverse("shares.mark", args=[token, video.id]), note)
    for address in (page_of(token), page_of(token, video.id)):
        raw = guest.get(address).content.decode()
        assert "<script>alert" not in raw
        assert "<img src=x" not in raw
        assert "<svg onload" not in raw


# --- collections -------------------------------------------------------------------------------------------------
def test_collection_is_a_grid_and_a_page_for_each_video(guest, member, video):
    others = [factories.make_video(by=member) for _ in range(2)]
    _link, token = make_link(by=member, collection=make_collection(others[0], video, others[1], by=member))
    said = text(guest.get(page_of(token)))
    assert "Harbours" in said
    places = [said.index(page_of(token, one.id)) for one in (others[0], video, others[1])]
    assert places == sorted(places)
    middle = text(guest.get(page_of(token, video.id)))
    assert "2 of 3" in middle
    assert f'rel="prev" data-earlier href="{page_of(token, others[0].id)}"' in middle
    assert f'rel="next" data-later href="{page_of(token, others[1].id)}"' in middle


def test_trashed_and_private_videos_are_not_in_a_collections_link(guest, member, admin, video):
    trashed = factories.make_video(by=member)
    private = factories.make_video(by=admin, visibility=Visibility.PRIVATE)
    outside = factories.make_video(by=member)
    _link, token = make_link(by=member, collection=make_collection(video, trashed, private, by=member))
    videos.trash(by=member, videos=[trashed])
    said = text(guest.get(page_of(token)))
    assert "1 video" in said
    gone = guest.get(page_of("wrong")).content
    for hidden in (trashed, private, outside):
        assert str(hidden.id) not in said
        addresses = [page_of(token, hidden.id), *(media_of(token, hidden, kind) for kind in MEDIA)]
        assert {(a.status_code, a.content) for a in map(guest.get, addresses)} == {(404, gone)}


def test_empty_collection_says_so(guest, member):
    _link, token = make_link(by=member, collection=make_collection(by=member))
    assert "There is nothing here now." in text(guest.get(page_of(token)))


def test_long_collection_has_pages(guest, member):
    videos = [factories.make_video(by=member, files=False) for _ in range(49)]
    _link, token = make_link(by=member, collection=make_collection(*videos, by=member))
    assert text(guest.get(page_of(token))).count('class="tile"') == 48
    assert text(guest.get(page_of(token) + "?page=2")).count('class="tile"') == 1
    assert guest.get(page_of(token) + "?page=nonsense").status_code == 200


@pytest.mark.parametrize("of_one_video", [False, True])
def test_twelve_videos_cost_no_more_queries_than_one(guest, member, video, of_one_video):
    everything = {"shows_prompt": True, "shows_cost": True, "takes_marks": True, "has_previews": True}
    collection = make_collection(video, by=member)
    _link, token = make_link(by=member, collection=collection, **everything)
    address = page_of(token, video.id) if of_one_video else page_of(token)
    guest.get(address)  # which counts the view
    with CaptureQueriesContext(connection) as for_one:
        guest.get(address)
    collections.add(by=member, collection=collection, videos=[factories.make_video(by=member) for _ in range(11)])
    with CaptureQueriesContext(connection) as for_twelve:
        answer = guest.get(address)
    assert ("1 of 12" if of_one_video else "12 videos") in text(answer)
    assert len(for_twelve) == len(for_one)


@pytest.mark.parametrize("becomes", ["trashed", "private"])
def test_video_that_goes_while_its_page_is_drawn_is_the_page_of_an_ended_link(
    guest, member, video, monkeypatch, becomes
):
    other = factories.make_video(by=member)
    _link, token = make_link(by=member, collection=make_collection(video, other, by=member))
    gone = guest.get(page_of("wrong")).content
    drawn = shared_things.for_holder
    fields = {"trashed_at": timezone.now()} if becomes == "trashed" else {"visibility": Visibility.PRIVATE}

    def meanwhile(*given, **named):
        Video.objects.filter(id=video.id).update(**fields)
        return drawn(*given, **named)

    monkeypatch.setattr(shared_things, "for_holder", meanwhile)
    answer = guest.get(page_of(token, video.id))
    assert (answer.status_code, answer.content) == (404, gone)


def test_page_of_the_only_video_is_the_link_itself(guest, member, video):
    _link, token = make_link(by=member, video=video)
    assert guest.get(page_of(token, video.id))["Location"] == page_of(token)


# --- the end -----------------------------------------------------------------------------------------------------
@pytest.fixture
def dead(member, video):
    """Tokens of every kind that shows nothing, by why."""

    def token(**more):
        return make_link(by=member, video=factories.make_video(by=member, files=False), **more)

    revoked, trashed, purged, renewed = token(), token(), token(), token()
    sharing.revoke(by=member, link=revoked[0])
    for link, _token in (trashed, purged):
        videos.trash(by=member, videos=[link.video])
    videos.purge(by=member, videos=[purged[0].video])
    sharing.renew(by=member, link=renewed[0], shown=sharing.mark_of(renewed[0]))
    ended = token(now=timezone.now() - timedelta(days=8))
    kinds = {"ended": ended, "revoked": revoked, "trashed": trashed, "purged": purged, "renewed": renewed}
    return {name: made[1] for name, made in kinds.items()} | {
        "wrong": "A" * 43,
        "short": "x",
        "odd": "%F0%9F%90%9F%00"[:12],
        "locked and ended": token(now=timezone.now() - timedelta(days=8), password="open sesame")[1],
    }


def test_whatever_is_the_matter_the_answer_is_the_same(guest, member, video, dead, browser_of):
    answers, asked = set(), 0
    for token in dead.values():
        base = f"/s/{token}/"
        media = [f"{base}media/{video.id}/{kind}" for kind in MEDIA]
        for address in (base, f"{base}{video.id}/", f"{base}garbage/", *media):
            for browser in (guest, browser_of(member)):
                Rate.objects.all().delete()
                answer = browser.get(address)
                headers = {name: answer[name] for name in ("Content-Type", "Referrer-Policy", "Cache-Control")}
                answers.add((answer.status_code, answer.content, str(headers)))
                asked += 1
    assert asked == len(dead) * 7 * 2
    assert len(answers) == 1
    (status, body, _headers) = answers.pop()
    assert status == 404
    assert b"This link has ended." in body
    assert b"Ask the person who sent it for a new one." in body


def test_posts_to_dead_links_are_the_same_too(guest, video, dead):
    gone = guest.get(page_of("wrong")).content
    for token in dead.values():
        for address in (f"/s/{token}/unlock/", f"/s/{token}/{video.id}/mark/"):
            Rate.objects.all().delete()
            answer = guest.post(address, {"password": "x", "note": "x"})
            assert (answer.status_code, answer.content) == (404, gone)


def test_wrong_ended_and_revoked_take_the_same_queries(guest, dead, django_assert_num_queries, monkeypatch):
    monkeypatch.setattr("playground.views.holders.share_limits.wrong_token", lambda client: 0)
    for token in dead.values():
        with django_assert_num_queries(1):
            guest.get(f"/s/{token}/")


def test_address_that_lost_its_last_stroke_is_led_on(guest, member, video):
    _link, token = make_link(by=member, video=video)
    for known in (token, "wrong"):
        answer = guest.get(f"/s/{known}")
        assert (answer.status_code, answer["Location"]) == (302, f"/s/{known}/")
        assert answer["Referrer-Policy"] == "no-referrer"


def test_other_methods_are_refused_whatever_the_token(guest, member, video):
    _link, token = make_link(by=member, video=video)
    for known in (token, "wrong"):
        assert guest.post(page_of(known)).status_code == 405
        assert guest.get(reverse("shares.unlock", args=[known])).status_code == 405
        assert guest.put(page_of(known)).status_code == 405


def test_sixty_wrong_tokens_a_minute_then_a_wait_but_not_for_a_right_one(guest, member, video):
    _link, token = make_link(by=member, video=video)
    with time_machine.travel(timezone.now().replace(second=1), tick=False):
        statuses = [guest.get(page_of(f"wrong{number}")).status_code for number in range(61)]
        refused = guest.get(page_of("again"))
        assert guest.get(page_of(token)).status_code == 200
        assert Client(REMOTE_ADDR="192.0.2.9").get(page_of("wrong")).status_code == 404
    assert statuses == [404] * 60 + [429]
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert "Too many tries." in text(refused)


# --- the password ------------------------------------------------------------------------------------------------
@pytest.fixture
def locked(member, video):
    return make_link(by=member, video=video, password="open sesame")


def unlock(browser, token: str, password: str = "open sesame", **more):
    return browser.post(reverse("shares.unlock", args=[token]), {"password": password, **more})


def test_password_is_asked_before_anything_is_shown(guest, video, locked):
    _link, token = locked
    said = text(guest.get(page_of(token)))
    assert 'name="password"' in said
    assert str(video.id) not in said
    gone = guest.get(page_of("wrong")).content
    for kind in MEDIA:
        answer = guest.get(media_of(token, video, kind))
        assert (answer.status_code, answer.content) == (404, gone)


def test_right_password_opens_page_and_bytes_for_that_browser(guest, video, locked):
    _link, token = locked
    answer = unlock(guest, token)
    assert (answer.status_code, answer["Location"]) == (303, page_of(token))
    cookie = answer.cookies["share-open"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (page_of(token), True, "Lax")
    assert 0 < cookie["max-age"] <= 12 * 3600
    assert "sessionid" not in answer.cookies
    assert media_of(token, video, "video") in text(guest.get(page_of(token)))
    assert guest.get(media_of(token, video, "video")).status_code == 200
    assert Client().get(media_of(token, video, "video")).status_code == 404


def test_wrong_password_is_said_beside_the_field(guest, locked):
    _link, token = locked
    answer = unlock(guest, token, "guess")
    assert answer.status_code == 422
    assert "That is not the password." in text(answer)
    assert unlock(guest, token, "").status_code == 422


def test_cookie_ends_with_the_link_after_twelve_hours_and_with_the_password(guest, member, locked):
    link, token = locked
    unlock(guest, token)
    now = timezone.now()
    with time_machine.travel(now + timedelta(hours=12, seconds=2), tick=False):
        assert 'name="password"' in text(guest.get(page_of(token)))
    assert 'name="password"' not in text(guest.get(page_of(token)))
    sharing.change(by=member, link=link, terms=sharing.Terms("Client A", 7, "another one"), keeps_password=False)
    assert 'name="password"' in text(guest.get(page_of(token)))


def test_cookie_lives_no_longer_than_the_link(guest, member, video):
    _link, token = make_link(
        by=member, video=video, password="open sesame", days=1, now=timezone.now() - timedelta(hours=23)
    )
    assert unlock(guest, token).cookies["share-open"]["max-age"] <= 3600


def test_cookie_of_one_link_opens_no_other(guest, member, video, locked):
    _other, second = make_link(by=member, video=video, password="open sesame")
    value = unlock(guest, locked[1]).cookies["share-open"].value
    thief = Client(headers={"User-Agent": BROWSER})
    thief.cookies["share-open"] = value
    assert thief.get(media_of(second, video, "video")).status_code == 404
    thief.cookies["share-open"] = value[:-1]
    assert thief.get(media_of(locked[1], video, "video")).status_code == 404


def test_after_five_guesses_even_the_right_password_waits(guest, locked):
    _link, token = locked
    with time_machine.travel(timezone.now().replace(minute=1, second=0), tick=False):
        assert [unlock(guest, token, "guess").status_code for _ in range(5)] == [422] * 5
        answer = unlock(guest, token)
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert "Too many tries. Wait" in text(answer)


def test_password_leads_to_the_page_that_was_asked_for(guest, member, video):
    _link, token = make_link(by=member, collection=make_collection(video, by=member), password="open sesame")
    assert f'name="video" value="{video.id}"' in text(guest.get(page_of(token, video.id)))
    assert unlock(guest, token, video=str(video.id))["Location"] == page_of(token, video.id)
    assert unlock(guest, token, video="//evil.example.com")["Location"] == page_of(token)


def test_forms_need_their_csrf_token(member, video, locked):
    strict = Client(enforce_csrf_checks=True, headers={"User-Agent": BROWSER})
    assert unlock(strict, locked[1]).status_code == 403


def form_of(answer) -> bytes:
    return re.sub(rb'name="csrfmiddlewaretoken" value="[^"]+"', b"", answer.content)


@pytest.fixture
def three(member, video):
    """The token of a locked link to a collection; a video in it, one that is not, the id of none."""
    outside = factories.make_video(by=member, files=False)
    _link, token = make_link(by=member, collection=make_collection(video, by=member), password="open sesame")
    return token, (video.id, outside.id, uuid.uuid4())


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("kind", ["page", *MEDIA])
def test_before_the_password_no_address_tells_whether_a_video_is_in_the_collection(guest, three, kind, method):
    token, ids = three
    answers = set()
    for id in ids:
        address = page_of(token, id) if kind == "page" else reverse(f"share_media.{kind}", args=[token, id])
        answer = getattr(guest, method)(address)
        body = form_of(answer).replace(str(id).encode(), b"what the address said")
        headers = {name: value for name, value in answer.items() if name != "X-Request-ID"}
        answers.add((answer.status_code, body, str(headers)))
    assert len(answers) == 1
    assert answers.pop()[0] == (200 if kind == "page" else 404)


@pytest.mark.parametrize(("password", "status"), [("", 422), ("guess", 422), ("guess", 429), ("open sesame", 429)])
def test_refused_password_tells_it_as_little(guest, three, password, status):
    token, ids = three
    answers = set()
    with time_machine.travel("2026-11-21 09:00:00+00:00", tick=False):
        for _ in range(5 if status == 429 else 0):
            unlock(guest, token, "guess")
        for id in ids:
            answer = unlock(guest, token, password, video=str(id))
            answers.add((answer.status_code, form_of(answer).replace(str(id).encode(), b"what the form said")))
    assert [code for code, _body in answers] == [status]


def test_same_video_put_into_the_collection_and_taken_out_changes_no_byte(guest, member, video):
    collection = make_collection(video, by=member)
    _link, token = make_link(by=member, collection=collection, password="open sesame")
    inside = form_of(guest.get(page_of(token, video.id)))
    collection.items.all().delete()
    assert form_of(guest.get(page_of(token, video.id))) == inside
    assert unlock(guest, token, video=str(video.id))["Location"] == page_of(token)


# --- views -------------------------------------------------------------------------------------------------------
def views(link: ShareLink) -> int:
    link.refresh_from_db()
    return link.view_count


def test_a_person_counts_once_in_half_an_hour(guest, member, video):
    link, token = make_link(by=member, video=video)
    start = timezone.now()
    for minutes, expected in [(0, 1), (10, 1), (31, 2)]:
        with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
            guest.get(page_of(token))
            assert views(link) == expected
    assert link.last_seen_at == start + timedelta(minutes=31)
    Client(headers={"User-Agent": BROWSER}).get(page_of(token))
    assert views(link) == 3


def test_the_cookie_that_counts_names_nobody(guest, member, video):
    _link, token = make_link(by=member, video=video)
    first = guest.get(page_of(token)).cookies["share-seen"].value
    second = Client(headers={"User-Agent": BROWSER}).get(page_of(token)).cookies["share-seen"].value
    assert first.split(":")[0] == second.split(":")[0]


def test_who_throws_the_cookie_away_counts_ten_times_and_an_office_counts_in_full(member, video):
    link, token = make_link(by=member, video=video)
    address = page_of(token)
    with time_machine.travel("2026-11-21 09:00:00+00:00", tick=False):
        for _ in range(30):
            answer = Client(headers={"User-Agent": BROWSER}).get(address)
            assert answer.status_code == 200
        assert views(link) == 10
        assert "share-seen" not in answer.cookies
        elsewhere = Client(headers={"User-Agent": BROWSER}, REMOTE_ADDR="198.51.100.7")
        assert elsewhere.get(address).status_code == elsewhere.get(address).status_code == 200
        assert views(link) == 11


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "Slackbot-LinkExpanding 1.0"},
        {"User-Agent": ""},
        {"User-Agent": BROWSER, "Sec-Purpose": "prefetch;prerender"},
        {"User-Agent": BROWSER, "X-Moz": "prefetch"},
    ],
)
def test_programs_and_what_is_fetched_ahead_do_not_count(member, video, headers):
    link, token = make_link(by=member, video=video)
    assert Client(headers=headers).get(page_of(token)).status_code == 200
    assert views(link) == 0


def test_head_media_the_password_page_and_the_team_do_not_count(guest, member, video, browser_of):
    link, token = make_link(by=member, video=video)
    guest.head(page_of(token))
    guest.get(media_of(token, video, "video"), headers={"Range": "bytes=0-9"})
    browser_of(member).get(page_of(token), headers={"User-Agent": BROWSER})
    assert views(link) == 0
    closed, token = make_link(by=member, video=video, password="open sesame")
    guest.get(page_of(token))
    assert views(closed) == 0
    unlock(guest, token)
    guest.get(page_of(token))
    assert views(closed) == 1


def test_member_of_another_team_counts(stranger, member, video, browser_of):
    link, token = make_link(by=member, video=video)
    browser_of(stranger).get(page_of(token), headers={"User-Agent": BROWSER})
    assert views(link) == 1


# --- marks -------------------------------------------------------------------------------------------------------
@pytest.fixture
def marked(member, video):
    return make_link(by=member, video=video, takes_marks=True)


def mark(browser, token: str, video, **values):
    return browser.post(reverse("shares.mark", args=[token, video.id]), values)


def test_heart_and_note_are_kept_and_shown_again(guest, video, marked):
    _link, token = marked
    assert mark(guest, token, video, note="Slower", favourite="1")["Location"] == f"{page_of(token)}?saved=1#mark"
    said = text(guest.get(page_of(token)))
    assert 'aria-pressed="true"' in said
    assert "Slower" in said
    mark(guest, token, video, note="Slower", favourite="0")
    kept = ShareMark.objects.get()
    assert (kept.is_favourite, kept.note) == (False, "Slower")


def test_saving_the_note_keeps_the_heart(guest, video, marked):
    _link, token = marked
    mark(guest, token, video, note="", favourite="1")
    mark(guest, token, video, note="And a note")
    kept = ShareMark.objects.get()
    assert (kept.is_favourite, kept.note) == (True, "And a note")


def test_note_of_281_characters_is_refused_beside_the_field_and_kept(guest, video, marked):
    _link, token = marked
    answer = mark(guest, token, video, note="é" * 281)
    assert answer.status_code == 422
    assert "281 of 280 characters. Shorten the note." in text(answer)
    assert "é" * 281 in text(answer)
    assert "autofocus" in text(answer)
    assert not ShareMark.objects.exists()
    fragment = guest.post(
        reverse("shares.mark", args=[token, video.id]), {"note": "é" * 281}, headers={"HX-Request": "true"}
    )
    assert (fragment.status_code, b"<html" in fragment.content) == (422, False)


def test_line_breaks_count_as_one(guest, video, marked):
    assert mark(guest, marked[1], video, note="a\r\n" * 93 + "b").status_code == 303
    assert ShareMark.objects.get().note.count("\n") == 93


def test_marks_only_where_they_are_taken_and_of_what_is_shown(guest, member, video, marked):
    _link, silent = make_link(by=member, video=video)
    other = factories.make_video(by=member)
    _closed, locked = make_link(by=member, video=video, takes_marks=True, password="open sesame")
    assert 'id="mark"' not in text(guest.get(page_of(silent)))
    for token, what in ((silent, video), (marked[1], other), (locked, video)):
        assert mark(guest, token, what, note="x").status_code == 404
    assert not ShareMark.objects.exists()


def test_marks_are_limited(guest, video, marked):
    with time_machine.travel(timezone.now().replace(second=1), tick=False):
        statuses = [mark(guest, marked[1], video, note=str(number)).status_code for number in range(61)]
    assert statuses == [303] * 60 + [429]
    assert ShareMark.objects.get().note == "59"


# --- logs --------------------------------------------------------------------------------------------------------
def test_no_token_reaches_a_log_line(guest, member, video, caplog, settings):
    canary, lines = "CANARY" + "x" * 37, []

    def keep(logger, method, event):
        lines.append(str(scrub(logger, method, dict(event))))
        return event

    _link, token = make_link(by=member, video=video, takes_marks=True, password="open sesame")
    processors = structlog.get_config()["processors"]  # the very list that every logger has
    before = list(processors)
    processors[:] = [structlog.contextvars.merge_contextvars, keep, *before[1:]]
    try:
        with caplog.at_level(logging.DEBUG):
            for known in (token, canary):
                for address in (
                    page_of(known),
                    f"/s/{known}",
                    f"/s/{known}/{video.id}/",
                    media_of(known, video, "video"),
                ):
                    guest.get(address)
                guest.post(page_of(known))
                unlock(guest, known, "guess")
                mark(guest, known, video, note="x")
    finally:
        processors[:] = before
    lines += [str(scrub(None, "", {"event": record.getMessage()})) for record in caplog.records]
    assert len(lines) > 20
    assert any("/s/[not logged]" in line for line in lines)
    assert [line for line in lines if token in line or "CANARY" in line] == []


def test_tokens_of_other_addresses_are_masked_too():
    for path in ("/invite/abc/", "/S/abc/"):
        assert "abc" not in scrub(None, "", {"request": f"GET {path}"})["request"]


def test_cookies_are_bound_to_https_where_the_installation_is(guest, member, video, settings):
    settings.SESSION_COOKIE_SECURE = True
    _link, token = make_link(by=member, video=video)
    cookie = guest.get(page_of(token)).cookies["__Secure-share-seen"]
    assert cookie["secure"] is True
    assert urlsplit(cookie["path"]).path == page_of(token)


def test_cost_is_hidden_once_the_maker_of_the_link_sees_no_spend(guest, member, admin, video, browser_of):
    one, token = make_link(by=member, video=video, shows_cost=True)
    many, of_collection = make_link(by=member, collection=make_collection(video, by=member), shows_cost=True)
    pages = [page_of(token), page_of(of_collection, video.id)]
    assert all("0.38" in text(guest.get(page)) for page in pages)
    Membership.objects.filter(id=member.id).update(sees_spend=False)
    assert not any("0.38" in text(guest.get(page)) for page in pages)
    for link in (one, many):
        assert "0.38" not in text(browser_of(admin).get(reverse("share_links.detail", args=[link.id])))


def test_right_password_of_an_old_address_opens_no_new_one(member, video):
    """The recipient was changed: who had the cookie knows the old address, and the new one asks again."""
    link, token = make_link(by=member, video=video, password="open sesame")
    guest = Client()
    unlock(guest, token)
    said = guest.cookies["share-open"].value
    link.refresh_from_db()
    new = sharing.renew(by=member, link=link, shown=sharing.mark_of(link))
    other = Client()
    other.cookies["share-open"] = said
    assert b"password" in other.get(f"/s/{new}/").content
    assert other.get(f"/s/{new}/media/{video.id}/video").status_code == 404
    unlock(other, new)
    assert other.get(f"/s/{new}/media/{video.id}/video").status_code in {200, 206}
