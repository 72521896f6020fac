"""Our own client against the imitation gateway, a real process over real sockets."""

import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image

from playground.domain.webhooks import key_of
from playground.gateway.client import GatewayClient
from playground.gateway.declared import dialect_defaults
from playground.gateway.errors import (
    AccountRefused,
    EstimateUnavailable,
    FailureKind,
    GatewayError,
    NoRequestLog,
    OutputBad,
    OutputGone,
    OutputLength,
    Refused,
    Throttled,
    Unclear,
)
from playground.gateway.factory import config_from
from playground.gateway.types import Dialect, GatewayConfig, Job, JobState, Order, ReferenceFile
from playground.sandbox.catalogue import MODELS
from tests.gateway.polling import poll
from tests.sandbox_server import SandboxServer, start_sandbox

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with start_sandbox("lumenfall") as server:
        yield server


@pytest.fixture(scope="module")
def openai_sandbox() -> Iterator[SandboxServer]:
    with start_sandbox("openai") as server:
        yield server


@pytest.fixture
def gateway(sandbox: SandboxServer) -> GatewayClient:
    return GatewayClient(config_from({"SANDBOX_PORT": sandbox.port}))


@pytest.fixture
def openai_gateway(openai_sandbox: SandboxServer) -> GatewayClient:
    return GatewayClient(
        config_from({"GATEWAY_BASE_URL": openai_sandbox.base_url, "GATEWAY_API_KEY": "sandbox-openai-key"})
    )


def order(prompt: str = "A quiet harbour", **changes: Any) -> Order:
    name = os.urandom(8).hex()
    given: dict[str, Any] = {
        "order_id": name,
        "model": "mock-video",
        "prompt": prompt,
        "seconds": 1,
        "size": "640x360",
        "idempotency_key": name,
    }
    return Order(**(given | changes))


def wait(gateway: GatewayClient, sandbox: SandboxServer, job: Job) -> Job:
    sandbox.wait(job.id, "completed", "failed", "cancelled")
    return gateway.retrieve(job.id)


def png() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (64, 36), "teal").save(target, "PNG")
    return target.getvalue()


def test_an_order_is_priced_made_and_brought_home(gateway: GatewayClient, sandbox: SandboxServer) -> None:
    wanted = order(model="p-video", size="1280x720")
    price = gateway.estimate(wanted)
    assert price.total_micros > 0
    before = len(sandbox.charges())
    job = gateway.create(wanted)
    done = wait(gateway, sandbox, job)
    assert done.state is JobState.COMPLETED
    assert done.cost_micros == price.total_micros
    assert done.output is not None
    sink = io.BytesIO()
    got = gateway.download(done, sink)
    assert got.size_bytes == len(sink.getvalue()) == done.output.size_bytes
    assert sink.getvalue()[4:8] == b"ftyp"
    assert len(sandbox.charges()) == before + 1


def test_the_same_order_twice_is_one_job(gateway: GatewayClient, sandbox: SandboxServer) -> None:
    picture = ReferenceFile("a.png", "image/png", len(png()), lambda: io.BytesIO(png()))
    wanted = order(references=(picture,), model="sora-2", seconds=4, size="1280x720")
    before = len(sandbox.charges())
    assert gateway.create(wanted).id == gateway.create(wanted).id
    assert len(sandbox.charges()) == before + 1


def test_a_price_check_leaves_no_trace(gateway: GatewayClient, sandbox: SandboxServer) -> None:
    before = sandbox.charges()
    picture = ReferenceFile("a.png", "image/png", len(png()), lambda: io.BytesIO(png()))
    assert gateway.estimate(order(model="p-video-avatar", references=(picture,), size=None)).total_micros > 0
    assert gateway.estimate(order(model="sora-2", size="1280x720", seconds=8)).total_micros == 800_000
    assert sandbox.charges() == before


@pytest.mark.parametrize(
    ("token", "error", "kind"),
    [
        ("moderation", Refused, FailureKind.MODERATION),
        ("bad-image", Refused, FailureKind.IMAGE),
        ("402", AccountRefused, None),
        ("429", Throttled, None),
        ("429-bare", Throttled, None),
        ("500", Unclear, None),
        ("502", Unclear, None),
        ("html", Unclear, None),
        ("drop", Unclear, None),
        ("500-after", Unclear, None),
        ("no-id", Unclear, None),
    ],
)
def test_each_fault_on_order_has_its_meaning(
    gateway: GatewayClient, sandbox: SandboxServer, token: str, error: type[GatewayError], kind: FailureKind | None
) -> None:
    before = len(sandbox.charges())
    with pytest.raises(GatewayError) as caught:
        gateway.create(order(f"A harbour [[sandbox:{token}]]"))
    assert type(caught.value) is error
    if kind is not None:
        assert isinstance(caught.value, Refused)
        assert caught.value.kind is kind
    if token == "429":
        assert caught.value.retry_after_s == 1
    taken = len(sandbox.charges()) - before
    assert taken == (1 if token in ("drop", "500-after", "no-id") else 0)


@pytest.mark.parametrize("token", ["drop", "500-after", "no-id"])
def test_a_lost_answer_is_found_again_with_the_same_key(
    gateway: GatewayClient, sandbox: SandboxServer, token: str
) -> None:
    wanted = order(f"A harbour [[sandbox:{token}]]")
    before = len(sandbox.charges())
    with pytest.raises(Unclear):
        gateway.create(wanted)
    assert gateway.create(wanted).id
    assert len(sandbox.charges()) == before + 1


