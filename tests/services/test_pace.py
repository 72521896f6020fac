"""How fast a gateway is asked: cap, 429, no surge."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from playground.services import pace
from playground.services.pace import Pace

NOW = timezone.now()


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


def asked_in(paced: Pace, clock: Clock, seconds: float, *, due: int = 10**6, now=NOW) -> int:
    """Everything that is asked in a while of ticks of 0.2 s, with always more due than allowed."""
    count = 0
    for _ in range(round(seconds / 0.2)):
        allowed = min(due - count, paced.allowance(now=now + timedelta(seconds=clock.at)))
        paced.take(allowed)
        count += allowed
        clock.at += 0.2
    return count


def busy(**fields: float) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(in_flight=5000, clock=clock, **fields), clock


def test_cap_holds_over_any_time() -> None:
    paced, clock = busy(cap=100)
    assert asked_in(paced, clock, 1.0) <= 100 + 100 * pace.BURST_S
    assert asked_in(paced, clock, 60.0) == pytest.approx(6000, abs=30)


def test_slow_turns_of_a_busy_machine_cost_no_questions_while_rows_wait() -> None:
    paced, clock = busy(cap=100)
    count = 0
    for _ in range(50):
        count += (allowed := paced.allowance(now=NOW))
        paced.take(allowed)
        clock.at += 0.45
    assert count == pytest.approx(50 * 45, abs=30)


def test_what_was_not_asked_in_a_quiet_time_is_not_made_up_for() -> None:
    paced, clock = busy(cap=100)
    paced.take(paced.allowance(now=NOW) - 5)
    clock.at += 60.0
    assert paced.allowance(now=NOW) == 100 * pace.BURST_S


def test_cap_of_one_a_second_is_one_a_second() -> None:
    paced, clock = busy(cap=1)
    assert asked_in(paced, clock, 10.0) in (10, 11)


def test_when_many_come_due_at_once_they_are_spread_and_not_asked_for_all_at_once() -> None:
    """500 rows that want a question each ten seconds: 50 a second is steady, twice that is the bar."""
    clock = Clock()
    paced = Pace(cap=10_000, in_flight=500, usual_s=10.0, clock=clock)
    worst = max(asked_in(paced, clock, 1.0) for _ in range(8))
    assert 50 < worst <= 100


def test_few_rows_are_never_held_up() -> None:
    clock = Clock()
    paced = Pace(in_flight=8, usual_s=20.0, clock=clock)
    assert paced.allowance(now=NOW) >= 8


def test_last_of_many_that_end_at_once_are_asked_for_as_fast_as_the_many() -> None:
    """5,000 that want a question each twenty seconds: the cap binds, and it binds still when nearly all have ended."""
    clock = Clock()
    paced = Pace(cap=100, in_flight=5000, usual_s=20.0, clock=clock)
    while paced.in_flight > 100:
        allowed = min(paced.in_flight, paced.allowance(now=NOW + timedelta(seconds=clock.at)))
        paced.take(allowed)
        paced.in_flight -= allowed
        clock.at += 0.2
    assert clock.at < 52
    assert asked_in(paced, clock, 1.0, due=100) >= 95


def test_so_many_in_flight_are_forgotten_after_a_while() -> None:
    paced, clock = busy(cap=1000, usual_s=20.0)
    paced.allowance(now=NOW)
    paced.in_flight = 100
    assert asked_in(paced, clock, 1.0) > 200
    clock.at += 5 * pace.CROWD_S
    assert asked_in(paced, clock, 1.0) <= 2 * pace.CALM_PER_S


def test_429_halves_the_pace_of_the_whole_gateway_after_holding_it() -> None:
    paced, clock = busy(cap=100)
    paced.throttled(retry_after_s=5.0, now=NOW)
    assert asked_in(paced, clock, 4.8) == 0
    clock.at = 6.0
    assert asked_in(paced, clock, 10.0) == pytest.approx(500, abs=30)


def test_many_429_in_one_round_count_once_and_another_round_counts_again() -> None:
    paced, _ = busy(cap=100)
    for _ in range(50):
        paced.throttled(retry_after_s=None, now=NOW)
    assert paced.share == 0.5
    paced.throttled(retry_after_s=None, now=NOW + timedelta(seconds=2))
    assert paced.share == 0.25


def test_pace_comes_back_step_by_step() -> None:
    paced, clock = busy(cap=100)
    for _ in range(2):
        paced.throttled(retry_after_s=None, now=NOW + timedelta(seconds=clock.at))
        clock.at += 2.0
    shares = []
    for _ in range(3):
        clock.at += pace.LOWERED_FOR.total_seconds() + 1
        paced.allowance(now=NOW + timedelta(seconds=clock.at))
        shares.append(paced.share)
    assert shares == [0.5, 1.0, 1.0]


def test_intervals_are_stretched_only_while_the_cap_binds() -> None:
    assert Pace(cap=100, in_flight=500, usual_s=10.0).stretched(10.0) == 10.0
    assert Pace(cap=100, in_flight=5000, usual_s=10.0).stretched(5.0) == 25.0
    assert Pace(cap=100, in_flight=5000, usual_s=10.0).stretched(20.0) == pace.SLOWEST_S


@pytest.mark.django_db
def test_next_slice_in_another_process_goes_on_at_the_pace_of_the_last_one() -> None:
    gateway_id = uuid4()
    pace.load()
    pace.met(gateway_id, cap=100, in_flight=5000).allowance(now=NOW)
    pace.of(gateway_id).throttled(retry_after_s=20.0, now=NOW)
    pace.save()
    pace.load()

    resumed = pace.met(gateway_id, cap=100, in_flight=5000)

    assert resumed.share == 0.5
    assert resumed.crowd == pytest.approx(5000)
    assert resumed.allowance(now=NOW + timedelta(seconds=10)) == 0
    assert resumed.allowance(now=NOW + timedelta(seconds=21)) <= 1
