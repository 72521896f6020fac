"""A file on its way to a member stops soon after they may not see it any more, however slowly they take it."""

import os
import socket
from urllib.parse import urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from playground.media import serve, watching
from playground.media.streams import BLOCK_BYTES
from playground.models import Membership, Role, Visibility
from playground.services import members, sessions, visibility
from tests import factories

pytestmark = pytest.mark.django_db

LARGE = bytes(i * 7 % 251 for i in range(4 * BLOCK_BYTES))
PASSWORD = {"password1": "another long password", "password2": "another long password"}


@pytest.fixture
def large(member):
    """Of somebody else in the team."""
    owner = factories.make_member(team=member.team)
    video = factories.make_video(by=owner, files=False, size_bytes=len(LARGE))
    factories.store(video.key, LARGE)
    return video


@pytest.fixture
def looking_always(monkeypatch):
    monkeypatch.setattr(watching, "LOOK_AGAIN_S", 0.0)
    monkeypatch.setattr(watching, "release_connections", lambda: None)


@pytest.fixture
def started():
    """The blocks of a file of which the first one came."""
    answers = []

    def start(client, path):
        answers.append(client.get(path))
        blocks = iter(answers[-1].streaming_content)
        assert next(blocks) == LARGE[:BLOCK_BYTES]
        return blocks

    yield start
    for answer in answers:
        answer.close()


def by_removal(admin, member, client, browser_of):
    members.remove(by=admin, member=member)


def by_removal_with_a_session_left(admin, member, client, browser_of):
    """As when somebody signs in again in that moment: the membership decides too."""
    Membership.objects.filter(id=member.id).delete()


def by_leaving(admin, member, client, browser_of):
    members.leave(by=member)


def by_a_lesser_role(admin, member, client, browser_of):
    members.change(by=admin, member=member, role=Role.VIEWER, sees_spend=True)


def by_signing_out(admin, member, client, browser_of):
    client.post("/account/logout/")


def by_signing_out_elsewhere(admin, member, client, browser_of):
    assert browser_of(member).post("/account/devices/").status_code == 302


def by_ending_all(admin, member, client, browser_of):
    sessions.end_all(user=member.user)


def by_a_new_password_elsewhere(admin, member, client, browser_of):
    fields = PASSWORD | {"oldpassword": factories.PASSWORD}
    assert browser_of(member).post("/account/password/change/", fields).status_code == 302


def by_blocking_the_account(admin, member, client, browser_of):
    member.user.is_active = False
    member.user.save()


def by_the_end_of_the_session(admin, member, client, browser_of):
    Session.objects.update(expire_date="2020-01-01T00:00:00Z")


ENDS = [
    by_removal,
    by_removal_with_a_session_left,
    by_leaving,
    by_a_lesser_role,
    by_signing_out,
    by_signing_out_elsewhere,
    by_ending_all,
    by_a_new_password_elsewhere,
    by_blocking_the_account,
    by_the_end_of_the_session,
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", ["video", "download"])
@pytest.mark.usefixtures("looking_always")
def test_file_that_is_being_sent_stops_at_the_next_block(admin, member, large, started, browser_of, end, kind):
    client = browser_of(member)
    blocks = started(client, reverse(f"media.{kind}", args=[large.id]))
    assert next(blocks) == LARGE[BLOCK_BYTES : 2 * BLOCK_BYTES]
    end(admin, member, client, browser_of)
    assert next(blocks, None) is None
    assert serve.slots.taken == 0


@pytest.mark.usefixtures("looking_always")
def test_who_may_more_than_before_gets_the_rest(admin, member, large, started, browser_of):
    blocks = started(browser_of(member), reverse("media.download", args=[large.id]))
    next(blocks)
    members.change(by=admin, member=member, role=Role.ADMIN, sees_spend=False)
    assert next(blocks, None) is not None


@pytest.mark.usefixtures("looking_always")
def test_video_that_becomes_private_stops_for_others_and_not_for_its_owner(member, started, browser_of, large):
    owner = Membership.objects.get(user=large.owner)
    path = reverse("media.video", args=[large.id])
    blocks = started(browser_of(member), path)
    own_blocks = started(browser_of(owner), path)
    visibility.switch(by=owner, of=large, to=Visibility.PRIVATE)
    assert next(blocks, None) is None
    assert LARGE[:BLOCK_BYTES] + b"".join(own_blocks) == LARGE


@pytest.mark.usefixtures("looking_always")
def test_reference_image_stops_too(admin, member, started, browser_of):
    reference = factories.make_reference(by=member)
    factories.store(reference.key, LARGE)
    blocks = started(browser_of(member), reverse("media.reference", args=[reference.id]))
    assert next(blocks) == LARGE[BLOCK_BYTES : 2 * BLOCK_BYTES]
    members.remove(by=admin, member=member)
    assert next(blocks, None) is None


@pytest.mark.parametrize("kind", ["poster", "preview"])
@pytest.mark.usefixtures("looking_always")
def test_poster_and_preview_stop_too(admin, member, started, browser_of, large, kind):
    factories.store(large.poster_key if kind == "poster" else large.preview_key, LARGE)
    blocks = started(browser_of(member), reverse(f"media.{kind}", args=[large.id]))
    members.remove(by=admin, member=member)
    assert next(blocks, None) is None


@pytest.mark.usefixtures("looking_always")
def test_each_look_is_one_query_and_a_file_that_may_be_seen_comes_whole(member, large, started, browser_of):
    blocks = started(browser_of(member), reverse("media.video", args=[large.id]))
    with CaptureQueriesContext(connection) as queries:
        assert next(blocks) == LARGE[BLOCK_BYTES : 2 * BLOCK_BYTES]
    assert len(queries) == 1
    assert b"".join(blocks) == LARGE[2 * BLOCK_BYTES :]


def test_database_is_not_asked_for_each_block(member, large, started, browser_of, django_assert_num_queries):
    blocks = started(browser_of(member), reverse("media.video", args=[large.id]))
    with django_assert_num_queries(0):
        assert b"".join(blocks) == LARGE[BLOCK_BYTES:]


SLOW = os.urandom(64 * 1024) * 512  # 32 MB: more than sockets hold


@pytest.mark.django_db(transaction=True)
def test_slow_reader_is_cut_off_over_a_real_connection(admin, member, browser_of, large, live_server, monkeypatch):
    monkeypatch.setattr(watching, "LOOK_AGAIN_S", 0.0)
    factories.store(large.key, SLOW)
    session = browser_of(member).cookies["session"].value
    host, _, port = urlsplit(live_server.url).netloc.partition(":")
    path = reverse("media.video", args=[large.id])
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: session={session}\r\nConnection: close\r\n\r\n"
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        reader.settimeout(30)
        reader.connect((host, int(port)))
        reader.sendall(head.encode())
        taken = reader.recv(1024)
        assert b" 200 " in taken
        members.remove(by=admin, member=member)
        came = len(taken)
        while block := reader.recv(1 << 20):
            came += len(block)
    assert came < len(SLOW) / 2
