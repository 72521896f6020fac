"""Collections: list, page, making, filling, taking out, renaming, deleting; for each role, with undo."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from playground.models import Collection, ShareLink, Visibility
from playground.services import collections, sharing, videos
from tests import factories

pytestmark = pytest.mark.pure

LIST, NEW = "/collections/", "/collections/new/"
WRITES = ["add", "remove", "put_back", "rename", "visibility", "delete", "restore"]


def to(name, collection) -> str:
    return reverse(f"collections.{name}", args=[collection.id])


def shown(answer) -> list[str]:
    return list(dict.fromkeys(re.findall(r'href="/videos/([0-9a-f-]{36})/', answer.content.decode())))


def words_of(answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def make_video(by, **fields):
    return factories.make_video(by=by, files=False, **fields)


@pytest.fixture
def made(member):
    return collections.create(by=member, name="Boats", videos=[make_video(member) for _ in range(3)])


def test_list_shows_name_posters_count_and_for_whom(member, browser_of):
    collections.create(by=member, name="Boats", videos=[make_video(member) for _ in range(6)])
    collections.create(by=member, name="Drafts", seen_by=Visibility.PRIVATE)
    answer = browser_of(member).get(LIST)
    words = words_of(answer)
    assert words.index("Drafts") < words.index("Boats")
    assert "Only me · 0 videos · just now" in words
    assert "Team · 6 videos · just now" in words
    assert answer.content.decode().count("/poster/") == 4


def test_list_counts_and_shows_what_each_may_see(member, admin, browser_of):
    collections.create(by=member, name="Boats", videos=[make_video(member, visibility="private"), make_video(member)])
    collections.create(by=member, name="Drafts", seen_by=Visibility.PRIVATE)
    answer = browser_of(admin).get(LIST)
    assert "1 video ·" in words_of(answer)
    assert answer.content.decode().count("/poster/") == 1
    assert "Drafts" not in answer.content.decode()


def test_queries_of_the_list_do_not_grow(member, browser_of):
    client = browser_of(member)
    counts = []
    for number in (1, 8):
        for each in range(number):
            collections.create(by=member, name=f"{number} {each}", videos=[make_video(member) for _ in range(3)])
        client.get(LIST)
        with CaptureQueriesContext(connection) as asked:
            client.get(LIST)
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 11


def test_list_pages_follow_one_another_without_repeat_or_gap(member, browser_of):
    now = timezone.now()
    rows = [collections.create(by=member, name=f"c{number}", now=now) for number in range(50)]
    client, seen, address = browser_of(member), [], LIST
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r'href="/collections/([0-9a-f-]{36})/"', page)
        more = re.search(r'rel="next" href="([^"]+)"', page)
        address = more.group(1) if more else None
    assert seen == [str(row.id) for row in reversed(rows)]


def test_empty_list_says_how_to_begin_to_those_who_may(member, viewer, browser_of):
    assert "Choose videos" in browser_of(member).get(LIST).content.decode()
    page = browser_of(viewer).get(LIST).content.decode()
    assert "No collections yet." in page
    assert "Choose videos" not in page
    assert NEW not in page


def test_page_shows_what_was_added_last_first_in_pages(member, browser_of):
    rows = [make_video(member) for _ in range(30)]
    made = collections.create(by=member, name="Boats", videos=rows)
    collections.remove(by=member, collection=made, videos=[rows[0]])
    collections.add(by=member, collection=made, videos=[rows[0]])
    answer = browser_of(member).get(to("detail", made))
    first = shown(answer)
    more = re.search(rf'href="({to("detail", made)}\?before=[^"]+)"', answer.content.decode()).group(1)
    fragment = browser_of(member, htmx=True).get(more)
    assert b"<html" not in fragment.content
    expected = [rows[0], *reversed(rows[1:])]
    assert first + shown(fragment) == [str(row.id) for row in expected]
    assert "30 videos" in words_of(answer)


def test_page_leads_to_sharing_and_tells_of_its_open_links(member, viewer, browser_of):
    made = collections.create(by=member, name="Boats", videos=[make_video(member)])
    sharing.make(by=member, collection=made, terms=sharing.Terms("Client A", days=7))
    page = browser_of(member).get(to("detail", made)).content.decode()
    assert f'href="{reverse("sharing.collection", args=[made.id])}"' in page
    assert "1 open link" in page
    page = browser_of(viewer).get(to("detail", made)).content.decode()
    assert reverse("sharing.collection", args=[made.id]) not in page
    assert "open link" not in page


def test_queries_of_a_page_do_not_grow_with_its_tiles(member, browser_of):
    client, counts = browser_of(member), []
    made = collections.create(by=member, name="Boats", videos=[make_video(member)])
    for number in (1, 20):
        collections.add(by=member, collection=made, videos=[make_video(member) for _ in range(number)])
        client.get(to("detail", made))
        with CaptureQueriesContext(connection) as asked:
            client.get(to("detail", made))
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 15


def test_tile_leads_to_its_video_within_the_collection_and_neighbours_follow_it(member, browser_of):
    rows = [make_video(member) for _ in range(4)]
    made = collections.create(by=member, name="Boats", videos=[rows[0], rows[1], rows[3]])
    page = " ".join(browser_of(member).get(f"/videos/{rows[1].id}/?collection={made.id}").content.decode().split())
    assert f'data-newer href="/videos/{rows[3].id}/?collection={made.id}"' in page
    assert f'data-older href="/videos/{rows[0].id}/?collection={made.id}"' in page
    assert f'href="{to("detail", made)}"' in page
    elsewhere = browser_of(member).get(f"/videos/{rows[2].id}/?collection={made.id}").content.decode()
    assert f'data-newer href="/videos/{rows[3].id}/"' in " ".join(elsewhere.split())


def test_neighbours_in_a_collection_are_what_one_sees_of_this_one(member, admin, browser_of):
    rows = [make_video(member), make_video(member, visibility="private"), make_video(member), make_video(member)]
    made = collections.create(by=member, name="Boats", videos=rows[:3])
    collections.create(by=member, name="Others", videos=[rows[3]])
    videos.trash(by=member, videos=[rows[0]])
    for by, has_older in ((member, True), (admin, False)):
        page = browser_of(by).get(f"/videos/{rows[2].id}/?collection={made.id}").content.decode()
        assert ("data-older" in page) is has_older
        assert "data-newer" not in page


def test_collection_of_somebody_else_in_an_address_tells_nothing(member, admin, browser_of):
    video = make_video(member)
    secret = collections.create(by=member, name="Secret drafts", seen_by=Visibility.PRIVATE, videos=[video])
    page = browser_of(admin).get(f"/videos/{video.id}/?collection={secret.id}").content.decode()
    assert "Secret drafts" not in page
    assert "Secret drafts" in browser_of(member).get(f"/videos/{video.id}/").content.decode()


def test_chosen_videos_become_a_new_collection_in_two_steps(member, browser_of):
    one, two = make_video(member), make_video(member)
    client, chosen = browser_of(member), [str(video.id) for video in (one, two)]
    asked = client.post(NEW, {"video": chosen, "next": "/gallery/"})
    assert asked.status_code == 200
    assert "2 videos go into it." in asked.content.decode()
    assert not Collection.objects.exists()
    answer = client.post(NEW, {"video": chosen, "name": " Client A ", "visibility": "private"})
    made = Collection.objects.get()
    assert (answer.status_code, answer.url) == (302, to("detail", made))
    assert (made.name, made.visibility, made.owner, made.team) == ("Client A", "private", member.user, member.team)
    assert shown(client.get(answer.url)) == [str(two.id), str(one.id)]


@pytest.mark.parametrize(
    ("name", "visibility", "words"),
    [("", "team", "Give it a name."), ("x" * 81, "team", "At most 80 characters."), ("Fine", "world", "world")],
)
def test_wrong_name_is_refused_beside_the_field_and_all_is_kept(member, browser_of, name, visibility, words):
    video = make_video(member)
    answer = browser_of(member).post(NEW, {"video": str(video.id), "name": name, "visibility": visibility})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert words in page
    assert name in page
    assert f'name="video" value="{video.id}"' in page
    assert not Collection.objects.exists()


def test_chosen_in_the_gallery_are_added_and_lead_back(member, admin, browser_of, made):
    video, private = make_video(admin), make_video(member, visibility="private")
    client = browser_of(member)
    page = client.get("/gallery/?select=1").content.decode()
    assert f'formaction="{to("add", made)}"' in page
    answer = client.post(to("add", made), {"video": [str(video.id), str(private.id)], "next": "/gallery/?select=1"})
    assert (answer.status_code, answer.url) == (303, "/gallery/?select=1")
    assert "2 videos added to “Boats”. 1 is only for you there too." in words_of(client.get(answer.url))
    assert made.items.count() == 5
    client.post(to("add", made), {"video": str(video.id)})
    assert "It is in “Boats” already." in words_of(client.get("/gallery/"))


def test_what_is_not_seen_is_not_added(member, admin, stranger, browser_of, made):
    for video in (make_video(admin, visibility="private"), make_video(stranger)):
        assert browser_of(member).post(to("add", made), {"video": str(video.id)}).status_code == 404
    assert made.items.count() == 3


def test_press_without_a_choice_says_so(member, browser_of, made):
    client = browser_of(member)
    for name in ("add", "remove"):
        assert client.post(to(name, made)).status_code == 303
        assert "No video was chosen." in client.get(LIST).content.decode()


def test_taken_out_stays_in_the_gallery_and_undo_puts_it_back_in_place(member, browser_of, made):
    client = browser_of(member)
    before = shown(client.get(to("detail", made)))
    answer = client.post(to("remove", made), {"video": before[1], "next": to("detail", made)})
    page = client.get(answer.url)
    assert shown(page) == [before[0], before[2]]
    assert "1 video taken out of “Boats”." in words_of(page)
    assert f'action="{to("put_back", made)}"' in page.content.decode()
    assert len(shown(client.get("/gallery/"))) == 3
    client.post(to("put_back", made))
    assert shown(client.get(to("detail", made))) == before
    client.post(to("put_back", made))
    assert shown(client.get(to("detail", made))) == before


def test_undo_is_for_the_collection_it_was_taken_out_of(member, browser_of, made):
    other = collections.create(by=member, name="Other")
    client = browser_of(member)
    video = shown(client.get(to("detail", made)))[0]
    client.post(to("remove", made), {"video": video})
    client.post(to("put_back", other))
    assert not other.items.exists()


def test_video_page_puts_in_and_takes_out_in_place(member, browser_of, made):
    video = make_video(member)
    page = browser_of(member).get(f"/videos/{video.id}/").content.decode()
    assert f'hx-post="{to("add", made)}"' in page
    client = browser_of(member, htmx=True)
    answer = client.post(to("add", made), {"video": str(video.id), "look": "video"})
    panel = answer.content.decode()
    assert answer.status_code == 200
    assert 'id="standing"' in panel
    assert "<details" in panel
    assert f'hx-post="{to("remove", made)}"' in panel
    assert f'href="{to("detail", made)}"' in panel
    assert "1 video added to" in panel
    panel = client.post(to("remove", made), {"video": str(video.id), "look": "video"}).content.decode()
    assert f'action="{to("put_back", made)}"' in panel


def test_rename_keeps_what_was_typed_when_it_is_refused(member, browser_of, made):
    client = browser_of(member)
    answer = client.post(to("rename", made), {"name": "y" * 81})
    assert answer.status_code == 422
    assert "y" * 81 in answer.content.decode()
    assert "is-open" in answer.content.decode()
    assert client.post(to("rename", made), {"name": "Ships"}).url == to("detail", made)
    made.refresh_from_db()
    assert made.name == "Ships"


def test_deleted_collection_is_gone_and_undo_brings_it_back(member, browser_of, made):
    client = browser_of(member)
    answer = client.post(to("delete", made))
    page = client.get(answer.url)
    assert "“Boats” was deleted. Its videos stay." in words_of(page)
    assert f'action="{to("restore", made)}"' in page.content.decode()
    assert client.get(to("detail", made)).status_code == 404
    for name in ("add", "remove", "rename", "visibility"):
        assert client.post(to(name, made), {"name": "x", "visibility": "team"}).status_code == 404
    assert client.post(to("restore", made)).url == to("detail", made)
    assert len(shown(client.get(to("detail", made)))) == 3


def test_deleting_says_how_many_links_end(member, browser_of, made):
    ShareLink.objects.create(team=member.team, created_by=member.user, name="Ann", collection=made, token_hash="x")
    client = browser_of(member)
    assert "1 link to it ended." in words_of(client.get(client.post(to("delete", made)).url))


def test_owner_makes_it_private_and_is_asked_about_links(member, browser_of, made):
    link = ShareLink.objects.create(
        team=member.team, created_by=member.user, name="Ann", collection=made, token_hash="x"
    )
    client = browser_of(member)
    asked = client.post(to("visibility", made), {"visibility": "private"})
    assert "Ann" in asked.content.decode()
    assert "1 link goes on working" in words_of(asked)
    made.refresh_from_db()
    assert made.visibility == "team"
    client.post(to("visibility", made), {"visibility": "private", "links": "end"})
    made.refresh_from_db()
    link.refresh_from_db()
    assert made.visibility == "private"
    assert link.revoked_at


def test_each_role_gets_what_it_may(member, admin, viewer, stranger, browser_of, made):
    other = factories.make_member(team=member.team)
    video = made.items.first().video
    for by, may_fill, may_manage in ((viewer, 404, 404), (stranger, 404, 404), (other, 303, 404)):
        client = browser_of(by)
        sees = 404 if by is stranger else 200
        assert client.get(to("detail", made)).status_code == sees
        assert client.post(to("add", made), {"video": str(video.id)} if by is other else {}).status_code == may_fill
        assert client.post(to("put_back", made)).status_code == may_fill
        for name in ("rename", "delete", "restore", "visibility"):
            data = {"name": "Mine now", "visibility": "private"}
            assert client.post(to(name, made), data).status_code == may_manage, name
    assert browser_of(admin).post(to("visibility", made), {"visibility": "private"}).status_code == 404
    assert browser_of(admin).post(to("rename", made), {"name": "Ships"}).status_code == 302
    assert browser_of(admin).post(to("delete", made)).status_code == 302
    made.refresh_from_db()
    assert (made.name, made.visibility) == ("Ships", "team")


def test_viewer_looks_and_is_offered_nothing_else(viewer, browser_of, made):
    page = browser_of(viewer).get(to("detail", made)).content.decode()
    for name in WRITES:
        assert f'action="{to(name, made)}"' not in page
    assert "data-select" not in page
    assert browser_of(viewer).get(NEW).status_code == 404
    assert browser_of(viewer).post(NEW, {"name": "Mine", "visibility": "team"}).status_code == 404


def test_private_collection_is_missing_for_everybody_else(member, admin, stranger, browser_of):
    secret = collections.create(by=member, name="Drafts", seen_by=Visibility.PRIVATE)
    for by in (admin, stranger):
        client = browser_of(by)
        assert client.get(to("detail", secret)).status_code == 404
        for name in WRITES:
            data = {"name": "x", "visibility": "team"}
            assert client.post(to(name, secret), data).status_code == 404, name
        assert "Drafts" not in client.get("/gallery/?select=1").content.decode()
    secret.refresh_from_db()
    assert (secret.name, secret.visibility, secret.removed_at) == ("Drafts", "private", None)


def test_signed_out_and_get_lead_nowhere(member, browser_of, made):
    assert browser_of().get(LIST).status_code == 302
    assert browser_of().get(to("detail", made)).status_code == 302
    for name in WRITES:
        assert browser_of(member).get(to(name, made)).status_code == 405


def test_form_of_another_of_my_teams_is_refused(member, browser_of, made):
    other = factories.make_member(user=member.user)
    client = browser_of(member)
    for name in WRITES:
        data = {"name": "x", "visibility": "private", "team": other.team.slug}
        assert client.post(to(name, made), data).status_code == 404, name


def test_collection_is_read_in_its_own_team(member, browser_of):
    second = factories.make_member(user=member.user)
    made = collections.create(by=second, name="Second")
    assert browser_of(member).get(to("detail", made)).status_code == 200


def test_name_of_a_person_is_shown_as_words(member, browser_of):
    made = collections.create(by=member, name="<b>x</b> {{ 7 }}", videos=[make_video(member)])
    video = made.items.first().video
    for address in (LIST, to("detail", made), "/gallery/", f"/videos/{video.id}/"):
        page = browser_of(member).get(address).content.decode()
        assert "<b>x</b>" not in page
        assert "&lt;b&gt;x&lt;/b&gt; {{ 7 }}" in page


def test_trashed_ones_leave_and_come_back(member, browser_of, made):
    video = made.items.first().video
    videos.trash(by=member, videos=[video])
    assert str(video.id) not in shown(browser_of(member).get(to("detail", made)))
    videos.restore(by=member, videos=[video])
    assert str(video.id) in shown(browser_of(member).get(to("detail", made)))


def test_others_videos_can_be_chosen_but_only_own_ones_are_trashed(member, admin, browser_of):
    own, others = make_video(member), make_video(admin)
    client = browser_of(member)
    page = client.get("/gallery/?select=1").content.decode()
    assert page.count("data-tile-box") == 2
    assert page.count("data-mine") == 1
    client.post(reverse("videos.trash"), {"video": [str(own.id), str(others.id)]})
    answer = client.get("/gallery/")
    assert shown(answer) == [str(others.id)]
    assert "1 video moved to the trash. 1 of others stays." in words_of(answer)


def test_collection_that_is_forgotten_meanwhile_is_missing(member, browser_of, made, monkeypatch):
    video = make_video(member)
    gone = Collection(id=made.id, team=made.team, owner=made.owner, name=made.name)
    Collection.objects.all().delete()
    monkeypatch.setattr("playground.views.collections._fillable", lambda request, id: gone)
    browser = browser_of(member)
    assert browser.post(to("add", gone), {"video": str(video.id)}).status_code == 404
    assert browser.post(to("remove", gone), {"video": str(video.id)}).status_code == 404
    assert browser.post(to("put_back", gone)).status_code == 404
