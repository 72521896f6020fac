"""The pages of gateways and models in a browser: axe, both themes, a phone, by keyboard, with scripts and without."""

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from playground.models import Gateway, Lifecycle, TeamModel
from playground.services import catalogue, pauses, sealing
from tests import factories
from tests.gateway.fake import fake, reply
from tests.views.test_account_in_chromium import assert_fine, open_page  # noqa: F401  a fixture

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

KEY = "lmnfl_a_key_that_must_not_be_seen"


@pytest.fixture
def filled(admin):
    """A paused gateway of the team's own with a long name, in use; models live, retiring and retired."""
    cache.clear()
    gateway = factories.make_gateway(
        is_sandbox=False, is_default=True, team=admin.team, name="A long name of a gateway " * 3,
        sealed_key=sealing.seal(KEY), key_last4=KEY[-4:], key_set_at=timezone.now(), key_set_by=admin.user,
        base_url=f"https://{'very-long-' * 12}gateway.example/v1", sync_error="It did not answer.",
    )  # fmt: skip
    pauses.pause(gateway, reason=pauses.KEY, now=timezone.now())
    factories.make_model("x" * 120, gateway=gateway, name="Longest " * 20, price_note="from $0.10 per second")
    factories.make_model("veo", gateway=gateway, lifecycle=Lifecycle.RETIRING)
    factories.make_model("sora-2", gateway=gateway, lifecycle=Lifecycle.RETIRED)
    catalogue.default_gateway()
    return gateway


@pytest.mark.parametrize("name", ["index", "add", "other", "key", "edit", "remove", "models"])
def test_page_is_fine(open_page, admin, filled, name):  # noqa: F811
    paths = {
        "index": "/team/gateways/",
        "add": "/team/gateways/new/",
        "other": "/team/gateways/new/?kind=other",
        "models": "/team/models/",
    }
    path = paths.get(name) or reverse(f"team_gateways.{name}", args=[filled.id])
    page = open_page(path, admin)
    for more in page.locator(".gateways__more > summary").all():
        more.click()
    assert_fine(page)


def answering(heard, sock) -> None:
    sock.sendall(reply(200, {"data": [{"id": "kling-v3", "object": "model", "modalities": ["video"]}]}))


@pytest.mark.parametrize("scripts", [True, False])
def test_gateway_is_tested_then_connected(open_page, admin, settings, scripts):  # noqa: F811
    settings.TEAM_GATEWAYS_LOCAL = True
    page = open_page("/team/gateways/new/?kind=other", admin, java_script_enabled=scripts)
    with fake(answering) as server:
        page.fill("[name=name]", "Ours")
        page.fill("[name=base_url]", f"{server.origin}/v1")
        page.fill("[name=key]", KEY)
        page.get_by_role("button", name="Test").click()
        expect(page.locator("#answer")).to_contain_text("It answers and offers 1 video model.")
        assert page.input_value("[name=base_url]") == f"{server.origin}/v1"
        assert page.input_value("[name=key]") == (KEY if scripts else "")
        assert not Gateway.objects.filter(team=admin.team).exists()
        page.fill("[name=key]", KEY)
        with page.expect_navigation():
            page.press("[name=name]", "Enter")
    assert page.url.endswith("/team/gateways/")
    expect(page.locator("main")).to_contain_text("Your team orders here")
    assert KEY not in page.content()


def test_refused_form_shows_what_is_wrong_beside_its_field(open_page, admin):  # noqa: F811
    page = open_page("/team/gateways/new/?kind=other", admin)
    page.fill("[name=base_url]", "http://gateway.example/v1")
    page.fill("[name=name]", "x")
    page.fill("[name=key]", KEY)
    with page.expect_navigation():
        page.get_by_role("button", name="Connect it").click()
    assert page.locator("#id_base_url").get_attribute("aria-invalid") == "true"
    assert_fine(page)


def test_models_are_saved_without_scripts(open_page, admin, filled):  # noqa: F811
    page = open_page("/team/models/", admin, java_script_enabled=False)
    page.get_by_label("Offer veo").uncheck()
    with page.expect_navigation():
        page.get_by_role("button", name="Save the models").click()
    assert not TeamModel.objects.get(model__slug="veo").enabled
