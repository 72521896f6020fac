"""The gateway page: what is in use, what it offers, what a check answers. The key is on no page."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from playground.domain.status import Status
from playground.models import AuditEntry, Gateway
from playground.services import catalogue, gateways, pauses, sealing
from tests import factories
from tests.gateway.fake import fake, reply
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


@pytest.fixture
def local(settings):
    settings.TEAM_GATEWAYS_LOCAL = True


def own(admin, **fields) -> Gateway:
    fields = {"sealed_key": sealing.seal(KEY), "key_last4": KEY[-4:], "key_set_at": timezone.now(), **fields}
    return factories.make_gateway(
        is_sandbox=False, team=admin.team, name="Studio's own", key_set_by=admin.user, **fields
    )


def answering(heard, sock) -> None:
    """A gateway with one model, for one key."""
    if heard.headers.get("authorization") != f"Bearer {KEY}":
        sock.sendall(reply(401, {"error": {"message": "no such key"}}))
    else:
        sock.sendall(reply(200, {"data": [{"id": "kling-v3", "object": "model", "modalities": ["video"]}]}))


def typed(server, **values) -> dict[str, str]:
    form = {"kind": "other", "name": "Studio's own", "base_url": f"{server.origin}/v1", "dialect": "openai", "key": KEY}
    return {**form, "use_it": "on", **values}


ADD = "/team/gateways/new/"


def test_admin_connects_one_and_the_page_shows_the_end_of_its_key_alone(admin, browser_of, local):
    client = browser_of(admin)
    with fake(answering) as server:
        answer = client.post(ADD, typed(server))
    assert (answer.status_code, answer.url) == (303, "/team/gateways/")
    gateway = Gateway.objects.get(team=admin.team)
    assert (gateway.is_default, sealing.unseal(gateway.sealed_key)) == (True, KEY)
    page = client.get("/team/gateways/").content.decode()
    assert KEY not in page
    assert KEY[-4:] in page
    assert admin.user.display_name in page
    assert page.index("Studio&#x27;s own") < page.index(">Sandbox<")
    assert "Your team orders here" in page
    assert "no AI model is used" not in page  # the banner of the sandbox


def test_test_of_what_was_typed_stores_nothing_and_echoes_no_key(admin, browser_of, local):
    with fake(answering) as server:
        form = typed(server, test="1")
        fragment = browser_of(admin, htmx=True).post(ADD, form)
        page = browser_of(admin).post(ADD, form)
        refused = browser_of(admin, htmx=True).post(ADD, form | {"key": "another-key-entirely"})
    assert "It answers and offers 1 video model." in fragment.content.decode()
    assert "<html" not in fragment.content.decode()
    assert "Nothing was stored." in page.content.decode()
    assert f'value="{server.origin}/v1"' in page.content.decode()
    assert "refused the key: no such key." in refused.content.decode()
    for answer in (fragment, page, refused):
        assert answer.status_code == 200
        assert KEY not in answer.content.decode()
        assert "another-key-entirely" not in answer.content.decode()
    assert not Gateway.objects.filter(team=admin.team).exists()


def test_refused_key_stores_nothing_and_keeps_all_else_that_was_typed(admin, browser_of, local):
    with fake(answering) as server:
        answer = browser_of(admin).post(ADD, typed(server, key="wrong-key-wrong-key", honours="cancel"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "refused the key" in page
    assert "Nothing was stored. Type the key once more" in page
    assert f'value="{server.origin}/v1"' in page
    assert re.search(r'value="cancel"[^>]*checked', page)
    assert "wrong-key-wrong-key" not in page
    assert not Gateway.objects.filter(team=admin.team).exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"base_url": "http://gateway.example/v1"}, "must begin with https://"),
        ({"base_url": ""}, "This field is required."),
        ({"key": "two words"}, "no spaces"),
        ({"key": "gAAAAABabcdefgh"}, "looks like one that was sealed"),
        ({"honours": "request-log"}, "speaks like Lumenfall"),
        ({"name": ""}, "This field is required."),
    ],
)
def test_wrong_field_is_said_beside_it(admin, browser_of, values, words):
    form = {"kind": "other", "name": "x", "base_url": "https://127.0.0.1/v1", "dialect": "openai", "key": KEY} | values
    answer = browser_of(admin).post(ADD, form)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert words in browser_of(admin, htmx=True).post(ADD, form | {"test": "1"}).content.decode()


def test_lumenfall_asks_for_a_key_alone(admin, browser_of):
    page = browser_of(admin).get(ADD).content.decode()
    assert 'name="key"' in page
    assert 'name="base_url"' not in page
    assert 'name="base_url"' in browser_of(admin).get(f"{ADD}?kind=other").content.decode()


def test_installation_that_cannot_keep_keys_says_so(admin, browser_of, settings, local):
    settings.SECRETS_KEYS = []
    page = browser_of(admin).get(ADD).content.decode()
    assert "it has no SECRETS_KEYS" in page
    with fake(answering) as server:
        answer = browser_of(admin).post(ADD, typed(server))
    assert answer.status_code == 422
    assert not Gateway.objects.filter(team=admin.team).exists()


PAGES = ["team_gateways.edit", "team_gateways.key", "team_gateways.remove"]
DEEDS = [*PAGES, "team_gateways.check", "team_gateways.use", "team_gateways.resume"]


@pytest.mark.parametrize("name", DEEDS)
def test_gateway_of_a_team_is_there_for_its_admins_alone(admin, member, viewer, stranger, browser_of, name):
    address = reverse(name, args=[own(admin).id])
    for person in (member, viewer, stranger):
        assert browser_of(person).post(address).status_code == 404
        if name in PAGES:
            assert browser_of(person).get(address).status_code == 404
    assert browser_of().post(address).status_code == 302
    if name in PAGES:
        assert browser_of(admin).get(address).status_code == 200


@pytest.mark.parametrize("name", DEEDS)
def test_removed_gateway_is_not_there(admin, browser_of, name):
    address = reverse(name, args=[own(admin, removed_at=timezone.now()).id])
    assert browser_of(admin).post(address).status_code == 404


def test_key_is_replaced_by_a_form_that_shows_neither(admin, browser_of, local):
    with fake(answering) as server:
        gateway = own(admin, base_url=f"{server.origin}/v1", dialect="openai", sealed_key=sealing.seal("old-key-of-it"))
        address = reverse("team_gateways.key", args=[gateway.id])
        tested = browser_of(admin).post(address, {"key": KEY, "test": "1"})
        wrong = browser_of(admin).post(address, {"key": "not-this-one-either"})
        gateway.refresh_from_db()
        before = sealing.unseal(gateway.sealed_key)
        done = browser_of(admin).post(address, {"key": KEY})
    assert (tested.status_code, wrong.status_code, done.status_code, before) == (200, 422, 303, "old-key-of-it")
    for answer in (tested, wrong):
        assert not {KEY, "old-key-of-it", "not-this-one-either"} & set(re.findall(r"[\w-]+", answer.content.decode()))
    gateway.refresh_from_db()
    assert sealing.unseal(gateway.sealed_key) == KEY


def test_removing_says_what_goes_and_waits_for_orders_under_way(admin, browser_of):
    gateway = own(admin, is_default=True)
    address = reverse("team_gateways.remove", args=[gateway.id])
    running = factories.make_generation(by=admin, model=factories.make_model(gateway=gateway), status=Status.RUNNING)
    assert browser_of(admin).post(address).status_code == 409
    assert "1 order of it is under way" in browser_of(admin).get(address).content.decode()
    type(running).objects.filter(id=running.id).update(status=Status.FAILED, next_check_at=None)
    page = browser_of(admin).get(address).content.decode()
    assert "Your team then orders from Sandbox" in page
    client = browser_of(admin)
    assert client.post(address).status_code == 303
    assert "Studio&#x27;s own is removed" in client.get("/team/gateways/").content.decode()


def test_choosing_moves_the_team_and_back(admin, browser_of):
    gateway = own(admin)
    browser_of(admin).post(reverse("team_gateways.use", args=[gateway.id]))
    assert catalogue.gateway_of(admin.team_id) == gateway
    browser_of(admin).post(reverse("team_gateways.use"))
    assert catalogue.gateway_of(admin.team_id).is_sandbox


def test_changing_keeps_the_address_and_says_what_cannot_be_declared(admin, browser_of):
    gateway = own(admin, dialect="openai")
    address = reverse("team_gateways.edit", args=[gateway.id])
    wrong = browser_of(admin).post(address, {"name": "New name", "honours": ["request-log"], "base_url": "https://x"})
    assert wrong.status_code == 422
    assert 'value="New name"' in wrong.content.decode()
    assert browser_of(admin).post(address, {"name": "New name", "honours": ["cancel"]}).status_code == 303
    gateway.refresh_from_db()
    assert (gateway.name, gateway.has_cancel, gateway.has_dry_run) == ("New name", True, False)
    assert gateway.base_url == "http://127.0.0.1:9/openai/v1"


def test_address_of_earlier_versions_leads_here(admin, browser_of):
    assert browser_of(admin).get("/gateway/").url == "/team/gateways/"


def test_banner_of_the_sandbox_leads_admins_to_the_form(admin, member, browser_of):
    assert f'href="{ADD}"' in browser_of(admin).get("/gallery/").content.decode()
    assert f'href="{ADD}"' not in browser_of(member).get("/gallery/").content.decode()
