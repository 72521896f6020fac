"""Prices: asked for once a minute, believed only when they are prices, never in the way."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection

from playground.services import estimates
from playground.services.estimates import QuoteState
from tests.bench import Bench, bench, sandbox  # noqa: F401  fixtures


@pytest.fixture(autouse=True)
def empty_cache(transactional_db: None) -> None:
    cache.clear()


def dry_runs(bench: Bench) -> int:  # noqa: F811
    return sum("dryRun" in request["query"] for request in bench.sandbox.requests())


def test_price_comes_from_the_gateway_and_is_multiplied_by_the_count(bench: Bench) -> None:  # noqa: F811
    quote = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=5, count=3))

    assert quote.state is QuoteState.ESTIMATED
    assert (quote.unit_micros, quote.total_micros, quote.per_second_micros) == (100_000, 300_000, 20_000)
    assert quote.provider == "replicate"
    assert quote.is_play_money


def test_same_settings_ask_the_gateway_once(bench: Bench) -> None:  # noqa: F811
    before = dry_runs(bench)

    for count in (1, 2, 3):
        estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=4, count=count))

    assert dry_runs(bench) - before == 1


def test_ten_at_once_ask_the_gateway_once(bench: Bench) -> None:  # noqa: F811
    before = dry_runs(bench)
    wanted = bench.wanted(seconds=6)
    start = threading.Barrier(10)

    def ask(_: int) -> Any:
        try:
            start.wait()
            return estimates.quote(by=bench.membership, wanted=wanted).total_micros
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        prices = set(pool.map(ask, range(10)))

    assert len(prices) == 1
    assert dry_runs(bench) - before <= 2


def test_price_check_makes_no_job(bench: Bench) -> None:  # noqa: F811
    before = len(bench.charges())

    estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=7))

    assert len(bench.charges()) == before


def test_cached_price_needs_no_gateway(bench: Bench) -> None:  # noqa: F811
    wanted = bench.wanted(seconds=8)
    assert estimates.cached_quote(by=bench.membership, wanted=wanted) is None
    estimates.quote(by=bench.membership, wanted=wanted)
    before = dry_runs(bench)

    assert estimates.cached_quote(by=bench.membership, wanted=wanted) is not None
    assert dry_runs(bench) == before


def test_image_only_model_without_an_image_names_the_field(bench: Bench) -> None:  # noqa: F811
    quote = estimates.quote(by=bench.membership, wanted=bench.wanted("p-video-avatar"))

    assert (quote.state, quote.field, quote.total_micros) == (QuoteState.NEEDS_INPUT, "reference", None)


def test_gateway_that_is_away_gives_no_price_and_no_error(bench: Bench, settings: Any) -> None:  # noqa: F811
    settings.SANDBOX_PORT = 1

    quote = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=9))

    assert quote.state is QuoteState.UNREACHABLE
    assert quote.total_micros is None
