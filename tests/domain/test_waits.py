"""How long to wait for the next question, by earlier durations."""

import random

import pytest

from playground.domain import waits


def durations(count: int = 200, *, seed: int = 1, median: float = 90.0) -> list[float]:
    source = random.Random(seed)
    return [median * source.lognormvariate(0, 0.4) for _ in range(count)]


def test_few_durations_tell_nothing() -> None:
    assert waits.curve(durations(waits.ENOUGH - 1)) == ()
    assert waits.curve(durations(waits.ENOUGH)) != ()
    assert waits.hazard_s((), 10.0) is None


def test_a_fiftieth_of_what_is_left_ends_in_one_wait() -> None:
    ended = waits.curve(durations())
    for age in (0.0, 40.0, 90.0, 150.0):
        wait = waits.hazard_s(ended, age)
        assert wait is not None
        left = sum(end > age for end in ended)
        share = sum(age < end <= age + wait for end in ended) / left
        assert share == pytest.approx(waits.HAZARD, abs=0.01), age


def test_questions_are_dense_where_orders_end() -> None:
    ended = waits.curve(durations())
    fresh, about_to_end = waits.hazard_s(ended, 1.0), waits.hazard_s(ended, 90.0)
    assert fresh is not None
    assert about_to_end is not None
    assert fresh > 10 * about_to_end


def test_between_two_humps_there_is_a_long_wait_and_none_in_them() -> None:
    ended = waits.curve(durations(100, median=20) + durations(100, median=600, seed=2))
    wait = {age: waits.hazard_s(ended, age) or 0.0 for age in (20, 120, 600)}
    assert wait[20] < 2
    assert wait[120] > 20
    assert wait[600] < 15


def test_order_older_than_all_before_it_has_no_history() -> None:
    ended = waits.curve(durations())
    assert waits.hazard_s(ended, ended[-1]) is None
    assert waits.hazard_s(ended, ended[-1] - 0.001) is not None


def test_orders_that_all_took_the_same_time_are_a_curve_too() -> None:
    assert waits.hazard_s(waits.curve([60.0] * 30), 59.0) == pytest.approx(1.0)


def test_age_before_the_clock_started_counts_as_none() -> None:
    assert (waits.hazard_s(waits.curve(durations()), -5.0) or 0.0) > 0


def test_half_of_what_is_left_by_an_even_percentage() -> None:
    assert waits.half_eta_s(50, 60.0) == 30.0
    assert waits.half_eta_s(99, 99.0) == 0.5
