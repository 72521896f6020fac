"""Price checks, status, cancel, models and balance."""

import json
import logging
import socket
from datetime import UTC

import pytest

from playground.domain.capabilities import Lengths
from playground.gateway.answers import moment
from playground.gateway.errors import (
    AccountRefused,
    EstimateUnavailable,
    FailureKind,
    GatewayError,
    NotFound,
    NotSent,
    Refused,
    Unclear,
)
from playground.gateway.known_models import KNOWN
from playground.gateway.types import Dialect, JobState
from tests.gateway.fake import Behaviour, Heard, client, fake, in_turn, reply, says
from tests.gateway.test_orders import ORDER, error, hangs_up, picture, with_pictures

PRICE = {
    "estimated": True,
    "model": "wan-2.6",
    "provider": "alibaba",
    "total_cost_micros": 500000,
    "currency": "USD",
    "components": [
        {"type": "output", "metric": "second", "quantity": 5, "unit_price": 0.1, "total_cost": 500000},
        "nonsense",
    ],
}


def test_a_price_check_asks_with_the_flag_and_without_key() -> None:
    with fake(says(200, PRICE)) as server:
        price = client(server).estimate(ORDER)
    assert server.heard[0].target == "/openai/v1/videos?dryRun=true"
    assert "idempotency_key" not in json.loads(server.heard[0].body)
    assert (price.total_micros, price.provider) == (500_000, "alibaba")
    assert price.components[0].quantity == 5
    assert price.components[0].unit_price_micros == 100_000
    assert price.components[0].total_micros == 500_000


def test_a_price_check_carries_the_pictures_of_its_order() -> None:
    with fake(says(200, PRICE)) as server:
        assert client(server).estimate(with_pictures(picture())).total_micros == 500_000
    assert server.heard[0].headers["content-type"].startswith("multipart/")
    assert server.heard[0].target.endswith("?dryRun=true")


def test_a_refused_price_check_is_not_repeated() -> None:
    with fake(says(400, error("INVALID_REQUEST"))) as server, pytest.raises(Refused):
        client(server).estimate(with_pictures(picture()))
    assert len(server.heard) == 1


def test_no_flag_ever_goes_to_a_gateway_that_does_not_declare_estimates() -> None:
    with fake(says(200, PRICE)) as server, pytest.raises(EstimateUnavailable) as caught:
        client(server, dry_run=False).estimate(ORDER)
    assert caught.value.code == "estimate_not_offered"
    assert server.connections == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (PRICE | {"estimated": "true"}, "estimate_not_marked"),
        ({k: v for k, v in PRICE.items() if k != "estimated"}, "estimate_not_marked"),
        (PRICE | {"total_cost_micros": "500000"}, "estimate_unreadable"),
        (PRICE | {"total_cost_micros": -1}, "estimate_unreadable"),
        (PRICE | {"total_cost_micros": True}, "estimate_unreadable"),
        (PRICE | {"currency": "EUR"}, "estimate_unreadable"),
        (PRICE | {"id": "video_7"}, "estimate_made_a_job"),
        ([], "estimate_not_marked"),
    ],
)
def test_a_price_is_believed_only_when_it_is_marked_and_sane(body: object, code: str) -> None:
    with fake(says(200, body)) as server, pytest.raises(EstimateUnavailable) as caught:
        client(server).estimate(ORDER)
    assert caught.value.code == code


def test_a_price_check_that_made_a_job_is_logged_loudly_and_names_it(caplog: pytest.LogCaptureFixture) -> None:
    with fake(says(202, {"id": "video_7", "status": "queued"})) as server, pytest.raises(EstimateUnavailable) as caught:
        client(server).estimate(ORDER)
    assert caught.value.job_id == "video_7"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "video_7" in caplog.text


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_a_call_that_changes_nothing_is_tried_again_after_trouble(status: int) -> None:
    job = {"id": "video_1", "status": "queued"}
    with fake(in_turn(says(status), says(200, job))) as server:
        assert client(server).retrieve("video_1").id == "video_1"
    assert len(server.heard) == 2


