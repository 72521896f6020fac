"""Making a link: who may, the form, the preview, the address that is shown once."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from playground.models import ShareLink, Visibility
from playground.services import collections, sharing, videos
from tests import factories
from tests.support.sharing import make_collection, make_link

pytestmark = [pytest.mark.django_db, pytest.mark.pure]


@pytest.fixture
def video(member):
    return factories.make_video(by=member, prompt="A harbour at dawn", cost_micros=380_000)


def share(video, kind: str = "video") -> str:
    return reverse(f"sharing.{kind}", args=[video.id])


def text(answer) -> str:
    return unescape(answer.content.decode())


def form(**values) -> dict[str, str]:
    return {"name": "Client A", "days": "7", "allows_download": "on", **values}


def test_address_is_shown_once_and_opens_the_page(member, video, browser_of):
    browser = browser_of(member)
    answer = browser.post(share(video), form(allows_download=""))
    said = text(answer)
    address = re.search(r"http://localhost:\d+(/s/[\w-]{43}/)", said)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert address
    link = ShareLink.objects.get()
    end = timezone.localtime(link.expires_at)
    assert f"Link for Client A: video only, no prompt, no cost, ends {end.day} {end:%B}" in said
    assert browser_of().get(address[1]).status_code == 200
    for page in (share(video), reverse("share_links.index"), reverse("share_links.detail", args=[link.id])):
        assert address[1] not in text(browser.get(page))
    session = browser.session
    assert address[1] not in str(dict(session))


def test_words_name_what_is_off(member, video, browser_of):
    values = form(password="open sesame", takes_marks="on", shows_cost="on", has_previews="on")
    del values["allows_download"]
    said = text(browser_of(member).post(share(video), values))
    assert "Link for Client A: video only, no prompt, cost, favourites and notes, password, ends" in said
    assert "Send the password another way." in said
    assert "open sesame" not in said


def test_on_a_loopback_address_it_says_so_and_offers_the_file(member, video, browser_of, settings):
    words = "This link works on your computer only. Set PUBLIC_URL, or download the video."
    said = text(browser_of(member).post(share(video), form()))
    assert words in said
    assert reverse("media.download", args=[video.id]) in said
    settings.PUBLIC_IS_LOOPBACK = False
    assert words not in text(browser_of(member).post(share(video), form()))


def test_form_starts_with_the_teams_defaults(member, video, browser_of):
    member.team.link_days = 21
    member.team.link_takes_marks = True
    member.team.link_allows_download = False
    member.team.save()
    said = text(browser_of(member).get(share(video)))
    assert 'name="days" value="21"' in said
    assert re.search(r'name="takes_marks"[^>]* checked', said)
    assert not re.search(r'name="(allows_download|shows_prompt|shows_cost)"[^>]* checked', said)
    assert 'name="never_ends"' not in said


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": " "}, "Write for whom the link is."),
        ({"name": "x" * 81}, "at most 80 characters"),
        ({"name": "two\nlines"}, "Write the name in one line."),
        ({"days": ""}, "Write after how many days the link ends."),
        ({"days": "0"}, "greater than or equal to 1"),
        ({"days": "366"}, "less than or equal to 365"),
        ({"days": "soon"}, "Write a number of days."),
        ({"days": "", "never_ends": "on"}, "Write after how many days the link ends."),
        ({"password": "12345"}, "at least 6 characters"),
    ],
)
def test_wrong_input_is_said_beside_the_field_and_nothing_is_lost(member, video, browser_of, values, words):
    answer = browser_of(member).post(share(video), form(shows_prompt="on", **values))
    said = text(answer)
    assert answer.status_code == 422
    assert words in said
    assert re.search(r'name="shows_prompt"[^>]* checked', said)
    assert 'role="alert"' in said
    assert not ShareLink.objects.exists()


def test_endless_where_the_team_allows_it(member, video, browser_of):
    member.team.links_may_be_endless = True
    member.team.save()
    said = text(browser_of(member).post(share(video), form(days="", never_ends="on")))
    assert "never ends." in said
    assert ShareLink.objects.get().expires_at is None


def test_same_form_twice_makes_one_link(member, video, browser_of):
    browser = browser_of(member)
    drawn = re.search(r'name="link" value="([^"]+)"', text(browser.get(share(video))))[1]
    assert browser.post(share(video), form(link=drawn)).status_code == 200
    again = browser.post(share(video), form(link=drawn))
    assert (again.status_code, again["Location"]) == (303, reverse("share_links.index"))
    assert "This link was made already." in text(browser.get(again["Location"]))
    assert ShareLink.objects.count() == 1


def test_creators_share_their_own_admins_all_viewers_nothing(member, admin, viewer, stranger, video, browser_of):
    other = factories.make_member(team=member.team)
    private = factories.make_video(by=member, visibility=Visibility.PRIVATE)
    allowed = [(member, video), (admin, video), (member, private)]
    refused = [(viewer, video), (other, video), (stranger, video), (admin, private)]
    for who, what in allowed:
        assert browser_of(who).get(share(what)).status_code == 200
    for who, what in refused:
        assert browser_of(who).get(share(what)).status_code == 404
        assert browser_of(who).post(share(what), form()).status_code == 404
        assert browser_of(who).post(share(what) + "preview/", form()).status_code == 404
    assert not ShareLink.objects.exists()


def test_what_is_in_the_trash_is_not_shared(member, video, browser_of):
    videos.trash(by=member, videos=[video])
    assert browser_of(member).get(share(video)).status_code == 404


def test_form_of_another_team_is_refused(member, video, browser_of):
    browser = browser_of(member)
    browser.team = "another"
    assert browser.post(share(video), form()).status_code == 404


def test_collection_is_shared_with_what_it_holds(member, video, browser_of):
    collection = make_collection(video, by=member)
    browser = browser_of(member)
    assert "1 video" in text(browser.get(share(collection, "collection")))
    said = text(browser.post(share(collection, "collection"), form()))
    assert "collection with download" in said
    assert ShareLink.objects.get().collection == collection


# --- the preview -------------------------------------------------------------------------------------------------
def preview(browser, video, **values) -> str:
    return text(browser.post(share(video) + "preview/", values))


def test_preview_shows_what_the_switches_say_and_makes_nothing(member, video, browser_of):
    browser = browser_of(member, htmx=True)
    shut = preview(browser, video)
    assert all(words not in shut for words in ("A harbour at dawn", "$0.38", "Download", "Favourite"))
    wide = preview(
        browser, video, shows_prompt="on", shows_cost="on", allows_download="on", takes_marks="on", password="secret"
    )
    assert all(words in wide for words in ("A harbour at dawn", "$0.38", "Download", "Favourite"))
    assert "First the page asks for the password." in wide
    assert "secret" not in wide
    assert "<html" not in wide
    assert not ShareLink.objects.exists()


def test_preview_and_page_are_of_one_mould(member, video, browser_of):
    _link, token = make_link(by=member, video=video, shows_prompt=True)
    page = text(browser_of().get(reverse("shares.index", args=[token])))
    draft = preview(browser_of(member), video, shows_prompt="on", allows_download="on", days="7")
    for words in ("0:01 · 160 × 96 · with sound · here until", "A harbour at dawn", 'class="stage shared__stage'):
        assert words in page
        assert words in draft


def test_without_scripts_a_button_shows_the_preview(member, video, browser_of):
    answer = browser_of(member).post(share(video), {"name": "", "days": "3", "shows_prompt": "on", "show": "1"})
    said = text(answer)
    assert answer.status_code == 200
    assert "A harbour at dawn" in said.partition("What they see")[2]
    assert 'name="days" value="3"' in said
    assert "Write for whom" not in said
    assert not ShareLink.objects.exists()


def test_who_does_not_see_spend_is_not_shown_the_cost(member, video, browser_of):
    member.sees_spend = False
    member.save()
    assert 'name="shows_cost"' not in text(browser_of(member).get(share(video)))
    assert "$0.38" not in preview(browser_of(member), video, shows_cost="on")
    browser_of(member).post(share(video), form(shows_cost="on"))
    assert ShareLink.objects.get().shows_cost is False


def test_preview_of_a_collection_shows_no_private_video_of_others(member, admin, video, browser_of):
    private = factories.make_video(by=member, visibility=Visibility.PRIVATE)
    link, _token = make_link(by=member, collection=make_collection(video, private, by=member))
    browser = browser_of(admin)
    assert str(private.id) not in text(browser.get(reverse("share_links.detail", args=[link.id])))
    assert str(private.id) not in text(browser.get(share(link.collection, "collection")))


def test_open_links_of_the_same_video_stand_below(member, video, browser_of):
    make_link(by=member, video=video, name="Client B")
    make_link(by=member, video=factories.make_video(by=member), name="Client C")
    make_link(by=member, video=video, name="Client D", now=timezone.now() - timedelta(days=8))
    said = text(browser_of(member).get(share(video)))
    assert "Link for Client B: video with download" in said
    assert "Client C" not in said
    assert "Client D" not in said


def test_again_starts_with_the_settings_of_a_link_that_ended(member, stranger, video, browser_of):
    link, _token = make_link(by=member, video=video, name="Client B", shows_prompt=True)
    said = text(browser_of(member).get(f"{share(video)}?like={link.id}"))
    assert 'value="Client B"' in said
    assert re.search(r'name="shows_prompt"[^>]* checked', said)
    own = factories.make_video(by=stranger)
    assert "Client B" not in text(browser_of(stranger).get(f"{share(own)}?like={link.id}"))


# --- on the page of the video ------------------------------------------------------------------------------------
def test_video_page_offers_to_share_and_tells_what_clients_said(member, viewer, video, browser_of):
    from playground.services import share_visits

    link, _token = make_link(by=member, video=video, takes_marks=True)
    share_visits.mark(link=link, video=video, note="Slower <b>please</b>", is_favourite=True)
    page = reverse("videos.detail", args=[video.id])
    mine = browser_of(member).get(page).content.decode()
    assert share(video) in mine
    assert "1 open link" in mine
    assert "Client A" in mine
    assert "Slower &lt;b&gt;please" in mine
    panel = browser_of(member, htmx=True).post(reverse("approvals.mark", args=[video.id]), {"on": "1"}).content.decode()
    assert share(video) in panel
    assert "1 open link" in panel
    theirs = browser_of(viewer).get(page).content.decode()
    assert share(video) not in theirs
    assert "Slower &lt;b&gt;please" in theirs


def test_preview_of_a_collection_says_what_the_link_leaves_out(member, admin, video, browser_of):
    theirs = factories.make_video(by=admin, files=False)
    mine = make_collection(video, theirs, by=member)
    said = text(browser_of(member).get(share(mine, "collection")))
    assert "1 video" in said
    told = "1 video in it is not shown by the link: private, or not yours to share."
    assert 0 < said.index(told) < said.index("shared-tiles")  # before the player, which may fill the screen
    assert "not yours to share" not in text(
        browser_of(member).get(share(make_collection(video, by=member), "collection"))
    )
    assert "not yours to share" not in text(browser_of(member).get(share(video)))


def test_deleted_collection_is_not_shared_and_its_links_show_nothing(member, video, browser_of):
    made = make_collection(video, by=member)
    collections.delete(by=member, collection=made)
    browser = browser_of(member)
    for kind in ("collection", "collection_preview"):
        assert browser.post(share(made, kind), form()).status_code == 404
    assert browser.get(share(made, "collection")).status_code == 404
    assert not ShareLink.objects.exists()


def test_what_is_deleted_for_good_meanwhile_is_missing(member, video, browser_of, monkeypatch):
    def gone(**_of):
        raise sharing.NotYours

    monkeypatch.setattr(sharing, "make", gone)
    assert browser_of(member).post(share(video), form()).status_code == 404
