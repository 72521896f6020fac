import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.domain.money import (
    dollars,
    is_tiny,
    micros_from_dollars,
    micros_from_json,
    micros_from_text,
    set_aside_micros,
    unit_dollars,
)


@pytest.mark.parametrize(
    ("value", "micros"),
    [(0.21, 210_000), ("0.105", 105_000), (12, 12_000_000), (0, 0), ("1e-6", 1), (0.1 + 0.2, 300_000), (1e9, 10**15)],
)
def test_dollars_become_micros(value: object, micros: int) -> None:
    assert micros_from_dollars(value) == micros


def test_half_a_micro_is_rounded_up_and_not_to_the_even_one() -> None:
    assert [micros_from_dollars(value) for value in ("0.0000005", "0.0000025", "0.00000249")] == [1, 3, 2]


@pytest.mark.parametrize(
    "value", [None, True, -0.01, "", "free", "NaN", float("inf"), 1e12, [], {}, "1_0", "\u0663", " 1", "+1"]
)
def test_nonsense_is_not_money(value: object) -> None:
    assert micros_from_dollars(value) is None


@pytest.mark.parametrize(("value", "micros"), [(500_000, 500_000), (84000.0, 84_000), (0, 0), (10**15, 10**15)])
def test_json_numbers_become_micros(value: object, micros: int) -> None:
    assert micros_from_json(value) == micros


@pytest.mark.parametrize("value", [-1, 0.5, "500000", True, None, 10**15 + 1, float("nan"), float("inf")])
def test_json_nonsense_is_not_money(value: object) -> None:
    assert micros_from_json(value) is None


def test_prices_round_up_and_costs_to_the_nearest_cent() -> None:
    assert dollars(840_001, rounding="up") == "$0.85"
    assert dollars(840_001) == "$0.84"
    assert dollars(1_234_500_000) == "$1,234.50"
    assert dollars(-5_000_000) == "-$5.00"


def test_less_than_a_cent_is_tiny_and_nothing_is_not() -> None:
    assert is_tiny(9_999)
    assert not is_tiny(0)
    assert not is_tiny(10_000)
    assert is_tiny(1)


@pytest.mark.parametrize(
    ("micros", "text"), [(105_000, "$0.105"), (300_000, "$0.30"), (1_000_000, "$1.00"), (1, "$0.000001")]
)
def test_unit_prices_keep_the_decimals_they_need(micros: int, text: str) -> None:
    assert unit_dollars(micros) == text


@given(st.integers(min_value=0, max_value=10**14))
def test_a_shown_price_is_never_less_than_the_estimate(micros: int) -> None:
    shown = micros_from_dollars(dollars(micros, rounding="up").replace("$", "").replace(",", ""))
    assert shown is not None
    assert micros <= shown < micros + 10_000


@pytest.mark.parametrize(("estimate", "aside"), [(0, 0), (1, 2), (4, 5), (840_000, 1_050_000), (840_001, 1_050_002)])
def test_a_quarter_more_than_the_estimate_is_set_aside_rounded_up(estimate: int, aside: int) -> None:
    assert set_aside_micros(estimate) == aside


@pytest.mark.parametrize(
    ("text", "micros"), [("50", 50_000_000), (" $12.50 ", 12_500_000), ("0", 0), ("0.05", 50_000), ("$ 7.5", 7_500_000)]
)
def test_typed_amounts_are_read(text: str, micros: int) -> None:
    assert micros_from_text(text) == micros


@pytest.mark.parametrize("text", ["", "1,000", "12,50", "-5", "1e3", "5.005", "fifty", "1" * 10, "٥", "nan", "$"])
def test_typed_amounts_that_could_mean_something_else_are_refused(text: str) -> None:
    assert micros_from_text(text) is None
