"""Rate limits: exact whatever comes at once, healed by time, bounded in rows, and silent about whom they count."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.conf import settings as real_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from playground.models import Rate
from playground.rate_limits import DEFAULTS, Limit, limits_of
from playground.services import housekeeping, rates

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
MAIL = "someone@example.com"


@pytest.fixture(autouse=True)
def five_a_minute(settings):
    settings.RATE_LIMITS = {**DEFAULTS, "submit": Limit(5, 60), "price": Limit(2, 60)}
    rates._crowd.forget()


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_five_at_once_then_one_every_twelve_seconds(db):
    assert [rates.take("submit", "a", now=NOON) for _ in range(7)] == [0, 0, 0, 0, 0, 12, 12]
    assert rates.take("submit", "a", now=after(5)) == 7
    assert rates.take("submit", "a", now=after(12)) == 0
    assert rates.take("submit", "a", now=after(12)) == 12
    assert [rates.take("submit", "a", now=after(500)) for _ in range(6)] == [0, 0, 0, 0, 0, 12]


def test_others_and_other_limits_are_not_touched(db):
    for _ in range(6):
        rates.take("submit", "a", now=NOON)
    assert rates.take("submit", "b", now=NOON) == 0
    assert rates.take("price", "a", now=NOON) == 0


def test_asking_counts_nothing_and_a_refused_try_is_not_counted_either(db):
    assert [rates.wait("price", "a", now=NOON) for _ in range(9)] == [0] * 9
    for _ in range(9):
        rates.take("price", "a", now=NOON)
    assert rates.wait("price", "a", now=NOON) == 30
    assert rates.take("price", "a", now=after(30)) == 0


def test_refused_try_writes_nothing(db):
    for _ in range(2):
        rates.take("price", "a", now=NOON)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert rates.take("price", "a", now=NOON)
    assert [query["sql"].split()[0] for query in asked] == ["SELECT"]


def test_what_is_given_back_can_be_taken_again(db):
    for _ in range(20):
        assert rates.take("price", "a", now=NOON) == 0
        rates.give_back(("price", "a"))
    assert [rates.take("price", "a", now=NOON) for _ in range(3)] == [0, 0, 30]


def test_all_or_none_of_several_are_counted(db):
    both = [("submit", "a"), ("price", "a")]
    assert [rates.take_all(both, now=NOON) for _ in range(3)] == [0, 0, 30]
    assert [rates.take("submit", "a", now=NOON) for _ in range(4)] == [0, 0, 0, 12]


def test_loser_of_a_race_gives_back_what_it_took_before(db, monkeypatch):
    really = rates._take
    monkeypatch.setattr(rates, "_take", lambda action, *rest: action != "price" and really(action, *rest))
    assert rates.take_all([("submit", "a"), ("price", "a")], now=NOON) == 1
    monkeypatch.undo()
    assert [rates.take("submit", "a", now=NOON) for _ in range(6)] == [0, 0, 0, 0, 0, 12]


def test_forgotten_key_starts_anew(db):
    for _ in range(3):
        rates.take("price", "a", now=NOON)
    rates.forget(("price", "a"))
    assert rates.take("price", "a", now=NOON) == 0


def test_clock_that_was_ahead_locks_nobody_out(db):
    for _ in range(2):
        rates.take("price", "a", now=after(3600))
    assert rates.wait("price", "a", now=NOON) == 0
    assert [rates.take("price", "a", now=NOON) for _ in range(3)] == [0, 0, 30]


def test_clocks_of_two_machines_that_differ_a_little_give_nothing_away(db):
    assert [rates.take("price", "a", now=after(20)) for _ in range(2)] == [0, 0]
    assert rates.take("price", "a", now=NOON) == 50


@pytest.mark.django_db(transaction=True)
def test_fifty_threads_at_once_get_exactly_the_limit():
    gate = Barrier(50)

    def one(number: int) -> int:
        gate.wait(30)
        try:
            return rates.take("submit", "a", now=NOON)
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        waits = list(pool.map(one, range(50)))
    assert sorted(waits) == [0] * 5 + [12] * 45


@pytest.mark.django_db(transaction=True)
def test_tries_at_once_of_which_some_are_given_back_never_pass_the_limit():
    gate = Barrier(30)

    def one(number: int) -> bool:
        gate.wait(30)
        try:
            passed = rates.take_all([("price", "a"), ("submit", "a")], now=NOON) == 0
            if passed and number % 3 == 0:
                rates.give_back(("price", "a"), ("submit", "a"))
            return passed and number % 3 != 0
        finally:
            connection.close()

    with ThreadPoolExecutor(30) as pool:
        assert sum(pool.map(one, range(30))) <= 2


ONE_PROCESS = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "playground.settings"
import django; django.setup()
from datetime import UTC, datetime
from django.conf import settings
from django.db import connection
from playground.rate_limits import Limit
from playground.services import rates
settings.RATE_LIMITS = {"submit": Limit(5, 60)}
connection.settings_dict.update(NAME=sys.argv[1])
sys.stdin.readline()
print(sum(rates.take("submit", "a", now=datetime(2026, 11, 10, 12, tzinfo=UTC)) == 0 for _ in range(5)))
"""


