"""The gateway page: what is in use, what it offers, what a check answers. The key is on no page."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from playground.domain.status import Status
from playground.models import AuditEntry
from playground.services import catalogue, gateways, pauses
from tests import factories
from tests.support.processes import free_port

pytestmark = pytest.mark.pure

KEY = "lmnfl_a_key_that_must_not_be_seen"


def declared_on(page: str) -> list[str]:
    return [" ".join(text.split()) for text in re.findall(r"<dd>(.*?)</dd>", page, flags=re.DOTALL)][2:]


def test_page_says_what_the_gateway_is_trusted_with(admin, browser_of):
    catalogue.default_gateway()
    declared = declared_on(browser_of(admin).get(reverse("team_gateways.index")).content.decode())
    price, stops, key, log, hooks = declared[:5]
    assert (price, stops) == ("Yes", "Yes")
    assert key.startswith("Yes, for 1 hour: ")
    assert log.startswith("Yes: ")
    assert hooks.startswith("Yes, by webhook")


def test_what_waits_at_a_paused_gateway_is_not_what_the_pill_counts(admin, browser_of):
    gateway = catalogue.default_gateway()
    pauses.pause(gateway, reason=pauses.BALANCE, now=timezone.now())
    model = factories.make_model("veo-3.1", gateway=gateway)
    for _ in range(3):
        factories.make_generation(by=factories.make_member(), model=model, status=Status.QUEUED)
    page = browser_of(admin).get(reverse("team_gateways.index")).content.decode()
    assert "3 orders wait until their own deadlines." in page
    assert "pill__waiting" not in page  # they are another team's


def test_unknown_gateway_is_trusted_with_nothing_and_the_page_says_so(admin, browser_of, settings):
    settings.GATEWAY_BASE_URL, settings.GATEWAY_API_KEY = "http://127.0.0.1:9/v1", KEY
    gateway = gateways.ensure_default()
    assert gateway.key_trusted_seconds == 0
    assert not any((gateway.has_request_log, gateway.has_webhooks, gateway.honours_idempotency_key))
    declared = declared_on(browser_of(admin).get(reverse("team_gateways.index")).content.decode())
    assert all(words.startswith("No") for words in declared[:5])


def test_gateway_is_trusted_with_what_it_is_declared_to_honour(admin, browser_of, settings):
    settings.GATEWAY_BASE_URL, settings.GATEWAY_API_KEY = "http://127.0.0.1:9/v1", KEY
    settings.GATEWAY_HONOURS, settings.GATEWAY_KEY_TRUSTED_S = "idempotency-key,request-log", 7200
    settings.GATEWAY_DIALECT = "lumenfall"
    gateway = gateways.ensure_default()
    assert (gateway.honours_idempotency_key, gateway.key_trusted_seconds) == (True, 7200)
    price, stops, key, log, hooks = declared_on(browser_of(admin).get(reverse("team_gateways.index")).content.decode())[
        :5
    ]
    assert key.startswith("Yes, for 2 hours: ")
    assert log.startswith("Yes: ")
    assert all(words.startswith("No") for words in (price, stops, hooks))


def test_key_is_never_shown(admin, browser_of, settings):
    settings.GATEWAY_BASE_URL = "http://127.0.0.1:9/v1"
    settings.GATEWAY_API_KEY = KEY
    settings.LUMENFALL_API_KEY = KEY
    client = browser_of(admin)
    assert KEY not in client.get(reverse("team_gateways.index")).content.decode()
    assert KEY not in client.post(reverse("team_gateways.check")).content.decode()


def test_check_says_in_words_that_nothing_answers(admin, browser_of, settings):
    settings.SANDBOX_PORT = free_port()
    whole = browser_of(admin).post(reverse("team_gateways.check"))
    fragment = browser_of(admin, htmx=True).post(reverse("team_gateways.check"))
    for answer in (whole, fragment):
        assert answer.status_code == 200
        assert f"No answer from http://localhost:{settings.SANDBOX_PORT}" in answer.content.decode().replace(
            "127.0.0.1", "localhost"
        )
    assert "<html" not in fragment.content.decode()


def test_paused_gateway_says_why_and_an_admin_may_use_it_again(admin, member, browser_of):
    gateway = catalogue.default_gateway()
    waiting = factories.make_generation(
        by=member, model=factories.make_model(gateway=gateway), status=Status.QUEUED, next_check_at=timezone.now()
    )
    pauses.pause(gateway, reason=pauses.BALANCE, now=timezone.now())
    page = " ".join(browser_of(admin).get(reverse("team_gateways.index")).content.decode().split())
    assert "its account is out of credit" in page
    assert "1 order waits until its own deadline." in page
    assert "Use it again now" in page
    card = browser_of(member).get(reverse("generations.card", args=[waiting.id]), headers={"HX-Request": "true"})
    assert "The gateway is paused: its account is out of credit." in card.content.decode()
    assert browser_of(member).post(reverse("team_gateways.resume")).status_code == 404

    for said in ("It is tried again now", "is in use already"):
        answer = browser_of(admin).post(reverse("team_gateways.resume"), follow=True)
        assert said in answer.content.decode()
    assert AuditEntry.objects.get(kind="gateway_resumed").by == admin.user
