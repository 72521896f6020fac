"""Guesses at once: no more of them are looked at than the limit says, and nothing tells who has an account."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier

import pytest
from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth import hashers
from django.db import connection
from django.test import Client

from playground import accounts
from playground.models import User
from playground.services import hashing, rates
from tests import factories
from tests.forms.test_codes import outcome

EMAIL = "owner@example.com"
WRONG = "not the right one"


@pytest.fixture
def owner(db):
    return factories.make_member(user=factories.make_user(EMAIL))


@pytest.fixture
def looked_at(monkeypatch):
    """The passwords that were looked at."""
    seen = []
    really = AuthenticationBackend.authenticate

    def authenticate(self, request, **credentials):
        seen.append(credentials["password"])
        return really(self, request, **credentials)

    monkeypatch.setattr(AuthenticationBackend, "authenticate", authenticate)
    return seen


@pytest.fixture
def many_places(monkeypatch):
    """All tries get as far as their limits let them."""
    from threading import BoundedSemaphore

    monkeypatch.setattr(hashing, "_queue", BoundedSemaphore(100))
    monkeypatch.setattr(hashing, "WAIT_S", 60)


def sign_in(password: str, *, email: str = EMAIL, address: str = "192.0.2.1"):
    return Client(REMOTE_ADDR=address).post("/account/login/", {"login": email, "password": password})


def all_at_once(tries):
    gate = Barrier(len(tries))

    def one(given):
        gate.wait(30)
        try:
            return sign_in(**given).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(tries)) as pool:
        return sorted(pool.map(one, tries))


@pytest.mark.django_db(transaction=True)
def test_thirty_wrong_passwords_at_once_get_exactly_five_looks(owner, looked_at, many_places):
    assert all_at_once([{"password": WRONG}] * 30) == [422] * 5 + [429] * 25
    assert len(looked_at) == 5
    assert sign_in(factories.PASSWORD, address="198.51.100.7").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_right_passwords_among_wrong_ones_at_once_give_no_further_look(owner, looked_at, many_places):
    tries = [{"password": WRONG}] * 20 + [{"password": factories.PASSWORD}] * 10
    statuses = all_at_once(tries)
    assert statuses.count(422) <= 5
    assert looked_at.count(WRONG) == statuses.count(422)


@pytest.mark.django_db(transaction=True)
def test_guesses_at_many_addresses_from_one_client_get_exactly_thirty_looks(owner, looked_at, many_places):
    statuses = all_at_once([{"password": WRONG, "email": f"{n}@example.com"} for n in range(40)])
    assert (statuses.count(422), len(looked_at)) == (30, 30)


@pytest.mark.django_db(transaction=True)
def test_wrong_codes_at_once_get_exactly_five_looks_from_one_client_and_thirty_from_many(rf):
    gate = Barrier(40)

    def guess(person: str, address: str) -> bool:
        gate.wait(30)
        try:
            return outcome(person, "wrong", rf.post("/", REMOTE_ADDR=address)) == "incorrect_code"
        finally:
            connection.close()

    with ThreadPoolExecutor(40) as pool:
        from_one = list(pool.map(lambda _number: guess("a", "192.0.2.1"), range(40)))
        from_many = list(pool.map(lambda number: guess("b", f"192.0.2.{number + 1}"), range(40)))
    assert (sum(from_one), sum(from_many)) == (5, 30)


@pytest.mark.pure
@pytest.mark.parametrize("kind", ["known", "unknown", "inactive", "without a password"])
def test_each_wrong_password_costs_one_hash_and_gets_the_same_words(owner, kind, monkeypatch):
    """The hash is what takes time: whoever looks at a clock sees the same for every address."""
    User.objects.filter(id=owner.user_id).update(is_active=kind != "inactive")
    if kind == "without a password":
        owner.user.set_unusable_password()
        owner.user.save()
    hashed = []
    hasher = hashers.get_hasher()
    really = type(hasher).encode
    monkeypatch.setattr(type(hasher), "encode", lambda self, *given: hashed.append(1) or really(self, *given))
    email = "nobody@example.com" if kind == "unknown" else EMAIL
    answer = sign_in(WRONG, email=email)
    assert (answer.status_code, len(hashed)) == (422, 1)
    assert re.search(r'role="alert"><p>([^<]+)', answer.text).group(1) == "E-mail address or password is wrong."


@pytest.mark.pure
def test_unknown_address_is_locked_out_like_a_known_one(owner):
    known = [sign_in(WRONG) for _ in range(6)]
    unknown = [sign_in(WRONG, email="nobody@example.com", address="198.51.100.7") for _ in range(6)]
    assert [answer.status_code for answer in known] == [answer.status_code for answer in unknown] == [422] * 5 + [429]
    assert known[5].headers["Retry-After"] == unknown[5].headers["Retry-After"]


@pytest.mark.pure
def test_crowd_that_signs_in_is_told_so_at_once_and_nothing_is_counted(owner, looked_at, monkeypatch):
    monkeypatch.setattr(hashing, "WAIT_S", 0.01)
    with ExitStack() as others:
        others.enter_context(hashing.place())
        answers = [sign_in(factories.PASSWORD) for _ in range(8)]
        assert {answer.status_code for answer in answers} == {429}
        assert answers[0].headers["Retry-After"] == "3"
        assert "Many people sign in at once" in answers[0].text
    assert looked_at == []
    assert sign_in(factories.PASSWORD).status_code == 302


@pytest.mark.pure
def test_who_waits_for_a_place_is_bounded_too(monkeypatch):
    monkeypatch.setattr(hashing, "WAIT_S", 0.01)
    with ExitStack() as stack:
        given = [stack.enter_context(hashing.place()) for _ in range(hashing.AT_ONCE)]
        waiting = [hashing._queue.acquire(blocking=False) for _ in range(hashing.WAITING)]
        with hashing.place() as one_more:
            assert (set(given), set(waiting), one_more) == ({True}, {True}, False)
        for _ in waiting:
            hashing._queue.release()
    with hashing.place() as later:
        assert later


@pytest.mark.pure
def test_guess_counts_when_it_is_wrong_and_not_when_it_is_right(db):
    for _ in range(20):
        with rates.guess(("second_factor", "someone")):
            pass
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), rates.guess(("second_factor", "someone")):
            1 / 0  # noqa: B018
    with pytest.raises(rates.TooOften) as refused, rates.guess(("second_factor", "someone")):
        pytest.fail("it was looked at")
    assert 170 < refused.value.seconds <= 180


@pytest.mark.pure
def test_tries_to_make_an_account_are_counted_by_client(db, rf):
    request = rf.post("/", REMOTE_ADDR="192.0.2.1")
    assert [accounts.may_sign_up(request) for _ in range(21)] == [True] * 20 + [False]
    assert accounts.may_sign_up(rf.post("/", REMOTE_ADDR="192.0.2.2"))