@pytest.mark.django_db(transaction=True)
def test_processes_share_one_count():
    name = str(connection.settings_dict["NAME"])
    command = [sys.executable, "-c", ONE_PROCESS, name]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": real_settings.BASE_DIR}
    running = [subprocess.Popen(command, **pipes) for _ in range(3)]
    told = [process.communicate("go\n", timeout=60)[0] for process in running]
    assert sum(int(words) for words in told) == 5


def test_names_of_buckets_tell_nothing(db):
    rates.take("login", f"{MAIL}|192.0.2.7", now=NOON)
    key = Rate.objects.get().key
    assert key.startswith("login:")
    assert "someone" not in key
    assert "192" not in key


def test_buckets_keep_their_names_and_with_them_their_counts(settings):
    settings.SECRET_KEY = "as it was before"
    assert rates._name("login", "a") == "login:3f602806c87243caca5fb8bd6817c0ba"


def test_full_buckets_are_dropped_by_the_hour(db, monkeypatch):
    rates.take("submit", "old", now=NOON)
    rates.take("submit", "young", now=after(3000))
    Rate.objects.create(key="submit:by-a-wrong-clock", full_at_us=rates._micros(NOON + timedelta(days=400)))
    housekeeping.tidy(now=after(3005))
    assert [row.key for row in Rate.objects.all()] == [rates._name("submit", "young")]


def test_bucket_that_is_full_now_is_dropped_and_one_that_a_clock_a_little_ahead_has_filled_stays(db):
    at = after(0)
    now = rates._micros(at)
    longest = max(limit.room_us for limit in real_settings.RATE_LIMITS.values())
    ends = {"full": now, "filling": now + 1, "ahead": now + longest + rates.WRONG_CLOCK_US}
    Rate.objects.bulk_create(Rate(key=key, full_at_us=end) for key, end in ends.items())
    Rate.objects.create(key="wrong", full_at_us=ends["ahead"] + 1)
    assert rates.prune(now=at) == 2
    assert set(Rate.objects.values_list("key", flat=True)) == {"filling", "ahead"}


def test_flood_of_keys_fills_no_table(db, monkeypatch):
    monkeypatch.setattr(rates, "MOST_ROWS", 50)
    monkeypatch.setattr(rates, "SHARED", 10)
    monkeypatch.setattr(rates, "LOOK_EVERY_S", 0)
    rates.take("submit", "here before", now=NOON)
    for number in range(300):
        rates.take("submit", f"flood {number}", now=NOON)
    assert Rate.objects.count() <= 60
    assert [rates.take("submit", "here before", now=NOON) for _ in range(5)] == [0, 0, 0, 0, 12]
    assert rates.take("submit", "new to it", now=NOON) > 0
    rates.take("submit", "much later", now=after(3600))
    assert Rate.objects.count() == 1


def test_limits_are_changed_by_words():
    assert limits_of("") == DEFAULTS
    changed = limits_of(" submit=120/m , login=10/15m,")
    assert (changed["submit"], changed["login"]) == (Limit(120, 60), Limit(10, 900))
    assert changed["price"] == DEFAULTS["price"]


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        ("submit=1/s", Limit(1, 1)),
        ("submit=2/h", Limit(2, 3600)),
        ("submit=10000/1d", Limit(10_000, 24 * 3600)),
        ("submit=3/1440m", Limit(3, 24 * 3600)),
    ],
)
def test_least_and_most_that_words_may_say(words, limit):
    assert limits_of(words)["submit"] == limit


@pytest.mark.parametrize(
    "words",
    ["submit", "submit=5", "nothing=5/m", "submit=0/m", "submit=5/0m", "submit=5/2d", "submit=-1/m"]
    + ["submit=10001/m", "submit=5/1441m", "submit=5/25h", "a submit=5/m", "submit=5/m b"],
)
def test_wrong_words_are_refused_by_name(words):
    with pytest.raises(ValueError, match="RATE_LIMITS"):
        limits_of(words)


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_limit_gives_exactly_its_amount(name, db, settings):
    settings.RATE_LIMITS = DEFAULTS
    amount = DEFAULTS[name].amount
    start = rates._micros(NOON)
    Rate.objects.create(key=rates._name(name, "a"), full_at_us=start + DEFAULTS[name].step_us * (amount - 1))
    assert rates.take(name, "a", now=NOON) == 0
    assert rates.take(name, "a", now=NOON) > 0
