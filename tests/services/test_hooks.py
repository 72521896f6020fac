"""What a gateway's webhook may do: bring one question forward, and nothing else."""

import json
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.utils import timezone

from playground import queue
from playground.domain.status import Status
from playground.gateway.answers import Scrubber
from playground.gateway.types import Job, JobState
from playground.models import Gateway, Generation, WebhookDelivery
from playground.services import asking, gateways, hooks, outcomes, sealing, submit
from playground.services.orders import order_of
from tests.bench import Bench, bench, money, sandbox  # noqa: F401  fixtures
from tests.factories import make_gateway, make_generation
from tests.gateway.fake import Behaviour, fake, says
from tests.support.webhooks import BODY, SECRET, make_ready, signed

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_due_time_set_while_the_gateway_was_asked_outlives_its_answer(state: JobState) -> None:
    asked_at = timezone.now()
    taken_until = asked_at + asking.TAKEN_FOR
    generation = make_generation(status=Status.SUBMITTED, upstream_id="video_1", next_check_at=taken_until)
    told_at = asked_at + timedelta(milliseconds=5)
    type(generation).objects.filter(id=generation.id).update(next_check_at=told_at)

    answer = Job(id="video_1", state=state)
    now = asked_at + timedelta(milliseconds=20)
    outcomes.record(gateway=generation.gateway, answers=[(generation, answer)], now=now, taken={taken_until})

    generation.refresh_from_db()
    assert generation.next_check_at == told_at


# --- the address in the order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public", "is_sandbox", "loopback", "has_webhooks", "expected"),
    [
        ("https://videos.example.com", False, False, True, True),
        ("https://videos.example.com:8443", False, False, True, True),
        ("https://videos.example.com", True, False, True, True),
        ("https://videos.example.com", False, False, False, False),
        ("https://videos.example.com:9443", False, False, True, False),
        ("https://192.0.2.1", False, False, True, False),
        ("https://videos.internal", False, False, True, False),
        ("http://videos.example.com", False, True, True, False),
        ("http://localhost:8000", False, True, True, False),
        ("http://localhost:8000", True, False, True, False),
        ("http://localhost:8000", True, True, True, True),
        ("http://192.0.2.1:8000", True, True, True, False),
    ],
)
def test_order_names_an_address_only_where_the_gateway_would_call_it(
    settings: Any, public: str, is_sandbox: bool, loopback: bool, has_webhooks: bool, expected: bool
) -> None:
    settings.PUBLIC_URL, settings.SANDBOX_HOOK_LOOPBACK = public, loopback
    gateway = make_gateway(slug="lumenfall", is_sandbox=is_sandbox, has_webhooks=has_webhooks)
    found = hooks.with_address({"model": "m"}, gateway=gateway, hook_token="abc")
    assert found == {"model": "m"} | ({"webhook_url": f"{public}/hooks/lumenfall/abc/"} if expected else {})


def test_first_order_asks_for_the_secret_and_later_ones_do_not(settings: Any) -> None:
    settings.PUBLIC_URL = "https://videos.example.com"
    gateway = make_gateway(has_webhooks=True)
    for _ in range(3):
        hooks.with_address({}, gateway=gateway, hook_token="abc")
    assert queue.waiting_for("webhook_secret") == 1


def test_address_is_part_of_the_stored_order_so_that_a_retry_is_the_same(settings: Any) -> None:
    settings.PUBLIC_URL = "https://videos.example.com"
    generation = make_generation(status=Status.QUEUED)
    generation.body = hooks.with_address(
        {"model": "m", "prompt": "p", "seconds": 4, "size": "1280x720"},
        gateway=make_gateway(has_webhooks=True),
        hook_token=generation.hook_token,
    )
    generation.save()
    first, second = (order_of(Generation.objects.get(id=generation.id)).body() for _ in range(2))
    settings.PUBLIC_URL = "https://elsewhere.example.com"
    assert first == second == order_of(Generation.objects.get(id=generation.id)).body()
    assert first["webhook_url"] == generation.body["webhook_url"]


@pytest.mark.django_db(transaction=True)
def test_each_order_of_a_run_has_an_address_of_its_own(bench: Bench, settings: Any) -> None:  # noqa: F811
    settings.PUBLIC_URL = "https://videos.example.com"
    generations = bench.start("Two boats", wanted=bench.wanted(count=2)).generations.all()
    tokens = {generation.body["webhook_url"].split("/")[-2] for generation in generations}
    assert tokens == {generation.hook_token for generation in generations}
    assert len(tokens) == 2


def test_refusal_that_quotes_the_address_does_not_show_its_secret() -> None:
    address = "https://videos.example.com/hooks/lumenfall/s3cr3t-t0ken/"
    told = json.dumps({"error": {"code": "INVALID_REQUEST", "message": f"webhook_url {address} is refused"}}).encode()
    for body in (told, told.replace(b"refused", b"refused \\u00e9"), told.replace(b"/", b"\\/")):
        assert "s3cr3t" not in str(Scrubber("a key that is long enough").load(body))


# --- the secret ------------------------------------------------------------------------------------------------------


def test_sealed_secret_opens_again_and_says_nothing_by_itself() -> None:
    assert sealing.unseal(sealing.seal(SECRET)) == SECRET
    assert sealing.seal(SECRET) != sealing.seal(SECRET)
    assert "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" not in sealing.seal(SECRET)


