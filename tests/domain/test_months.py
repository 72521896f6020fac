"""Months on wall clocks: where they begin, and what they will have cost."""

from datetime import UTC, date, datetime, timedelta

import pytest

from playground.domain import months

NOVEMBER = date(2026, 11, 1)


@pytest.mark.parametrize(
    ("at", "zone", "month"),
    [
        (datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC), "Europe/Berlin", date(2026, 10, 1)),
        (datetime(2026, 10, 31, 23, 0, tzinfo=UTC), "Europe/Berlin", NOVEMBER),
        (datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC), "Europe/Berlin", date(2026, 3, 1)),
        (datetime(2026, 3, 31, 22, 0, tzinfo=UTC), "Europe/Berlin", date(2026, 4, 1)),
        (datetime(2026, 12, 31, 10, 0, tzinfo=UTC), "Pacific/Kiritimati", date(2027, 1, 1)),
    ],
)
def test_month_turns_at_midnight_of_the_wall_clock(at: datetime, zone: str, month: date) -> None:
    assert months.month_of(at, zone) == month


def test_month_is_read_from_year_and_month_alone() -> None:
    assert months.read_month("2026-11") == NOVEMBER
    for odd in (
        "",
        "soon",
        "2026-13",
        "2026-1",
        "2026-11-01",
        "2026-W1",
        "0001-01",
        "1999-12",
        "3000-01",
        "\uff12026-11",
    ):
        assert months.read_month(odd) is None, odd


@pytest.mark.parametrize(("month", "hours"), [(date(2026, 3, 1), 743), (date(2026, 10, 1), 745), (NOVEMBER, 720)])
def test_months_in_which_clocks_change_are_an_hour_shorter_or_longer(month: date, hours: int) -> None:
    length = months.begins_at(months.next_month(month), "Europe/Berlin") - months.begins_at(month, "Europe/Berlin")
    assert length == timedelta(hours=hours)


def test_forecast_goes_on_at_the_pace_so_far() -> None:
    at = datetime(2026, 11, 11, tzinfo=UTC)
    assert months.forecast_micros(10_000_000, month=NOVEMBER, zone="UTC", at=at) == 30_000_000


def test_forecast_takes_the_first_hours_for_a_whole_day() -> None:
    at = datetime(2026, 11, 1, 0, 5, tzinfo=UTC)
    assert months.forecast_micros(1_000_000, month=NOVEMBER, zone="UTC", at=at) == 30_000_000


def test_forecast_of_a_month_that_is_over_is_what_it_cost() -> None:
    at = datetime(2026, 12, 2, tzinfo=UTC)
    assert months.forecast_micros(7, month=NOVEMBER, zone="UTC", at=at) == 7