@pytest.mark.parametrize("answer", [*(says(status) for status in (408, 425, 429, 500, 502, 503)), hangs_up])
def test_a_price_check_is_sent_once_whatever_comes_back(answer: Behaviour) -> None:
    """Where the flag is not heeded each one is a paid order."""
    with fake(answer) as server, pytest.raises(GatewayError) as caught:
        client(server).estimate(ORDER)
    assert caught.value.transient
    assert server.connections == 1


def test_a_dropped_read_is_tried_three_times_and_then_given_up() -> None:
    with fake(hangs_up) as server, pytest.raises(Unclear) as caught:
        client(server).retrieve("video_1")
    assert (caught.value.code, server.connections) == ("connection_lost", 3)


def test_a_retry_after_beyond_the_time_limit_is_not_waited_for() -> None:
    with fake(says(429, b"", Retry_After="60")) as server, pytest.raises(GatewayError) as caught:
        client(server).retrieve("video_1")
    assert caught.value.retry_after_s == 60
    assert len(server.heard) == 1


DONE = {
    "id": "wrapped-other-id",
    "status": "completed",
    "seconds": 8,
    "size": "1280x720",
    "expires_at": 1999999999,
    "output": {"url": "https://media.example/v.mp4", "content_type": "video/mp4", "size_bytes": 1234},
    "error": None,
    "metadata": {"cost": 0.105, "cost_currency": "USD", "provider_name": "OpenAI", "executed_model": "openai/sora-2"},
}


def test_a_finished_job_tells_file_cost_and_provider_and_keeps_the_id_it_was_asked_by() -> None:
    with fake(says(200, DONE)) as server:
        job = client(server).retrieve("video/1 ä")
    assert server.heard[0].target == "/openai/v1/videos/video%2F1%20%C3%A4"
    assert (job.id, job.state, job.cost_micros) == ("video/1 ä", JobState.COMPLETED, 105_000)
    assert (job.provider, job.executed_model, job.seconds) == ("OpenAI", "openai/sora-2", "8")
    assert job.output is not None
    assert (job.output.url, job.output.size_bytes) == ("https://media.example/v.mp4", 1234)
    assert job.expires_at is not None


@pytest.mark.parametrize(
    ("told", "year"),
    [
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-05:00", None),
        ("9999-12-31T23:59:59", None),
        (1, None),
        ("1999-12-31T23:59:59-05:00", 2000),
        ("2026-05-01T12:00:00+02:00", 2026),
    ],
)
def test_time_that_no_database_or_sum_can_hold_is_none(told: object, year: int | None) -> None:
    at = moment(told)
    assert (at and at.year) == year
    assert at is None or at.tzinfo is UTC


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("queued", JobState.QUEUED),
        ("pending", JobState.QUEUED),
        ("in_progress", JobState.RUNNING),
        ("processing", JobState.RUNNING),
        ("COMPLETED", JobState.COMPLETED),
        ("failed", JobState.FAILED),
        ("cancelled", JobState.CANCELLED),
        ("canceled", JobState.CANCELLED),
        ("expired", JobState.EXPIRED),
        ("dreaming", JobState.UNRECOGNISED),
        (17, JobState.UNRECOGNISED),
    ],
)
def test_status_words_are_understood(word: object, state: JobState) -> None:
    with fake(says(200, {"id": "v", "status": word})) as server:
        assert client(server).retrieve("v").state is state


@pytest.mark.parametrize(
    "body",
    [
        {"output": "https://m.example/v.mp4"},
        {"output": ["https://m.example/v.mp4"]},
        {"output": [{"url": "https://m.example/v.mp4"}]},
        {"data": [{"url": "https://m.example/v.mp4"}]},
        {"url": "https://m.example/v.mp4"},
    ],
)
def test_the_file_is_found_in_each_known_place(body: dict[str, object]) -> None:
    with fake(says(200, {"id": "v", "status": "completed"} | body)) as server:
        output = client(server).retrieve("v").output
    assert output is not None
    assert output.url == "https://m.example/v.mp4"


def test_without_a_link_only_the_openai_dialect_has_a_file() -> None:
    with fake(says(200, {"id": "v", "status": "completed", "output": {"url": "javascript:1"}})) as server:
        assert client(server).retrieve("v").output is None
        openai = client(server, dialect=Dialect.OPENAI).retrieve("v").output
    assert openai is not None
    assert openai.url is None


