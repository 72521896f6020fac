"""The log of a day's work at level debug, by the formatter of an installation: no secret is in it, nor a prompt."""

import io
import logging

import pytest
import structlog
from django.db import connection
from django.test import Client

from playground.logs import QUIET, logging_config
from playground.models import Run
from playground.services import people
from tests import factories
from tests.support.webhooks import BODY, as_meta, make_ready, signed
from tests.views.test_create import priced, values

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
PROMPT, PASSWORD, KEY = "canary-prompt-heron", "canary-password-0123", "lmnfl_canary0123"


@pytest.fixture(params=[False, True], ids=["text", "json"])
def log(request, settings):
    """What an installation would have written; reads anew at each call."""
    config = logging_config(level="DEBUG", as_json=request.param)
    line = dict(config["formatters"]["line"])
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**{key: line[key] for key in line if key != "()"}))
    loggers = [logging.getLogger(), logging.getLogger("django")]
    quiet = [logging.getLogger(name) for name, given in config["loggers"].items() if given["level"] == logging.WARNING]
    levels = [(logger, logger.level) for logger in (*loggers, *quiet)]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    for logger in quiet:
        logger.setLevel(logging.WARNING)
    yield stream.getvalue
    for logger, level in levels:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_a_days_work_leaves_no_secret_in_the_log(log, settings, monkeypatch):
    settings.LUMENFALL_API_KEY = KEY
    user = factories.make_user("canary@example.com", password=PASSWORD)
    member = factories.make_member(user=user)
    model = factories.make_model("kling-v3", gateway=factories.make_gateway(slug="sandbox", is_default=True))
    priced(model)
    connection.force_debug_cursor = True
    try:
        secrets = list(work(member, model, monkeypatch))
    finally:
        connection.force_debug_cursor = False
    written = log()
    assert "request_finished" in written
    assert "ZeroDivisionError" in written
    assert Run.objects.filter(prompt=PROMPT).exists()
    for secret in (PROMPT, PASSWORD, KEY, "canary-wrong", "canary-query", *secrets):
        assert secret not in written


def work(member, model, monkeypatch):
    """Signing in by password and by link, looking, ordering, a webhook, what goes wrong; yields what is secret."""
    browser = Client()
    browser.raise_request_exception = False
    browser.post("/account/login/", {"login": member.user.email, "password": "canary-wrong"})
    browser.post("/account/login/", {"login": member.user.email, "password": PASSWORD})
    yield browser.cookies["session"].value
    browser.get("/create/?prompt=canary-query")
    yield browser.cookies["csrf"].value
    press = values(model, prompt=PROMPT, team=member.team.slug)
    browser.post("/create/price/", press)
    browser.post("/create/", press)
    with monkeypatch.context() as patch:
        patch.setattr("playground.views.create.Draft.from_data", lambda *_: 1 / 0)
        browser.post("/create/", press)
    browser.get("/nothing/?signature=canary-query")
    link = people.signin_link(email=member.user.email, base_url="")
    yield link.split("/")[2]
    for method in (Client().get, Client(enforce_csrf_checks=True).post, Client().post, Client().get):
        method(link)
    for path in ("/welcome/canary-welcome/", "/invite/canary-invite/", "/s/canary-share/", "/s/canary-share/a/?x=1"):
        Client().get(path)
    yield from ("canary-welcome", "canary-invite", "canary-share")
    generation = factories.make_generation(by=member, model=model, status="running", upstream_id="video_1")
    make_ready(generation.gateway)
    hook = f"/hooks/sandbox/{generation.hook_token}/"
    Client().post(hook, BODY, content_type="application/json", **as_meta(signed(BODY)))
    Client().post(hook, b"x", content_type="application/json")
    yield generation.hook_token
    Client().get("/metrics", headers={"Authorization": "Bearer canary-metrics"})
    yield "canary-metrics"
    browser.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": "canary-new-password"})
    yield "canary-new-password"


@pytest.mark.parametrize("name", ["httpx", "httpcore", "aiohttp", "django.db.backends", "django.template", "urllib3"])
def test_libraries_that_write_requests_out_are_quiet_at_debug(name):
    assert name in QUIET
    assert logging_config(level="DEBUG", as_json=False)["loggers"][name]["level"] == logging.WARNING
