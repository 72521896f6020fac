"""The list of links, and what is done to one: changed, given a new address, revoked."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from playground.models import Membership, Role, ShareLink, Visibility
from playground.rate_limits import Limit
from playground.services import share_visits, sharing, videos
from tests import factories
from tests.support.sharing import make_collection, make_link

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
LIST = "/team/links/"


@pytest.fixture
def video(member):
    return factories.make_video(by=member, files=False, prompt="A harbour at dawn")


def text(answer) -> str:
    return unescape(answer.content.decode())


def at(name: str, link) -> str:
    return reverse(f"share_links.{name}", args=[link.id])


def test_creators_see_their_own_admins_all_of_the_team(member, admin, stranger, video, browser_of):
    make_link(by=member, video=video, name="Client A")
    make_link(by=admin, video=video, name="Client B")
    make_link(by=stranger, video=factories.make_video(by=stranger, files=False), name="Client C")

    def names(who):
        return set(re.findall(r"Client [ABC]", text(browser_of(who).get(LIST))))

    assert names(member) == {"Client A"}
    assert names(admin) == {"Client A", "Client B"}
    assert names(stranger) == {"Client C"}


def test_viewers_and_strangers_have_no_list(viewer, browser_of):
    assert browser_of(viewer).get(LIST).status_code == 404
    assert browser_of().get(LIST).status_code == 302


def test_line_tells_all_that_is_to_know(member, video, browser_of):
    link, _token = make_link(by=member, video=video, takes_marks=True)
    ShareLink.objects.update(view_count=3, last_seen_at=timezone.now() - timedelta(minutes=5))
    share_visits.mark(link=link, video=video, note="Slower", is_favourite=True)
    said = text(browser_of(member).get(LIST))
    end = timezone.localtime(link.expires_at)
    words = ["Client A", "A harbour at dawn", "video with download, no prompt, no cost, favourites and notes"]
    for word in [*words, f"{end.day} {end:%B}", "5 min ago", "Slower", member.user.display_name]:
        assert word in said
    assert re.search(r'class="share-stacked">3 ', said)


def test_ended_links_are_apart_with_a_way_to_make_them_anew(member, video, browser_of):
    make_link(by=member, video=video, name="Client A", now=timezone.now() - timedelta(days=8))
    revoked, _token = make_link(by=member, video=video, name="Client B")
    sharing.revoke(by=member, link=revoked)
    make_link(by=member, video=video, name="Client C")
    browser = browser_of(member)
    assert set(re.findall(r"Client [ABC]", text(browser.get(LIST)))) == {"Client C"}
    ended = text(browser.get(f"{LIST}?show=ended"))
    assert set(re.findall(r"Client [ABC]", ended)) == {"Client A", "Client B"}
    assert "Revoked" in ended
    assert f"?like={revoked.id}" in ended
    assert at("revoke", revoked) not in ended


def test_list_has_pages(member, video, browser_of):
    for number in range(31):
        make_link(by=member, video=video, name=f"Client {number}.")
    browser = browser_of(member)
    first = text(browser.get(LIST))
    more = re.search(r'href="(\?before=[^"]+)"', first)[1]
    assert "Client 0." not in first
    assert "Client 0." in text(browser.get(LIST + more))


def test_empty_lists_say_what_to_do(member, video, browser_of):
    browser = browser_of(member)
    assert "No links yet." in text(browser.get(LIST))
    link, _token = make_link(by=member, video=video)
    assert "No link has ended yet." in text(browser.get(f"{LIST}?show=ended"))
    sharing.revoke(by=member, link=link)
    assert "No link is open." in text(browser.get(LIST))


def test_admin_learns_of_a_private_video_only_that_it_is_shared(member, admin, browser_of):
    private = factories.make_video(by=member, files=False, title="Secret plan", visibility=Visibility.PRIVATE)
    link, token = make_link(by=member, video=private, takes_marks=True)
    share_visits.mark(link=link, video=private, note="Secret note")
    browser = browser_of(admin)
    said = text(browser.get(LIST))
    assert "A private video" in said
    assert "Secret" not in said
    assert str(private.id) not in said
    for name in ("detail", "renew", "preview"):
        assert (
            browser.post(at(name, link), {"name": "x", "days": "7", "shown": sharing.mark_of(link)}).status_code == 404
        )
    assert browser.get(at("detail", link)).status_code == 404
    assert browser.post(at("revoke", link)).status_code == 303
    assert browser_of().get(f"/s/{token}/").status_code == 404


def test_revoking_is_a_press_and_a_toast(member, video, browser_of):
    link, token = make_link(by=member, video=video)
    browser = browser_of(member)
    answer = browser.post(at("revoke", link), {"next": LIST})
    assert (answer.status_code, answer["Location"]) == (303, LIST)
    assert "The link for Client A has ended, for what is playing too." in text(browser.get(LIST))
    assert browser_of().get(f"/s/{token}/").status_code == 404
    assert browser.post(at("revoke", link), {"next": "https://evil.example.com/"})["Location"] == LIST


def test_new_address_is_shown_once_and_the_old_one_ends(member, video, browser_of):
    link, old = make_link(by=member, video=video)
    browser, shown = browser_of(member), sharing.mark_of(link)
    answer = browser.post(at("renew", link), {"shown": shown})
    assert answer["Cache-Control"] == "no-store"
    new = re.search(r"/s/([\w-]{43})/", text(answer))[1]
    assert new != old
    assert browser_of().get(f"/s/{new}/").status_code == 200
    assert browser_of().get(f"/s/{old}/").status_code == 404
    assert browser.post(at("renew", link), {"shown": shown}).status_code == 303
    assert "The address was changed already." in text(browser.get(LIST))
    assert browser_of().get(f"/s/{new}/").status_code == 200


def test_changing_switches_keeps_what_was_not_touched(member, video, browser_of):
    link, _token = make_link(by=member, video=video, password="open sesame", days=30)
    before = ShareLink.objects.get()
    browser = browser_of(member)
    said = text(browser.get(at("detail", link)))
    assert 'name="days" value="30"' in said
    assert "open sesame" not in said
    assert before.password not in said
    values = {"name": "Client B", "days": "30", "password": "", "shows_prompt": "on"}
    assert browser.post(at("detail", link), values).status_code == 303
    link.refresh_from_db()
    assert (link.name, link.shows_prompt, link.allows_download) == ("Client B", True, False)
    assert (link.expires_at, link.password, link.token_hash) == (before.expires_at, before.password, before.token_hash)
    assert "Link for Client B: video only, prompt, no cost, password, ends" in text(browser.get(LIST))


def test_changing_end_and_password(member, video, browser_of):
    link, _token = make_link(by=member, video=video, password="open sesame")
    browser = browser_of(member)
    browser.post(at("detail", link), {"name": "Client A", "days": "20", "drops_password": "on"})
    link.refresh_from_db()
    assert link.password == ""
    assert timedelta(days=19, hours=23) < link.expires_at - timezone.now() <= timedelta(days=20)
    browser.post(at("detail", link), {"name": "Client A", "days": "20", "password": "another one"})
    link.refresh_from_db()
    assert share_visits.is_password(link=link, password="another one")


def test_wrong_change_is_said_beside_the_field(member, video, browser_of):
    link, _token = make_link(by=member, video=video)
    answer = browser_of(member).post(at("detail", link), {"name": "", "days": "900"})
    assert answer.status_code == 422
    assert "Write for whom the link is." in text(answer)
    assert "less than or equal to 365" in text(answer)


def test_preview_of_a_change(member, video, browser_of):
    link, _token = make_link(by=member, video=video, password="open sesame")
    browser = browser_of(member, htmx=True)
    shown = text(browser.post(at("preview", link), {"name": "", "shows_prompt": "on"}))
    assert "A harbour at dawn" in shown
    assert "First the page asks for the password." in shown
    dropped = text(browser.post(at("preview", link), {"name": "", "drops_password": "on"}))
    assert "First the page" not in dropped
    link.refresh_from_db()
    assert not link.shows_prompt


def test_others_can_do_nothing_to_a_link(member, viewer, stranger, video, browser_of):
    link, token = make_link(by=member, video=video)
    other = factories.make_member(team=member.team)
    for who in (viewer, stranger, other):
        browser = browser_of(who)
        assert browser.get(at("detail", link)).status_code == 404
        for name in ("detail", "preview", "renew", "revoke"):
            values = {"name": "Mine", "days": "7", "shown": sharing.mark_of(link)}
            assert browser.post(at(name, link), values).status_code == 404
    link.refresh_from_db()
    assert (link.name, link.revoked_at) == ("Client A", None)
    assert browser_of().get(f"/s/{token}/").status_code in {200, 404}


def test_creator_who_became_a_viewer_rules_no_links_any_more(member, video, browser_of):
    link, _token = make_link(by=member, video=video)
    member.role = Role.VIEWER
    member.save()
    assert browser_of(member).post(at("revoke", link)).status_code == 404


def test_revoked_link_has_no_form_any_more(member, video, browser_of):
    link, _token = make_link(by=member, video=video)
    sharing.revoke(by=member, link=link)
    assert browser_of(member).get(at("detail", link)).status_code == 404


def test_link_to_something_in_the_trash_says_that_it_is_closed(member, video, browser_of):
    make_link(by=member, video=video)
    videos.trash(by=member, videos=[video])
    assert "In the trash: the page is closed meanwhile" in text(browser_of(member).get(LIST))


def test_collections_stand_in_the_list_by_name(member, video, browser_of):
    make_link(by=member, collection=make_collection(video, by=member))
    said = text(browser_of(member).get(LIST))
    assert "Harbours" in said
    assert "collection with download" in said


def test_list_takes_few_queries_however_long(member, admin, video, browser_of, django_assert_max_num_queries):
    for number in range(20):
        of = {"video": video} if number % 2 else {"collection": make_collection(video, by=member)}
        link, _token = make_link(by=member, takes_marks=True, name=str(number), **of)
        share_visits.mark(link=link, video=video, note="x")
    browsers = [browser_of(member), browser_of(admin)]
    for browser in browsers:
        with django_assert_max_num_queries(16):
            browser.get(LIST)
    ShareLink.objects.update(revoked_at=timezone.now())
    for browser in browsers:
        with django_assert_max_num_queries(16):
            browser.get(f"{LIST}?show=ended")


def test_change_too_often_keeps_what_was_typed(member, video, browser_of, settings):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"share": Limit(1, 3600)}
    link, _token = make_link(by=member, video=video)
    browser = browser_of(member)
    typed = {"name": "Client B", "days": "30", "shows_prompt": "on"}
    assert browser.post(at("detail", link), typed).status_code == 303
    answer = browser.post(at("detail", link), typed | {"name": "Client C"})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    said = text(answer)
    assert "That was too often in a short time. Nothing was changed." in said
    assert 'value="Client C"' in said
    link.refresh_from_db()
    assert link.name == "Client B"


def test_admin_reads_that_the_maker_of_a_link_became_a_viewer(member, admin, video, browser_of):
    make_link(by=member, video=video)
    Membership.objects.filter(id=member.id).update(role=Role.VIEWER)
    assert "Client A" not in text(browser_of(admin).get(LIST))
    assert "Its maker may not share any more" in text(browser_of(admin).get(f"{LIST}?show=ended"))
