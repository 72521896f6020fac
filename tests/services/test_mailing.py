"""Mails to a real socket: taken, refused, or held up; and what is remembered and logged of it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.core.mail import EmailMessage
from structlog.testing import capture_logs

from playground.services import mailing
from playground.settings_mail import mail_settings
from tests.support.mail_server import mail_server
from tests.support.processes import wait_until

pytestmark = [pytest.mark.pure, pytest.mark.django_db]

TO = "ann@example.com"


def use(settings, url: str) -> None:
    for name, value in mail_settings(url).items():
        setattr(settings, name, value)


def send() -> None:
    mailing.send(EmailMessage("Subject", "https://here.example/token", to=[TO]), what="test")


def test_mail_is_handed_over(settings):
    with mail_server() as server:
        use(settings, server.url)
        send()
    assert "https://here.example/token" in server.taken[0]
    assert mailing.failing() == ""


@pytest.mark.parametrize(
    ("how", "why", "code"),
    [
        ({"refuses": {"AUTH": b"535 no such user"}}, "SMTPAuthenticationError", 535),
        ({"refuses": {"MAIL": b"550 who are you"}}, "SMTPSenderRefused", 550),
        ({"refuses": {"EHLO": b"554 no", "HELO": b"554 no"}}, "SMTPHeloError", 554),
    ],
)
def test_server_that_takes_no_mail_is_remembered_until_it_takes_one(settings, how, why, code):
    with mail_server(**how) as server, capture_logs() as logs:
        use(settings, server.url.replace("//", "//me:secret@"))
        with pytest.raises(mailing.NotMailed) as failed:
            send()
    assert not failed.value.is_refusal
    assert mailing.failing() == why
    assert [(line["event"], line["log_level"], line["why"], line["code"]) for line in logs] == [
        ("not_mailed", "error", why, code)
    ]
    with mail_server() as server:
        use(settings, server.url)
        send()
    assert mailing.failing() == ""


@pytest.mark.parametrize(
    ("refuses", "code"), [({"RCPT": b"550 <ann@example.com> is unknown"}, 550), ({"TEXT": b"554 looks like spam"}, 554)]
)
def test_refusal_of_one_mail_says_nothing_of_the_server_and_logs_no_address(settings, refuses, code):
    with mail_server(refuses=refuses) as server, capture_logs() as logs:
        use(settings, server.url)
        with pytest.raises(mailing.NotMailed) as failed:
            send()
    assert failed.value.is_refusal
    assert mailing.failing() == ""
    assert logs[0]["code"] == code
    assert TO not in str(logs)
    assert "token" not in str(logs)


def test_server_that_is_away_is_a_failure(settings):
    with mail_server() as server:
        pass
    use(settings, server.url)
    with pytest.raises(mailing.NotMailed):
        send()
    assert mailing.failing() == "ConnectionRefusedError"


@pytest.mark.parametrize("hangs_at", ["connect", "EHLO", "RCPT", "DATA"])
def test_server_that_hangs_holds_nobody_longer_than_the_timeout(settings, hangs_at):
    with mail_server(hangs_at=hangs_at) as server:
        use(settings, f"{server.url}/?timeout=1")
        began = time.monotonic()
        with pytest.raises(mailing.NotMailed):
            send()
        assert time.monotonic() - began < 2.5


def test_server_that_is_slow_with_each_answer_is_given_up_as_a_whole(settings):
    with mail_server(drip_s=0.6) as server:
        use(settings, f"{server.url}/?timeout=1")
        began = time.monotonic()
        with pytest.raises(mailing.NotMailed):
            send()
        assert time.monotonic() - began < 2
    assert mailing.failing() == "SMTPServerDisconnected"


@pytest.mark.parametrize("switches", ["timeout=1", "ssl=true&timeout=1"])
def test_server_whose_greeting_has_no_end_is_given_up(settings, switches):
    """Encrypted, its words are no greeting at all; that is seen or waited for, and either has its end."""
    with mail_server(chatters=True) as server:
        use(settings, f"{server.url}/?{switches}")
        began = time.monotonic()
        with pytest.raises(mailing.NotMailed):
            send()
        assert time.monotonic() - began < 2.5


def test_only_so_many_wait_for_a_server_that_hangs(settings, monkeypatch):
    """Else a few strangers who ask for mails hold every thread there is."""
    monkeypatch.setattr(mailing, "PLACE_S", 0.05)
    monkeypatch.setattr(mailing, "cache", LocMemCache("mails", {}))  # threads of a test have no database
    with mail_server(hangs_at="connect") as server, ThreadPoolExecutor(mailing.AT_ONCE) as pool:
        use(settings, f"{server.url}/?timeout=3")
        waiting = [pool.submit(send) for _ in range(mailing.AT_ONCE)]
        wait_until(lambda: mailing._places._value == 0, within=10, what="all places taken")
        began = time.monotonic()
        with pytest.raises(mailing.NotMailed):
            send()
        assert time.monotonic() - began < 1
        server.over.set()
        for one in waiting:
            assert isinstance(one.exception(10), mailing.NotMailed)
    with mail_server() as server:
        use(settings, server.url)
        send()
