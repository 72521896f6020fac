"""Comments on the page of a video: for every role, with a moment, refused beside the field, removed, brought back."""

import pytest
from django.urls import reverse

from playground.models import Comment, Visibility
from playground.services import comments
from tests import factories

pytestmark = pytest.mark.pure


def address(video) -> str:
    return reverse("comments.index", args=[video.id])


def page_of(client, video, query="") -> str:
    return client.get(f"/videos/{video.id}/{query}").content.decode()


@pytest.fixture
def video(member):
    return factories.make_video(by=member, files=False, duration_ms=8000)


@pytest.mark.parametrize("role", ["member", "admin", "viewer"])
def test_everyone_in_the_team_may_write(member, video, browser_of, request, role):
    by = request.getfixturevalue(role)
    answer = browser_of(by).post(address(video), {"text": "Hold it level\r\nhere", "at": "0:03.2"})
    assert (answer.status_code, answer.url) == (303, f"/videos/{video.id}/#comments")
    made = Comment.objects.get()
    assert (made.text, made.at_ms, made.by) == ("Hold it level\nhere", 3200, by.user)
    page = page_of(browser_of(member), video)
    assert "Hold it level\nhere" in page
    assert f'href="/videos/{video.id}/?t=3.2#player"' in page
    assert "0:03.2" in page


def test_htmx_gets_the_section_with_an_empty_form(member, video, browser_of):
    answer = browser_of(member, htmx=True).post(address(video), {"text": "Nice"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "<html" not in page
    assert 'id="comments"' in page
    assert "Nice</p>" in page
    assert "</textarea>" in page
    assert ">Nice</textarea>" not in page


def test_moment_in_the_address_starts_the_player_there_without_scripts(member, video, browser_of):
    assert f'src="/media/videos/{video.id}/#t=3.2"' in page_of(browser_of(member), video, "?t=3.2")
    for nonsense in ("99", "x", "", "-1"):
        assert f'src="/media/videos/{video.id}/"' in page_of(browser_of(member), video, f"?t={nonsense}")


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ({"text": "  "}, "id_comment_error", "Write something first."),
        ({"text": "x" * 2001}, "id_comment_error", "At most 2000 characters; these are 2001."),
        ({"text": "Nice", "at": "soon"}, "id_at_error", "Write the moment as 0:03"),
        ({"text": "Nice", "at": "0:10"}, "id_at_error", "The video is only 0:08 long."),
    ],
)
@pytest.mark.parametrize("htmx", [True, False])
def test_wrong_input_is_refused_beside_the_field_and_kept(member, video, browser_of, htmx, data, field, words):
    answer = browser_of(member, htmx=htmx).post(address(video), data)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="{field}"' in page
    assert words in page
    assert data["text"].strip() in page
    assert data.get("at", "") in page
    assert page.count("autofocus") == 1
    assert ("<html" in page) is not htmx
    assert not Comment.objects.exists()


def test_two_thousand_characters_fit_whatever_ends_their_lines(member, video, browser_of):
    text = "\r\n".join(["x" * 99] * 20)
    assert browser_of(member).post(address(video), {"text": text + "y"}).status_code == 303
    assert len(Comment.objects.get().text) == 2000


def test_video_that_is_full_refuses_more(member, video, browser_of, monkeypatch):
    monkeypatch.setattr(comments, "MOST_OF_A_VIDEO", 1)
    client = browser_of(member, htmx=True)
    client.post(address(video), {"text": "one"})
    assert "as many comments as it can hold" in client.post(address(video), {"text": "two"}).content.decode()


def test_words_are_shown_as_words_and_addresses_are_no_links(member, video, browser_of):
    text = '<img src=x onerror=alert(1)> https://example.org {{ 7 }} hx-get="/x"'
    comments.add(by=member, video=video, text=text)
    page = page_of(browser_of(member), video)
    assert "&lt;img src=x onerror=alert(1)&gt; https://example.org {{ 7 }} hx-get=&quot;/x&quot;</p>" in page
    assert '<p class="user-text comment__text" dir="auto" hx-ignore>' in page
    assert 'href="https://example.org' not in page