@pytest.mark.parametrize("text", ["", SECRET, "gAAAAA", "é"])
def test_what_was_not_sealed_here_is_not_read(text: str) -> None:
    with pytest.raises(sealing.Unreadable):
        sealing.unseal(text)


def test_older_key_still_opens_and_the_newest_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    old, older = sealing.seal(SECRET), sealing.keys()
    newest = Fernet.generate_key().decode()
    monkeypatch.setattr(sealing, "keys", lambda: [newest, *older])
    assert sealing.unseal(old) == SECRET
    assert Fernet(newest).decrypt(sealing.seal(SECRET).encode()).decode() == SECRET


@pytest.mark.parametrize(
    "told", [says(200, {"key": "none"}), says(200, {}), says(200, b"[]"), says(404, {}), says(401, {})]
)
def test_answer_without_a_secret_leaves_the_old_one(
    settings: Any, told: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    with fake(told) as server:
        settings.SANDBOX_PORT = server.port
        gateway = make_gateway(slug="sandbox")
        make_ready(gateway)
        before = gateway.webhook_secret
        assert not hooks.fetch_secret(gateway.id)
    gateway.refresh_from_db()
    assert gateway.webhook_secret == before
    assert "webhook_key_not_fetched" in caplog.text


def test_gateway_removed_while_it_is_asked_gets_no_secret_back(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = make_gateway(slug="sandbox", has_webhooks=True)

    class Client:
        def webhook_secret(self) -> str:
            Gateway.objects.filter(id=gateway.id).update(removed_at=timezone.now(), webhook_secret="")
            return SECRET

    monkeypatch.setattr(gateways, "client_for", lambda _gateway: nullcontext(Client()))
    assert not hooks.fetch_secret(gateway.id)
    gateway.refresh_from_db()
    assert gateway.webhook_secret == ""


def test_secret_is_read_ahead_once_and_only_where_webhooks_can_come(settings: Any) -> None:
    with fake(says(200, {"key": SECRET})) as server:
        settings.SANDBOX_PORT = server.port
        gateway = make_gateway(slug="sandbox", has_webhooks=True)
        hooks.fetch_ahead(gateway)
        assert not server.heard
        settings.SANDBOX_HOOK_LOOPBACK = True
        for _ in range(2):
            gateway.refresh_from_db()
            hooks.fetch_ahead(gateway)
        assert [heard.target for heard in server.heard] == ["/v1/webhooks/secret"]
    gateway.refresh_from_db()
    assert sealing.unseal(gateway.webhook_secret) == SECRET


def test_messages_are_forgotten_after_two_weeks() -> None:
    generation = make_generation()
    now = timezone.now()
    for days in (13, 15):
        WebhookDelivery.objects.create(
            gateway=generation.gateway,
            generation=generation,
            delivery_id=f"msg_{days}",
            received_at=now - timedelta(days=days),
        )
    assert hooks.prune(now=now) == 1
    assert WebhookDelivery.objects.get().delivery_id == "msg_13"


# --- lost, doubled, early, late: the same end as without -------------------------------------------------------------


def told(generation: Generation, *message_ids: str) -> None:
    for message_id in message_ids:
        verdict = hooks.receive(
            gateway_slug=generation.gateway.slug,
            hook_token=generation.hook_token,
            headers=signed(message_id=message_id),
            body=BODY,
        )
        assert verdict is hooks.Verdict.TAKEN


ORDERS = {
    "none comes": [],
    "doubled": [(Status.RUNNING, ["msg_1", "msg_1"])],
    "out of order": [(Status.RUNNING, ["msg_3", "msg_1"]), (Status.COMPLETED, ["msg_2"])],
    "before the answer to the order": [(Status.SUBMITTING, ["msg_1"])],
    "after its end": [(Status.DONE, ["msg_1", "msg_1"])],
}


@pytest.mark.django_db(transaction=True)
def test_whatever_webhooks_come_the_order_ends_the_same(bench: Bench) -> None:  # noqa: F811
    ends = {name: _end(bench, messages) for name, messages in ORDERS.items()}
    assert len({repr(end) for end in ends.values()}) == 1, ends


def _end(bench: Bench, messages: list[tuple[Status, list[str]]]) -> dict[str, Any]:  # noqa: F811
    """How one order ends: its state, history, money, charges, and whether its video is there."""
    WebhookDelivery.objects.all().delete()
    run = bench.start("A lighthouse in the rain")
    make_ready(bench.model().gateway)
    for status, message_ids in messages:
        generation = run.generations.get()
        if status is Status.SUBMITTING:
            claim = submit.claim_queued(generation, now=timezone.now())
            told(run.generations.get(), *message_ids)
            submit._send(submit._read(generation.id), claim)  # type: ignore[arg-type]
        else:
            told(bench.drive(run, until={status, Status.DONE}), *message_ids)
    generation = bench.drive(run)
    assert WebhookDelivery.objects.count() == len({one for _, ids in messages for one in ids})
    return {
        "status": generation.status,
        "attempts": generation.attempts,
        "history": sorted(set(generation.events.values_list("kind", flat=True)) - {"started"}),
        "money": money(generation),
        "charges": len(bench.charges(generation)),
        "video": generation.video.size_bytes > 0,
    }