@pytest.mark.parametrize("cost", [-1, "much", True, 1e300, None, [], {}])
def test_a_nonsense_cost_is_no_cost(cost: object) -> None:
    with fake(says(200, {"id": "v", "status": "completed", "metadata": {"cost": cost}})) as server:
        assert client(server).retrieve("v").cost_micros is None


@pytest.mark.parametrize(("currency", "micros"), [("usd", 105_000), (None, 105_000), ("EUR", None)])
def test_a_cost_in_another_currency_is_no_cost(currency: object, micros: int | None) -> None:
    metadata = {"cost": 0.105, "cost_estimate": 0.105, "cost_currency": currency}
    with fake(says(200, {"id": "v", "status": "completed", "metadata": metadata})) as server:
        job = client(server).retrieve("v")
    assert (job.cost_micros, job.cost_estimate_micros) == (micros, micros)


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        ({"error": {"code": "moderation_blocked", "message": "m"}}, FailureKind.MODERATION, "moderation_blocked"),
        ({"error": {"error_code": "PROVIDER_FAILED"}}, FailureKind.PROVIDER, "PROVIDER_FAILED"),
        ({"error_code": "UPSTREAM_ERROR", "error_message": "x"}, FailureKind.PROVIDER, "UPSTREAM_ERROR"),
        ({"error": "Invalid image file provided"}, FailureKind.IMAGE, ""),
        ({"error": None}, FailureKind.OTHER, ""),
    ],
)
def test_a_failed_job_says_why(failure: dict[str, object], kind: FailureKind, code: str) -> None:
    with fake(says(200, {"id": "v", "status": "failed"} | failure)) as server:
        job = client(server).retrieve("v")
    assert job.error is not None
    assert (job.error.kind, job.error.code) == (kind, code)


def test_an_unknown_id_is_not_found_and_a_wrong_key_is_not() -> None:
    with fake(in_turn(says(404, error("NOT_FOUND")), says(401, error("AUTHENTICATION_FAILED")))) as server:
        with pytest.raises(NotFound):
            client(server).retrieve("v")
        with pytest.raises(AccountRefused):
            client(server).retrieve("v")


@pytest.mark.parametrize("status", [204, 200, 404, 410])
def test_cancel_is_done_with_any_success_and_where_it_is_gone(status: int) -> None:
    with fake(says(status)) as server:
        client(server).cancel("v")
    assert (server.heard[0].method, server.heard[0].target) == ("DELETE", "/openai/v1/videos/v")


def test_cancel_is_not_sent_where_the_verb_may_delete() -> None:
    with fake(says(204)) as server, pytest.raises(Refused):
        client(server, cancel=False).cancel("v")
    assert server.connections == 0


def test_cancel_that_fails_says_so() -> None:
    with fake(says(500)) as server, pytest.raises(Unclear):
        client(server).cancel("v")
    assert len(server.heard) == 3


@pytest.mark.parametrize(
    ("body", "micros"),
    [
        (
            {"object": "balance", "billing_type": "prepaid", "available": {"amount": 12.5, "currency": "usd"}},
            12_500_000,
        ),
        ({"billing_type": "postpaid", "available": {"amount": None, "currency": "usd"}}, None),
        ({"billing_type": "prepaid", "available": {"amount": -3, "currency": "usd"}}, 0),
        ({"billing_type": "prepaid", "available": {"amount": 3, "currency": "eur"}}, None),
    ],
)
def test_balance_is_read_at_the_native_address(body: object, micros: int | None) -> None:
    with fake(says(200, body)) as server:
        balance = client(server).balance()
    assert server.heard[0].target == "/v1/balance"
    assert balance is not None
    assert balance.available_micros == micros


def test_there_is_no_balance_where_none_is_told() -> None:
    with fake(says(404)) as server:
        assert client(server).balance() is None
        assert client(server, dialect=Dialect.OPENAI).balance() is None
    assert len(server.heard) == 1