def test_page_asks_calmly_and_is_told_nothing_while_nothing_changed(member, viewer, video, browser_of):
    client = browser_of(member, htmx=True)
    comments.add(by=viewer, video=video, text="first")
    page = client.get(address(video)).content.decode()
    stamp = page.split("?seen=")[1].split('"')[0]
    assert client.get(address(video), {"seen": stamp}).status_code == 204
    comments.add(by=viewer, video=video, text="second")
    answer = client.get(address(video), {"seen": stamp})
    assert "second" in answer.content.decode()
    assert "<textarea" not in answer.content.decode()
    assert browser_of(member).get(address(video)).url == f"/videos/{video.id}/#comments"


def test_own_comment_is_removed_with_undo(viewer, video, browser_of):
    made = comments.add(by=viewer, video=video, text="a slip")
    client = browser_of(viewer)
    answer = client.post(reverse("comments.remove", args=[video.id, made.id]))
    assert (answer.status_code, answer.url) == (303, f"/videos/{video.id}/#comments")
    page = page_of(client, video)
    undo = reverse("comments.restore", args=[video.id, made.id])
    assert "The comment was removed." in page
    assert f'action="{undo}"' in page
    assert "a slip" not in page
    assert client.post(undo).status_code == 303
    assert "a slip" in page_of(client, video)
    assert client.post(undo).status_code == 404


def test_removed_by_htmx_answers_with_the_list_and_a_toast(member, video, browser_of):
    made = comments.add(by=member, video=video, text="a slip")
    page = browser_of(member, htmx=True).post(reverse("comments.remove", args=[video.id, made.id])).content.decode()
    assert 'id="comment-list"' in page
    assert '<div id="toasts" hx-swap-oob="beforeend">' in page
    assert reverse("comments.restore", args=[video.id, made.id]) in page
    assert "a slip" not in page


def test_comments_of_others_are_the_admins_to_remove(member, admin, viewer, video, browser_of):
    made = comments.add(by=viewer, video=video, text="rude")
    remove = reverse("comments.remove", args=[video.id, made.id])
    assert remove not in page_of(browser_of(member), video)
    assert browser_of(member).post(remove).status_code == 404
    assert remove in page_of(browser_of(admin), video)
    assert browser_of(admin).post(remove).status_code == 303
    assert browser_of(viewer).post(reverse("comments.restore", args=[video.id, made.id])).status_code == 404


def test_outside_there_is_nothing(member, admin, stranger, video, browser_of):
    private = factories.make_video(by=member, files=False, visibility=Visibility.PRIVATE)
    made, own = (comments.add(by=member, video=of, text="words") for of in (video, private))
    for by, of, row in ((stranger, video, made), (stranger, private, own), (admin, private, own)):
        client = browser_of(by)
        assert client.get(address(of)).status_code == 404
        assert client.post(address(of), {"text": "hello"}).status_code == 404
        assert client.post(reverse("comments.remove", args=[of.id, row.id])).status_code == 404
        assert client.post(reverse("comments.restore", args=[of.id, row.id])).status_code == 404
    assert Comment.objects.filter(removed_at=None).count() == 2
    assert browser_of().get(address(video)).status_code == 302


def test_words_of_somebody_who_left_stay(member, viewer, video, browser_of):
    comments.add(by=viewer, video=video, text="my view")
    viewer.user.delete()
    page = page_of(browser_of(member), video)
    assert "my view" in page
    assert "Somebody who left" in page


def test_member_who_is_removed_meanwhile_writes_nothing(member, video, browser_of, monkeypatch):
    add = comments.add

    def removed_first(**given):
        member.delete()
        return add(**given)

    monkeypatch.setattr(comments, "add", removed_first)
    assert browser_of(member).post(address(video), {"text": "hello"}).status_code == 404
    assert not Comment.objects.exists()
