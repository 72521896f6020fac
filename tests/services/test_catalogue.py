"""Models come and go; their rows stay."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from playground.gateway.errors import GatewayError
from playground.models import Gateway, Lifecycle, VideoModel
from playground.services import catalogue
from tests.bench import Bench, bench, sandbox  # noqa: F401  fixtures


def test_sync_reads_names_sizes_lengths_and_prices(bench: Bench) -> None:  # noqa: F811
    model = bench.model("kling-v3")

    assert model.owner
    assert "1280x720" in model.takes.sizes
    assert model.takes.lengths.allows(5)
    assert "per second" in model.price_note
    assert model.price_floor_micros


def test_vanished_model_is_retired_and_comes_back_live(bench: Bench) -> None:  # noqa: F811
    gateway = catalogue.default_gateway()
    VideoModel.objects.create(gateway=gateway, slug="gone-1", name="Gone 1")

    result = catalogue.sync(gateway)

    gone = VideoModel.objects.get(slug="gone-1")
    assert result.retired == 1
    assert (gone.lifecycle, gone.is_offered) == (Lifecycle.RETIRED, False)
    VideoModel.objects.filter(slug="wan-2.6").update(lifecycle=Lifecycle.RETIRED)
    catalogue.sync(gateway)
    assert bench.model("wan-2.6").lifecycle == Lifecycle.LIVE


def test_empty_list_retires_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    from playground.gateway.client import GatewayClient

    monkeypatch.setattr(GatewayClient, "models", lambda self: [])
    with pytest.raises(GatewayError):
        catalogue.sync(catalogue.default_gateway())

    assert not VideoModel.objects.filter(lifecycle=Lifecycle.RETIRED).exists()


def test_gateway_that_is_away_leaves_the_reason_on_its_row(bench: Bench, settings: Any) -> None:  # noqa: F811
    settings.SANDBOX_PORT = 1

    assert catalogue.sync_default() is None
    assert Gateway.objects.get(is_default=True).sync_error


def test_failure_after_a_success_is_retried_after_a_minute_not_at_every_look(
    bench: Bench,  # noqa: F811
    settings: Any,
) -> None:
    port, settings.SANDBOX_PORT = settings.SANDBOX_PORT, 1
    catalogue.sync_default()
    Gateway.objects.update(synced_at=timezone.now() - timedelta(hours=2))
    now = timezone.now()

    assert not catalogue.is_due(now=now + timedelta(seconds=5))
    assert not catalogue.is_due(now=now + timedelta(seconds=50))
    assert catalogue.is_due(now=now + timedelta(seconds=61))
    settings.SANDBOX_PORT = port
    catalogue.sync_default()
    assert not catalogue.is_due(now=timezone.now() + timedelta(minutes=59))
    assert catalogue.is_due(now=timezone.now() + timedelta(minutes=61))


def test_gateway_never_read_is_tried_again_after_five_seconds(bench: Bench, settings: Any) -> None:  # noqa: F811
    settings.SANDBOX_PORT = 1
    Gateway.objects.update(synced_at=None, sync_tried_at=None)
    catalogue.sync_default()
    now = timezone.now()

    assert not catalogue.is_due(now=now)
    assert catalogue.is_due(now=now + timedelta(seconds=5))


def test_try_under_way_keeps_others_away_until_it_must_be_over(bench: Bench) -> None:  # noqa: F811
    Gateway.objects.update(synced_at=None, sync_tried_at=None)
    now = timezone.now()

    assert catalogue.is_due(now=now)
    assert not catalogue.is_due(now=now)
    assert not catalogue.is_due(now=now + timedelta(seconds=34))
    assert catalogue.is_due(now=now + timedelta(seconds=36))


def test_running_sync_is_seen_by_the_looks_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    from playground.gateway.client import GatewayClient

    Gateway.objects.update(synced_at=None, sync_tried_at=None)
    seen: list[bool] = []
    read = GatewayClient.models

    def look_meanwhile(self: GatewayClient) -> Any:
        seen.append(catalogue.is_due(now=timezone.now() + timedelta(seconds=10)))
        return read(self)

    monkeypatch.setattr(GatewayClient, "models", look_meanwhile)
    catalogue.sync_default()

    assert seen == [False]


def test_two_looks_at_once_begin_one_try(bench: Bench) -> None:  # noqa: F811
    Gateway.objects.update(synced_at=None, sync_tried_at=None)
    now = timezone.now()
    start = threading.Barrier(4)

    def look(_: int) -> bool:
        try:
            start.wait()
            return catalogue.is_due(now=now)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(look, range(4))) == 1


def test_track_record_counts_the_last_ten(bench: Bench) -> None:  # noqa: F811
    bench.drive(bench.start("A boat"))
    bench.drive(bench.start("[[sandbox:fail]]"))
    record = catalogue.track_record(models=[bench.model(), bench.model("wan-2.6")])

    assert (record[bench.model().id].finished, record[bench.model().id].tried) == (1, 2)
    assert bench.model("wan-2.6").id not in record
