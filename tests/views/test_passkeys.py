"""Passkeys of software: each kind of question is answered by its own kind of answer alone, verified, once, in time."""

import json

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from tests import factories
from tests.support.passkey import TOUCHED, VERIFIED, Passkey
from tests.views.test_mfa import confirmed, half_way

pytestmark = pytest.mark.pure

ADD, PROOF, SECOND, SIGN_IN = (
    "/account/passkeys/add/",
    "/account/passkeys/reauthenticate/",
    "/account/two-factor/authenticate/",
    "/account/passkeys/login/",
)
JSON = {"Accept": "application/json"}
STATE = "mfa.webauthn.state"


@pytest.fixture(autouse=True)
def fresh_counts(db):
    cache.clear()


@pytest.fixture
def clock():
    with time_machine.travel("2026-11-22 10:00:05+00:00", tick=False) as clock:
        yield clock


def with_passkey(member) -> Passkey:
    client, passkey = confirmed(member), Passkey()
    answer = client.post(ADD, {"name": "key", "credential": passkey.made(question_in(client.get(ADD)))})
    assert (answer.status_code, answer.url) == (302, "/account/recovery-codes/")
    return passkey


def question_in(page) -> dict:
    """What the page asks the browser for."""
    return json.loads(page.context["question"])["publicKey"]


def with_question(path: str, member) -> tuple[Client, dict]:
    """A browser to which the page or the button at `path` has put its question."""
    if path == SIGN_IN:
        client = Client()
        return client, client.get(SIGN_IN, headers=JSON).json()["request_options"]["publicKey"]
    client = half_way(member) if path == SECOND else confirmed_again(member) if path == ADD else in_by_link(member)
    return client, question_in(client.get(path))


def in_by_link(member) -> Client:
    """Signed in without the second step, as a session from before the passkey is."""
    client = Client()
    client.force_login(member.user)
    return client


def confirmed_again(member) -> Client:
    client = in_by_link(member)
    client.post("/account/reauthenticate/", {"password": factories.PASSWORD})
    return client


def put(client: Client, state: dict) -> None:
    """Into the session of another browser: what one session cannot come to hold by pages and forms, it may some day."""
    session = client.session
    session[STATE] = state
    session.save()


def is_in(client: Client) -> bool:
    return client.get("/gallery/").status_code == 200


def test_every_question_asks_for_a_finger_a_face_or_a_pin(member):
    with_passkey(member)
    for path in (SIGN_IN, SECOND, PROOF):
        assert with_question(path, member)[1]["userVerification"] == "required"
    assert with_question(ADD, member)[1]["authenticatorSelection"]["userVerification"] == "required"


@pytest.mark.parametrize("asked", ["required", "preferred"])
@pytest.mark.parametrize("path", [SIGN_IN, SECOND, PROOF])
def test_answer_that_nobody_was_verified_for_is_refused(member, settings, path, asked):
    """Whatever the question said: an older one, or another version of allauth, may only prefer it."""
    passkey = with_passkey(member)
    settings.MFA_WEBAUTHN_USER_VERIFICATION = asked
    client, question = with_question(path, member)
    assert client.post(path, {"credential": passkey.signed(question, TOUCHED)}).status_code == 422
    client, question = with_question(path, member)
    assert client.post(path, {"credential": passkey.signed(question, VERIFIED)}).status_code == 302


def test_new_passkey_that_nobody_was_verified_for_is_refused(member):
    client, question = with_question(ADD, member)
    assert client.post(ADD, {"name": "x", "credential": Passkey().made(question, TOUCHED)}).status_code == 422
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize("flags", [TOUCHED, VERIFIED])
@pytest.mark.parametrize("asked_by", [SECOND, PROOF, ADD])
def test_question_of_something_else_signs_nobody_in(member, admin, asked_by, flags, settings):
    """The session of somebody with a password, in which the second step has run out, and a key that was found."""
    settings.MFA_WEBAUTHN_USER_VERIFICATION = "preferred"
    with_passkey(member)
    found = with_passkey(admin)
    client, question = with_question(asked_by, member)
    browser, _ = with_question(SIGN_IN, member)
    put(browser, client.session[STATE])
    assert browser.post(SIGN_IN, {"credential": found.signed(question, flags)}).status_code == 422
    assert not is_in(browser)


def test_second_step_that_ran_out_leaves_no_question_to_sign_in_with(member, admin, clock, settings):
    """As it was played: the whole way, with pages and forms alone."""
    settings.MFA_WEBAUTHN_USER_VERIFICATION = "preferred"
    with_passkey(member)
    found = with_passkey(admin)
    client, question = with_question(SECOND, member)
    clock.shift(905)
    answer = client.post(SIGN_IN, {"credential": found.signed(question, TOUCHED)})
    assert (answer.status_code, is_in(client)) == (422, False)


@pytest.mark.parametrize("taken_by", [SECOND, PROOF])
@pytest.mark.parametrize("asked_by", [SIGN_IN, SECOND, PROOF, ADD])
def test_question_of_one_thing_is_no_question_of_another(member, asked_by, taken_by):
    passkey = with_passkey(member)
    asked, question = with_question(asked_by, member)
    client, _ = with_question(taken_by, member)
    put(client, asked.session[STATE])
    status = client.post(taken_by, {"credential": passkey.signed(question)}).status_code
    assert status == (302 if asked_by == taken_by else 422)


@pytest.mark.parametrize("path", [SIGN_IN, SECOND, PROOF])
def test_question_ends_with_the_first_answer_even_a_wrong_one(member, path):
    passkey = with_passkey(member)
    client, question = with_question(path, member)
    assert client.post(path, {"credential": Passkey().signed(question)}).status_code == 422
    assert client.post(path, {"credential": passkey.signed(question)}).status_code == 422


@pytest.mark.parametrize("path", [SIGN_IN, SECOND, PROOF])
def test_question_is_answered_once_by_two_who_read_the_session_before(member, path):
    passkey = with_passkey(member)
    client, question = with_question(path, member)
    state, answer = client.session[STATE], passkey.signed(question)
    assert client.post(path, {"credential": answer}).status_code == 302
    assert STATE not in client.session
    other, _ = with_question(path, member)
    put(other, state)
    assert other.post(path, {"credential": answer}).status_code == 422


@pytest.mark.parametrize("path", [SIGN_IN, PROOF])
def test_question_is_good_for_a_quarter_of_an_hour(member, clock, path):
    passkey = with_passkey(member)
    for seconds, status in ((890, 302), (910, 422)):
        client, question = with_question(path, member)
        clock.shift(seconds)
        assert client.post(path, {"credential": passkey.signed(question)}).status_code == status


@pytest.mark.parametrize("answer", ["0", "false", "0.0"])
def test_answer_that_counts_as_none_adds_no_passkey(member, answer):
    client, _ = with_question(ADD, member)
    assert client.post(ADD, {"name": "x", "credential": answer}).status_code == 422
    assert not Authenticator.objects.exists()


def test_somebody_elses_passkey_is_no_second_step_and_no_proof(member, admin):
    with_passkey(member)
    theirs = with_passkey(admin)
    for path in (SECOND, PROOF):
        client, question = with_question(path, member)
        assert client.post(path, {"credential": theirs.signed(question)}).status_code == 422


def test_who_signs_in_by_passkey_stays_for_as_long_as_anybody(member):
    passkey = with_passkey(member)
    client, question = with_question(SIGN_IN, member)
    assert client.post(SIGN_IN, {"credential": passkey.signed(question)}).status_code == 302
    assert client.session.get_expiry_age() > 13 * 24 * 3600
