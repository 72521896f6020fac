"""Webhooks of the sandbox: signed after the published vector, one for each end, tried again, kept over a kill."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.domain.webhooks import is_signed, signature, why_not_sent_to
from playground.sandbox import settings
from playground.sandbox.body import Body
from playground.sandbox.faults import HOOK_FAULTS
from playground.sandbox.hooks import HookRules, Sender, secret_of
from playground.sandbox.http import new_id
from playground.sandbox.job import Job, Times
from playground.sandbox.jobs import Jobs
from playground.sandbox.orders import read_order
from playground.sandbox.post import NotPosted, post
from tests.gateway.fake import Heard, fake
from tests.sandbox_server import SandboxServer, launch, start_sandbox
from tests.support.receiver import Posted, Receiver, receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SCALE = "0.01"


def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def sending() -> Iterator[SandboxServer]:
    with start_sandbox(SANDBOX_HOOK_LOOPBACK="true", SANDBOX_HOOK_SCALE=SCALE) as server:
        yield server


def secret(server: SandboxServer) -> str:
    return str(server.request("GET", "/webhooks/secret").json["key"])


def is_genuine(posted: Posted, key: str) -> bool:
    return is_signed(
        key,
        message_id=posted.headers["webhook-id"],
        timestamp=int(posted.headers["webhook-timestamp"]),
        body=posted.body,
        signatures=posted.headers["webhook-signature"],
    )


def log_of(server: SandboxServer, job_id: str) -> dict[str, Any]:
    rows = server.request("GET", f"{server.root_url}/sandbox/hooks").json["data"]
    return next((row for row in rows if row["job_id"] == job_id), {})


class Failing:
    """Jobs that fail at once, and the sender of their hooks, without a process of their own."""

    def __init__(self, folder: Path, **rules: Any) -> None:
        self.jobs = Jobs(folder, times=Times(), balance="100", honours_keys=True)
        self.sender = Sender(self.jobs.store, HookRules(loopback=True, **rules), clock=self.jobs.now)

    def end_one(self, url: str) -> Job:
        fields = {"prompt": "[[sandbox:fail]]", "model": "mock-video", "webhook_url": url}
        job, _ = self.jobs.accept(read_order(Body(fields)), "everyone", new_id("req_"))
        self.jobs.settle_due()
        return job

    def send(self, hooks: Receiver, *, until_posts: int) -> None:
        def sent() -> bool:
            self.sender.send_due()
            return len(hooks.posted) >= until_posts

        until(sent)
        self.sender.pool.shutdown()

    def close(self) -> None:
        self.jobs.renderer.close()
        self.jobs.store.close()


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Failing]]:
    monkeypatch.setattr(settings, "SANDBOX_HOOK_LOOPBACK", True)
    made: list[Failing] = []

    def make(**rules: Any) -> Failing:
        made.append(Failing(tmp_path, **rules))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_signature_is_that_of_the_published_vector() -> None:
    made = signature(
        SECRET, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}'
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/h",
        "https://192.0.2.1/h",
        "https://[2001:db8::1]/h",
        "https://2130706433/h",
        "https://0x7f.1/h",
        "https://example.com:8080/h",
        "https://localhost/h",
        "https://api.localhost/h",
        "https://printer.local/h",
        "https://intranet/h",
        "https://metadata.google.internal/h",
        "https://metadata.goog./h",
        "https://user:word@example.com/h",
        "https://example.com/a b",
        "https://example.com:port/h",
        "ftp://example.com/h",
        "https:///h",
    ],
)
def test_address_that_no_webhook_may_go_to_is_refused(url: str) -> None:
    assert why_not_sent_to(url)


def test_loopback_switch_opens_this_machine_and_nothing_else() -> None:
    for url in ("http://127.0.0.1:5/h", "http://localhost:8000/h", "http://[::1]/h"):
        assert why_not_sent_to(url)
        assert not why_not_sent_to(url, loopback=True)
    for url in ("http://example.com/h", "http://10.0.0.1/h", "https://192.168.1.2/h", "http://0.0.0.0/h"):
        assert why_not_sent_to(url, loopback=True)
    assert not why_not_sent_to("https://videos.example.com:8443/hooks/1")


def test_address_on_this_machine_is_refused_at_the_order_by_default(lumenfall: SandboxServer) -> None:
    answer = lumenfall.create(webhook_url="http://127.0.0.1:8000/h")
    assert (answer.status, answer.json["error"]["code"]) == (400, "INVALID_REQUEST")


def test_each_end_sends_one_signed_hook(sending: SandboxServer) -> None:
    prompts = {"completed": "A pier", "failed": "[[sandbox:fail]]", "cancelled": "[[sandbox:stuck]]"}
    with receiver() as hooks:
        key = secret(sending)
        jobs = {
            end: sending.create(prompt=prompt, webhook_url=hooks.url(f"/{end}")).json["id"]
            for end, prompt in prompts.items()
        }
        sending.request("DELETE", f"/videos/{jobs['cancelled']}")
        until(lambda: len(hooks.posted) == 3 and all(log_of(sending, job)["delivered_at"] for job in jobs.values()))
    found = {posted.path[1:]: posted for posted in hooks.posted}
    assert set(found) == set(prompts)
    for end, posted in found.items():
        assert is_genuine(posted, key)
        sent = json.loads(posted.body)
        assert (sent["type"], sent["data"]["status"]) == (f"video.{end}", end)
        assert sent["data"]["object"] == "video.generation"
        assert posted.headers["webhook-id"] == f"msg_{sent['data']['id']}"
        assert sent["data"]["id"].removeprefix("req_") != jobs[end].removeprefix("video_")
    assert json.loads(found["completed"].body)["data"]["output"]["url"].startswith(sending.root_url + "/media/")
    assert json.loads(found["failed"].body)["data"]["error"]["code"] == "UPSTREAM_ERROR"


def test_replayed_order_and_price_check_send_no_hook(sending: SandboxServer) -> None:
    with receiver() as hooks:
        fields = {"prompt": "[[sandbox:fail]]", "webhook_url": hooks.url(), "idempotency_key": "once"}
        assert sending.request("POST", "/videos?dryRun=true", {**fields, "model": "mock-video"}).status == 200
        first = sending.create(**fields).json["id"]
        until(lambda: log_of(sending, first).get("delivered_at"))
        assert sending.create(**fields).json["id"] == first
        other = sending.create(prompt="[[sandbox:fail]]", webhook_url=hooks.url("/other")).json["id"]
        until(lambda: log_of(sending, other).get("delivered_at"))
    assert [posted.path for posted in hooks.posted] == ["/hook", "/other"]


def test_order_by_form_may_name_the_address_too(sending: SandboxServer) -> None:
    with receiver() as hooks:
        parts = {"prompt": "[[sandbox:fail]]", "model": "mock-video", "webhook_url": hooks.url("/form")}
        lines = [f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in parts.items()]
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        body = "".join([*lines, "--b--\r\n"]).encode()
        assert sending.request("POST", "/videos", body, headers=headers).status == 202
        until(lambda: hooks.posted)
    assert hooks.posted[0].path == "/form"


def test_refused_hook_is_tried_three_times_more_with_one_id_and_then_given_up(sending: SandboxServer) -> None:
    with receiver(500) as hooks:
        job = sending.create(prompt="[[sandbox:fail]]", webhook_url=hooks.url()).json["id"]
        until(lambda: log_of(sending, job).get("tries") == 4)
    row = log_of(sending, job)
    assert (row["answer"], row["next_at"], row["delivered_at"]) == ("500", None, None)
    assert len({posted.headers["webhook-id"] for posted in hooks.posted}) == 1 < len(hooks.posted) == 4


def test_redirect_is_no_success_and_is_not_followed(sending: SandboxServer) -> None:
    with receiver(307, 204) as hooks:
        job = sending.create(prompt="[[sandbox:fail]]", webhook_url=hooks.url()).json["id"]
        until(lambda: log_of(sending, job).get("delivered_at"))
    assert [posted.path for posted in hooks.posted] == ["/hook", "/hook"]


def test_secret_belongs_to_the_account_and_stays(sending: SandboxServer, failing: Callable[..., Failing]) -> None:
    assert secret(sending) == secret(sending)
    assert sending.request("GET", "/webhooks/secret", key=None).status == 401
    store = failing().jobs.store
    assert secret_of(store, "alpha") == secret_of(store, "alpha") != secret_of(store, "beta")


def test_hook_outlives_a_killed_sandbox_and_keeps_its_id(tmp_path: Path) -> None:
    env = {"SANDBOX_HOOK_LOOPBACK": "true", "SANDBOX_HOOK_SAME_IDS": "true"}
    with receiver(503) as hooks:
        server = launch(data=tmp_path, **env)
        job = server.create(prompt="[[sandbox:fail]]", webhook_url=hooks.url()).json["id"]
        until(lambda: hooks.posted)
        server.kill()
        hooks.statuses[:] = [204]
        server = launch(data=tmp_path, **env, SANDBOX_HOOK_SCALE=SCALE)
        try:
            until(lambda: log_of(server, job).get("delivered_at"))
            assert is_genuine(hooks.posted[-1], secret(server))
        finally:
            server.kill()
    assert {posted.headers["webhook-id"] for posted in hooks.posted} == {f"msg_req_{job.removeprefix('video_')}"}


def test_duplicate_switch_sends_each_hook_twice_under_one_id(failing: Callable[..., Failing]) -> None:
    box = failing(faults=frozenset({"duplicate"}))
    with receiver() as hooks:
        box.end_one(hooks.url())
        box.send(hooks, until_posts=2)
    assert len({posted.headers["webhook-id"] for posted in hooks.posted}) == 1 < len(hooks.posted) == 2


def test_reordered_switch_lets_later_hooks_overtake(failing: Callable[..., Failing]) -> None:
    box = failing(scale=0.1, faults=frozenset({"reordered"}))
    with receiver() as hooks:
        for number in range(2):
            box.end_one(hooks.url(f"/{number}"))
        box.send(hooks, until_posts=2)
    assert [posted.path for posted in hooks.posted] == ["/1", "/0"]


def test_delayed_switch_holds_every_hook_back(failing: Callable[..., Failing]) -> None:
    box = failing(scale=0.02, faults=frozenset({"delayed"}))
    with receiver() as hooks:
        job = box.end_one(hooks.url())
        box.sender.send_due()
        row = box.jobs.store.row("SELECT * FROM hook WHERE job_id = ?", job.id)
        assert row is not None
        assert (row["tries"], row["busy"], row["next_at"] > box.jobs.now()) == (0, 0, True)
        box.send(hooks, until_posts=1)


def test_forged_switch_signs_with_a_foreign_key(failing: Callable[..., Failing]) -> None:
    box = failing(faults=frozenset({"forged"}))
    with receiver(401) as hooks:
        box.end_one(hooks.url())
        box.send(hooks, until_posts=1)
    assert not is_genuine(hooks.posted[0], secret_of(box.jobs.store, "everyone"))


def test_lost_switch_sends_nothing_and_does_not_try_again(failing: Callable[..., Failing]) -> None:
    box = failing(faults=frozenset({"lost"}))
    with receiver() as hooks:
        job = box.end_one(hooks.url())
        box.sender.send_due()
        box.sender.pool.shutdown()
        row = box.jobs.store.row("SELECT * FROM hook WHERE job_id = ?", job.id)
    assert row is not None
    assert (row["next_at"], row["delivered_at"], hooks.posted) == (None, None, [])


def test_address_is_checked_again_before_each_delivery(failing: Callable[..., Failing]) -> None:
    box = failing()
    with receiver() as hooks:
        job = box.end_one(hooks.url())
        box.sender.rules = HookRules(loopback=False)
        box.sender.send_due()
        box.sender.pool.shutdown()
        row = box.jobs.store.row("SELECT * FROM hook WHERE job_id = ?", job.id)
    assert row is not None
    assert row["answer"].startswith("refused")
    assert (row["next_at"], hooks.posted) == (None, [])


def test_receiver_that_drips_is_cut_off() -> None:
    """Each single wait is short; the whole try has one limit."""

    def drip(_heard: Heard, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(90):
            sock.sendall(b"X-Drop: 1\r\n")
            time.sleep(0.05)

    with fake(drip) as server, pytest.raises(NotPosted):
        post(f"{server.origin}/", b"{}", {}, seconds=0.3, loopback=True)


def test_every_switch_is_documented_and_tested() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    assert [name for name, words in HOOK_FAULTS.items() if f"| `{name}` | {words} |" not in page] == []
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in HOOK_FAULTS if f'faults=frozenset({{"{name}"}})' not in source] == []
