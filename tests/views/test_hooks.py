"""The address for webhooks: what gets in, what is refused with which status, and that neither leaves a trace."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from playground import queue
from playground.domain.status import Status
from playground.logs import scrub
from playground.models import Gateway, Generation, Rate, WebhookDelivery
from playground.rate_limits import Limit
from playground.views.hooks import MAX_BODY
from tests.factories import make_generation
from tests.support.webhooks import BODY, OTHER_SECRET, SECRET, as_meta, make_ready, signed

pytestmark = [pytest.mark.django_db, pytest.mark.pure]

MINUTE = 60


@pytest.fixture
def running() -> Generation:
    """An order that is due in an hour."""
    generation = make_generation(status=Status.RUNNING, upstream_id="video_1")
    make_ready(generation.gateway)
    return generation


def address(generation: Generation) -> str:
    return reverse("hooks.receive", args=[generation.gateway.slug, generation.hook_token])


def post(path: str, body: bytes = BODY, headers: dict[str, str] | None = None, **extra: Any) -> Any:
    meta = as_meta(signed(body) if headers is None else headers)
    client = Client(enforce_csrf_checks=True)
    return client.post(path, body, **{"content_type": "application/json"} | meta | extra)


def is_due(generation: Generation) -> bool:
    generation.refresh_from_db()
    return generation.next_check_at is not None and generation.next_check_at <= timezone.now()


def test_signed_message_makes_the_order_due_and_changes_nothing_else(running: Generation) -> None:
    before = Generation.objects.filter(id=running.id).values().get()
    answer = post(address(running))
    assert (answer.status_code, answer.content) == (204, b"")
    assert is_due(running)
    after = Generation.objects.filter(id=running.id).values().get()
    assert {name for name in after if after[name] != before[name]} == {"next_check_at"}
    delivery = WebhookDelivery.objects.get()
    assert (delivery.delivery_id, delivery.kind, delivery.generation) == ("msg_1", "video.completed", running)
    assert queue.waiting_for("sweep") == 1


def test_known_message_reads_little_and_neither_session_nor_person(
    running: Generation, django_assert_max_num_queries: Any
) -> None:
    post(address(running))
    with django_assert_max_num_queries(3):
        assert post(address(running)).status_code == 204


def changed(headers: dict[str, str], **values: str | None) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return {name: value for name, value in (headers | named).items() if value is not None}


ONE_BIT = BODY.replace(b"completed", b"completee", 1)
BAD: dict[str, Callable[[], tuple[bytes, dict[str, str], int]]] = {
    "no headers": lambda: (BODY, {}, 400),
    "no id": lambda: (BODY, changed(signed(), webhook_id=None), 400),
    "no timestamp": lambda: (BODY, changed(signed(), webhook_timestamp=None), 400),
    "no signature": lambda: (BODY, changed(signed(), webhook_signature=None), 400),
    "empty signature": lambda: (BODY, changed(signed(), webhook_signature=" "), 400),
    "id too long": lambda: (BODY, signed(message_id="m" * 256), 400),
    "id with a space": lambda: (BODY, signed(message_id="msg 1"), 400),
    "timestamp no number": lambda: (BODY, changed(signed(), webhook_timestamp="now"), 400),
    "timestamp with a sign": lambda: (BODY, changed(signed(), webhook_timestamp="+1"), 400),
    "timestamp beyond all time": lambda: (BODY, changed(signed(), webhook_timestamp="9" * 400), 400),
    "six minutes old": lambda: (BODY, signed(age_s=6 * MINUTE), 400),
    "six minutes ahead": lambda: (BODY, signed(age_s=-6 * MINUTE), 400),
    "another secret": lambda: (BODY, signed(secret=OTHER_SECRET), 401),
    "another body": lambda: (ONE_BIT, signed(), 401),
    "another id": lambda: (BODY, changed(signed(), webhook_id="msg_2"), 401),
    "no comma": lambda: (BODY, changed(signed(), webhook_signature="v1"), 401),
    "two commas": lambda: (BODY, changed(signed(), webhook_signature="v1,a,b"), 401),
    "no base64": lambda: (BODY, changed(signed(), webhook_signature="v1,***"), 401),
    "another version": lambda: (
        BODY,
        changed(signed(), webhook_signature=signed()["webhook-signature"].replace("v1", "v2")),
        401,
    ),
    "signatures without end": lambda: (BODY, changed(signed(), webhook_signature="v1,a " * 1000), 400),
    "signed, but no JSON": lambda: (b"video.completed", signed(b"video.completed"), 400),
    "signed, but no UTF-8": lambda: (b"\xff\xfe{}", signed(b"\xff\xfe{}"), 400),
    "signed, but no object": lambda: (b"[1]", signed(b"[1]"), 400),
    "signed, but without a type": lambda: (b"{}", signed(b"{}"), 400),
    "signed, but nested too deeply": lambda: (b"[" * 60_000, signed(b"[" * 60_000), 400),
    "signed, but empty": lambda: (b"", signed(b""), 400),
    "of unknown length": lambda: (BODY, signed() | {"Transfer-Encoding": "chunked"}, 411),
    "too large": lambda: (b" " * (MAX_BODY + 1), signed(b" " * (MAX_BODY + 1)), 413),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_delivery_has_its_status_and_no_effect(running: Generation, name: str) -> None:
    body, headers, status = BAD[name]()
    assert post(address(running), body, headers).status_code == status
    assert not is_due(running)
    assert not WebhookDelivery.objects.exists()
    assert queue.waiting_for("sweep") == 0


@pytest.mark.parametrize("minutes", [4, -4])
def test_senders_clock_may_be_four_minutes_off(running: Generation, minutes: int) -> None:
    assert post(address(running), headers=signed(age_s=minutes * MINUTE)).status_code == 204
    assert is_due(running)


def test_one_of_several_signatures_is_enough(running: Generation) -> None:
    headers = signed()
    headers["webhook-signature"] = (
        f"{signed(secret=OTHER_SECRET)['webhook-signature']} v1a,x {headers['webhook-signature']}"
    )
    assert post(address(running), headers=headers).status_code == 204
    assert is_due(running)


def test_unknown_gateway_or_order_is_not_found(running: Generation) -> None:
    other = make_generation(status=Status.RUNNING).gateway
    token = running.hook_token
    for path in (f"/hooks/{other.slug}x/{token}/", f"/hooks/{running.gateway.slug}/{token}x/", "/hooks/a%00b/c/"):
        assert post(path).status_code == 404
    assert not is_due(running)


def test_only_post_is_taken(running: Generation) -> None:
    assert Client().get(address(running)).status_code == 405
    assert Client().put(address(running)).status_code == 405


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=b", "application/x-www-form-urlencoded", "text/plain", ""]
)
def test_content_type_is_not_what_decides(running: Generation, kind: str) -> None:
    answer = post(address(running), content_type=kind)
    assert answer.status_code in {204, 400}
    assert is_due(running) == (answer.status_code == 204)


def test_replay_is_taken_and_does_nothing(running: Generation) -> None:
    headers = signed()
    post(address(running), headers=headers)
    later = timezone.now() + timedelta(hours=1)
    Generation.objects.filter(id=running.id).update(next_check_at=later)
    for _ in range(5):
        assert post(address(running), headers=headers).status_code == 204
    assert not is_due(running)
    assert WebhookDelivery.objects.count() == 1


@pytest.mark.parametrize("status", [Status.DONE, Status.FAILED, Status.UNKNOWN, Status.SUBMITTING, Status.STORING])
def test_order_that_is_not_being_asked_for_stays_as_it_is(status: Status) -> None:
    generation = make_generation(status=status)
    make_ready(generation.gateway)
    before = Generation.objects.filter(id=generation.id).values().get()
    assert post(address(generation)).status_code == 204
    assert Generation.objects.filter(id=generation.id).values().get() == before
    assert WebhookDelivery.objects.count() == 1


@pytest.mark.parametrize(
    ("failures", "paused", "asked"),
    [(2, "", True), (3, "", False), (0, "key", False), (0, "answers", False), (0, "balance", True)],
)
def test_order_keeps_its_pause_only_where_its_gateway_is_not_asked_or_fails_often(
    running: Generation, failures: int, paused: str, asked: bool
) -> None:
    Generation.objects.filter(id=running.id).update(poll_failures=failures)
    Gateway.objects.filter(id=running.gateway_id).update(paused_reason=paused)
    assert post(address(running)).status_code == 204
    assert is_due(running) is asked


def test_stopped_order_that_is_still_looked_for_is_asked_at_once() -> None:
    later = timezone.now() + timedelta(hours=1)
    stopped = make_generation(
        status=Status.CANCELLED, upstream_id="video_2", next_check_at=later, ended_at=timezone.now()
    )
    make_ready(stopped.gateway)
    assert post(address(stopped)).status_code == 204
    assert is_due(stopped)


def test_without_a_readable_secret_the_sender_is_asked_to_come_again(running: Generation, settings: Any) -> None:
    settings.SECRETS_KEYS = []  # the one that sealed it is gone
    answers = [post(address(running)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[0].headers["Retry-After"] == "5"
    assert not is_due(running)
    assert queue.waiting_for("webhook_secret") == 1


def test_wrong_signature_has_the_secret_read_again_once_a_minute(running: Generation) -> None:
    for number in range(3):
        post(address(running), headers=signed(message_id=f"msg_{number}", secret=OTHER_SECRET))
    assert queue.waiting_for("webhook_secret") == 1


def test_stranger_without_a_token_makes_nothing_be_read(running: Generation) -> None:
    post(f"/hooks/{running.gateway.slug}/nobodys/", headers=signed(secret=OTHER_SECRET))
    assert queue.waiting() == 0


def test_sender_of_many_bad_ones_is_not_heard_for_a_while(
    running: Generation, django_assert_num_queries: Any, settings: Any
) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "webhook": Limit(3, 60)}
    for _ in range(3):
        assert post("/hooks/sandbox/nobodys/").status_code == 404
    with django_assert_num_queries(1):
        refused = post(address(running))
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert post(address(running), REMOTE_ADDR="192.0.2.7").status_code == 204


def test_good_ones_are_never_too_many(running: Generation, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "webhook": Limit(3, 60)}
    for number in range(6):
        assert post(address(running), headers=signed(message_id=f"msg_{number}")).status_code == 204


def test_behind_a_trusted_proxy_the_client_is_who_it_says(settings: Any) -> None:
    settings.TRUST_PROXY = True
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "webhook": Limit(1, 60)}
    assert post("/hooks/a/b/", HTTP_X_FORWARDED_FOR="10.9.9.9, 192.0.2.1").status_code == 404
    assert post("/hooks/a/b/", HTTP_X_FORWARDED_FOR="192.0.2.1").status_code == 429
    assert post("/hooks/a/b/", HTTP_X_FORWARDED_FOR="192.0.2.2").status_code == 404


def test_neither_token_nor_secret_nor_body_is_logged(running: Generation, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    post(address(running))
    post(address(running), headers={})
    post(address(running), headers=signed(secret=OTHER_SECRET))
    post(address(running) + "x", BODY)
    Client().get(address(running))
    written = [
        str(scrub(None, "", dict(record.msg) if isinstance(record.msg, dict) else {"event": record.getMessage()}))
        for record in caplog.records
    ]
    assert any("/hooks/[not logged]" in line for line in written)
    for private in (running.hook_token, SECRET, "req_1", signed()["webhook-signature"][3:]):
        assert not [line for line in written if private in line]


_header = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message_id=_header, timestamp=_header, signatures=_header, body=st.binary(max_size=200))
def test_no_headers_and_no_body_make_it_fail(
    running: Generation, message_id: str, timestamp: str, signatures: str, body: bytes
) -> None:
    Rate.objects.all().delete()
    headers = {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signatures}
    assert post(address(running), body, headers).status_code in {400, 401}


def test_answer_tells_a_stranger_nothing(running: Generation) -> None:
    assert post(f"/hooks/{running.gateway.slug}/x/").content == b"no such address\n"
    assert json.loads(BODY)["data"]["id"].encode() not in post(address(running), headers={}).content
