"""Comments: in order, once, bounded, taken back by those who may, and brought back by who took them back."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from playground.models import Comment, Role
from playground.services import comments
from tests import factories

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.fixture
def member(db):
    return factories.make_member()


@pytest.fixture
def video(member):
    return factories.make_video(by=member, files=False)


def test_oldest_comes_first_and_a_moment_is_kept(member, video):
    viewer = factories.make_member(team=member.team, role=Role.VIEWER)
    comments.add(by=member, video=video, text="one", at_ms=1500)
    comments.add(by=viewer, video=video, text="two")
    comments.add(by=member, video=factories.make_video(by=member, files=False), text="elsewhere")
    assert [(row.text, row.at_ms, row.by) for row in comments.of(video)] == [
        ("one", 1500, member.user),
        ("two", None, viewer.user),
    ]


def test_form_that_is_sent_twice_makes_one_comment_and_the_same_words_later_another(member, video):
    first = comments.add(by=member, video=video, text="Nice", now=NOW)
    assert comments.add(by=member, video=video, text="Nice", now=NOW + timedelta(seconds=5)) == first
    assert comments.add(by=member, video=video, text="Nice", now=NOW + timedelta(minutes=2)) != first
    assert comments.add(by=member, video=video, text="Nice", at_ms=10, now=NOW) != first
    assert Comment.objects.count() == 3


def test_what_was_taken_back_can_be_said_again(member, video):
    first = comments.add(by=member, video=video, text="Nice", now=NOW)
    comments.remove(by=member, video=video, id=first.id)
    assert comments.add(by=member, video=video, text="Nice", now=NOW) != first


@pytest.mark.django_db(transaction=True)
def test_form_that_is_sent_many_times_at_once_makes_one_comment():
    member = factories.make_member()
    video = factories.make_video(by=member, files=False)

    def write():
        try:
            comments.add(by=member, video=video, text="Nice", now=NOW)
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Comment.objects.count() == 1


def test_video_holds_so_many_comments(member, video, monkeypatch):
    monkeypatch.setattr(comments, "MOST_OF_A_VIDEO", 2)
    for text in ("one", "two"):
        comments.add(by=member, video=video, text=text)
    with pytest.raises(comments.Full):
        comments.add(by=member, video=video, text="three")


def test_own_comment_is_taken_back_by_its_author_and_by_an_admin_alone(member, video):
    viewer = factories.make_member(team=member.team, role=Role.VIEWER)
    admin = factories.make_member(team=member.team, role=Role.ADMIN)
    for by in (viewer, admin):
        made = comments.add(by=viewer, video=video, text=f"by {by.role}")
        assert not comments.remove(by=member, video=video, id=made.id)
        assert comments.remove(by=by, video=video, id=made.id)
        assert not comments.remove(by=by, video=video, id=made.id)
    assert comments.of(video) == []


def test_comment_is_removed_through_its_own_video_alone(member, video):
    made = comments.add(by=member, video=video, text="here")
    other = factories.make_video(by=member, files=False)
    assert not comments.remove(by=member, video=other, id=made.id)
    comments.remove(by=member, video=video, id=made.id)
    assert not comments.restore(by=member, video=other, id=made.id)
    assert comments.restore(by=member, video=video, id=made.id)


def test_what_an_admin_took_back_its_author_cannot_bring_back(member, video):
    admin = factories.make_member(team=member.team, role=Role.ADMIN)
    made = comments.add(by=member, video=video, text="rude")
    comments.remove(by=admin, video=video, id=made.id)
    assert not comments.restore(by=member, video=video, id=made.id)
    assert comments.restore(by=admin, video=video, id=made.id)
    assert [row.text for row in comments.of(video)] == ["rude"]


def test_what_was_taken_back_is_forgotten_after_a_day(member, video):
    kept, gone = (comments.add(by=member, video=video, text=text) for text in ("kept", "gone"))
    comments.remove(by=member, video=video, id=gone.id, now=NOW)
    assert comments.forget_removed(now=NOW + timedelta(hours=23)) == 0
    assert comments.forget_removed(now=NOW + timedelta(hours=25)) == 1
    assert list(Comment.objects.all()) == [kept]
