"""What is typed by somebody who is signed out: kept for them, and not without end."""

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client

from playground import signed_out

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel("2026-11-21 02:00:00+00:00", tick=False) as clock:
        yield clock


def sent(prompt="A boat", *, client=None, **more):
    client = client or Client()
    answer = client.post("/create/", {"prompt": prompt}, **more)
    return client, answer


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_one_client_fills_ten_sessions_a_minute_and_then_gets_the_sign_in_page_alone(headers, clock):
    for number in range(10):
        client, _answer = sent(f"A boat {number}", headers=headers)
        assert client.session["create_draft"] == {"prompt": f"A boat {number}"}
    client, answer = sent("One more", headers=headers)
    where = answer.headers["HX-Redirect"] if headers else answer.headers["Location"]
    assert (answer.status_code, where) == (
        401 if headers else 302,
        "/account/login/?next=%2Fcreate%2F" if headers else "/account/login/?next=/create/",
    )
    assert not answer.cookies
    assert Session.objects.count() == 10
    assert sent(REMOTE_ADDR="198.51.100.7")[0].session["create_draft"]
    clock.shift(6)
    assert sent()[0].session["create_draft"]


def test_form_without_words_counts_for_nothing():
    for _ in range(12):
        sent("")
    assert sent()[0].session["create_draft"]


def test_more_than_a_form_holds_is_not_kept():
    most = signed_out.MAX_KEPT - len("prompt")
    assert "create_draft" in sent("x" * most)[0].session
    assert "create_draft" not in sent("x" * (most + 1))[0].session


def test_kept_words_are_gone_with_the_hourly_tidying(clock):
    from django.core.management import call_command

    sent()
    clock.shift(3599)
    call_command("clearsessions")
    assert Session.objects.count() == 1
    clock.shift(2)
    call_command("clearsessions")
    assert Session.objects.count() == 0
