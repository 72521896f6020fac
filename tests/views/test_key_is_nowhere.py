"""A canary is typed as a key, and everything is gone through that happens to one: no trace of it is left anywhere."""

import base64
import logging
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from playground.models import Gateway, Role
from playground.services import (
    backup,
    catalogue,
    gateway_checks,
    gateways,
    hooks,
    keys_used,
    sealed,
    sealing,
    team_gateways,
    typed_gateways,
)
from tests import factories
from tests.bench import run_queue
from tests.gateway.fake import fake, reply
from tests.sandbox_server import start_sandbox
from tests.services.test_team_gateways import driven, order

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "lmnfl_CANARY0123456789abcdefCANARY"
SECOND = "lmnfl_CANARY9876543210fedcbaCANARY"
ADD = "/team/gateways/new/"


@pytest.fixture
def admin(settings):
    settings.TEAM_GATEWAYS_LOCAL = True
    return factories.make_member(role=Role.ADMIN)


@pytest.fixture
def heard(caplog, capfd):
    """Everything that is logged, at its most talkative, with tracebacks; also what goes past the root logger."""
    caplog.set_level(logging.DEBUG)
    levels = {name: logging.getLogger(name).level for name in ("django", "django.db.backends", "django.template")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger("django.template").setLevel(logging.INFO)  # pages of tracebacks for each variable left out
    yield lambda: caplog.text + "".join(str(record.__dict__) for record in caplog.records) + capfd.readouterr().err
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def traces_of(secret: str, text: str) -> bool:
    told = [secret, base64.b64encode(secret.encode()).decode().rstrip("=")]
    return any(form in text for form in told)


def assert_clean(where: str, text: str) -> None:
    for secret in (CANARY, SECOND):
        assert not traces_of(secret, text), where


def whole_database() -> str:
    found = []
    for model in apps.get_models():
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            found.append(repr(cursor.fetchall()))
    for table in ("cache",):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT value FROM {table}")
            found += [base64.b64decode(value).decode("latin-1") for (value,) in cursor.fetchall()]
    return "".join(found)


def queue_rows() -> str:
    rows = apps.get_model("django_q", "OrmQ").objects.all()
    return "".join(repr(row.task) for row in rows)


def command_lines() -> str:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "".join(lines)


def test_typed_key_is_in_no_page_log_row_backup_or_process(admin, browser_of, heard, tmp_path, settings):
    client, pages = browser_of(admin), []
    with start_sandbox(SANDBOX_API_KEYS=f"{CANARY},{SECOND}") as server:
        form = {
            "kind": "other", "name": "Ours", "base_url": server.base_url, "dialect": "lumenfall", "use_it": "on",
            "honours": list(typed_gateways.WORDS),
        }  # fmt: skip
        presses = ({"test": "1"}, {"base_url": "nonsense"}, {"name": ""}, {"honours": "x"}, {})
        pages += [client.post(ADD, {**form, "key": CANARY, **more}) for more in presses]
        queued = queue_rows()
        run_queue()
        gateway = Gateway.objects.get(team=admin.team)
        assert gateways.config_of(gateway).api_key == CANARY  # it works, so it is somewhere
        made = driven(order(admin))
        key_page = reverse("team_gateways.key", args=[gateway.id])
        pages += [client.post(key_page, {"key": SECOND, "test": "1"}), client.post(key_page, {"key": SECOND})]
        pages.append(client.post(reverse("team_gateways.check", args=[gateway.id])))
        hooks.fetch_secret(gateway.id)
        cmdlines = command_lines()
    pages.append(client.post(reverse("team_gateways.check", args=[gateway.id])))  # nobody answers any more
    pages += [client.get(path) for path in everywhere(gateway, made)]
    keys_used.note(now=timezone.now())
    sealed.at_start()
    sealed.reseal()
    backup.write(tmp_path / "b.tar", now=timezone.now())

    for page in pages:
        assert_clean(page.request["PATH_INFO"], page.content.decode() + str(page.headers))
    assert_clean("queue", queued)
    assert_clean("database", whole_database())
    assert_clean("backup", (tmp_path / "b.tar").read_bytes().decode("latin-1"))
    assert_clean("keys-used", (Path(settings.DATA_DIR) / "keys-used.jsonl").read_text())
    assert_clean("logs", heard())
    assert_clean("processes", cmdlines)


def everywhere(gateway: Gateway, made: Any) -> list[str]:
    deeds = [reverse(f"team_gateways.{name}", args=[gateway.id]) for name in ("edit", "key", "remove")]
    own = reverse("runs.detail", args=[made.run_id])
    lists = ["/team/gateways/", "/team/models/", "/create/", "/gallery/", "/runs/", "/spend/", "/spend/reconcile/"]
    return [*lists, "/notices/", "/unclear/", "/spend/limits/", "/readyz", "/metrics", own, *deeds]


@pytest.mark.parametrize(
    "breaks", [(gateways, "typed_config"), (gateway_checks, "ask"), (sealing, "seal"), (team_gateways, "_slug")]
)
def test_key_is_in_no_traceback_of_a_fault_of_ours(admin, browser_of, heard, monkeypatch, breaks, settings):
    """Also where the fault's own words quote what it was called with, no page does."""
    module, name = breaks

    def broken(*args: Any, **options: Any) -> Any:
        raise RuntimeError("a fault of ours")

    client = browser_of(admin)
    client.raise_request_exception = False
    with fake(
        lambda heard, sock: sock.sendall(reply(200, {"data": [{"id": "kling-v3", "modalities": ["video"]}]}))
    ) as server:
        monkeypatch.setattr(module, name, broken)
        form = {"kind": "other", "name": "x", "base_url": f"{server.origin}/v1", "dialect": "openai", "key": CANARY}
        answer = client.post(ADD, form)
    assert answer.status_code == 500
    assert_clean("page", answer.content.decode())
    logs = heard()
    assert "a fault of ours" in logs
    assert_clean("logs", logs)
    assert not Gateway.objects.filter(team=admin.team).exists()


def test_gateway_that_repeats_the_key_in_its_errors_is_not_quoted(admin, browser_of, heard):
    """In its words, in its headers, and in a list of models."""

    def echoing(asked: Any, sock: Any) -> None:
        key = asked.headers.get("authorization", "")
        sock.sendall(reply(401, {"error": {"message": f"wrong key {key}", "code": key}}))

    client = browser_of(admin)
    with fake(echoing) as server:
        form = {"kind": "other", "name": "x", "base_url": f"{server.origin}/v1", "dialect": "openai", "key": CANARY}
        answers = [client.post(ADD, form), client.post(ADD, {**form, "test": "1"})]
        gateway = factories.make_gateway(
            is_sandbox=False, team=admin.team, base_url=f"{server.origin}/v1", sealed_key=sealing.seal(CANARY)
        )
        catalogue.try_sync(gateway)
    for answer in [*answers, client.get("/team/gateways/")]:
        assert_clean("page", answer.content.decode())
    assert_clean("database", whole_database())
    assert_clean("logs", heard())


def test_what_is_held_in_memory_shows_no_key_when_it_is_printed(settings):
    settings.TEAM_GATEWAYS_LOCAL = True
    typed = typed_gateways.lumenfall(CANARY)
    config = typed_gateways.config_of(typed)
    assert_clean("repr", f"{typed!r} {config!r} {typed} {config}")
