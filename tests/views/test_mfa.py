"""A second factor: an app that shows codes, recovery codes, and who is asked for what. Passkeys: Chromium's file."""

import base64
import json
import re
import time

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.db import connection
from django.test import Client

from playground.rate_limits import Limit
from playground.services import factors, people, rates, sealing
from tests import factories

pytestmark = pytest.mark.pure

SIGN_IN = "/account/login/"
SECOND = "/account/two-factor/authenticate/"
ADD = "/account/app/add/"


def code_of(secret: str, at: float | None = None) -> str:
    return format_hotp_value(hotp_value(secret, int((at or time.time()) // 30)))


@pytest.fixture(autouse=True)
def fresh_counts(db):
    cache.clear()


@pytest.fixture
def clock():
    with time_machine.travel("2026-11-22 10:00:05+00:00", tick=False) as clock:
        yield clock


def signed_in(member) -> Client:
    client = Client()
    client.post(SIGN_IN, {"login": member.user.email, "password": factories.PASSWORD})
    return client


def confirmed(member) -> Client:
    """Signed in, and shown to be oneself a moment ago."""
    client = signed_in(member)
    client.post("/account/reauthenticate/", {"password": factories.PASSWORD})
    return client


def with_app(member) -> tuple[Client, str, list[str]]:
    """A browser of a member who has set up an app; its secret, and the recovery codes."""
    client = confirmed(member)
    secret = client.get(ADD).context["secret"]
    answer = client.post(ADD, {"code": code_of(secret)})
    assert (answer.status_code, answer.url) == (302, "/account/recovery-codes/")
    return client, secret, client.get(answer.url).context["unused_codes"]


def half_way(member) -> Client:
    """The password was right, the second step is to come."""
    client = Client()
    answer = client.post(SIGN_IN, {"login": member.user.email, "password": factories.PASSWORD, "next": "/gallery/"})
    assert (answer.status_code, answer.url) == (302, SECOND)
    return client


def test_app_is_asked_for_after_the_password(member, clock):
    _, secret, _ = with_app(member)
    client = half_way(member)
    assert client.get("/gallery/").status_code == 302
    clock.shift(30)
    answer = client.post(SECOND, {"code": code_of(secret)})
    assert (answer.status_code, answer.url) == (302, "/gallery/")
    assert client.get("/gallery/").status_code == 200


def test_secret_is_drawn_and_written_and_stays_for_a_second_try(member, clock):
    client = confirmed(member)
    page = client.get(ADD)
    text = page.content.decode()
    assert re.search(r'<svg class="qr"[^>]*viewBox="0 0 (\d+) \1"', text)
    assert page.context["secret_spaced"] in text
    wrong = client.post(ADD, {"code": "000000"})
    assert wrong.status_code == 422
    assert wrong.context["secret"] == page.context["secret"]
    assert "This code is wrong" in wrong.content.decode()


def test_secret_and_seed_lie_sealed_in_the_database(member, clock):
    _, secret, _ = with_app(member)
    app = Authenticator.objects.get(type="totp")
    assert secret not in str(app.data)
    assert sealing.unseal(app.data["secret"]) == secret
    assert len(sealing.unseal(Authenticator.objects.get(type="recovery_codes").data["seed"])) == 80


def test_secret_that_cannot_be_read_any_more_lets_nobody_in(member, clock, monkeypatch):
    _, secret, codes = with_app(member)
    monkeypatch.setattr(sealing, "keys", lambda: ["6HJqcb1GV0xQ4zSYcvBPjcfLEm8qIoTmyD3qB3wCnVU="])
    client = half_way(member)
    clock.shift(60)
    for code in (code_of(secret), code_of(""), codes[0]):
        assert client.post(SECOND, {"code": code}).status_code == 422


def test_code_of_the_app_is_taken_once_for_as_long_as_it_fits(member, clock):
    _, secret, _ = with_app(member)
    clock.shift(30)
    code = code_of(secret)
    assert half_way(member).post(SECOND, {"code": code}).status_code == 302
    clock.shift(31)
    assert half_way(member).post(SECOND, {"code": code}).status_code == 422


def test_clock_that_is_half_a_minute_off_is_forgiven_and_a_minute_is_not(member, clock):
    _, secret, _ = with_app(member)
    clock.shift(600)
    assert half_way(member).post(SECOND, {"code": code_of(secret, time.time() - 70)}).status_code == 422
    assert half_way(member).post(SECOND, {"code": code_of(secret, time.time() - 30)}).status_code == 302


def test_recovery_code_gets_in_once(member, clock):
    _, _, codes = with_app(member)
    assert len(set(codes)) == 10
    assert half_way(member).post(SECOND, {"code": codes[0]}).status_code == 302
    again = half_way(member).post(SECOND, {"code": codes[0]})
    assert again.status_code == 422
    assert half_way(member).post(SECOND, {"code": codes[1]}).status_code == 302


def test_new_recovery_codes_end_the_old_ones(member, clock):
    client, _, old = with_app(member)
    assert "The 10 that are left stop working." in client.get("/account/recovery-codes/new/").content.decode()
    client.post("/account/recovery-codes/new/")
    new = client.get("/account/recovery-codes/").context["unused_codes"]
    assert not set(new) & set(old)
    assert half_way(member).post(SECOND, {"code": old[0]}).status_code == 422
    download = client.get("/account/recovery-codes/download/")
    assert download.headers["Content-Disposition"] == 'attachment; filename="recovery-codes.txt"'
    assert all(code in download.content.decode() for code in new)


@pytest.mark.django_db(transaction=True)
def test_tries_are_counted_outside_of_the_transaction_that_holds_the_person(member, clock, monkeypatch):
    """Inside, what is rolled back would not have been counted, and others would wait for its end."""
    with_app(member)
    client, held = half_way(member), []
    take_all = rates.take_all
    monkeypatch.setattr(rates, "take_all", lambda keys: held.append(connection.in_atomic_block) or take_all(keys))
    client.post(SECOND, {"code": "000000"})
    assert held == [False]


def test_wrong_codes_are_bounded_and_say_when_to_come_again(member, clock):
    _, secret, recovery = with_app(member)
    client = half_way(member)
    answers = [client.post(SECOND, {"code": "000000"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [422] * 5 + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 300
    clock.shift(30)
    assert half_way(member).post(SECOND, {"code": code_of(secret)}).status_code == 429
    assert half_way(member).post(SECOND, {"code": recovery[0]}).status_code == 429
    clock.shift(400)
    assert half_way(member).post(SECOND, {"code": code_of(secret)}).status_code == 302


@pytest.mark.parametrize("way", ["app", "recovery"])
def test_somebody_who_knows_the_password_and_guesses_codes_keeps_the_owner_not_out(member, clock, way):
    _, secret, recovery = with_app(member)
    stranger, owner = half_way(member), half_way(member)
    elsewhere = {"REMOTE_ADDR": "198.51.100.7"}
    statuses = [stranger.post(SECOND, {"code": "000000"}, **elsewhere).status_code for _ in range(9)]
    assert statuses == [422] * 5 + [429] * 4
    clock.shift(30)
    code = code_of(secret) if way == "app" else recovery[0]
    assert owner.post(SECOND, {"code": code}).status_code == 302


def unsigned_passkey() -> str:
    """What a browser could have made, but for the signature."""

    def packed(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    asked = {"type": "webauthn.get", "challenge": packed(b"x" * 32), "origin": "http://localhost:8000"}
    answer = {
        "clientDataJSON": packed(json.dumps(asked).encode()),
        "authenticatorData": packed(b"x" * 32 + b"\x05" + b"\x00" * 4),
        "signature": packed(b"x"),
        "userHandle": packed(b"x"),
    }
    return json.dumps({"id": packed(b"x"), "rawId": packed(b"x"), "type": "public-key", "response": answer})


def test_passkeys_are_looked_at_whatever_the_count_of_codes_says_and_add_nothing_to_it(member, clock):
    with_app(member)
    client, passkey = half_way(member), {"credential": unsigned_passkey()}
    client.get(SECOND)
    assert [client.post(SECOND, passkey).status_code for _ in range(7)] == [422] * 7
    assert [client.post(SECOND, {"code": "000000"}).status_code for _ in range(6)] == [422] * 5 + [429]
    assert client.post(SECOND, passkey).status_code == 422


def test_one_time_link_asks_for_the_second_step_too(member, clock):
    with_app(member)
    link = people.signin_link(email=member.user.email, base_url="")
    client = Client()
    answer = client.post(link)
    assert (answer.status_code, answer.url) == (302, SECOND)
    assert client.get("/gallery/").status_code == 302


def test_second_step_is_not_open_to_whoever_has_not_signed_in(db, client):
    assert client.get(SECOND).url == SIGN_IN
    assert client.post(SECOND, {"code": "1"}).url == SIGN_IN


@pytest.mark.parametrize(
    "path", [ADD, "/account/recovery-codes/new/", "/account/passkeys/add/", "/account/password/set/"]
)
def test_what_changes_a_way_in_asks_first_who_is_there(member, path):
    answer = signed_in(member).get(path)
    assert answer.status_code == 302
    if "set" not in path:
        assert answer.url.startswith("/account/reauthenticate/?next=")


def test_removing_the_app_asks_first_who_is_there_and_takes_the_codes_along(member, clock):
    client, _, _ = with_app(member)
    assert signed_in_with_code(member, clock).get("/account/app/remove/").url.startswith("/account/reauthenticate/")
    assert client.post("/account/app/remove/").url == "/account/"
    assert not Authenticator.objects.exists()
    assert "Set up an app" in client.get("/account/").content.decode()


def signed_in_with_code(member, clock) -> Client:
    secret = sealing.unseal(Authenticator.objects.get(type="totp").data["secret"])
    clock.shift(30)
    client = half_way(member)
    assert client.post(SECOND, {"code": code_of(secret)}).status_code == 302
    return client


def test_proof_of_oneself_is_good_for_five_minutes(member, clock):
    client = confirmed(member)
    clock.shift(290)
    assert client.get(ADD).status_code == 200
    clock.shift(20)
    assert client.get(ADD).status_code == 302


def test_wrong_password_is_no_proof(member):
    client = signed_in(member)
    assert client.post("/account/reauthenticate/", {"password": "wrong"}).status_code == 422
    assert client.get(ADD).status_code == 302


def test_passkeys_of_others_are_not_there(member, stranger):
    theirs = Authenticator.objects.create(user=stranger.user, type="webauthn", data={"name": "x", "credential": {}})
    client = confirmed(member)
    for path in (f"/account/passkeys/{theirs.pk}/edit/", f"/account/passkeys/{theirs.pk}/remove/"):
        assert client.get(path).status_code == 404
        assert client.post(path, {"name": "mine"}).status_code == 404


ODD = ["none", "[]", "5", '"x"', "{}", '{"id": "x"}', '{"id": 1, "rawId": 2, "response": 3, "type": "public-key"}']
ODD += [
    json.dumps({"id": "eA", "rawId": "eA", "type": "public-key", "response": response})
    for response in (
        {},
        [],
        {"clientDataJSON": "!", "authenticatorData": "!", "signature": "!", "userHandle": "!"},
        {"clientDataJSON": "e30", "authenticatorData": "eA", "signature": "eA", "userHandle": "eA"},
        {"clientDataJSON": "e30", "attestationObject": "oA"},
        {"clientDataJSON": "W10", "attestationObject": "gQ" * 5000},
    )
]


@pytest.mark.parametrize("answer", ODD)
def test_passkey_that_no_browser_made_is_refused_and_no_fault(member, answer):
    client = Client()
    client.get("/account/passkeys/login/", headers={"Accept": "application/json"})
    assert client.post("/account/passkeys/login/", {"credential": answer}).status_code == 422
    client = confirmed(member)
    client.get("/account/passkeys/add/")
    assert client.post("/account/passkeys/add/", {"credential": answer, "name": "x"}).status_code == 422
    Authenticator.objects.create(user=member.user, type="totp", data={})
    client = half_way(member)
    client.get(SECOND)
    assert client.post(SECOND, {"credential": answer}).status_code == 422


def test_passkey_that_nobody_has_signs_nobody_in(db, client):
    asked = client.get("/account/passkeys/login/", headers={"Accept": "application/json"}).json()
    assert asked["request_options"]["publicKey"]["rpId"] == "localhost"
    answer = client.post("/account/passkeys/login/", {"credential": '{"id": "x"}'})
    assert answer.status_code == 422
    assert "This passkey is not known here." in answer.content.decode()
    assert client.post("/account/passkeys/login/", {"credential": "none"}).status_code == 422


def test_questions_for_passkeys_are_asked_only_so_often_and_leave_a_short_session(db, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "provider": Limit(1, 60)}
    asked, refused = (Client().get("/account/passkeys/login/", headers={"Accept": "application/json"}) for _ in "12")
    assert (asked.status_code, asked.client.session.get_expiry_age()) == (200, 3600)
    assert (refused.status_code, "session" in refused.cookies) == (429, False)


def test_passkey_page_opened_under_another_name_says_where_passkeys_work(member):
    client = confirmed(member)
    assert "http://localhost:8000" in client.get("/account/passkeys/add/").content.decode()


def test_last_factor_is_told_from_one_of_several(member):
    first = Authenticator.objects.create(user=member.user, type="webauthn", data={})
    assert factors.is_last(first)
    Authenticator.objects.create(user=member.user, type="totp", data={})
    assert not factors.is_last(first)


def test_passkey_of_brackets_within_brackets_is_a_wrong_one(client, db):
    answer = client.post("/account/passkeys/login/", {"credential": "[" * 100_000})
    assert answer.status_code == 422


def test_code_that_set_the_app_up_signs_in_nobody(member, clock):
    _, secret, _ = with_app(member)
    client = half_way(member)
    assert client.post(SECOND, {"code": code_of(secret)}).status_code == 422
    clock.shift(30)
    assert client.post(SECOND, {"code": code_of(secret)}).status_code == 302
