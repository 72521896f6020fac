"""What holders of links do: they are counted, say a password, leave marks."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from playground.models import Rate, ShareMark
from playground.services import rates, share_limits, share_visits
from tests import factories
from tests.support.sharing import make_collection, make_link

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator():
    return factories.make_member()


@pytest.fixture
def video(creator):
    return factories.make_video(by=creator, files=False)


def test_views_add_up_from_copies_that_know_nothing_of_each_other(creator, video):
    link, _token = make_link(by=creator, video=video)
    now = timezone.now()
    share_visits.count(link=link, now=now)
    share_visits.count(link=link, now=now + timedelta(minutes=1))
    link.refresh_from_db()
    assert (link.view_count, link.last_seen_at) == (2, now + timedelta(minutes=1))


def test_password(creator, video):
    link, _token = make_link(by=creator, video=video, password="open sesame")
    assert share_visits.is_password(link=link, password="open sesame")
    assert not share_visits.is_password(link=link, password="open sesame ")
    free, _token = make_link(by=creator, video=video)
    assert not share_visits.is_password(link=free, password="")


def test_marks_are_one_for_each_video_and_go_when_nothing_is_left(creator, video):
    link, _token = make_link(by=creator, video=video, takes_marks=True)
    share_visits.mark(link=link, video=video, is_favourite=True)
    kept = share_visits.mark(link=link, video=video, note="Slower at the end")
    assert (kept.is_favourite, kept.note) == (True, "Slower at the end")
    assert ShareMark.objects.count() == 1
    share_visits.mark(link=link, video=video, is_favourite=False)
    assert ShareMark.objects.get().note == "Slower at the end"
    assert share_visits.mark(link=link, video=video, note="") is None
    assert not ShareMark.objects.exists()


def test_a_press_that_changes_nothing_is_not_news(creator, video):
    link, _token = make_link(by=creator, video=video, takes_marks=True)
    first = share_visits.mark(link=link, video=video, note="Fine")
    again = share_visits.mark(link=link, video=video, note="Fine", now=timezone.now() + timedelta(hours=1))
    assert again.changed_at == first.changed_at


def test_marks_of_two_recipients_stay_apart(creator, video):
    collection = make_collection(video, by=creator)
    one, _token = make_link(by=creator, collection=collection, takes_marks=True)
    other, _token = make_link(by=creator, collection=collection, takes_marks=True, name="Client B")
    share_visits.mark(link=one, video=video, note="Yes")
    share_visits.mark(link=other, video=video, note="No")
    assert {mark.link.name: mark.note for mark in ShareMark.objects.all()} == {"Client A": "Yes", "Client B": "No"}


def test_link_that_takes_no_marks_and_note_that_is_too_long(creator, video):
    silent, _token = make_link(by=creator, video=video)
    with pytest.raises(ValueError):
        share_visits.mark(link=silent, video=video, note="x")
    link, _token = make_link(by=creator, video=video, takes_marks=True)
    with pytest.raises(ValueError):
        share_visits.mark(link=link, video=video, note="x" * 281)
    assert share_visits.mark(link=link, video=video, note="x" * 280)


def test_five_tries_of_a_password_then_a_wait_for_that_client_alone(creator, video):
    link, _token = make_link(by=creator, video=video)
    assert [share_limits.password_try(link.id, "192.0.2.1") for _ in range(5)] == [0] * 5
    assert 0 < share_limits.password_try(link.id, "192.0.2.1") <= 300
    assert share_limits.password_try(link.id, "192.0.2.2") == 0


def test_who_knows_the_password_is_not_counted(creator, video):
    link, _token = make_link(by=creator, video=video)
    for _ in range(12):
        assert share_limits.password_try(link.id, "192.0.2.1") == 0
        share_limits.password_was_right(link.id, "192.0.2.1")


def test_ten_new_viewers_behind_one_address_count_at_once_then_one_in_six_minutes(creator, video):
    link, _token = make_link(by=creator, video=video)
    other, _token = make_link(by=creator, video=video)
    with time_machine.travel("2026-11-21 09:00:00+00:00", tick=False) as clock:
        assert [share_limits.is_view(link.id, "192.0.2.1") for _ in range(12)] == [True] * 10 + [False] * 2
        assert share_limits.is_view(other.id, "192.0.2.1")
        assert share_limits.is_view(link.id, "192.0.2.2")
        clock.shift(360)
        assert [share_limits.is_view(link.id, "192.0.2.1") for _ in range(2)] == [True, False]
    assert not Rate.objects.filter(key__contains="192.0.2").exists()


def test_wrong_addresses_of_links_and_of_sign_in_are_counted_apart(creator):
    with time_machine.travel("2026-11-21 09:00:00+00:00", tick=False):
        for _ in range(60):
            assert share_limits.wrong_token("192.0.2.1") == 0
        assert share_limits.wrong_token("192.0.2.1") > 0
        assert rates.wait("wrong_token", "192.0.2.1") == 0