def test_models_are_read_with_tolerance_and_only_videos_are_kept() -> None:
    listed = [
        {"id": "sora-2", "object": "model", "owned_by": "openai"},
        {"id": "gpt-image-1.5", "modes": ["text-to-image"]},
        {"id": "new-one", "modes": ["image-to-video"], "name": "New one", "starting_price": 0.07, "aliases": ["n1", 3]},
        {"id": "old-one", "tags": ["video-generation"], "model_status": "deprecated"},
        {"id": "gone-one", "modality": "video", "model_status": "retired"},
        {"no": "id"},
        "text",
        {"id": "kling-3", "modes": ["text-to-video", "image-to-video"]},
    ]
    schema = {
        "id": "new-one",
        "parameters": {
            "size": {"enum": ["auto", "1920x1080", "1365x768", "16:9"]},
            "seconds": {"anyOf": [{"type": "integer", "minimum": 2, "maximum": 12}, {"type": "string"}]},
            "prompt": {"type": "string", "maxLength": 900},
            "input_reference": {"type": "array", "maxItems": 3},
            "seed": {"type": "integer"},
        },
    }

    def gateway(heard: Heard, sock: socket.socket) -> None:
        if heard.target.endswith("/models"):
            sock.sendall(reply(200, {"object": "list", "data": listed}))
        elif "new-one" in heard.target:
            sock.sendall(reply(200, schema))
        else:
            sock.sendall(reply(500, b"<html>"))

    with fake(gateway) as server:
        models = {model.slug: model for model in client(server).models()}
    assert set(models) == {"sora-2", "new-one", "old-one", "gone-one", "kling-3"}
    assert "/openai/v1/models/new-one?schema=true" in [heard.target for heard in server.heard]
    sora, new = models["sora-2"], models["new-one"]
    assert (sora.name, sora.price_note) == ("Sora 2", "$0.10 per second")
    assert sora.capabilities is not None
    assert sora.capabilities.sizes == ("1280x720", "720x1280")
    assert (new.name, new.price_note, new.aliases) == ("New one", "from $0.07 per second", ("n1",))
    assert new.capabilities is not None
    assert new.capabilities.sizes == ("1920x1080",)
    assert new.capabilities.lengths == Lengths(minimum=2, maximum=12)
    assert (new.capabilities.prompt_limit, new.capabilities.max_references, new.capabilities.seed) == (900, 3, True)
    assert new.capabilities.needs_reference
    assert models["old-one"].deprecated
    assert models["gone-one"].retired
    assert models["kling-3"].capabilities is not None
    assert models["kling-3"].capabilities.prompt_limit == 2500


def test_a_bare_proxy_that_tells_nothing_keeps_all_its_names() -> None:
    listed = [{"id": "studio-a", "object": "model"}, {"id": "studio-b", "object": "model"}]
    with fake(says(200, {"data": listed})) as server:
        models = client(server, dialect=Dialect.OPENAI).models()
    assert [model.slug for model in models] == ["studio-a", "studio-b"]
    assert len(server.heard) == 1


def test_a_model_list_that_cannot_be_read_is_an_error_not_an_empty_list() -> None:
    with fake(says(200, b"<html>")) as server, pytest.raises(Unclear):
        client(server).models()
    with fake(says(200, {"error": {"message": "x"}})) as server, pytest.raises(Unclear):
        client(server).models()


def test_no_gateway_means_not_sent_for_reads_too() -> None:
    with fake(says()) as server:
        gateway = client(server)
    with pytest.raises(NotSent):
        gateway.retrieve("v")


def test_the_table_of_known_models_has_even_sizes_and_unique_names() -> None:
    names = [name for model in KNOWN for name in (model.slug, *model.aliases)]
    assert len(names) == len(set(names))
    for model in KNOWN:
        for size in model.capabilities.sizes:
            assert all(int(side) % 2 == 0 for side in size.split("x")), (model.slug, size)
        assert model.capabilities.from_json(model.capabilities.to_json()) == model.capabilities


def test_text_that_a_database_would_refuse_is_cleaned() -> None:
    told = {"id": "v", "status": "failed", "error": {"code": "a\x00b", "message": "x\ud800y" + "z" * 5000}}
    with fake(says(200, told)) as server:
        job = client(server).retrieve("v")
    assert job.error is not None
    assert job.error.code == "ab"
    assert job.error.message.encode().startswith(b"x?yzzz")
    assert len(job.error.message) == 500