@pytest.mark.parametrize(("token", "kind"), [("fail", FailureKind.PROVIDER), ("refused-late", FailureKind.MODERATION)])
def test_a_job_that_fails_says_why(
    gateway: GatewayClient, sandbox: SandboxServer, token: str, kind: FailureKind
) -> None:
    job = wait(gateway, sandbox, gateway.create(order(f"A harbour [[sandbox:{token}]]")))
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.kind is kind


@pytest.mark.parametrize(
    ("token", "error", "code"),
    [
        ("expired", OutputGone, "output_gone"),
        ("missing-output", OutputGone, "output_missing"),
        ("truncated", Unclear, "download_broken"),
        ("wrong-size", OutputLength, "output_length"),
        ("not-video", OutputBad, "output_type"),
    ],
)
def test_each_fault_of_the_file_has_its_meaning(
    gateway: GatewayClient, sandbox: SandboxServer, token: str, error: type[GatewayError], code: str
) -> None:
    job = wait(gateway, sandbox, gateway.create(order(f"A harbour [[sandbox:{token}]]")))
    with pytest.raises(GatewayError) as caught:
        gateway.download(job, io.BytesIO())
    assert (type(caught.value), caught.value.code) == (error, code)


def test_a_stopped_job_is_cancelled_and_stopping_twice_is_fine(gateway: GatewayClient, sandbox: SandboxServer) -> None:
    job = gateway.create(order("A harbour [[sandbox:stuck]]"))
    gateway.cancel(job.id)
    gateway.cancel(job.id)
    gateway.cancel("video_never_was")
    assert gateway.retrieve(job.id).state is JobState.CANCELLED


def test_models_balance_and_polls(gateway: GatewayClient, sandbox: SandboxServer) -> None:
    models = {model.slug: model for model in gateway.models()}
    assert {"sora-2", "sora-2-pro", "kling-v3", "seedance-2.0", "wan-2.6", "mock-video"} <= set(models)
    for slug, model in models.items():
        assert model.capabilities == MODELS[slug].capabilities, slug
    balance = gateway.balance()
    assert balance is not None
    assert balance.available_micros is not None
    jobs = [gateway.create(order()) for _ in range(3)]
    found = poll(gateway.config, [*(job.id for job in jobs), "video_never_was"])
    assert [type(found[job.id]) for job in jobs] == [Job, Job, Job]
    assert isinstance(found["video_never_was"], GatewayError)
    assert found["video_never_was"].code == "not_found"


def test_the_list_of_requests_tells_what_orders_cost(gateway: GatewayClient, sandbox: SandboxServer) -> None:
    began = datetime.now(UTC)
    jobs = [
        wait(gateway, sandbox, gateway.create(order(prompt, model="grok-imagine-video", size="854x480", seconds=1)))
        for prompt in ("A quiet harbour", "A harbour [[sandbox:dearer]]", "A harbour [[sandbox:fail]]")
    ]
    # more than one page in all
    cheap = [gateway.create(order("A harbour [[sandbox:fail]]")) for _ in range(101)]
    found = {entry.id: entry for entry in gateway.requests(created_after=began)}
    assert len(found) == len(jobs) + len(cheap)
    mine = [found[job.request_id] for job in jobs]
    assert [entry.cost_micros for entry in mine] == [50_000, 75_000, None] == [job.cost_micros for job in jobs]
    assert [entry.state for entry in mine] == [JobState.COMPLETED, JobState.COMPLETED, JobState.FAILED]
    assert {entry.model for entry in mine} == {"grok-imagine-video"}
    assert list(gateway.requests(created_before=began - timedelta(days=1))) == []


def test_the_openai_profile_has_no_list_of_requests(openai_gateway: GatewayClient) -> None:
    with pytest.raises(NoRequestLog):
        openai_gateway.requests()


def test_the_openai_profile_keeps_its_file_behind_the_key(
    openai_gateway: GatewayClient, openai_sandbox: SandboxServer
) -> None:
    done = wait(openai_gateway, openai_sandbox, openai_gateway.create(order()))
    assert done.output is not None
    assert done.output.url is None
    sink = io.BytesIO()
    assert openai_gateway.download(done, sink).size_bytes == len(sink.getvalue())
    assert sink.getvalue()[4:8] == b"ftyp"


def test_a_gateway_that_ignores_the_flag_is_caught_at_the_first_price_check(
    openai_gateway: GatewayClient, openai_sandbox: SandboxServer
) -> None:
    with pytest.raises(EstimateUnavailable) as caught:
        openai_gateway.estimate(order())
    assert caught.value.code == "estimate_not_offered"
    before = len(openai_sandbox.charges())
    wrongly_declared = GatewayConfig(
        base_url=openai_sandbox.base_url,
        api_key="sandbox-openai-key",
        dialect=Dialect.OPENAI,
        dry_run=dialect_defaults(Dialect.LUMENFALL).dry_run,
        allow_loopback=True,
    )
    with pytest.raises(EstimateUnavailable) as caught:
        GatewayClient(wrongly_declared).estimate(order())
    assert caught.value.code == "estimate_made_a_job"
    assert caught.value.job_id
    assert len(openai_sandbox.charges()) == before + 1


def test_webhook_secret_is_what_the_gateway_signs_with(gateway: GatewayClient) -> None:
    secret = gateway.webhook_secret()
    assert secret == gateway.webhook_secret()
    assert len(key_of(secret)) == 32


def test_gateway_without_webhooks_has_no_secret(openai_gateway: GatewayClient) -> None:
    with pytest.raises(GatewayError):
        openai_gateway.webhook_secret()
