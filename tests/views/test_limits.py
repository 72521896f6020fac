"""Wrong passwords: what is counted, for whom, and what the person reads."""

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from playground.rate_limits import Limit
from playground.services import people
from tests import factories

pytestmark = pytest.mark.pure
RIGHT = factories.PASSWORD
WAIT = "or ask an admin for a sign-in link."


@pytest.fixture(autouse=True)
def nothing_counted_yet(db):
    cache.clear()


@pytest.fixture
def owner(db):
    return factories.make_member(user=factories.make_user("owner@example.com"))


def sign_in(password: str, *, email: str = "owner@example.com", address: str = "192.0.2.1", **headers: str):
    return Client(REMOTE_ADDR=address, headers=headers).post("/account/login/", {"login": email, "password": password})


def test_sixth_wrong_password_is_429_with_words_and_the_address_kept(owner):
    assert [sign_in("wrong").status_code for _ in range(5)] == [422] * 5
    answer = sign_in("wrong")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    page = answer.content.decode()
    assert "Too many tries. Wait 1 minute, " + WAIT in page
    assert 'value="owner@example.com"' in page


def test_right_password_is_refused_too_while_its_sender_has_to_wait(owner):
    for _ in range(5):
        sign_in("wrong")
    assert sign_in(RIGHT).status_code == 429


def test_stranger_who_guesses_does_not_keep_the_owner_out(owner):
    for _ in range(20):
        sign_in("wrong", address="198.51.100.7")
    assert sign_in("wrong", address="198.51.100.7").status_code == 429
    assert sign_in(RIGHT, address="192.0.2.1").status_code == 302


def test_right_passwords_are_not_counted(owner):
    assert {sign_in(RIGHT).status_code for _ in range(12)} == {302}


def test_one_client_cannot_try_one_password_on_every_address(db):
    factories.make_user()
    statuses = [sign_in("wrong", email=f"{number}@example.com").status_code for number in range(31)]
    assert statuses == [422] * 30 + [429]


def test_guessing_from_many_clients_ends_too(owner, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login_address": Limit(8, 3600)}
    statuses = [sign_in("wrong", address=f"192.0.2.{number}").status_code for number in range(9)]
    assert statuses == [422] * 8 + [429]
    answer = sign_in("wrong", address="192.0.2.99")
    assert 300 < int(answer.headers["Retry-After"]) <= 450
    assert "Wait 8 minutes, " + WAIT in answer.content.decode()


def test_refused_tries_do_not_lengthen_the_wait_of_others(owner, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login_address": Limit(8, 3600)}
    for _ in range(20):
        sign_in("wrong", address="198.51.100.7")
    assert sign_in(RIGHT).status_code == 302


def test_refused_tries_do_not_keep_out_a_colleague_behind_the_same_address(owner):
    factories.make_member(user=factories.make_user("colleague@example.com"))
    assert [sign_in("wrong").status_code for _ in range(31)] == [422] * 5 + [429] * 26
    assert sign_in(RIGHT, email="colleague@example.com").status_code == 302


def test_tries_that_the_client_limit_refuses_do_not_lengthen_the_wait(owner):
    with time_machine.travel("2026-11-21 03:00:00+00:00", tick=False) as clock:
        for number in range(30):
            sign_in("wrong", email=f"{number}@example.com")
        clock.shift(9)
        assert [sign_in("wrong").status_code for _ in range(6)] == [429] * 6
        clock.shift(1)
        assert sign_in(RIGHT).status_code == 302


def test_one_client_that_guesses_all_day_does_not_keep_the_owner_out(owner):
    with time_machine.travel("2026-11-21 03:00:00+00:00", tick=False) as clock:
        taken = 0
        for _ in range(2 * 12):  # every five minutes for two hours, until it is refused
            while sign_in("wrong", address="198.51.100.7").status_code == 422:
                taken += 1
            clock.shift(300)
        assert taken == 2 * 12 * 5
        assert sign_in(RIGHT).status_code == 302


def test_one_time_link_signs_in_meanwhile(owner, client):
    for _ in range(6):
        sign_in("wrong")
    link = people.signin_link(email="owner@example.com", base_url="")
    assert client.post(link).url == "/create/"


def test_behind_a_trusted_proxy_its_clients_are_told_apart(owner, settings):
    settings.TRUST_PROXY = True
    for _ in range(6):
        sign_in("wrong", x_forwarded_for="198.51.100.7")
    assert sign_in("wrong", x_forwarded_for="192.0.2.5, 198.51.100.7").status_code == 429
    assert sign_in(RIGHT, x_forwarded_for="198.51.100.7, 192.0.2.5").status_code == 302


def test_without_one_nobody_can_pose_as_another_client(owner):
    for number in range(5):
        sign_in("wrong", x_forwarded_for=f"198.51.100.{number}")
    assert sign_in("wrong", x_forwarded_for="198.51.100.99").status_code == 429


def test_changing_the_password_too_often_is_429_with_a_page(member, browser_of):
    browser = browser_of(member)
    fields = {"oldpassword": "wrong", "password1": "another long password", "password2": "another long password"}
    statuses = [browser.post("/account/password/change/", fields).status_code for _ in range(6)]
    assert statuses == [422] * 5 + [429]
    answer = browser.post("/account/password/change/", fields)
    assert answer.headers["Retry-After"] == "60"
    assert "Wait a minute" in answer.content.decode()
