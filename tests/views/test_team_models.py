"""The page of models: on and off, the default, notes; what two admins set at once; what is forbidden."""

import re

import pytest

from playground.models import AuditEntry, Lifecycle, TeamModel
from playground.services import catalogue, offers
from tests import factories

pytestmark = pytest.mark.pure

PAGE = "/team/models/"


@pytest.fixture
def models(db):
    gateway = catalogue.default_gateway()
    names = ("kling-v3", "veo-3.1")
    return [factories.make_model(name, gateway=gateway, price_note="from $0.10 per second") for name in names]


def form_of(page: str) -> dict[str, str]:
    """What a browser sends of the page."""
    sent = {}
    for tag in re.findall(r"<input[^>]*>", page[page.index('name="was_default"') - 40 :]):
        name, value = (re.search(rf' {part}="([^"]*)"', tag) for part in ("name", "value"))
        if name and ("checked" in tag or not re.search('type="(radio|checkbox)"', tag)):
            sent[name[1]] = value[1] if value else "on"
    return sent


def opened(client) -> dict[str, str]:
    return form_of(client.get(PAGE).content.decode())


def test_page_shows_what_may_be_ordered_and_retired_ones_last(admin, browser_of, models):
    factories.make_model("a-retired-one", gateway=models[0].gateway, lifecycle=Lifecycle.RETIRED)
    page = browser_of(admin).get(PAGE).content.decode()
    assert page.index("kling-v3") < page.index("veo-3.1") < page.index("a-retired-one")
    assert "from $0.10 per second" in page
    assert f"on-{models[0].id}" in opened(browser_of(admin))


def test_switched_off_model_is_offered_to_nobody_of_the_team_and_to_others_still(
    admin, member, stranger, browser_of, models
):
    client = browser_of(admin)
    form = opened(client)
    del form[f"on-{models[0].id}"]
    assert client.post(PAGE, form).status_code == 303
    assert [model.slug for model in offers.Offers(member).models] == ["veo-3.1"]
    assert not offers.is_offered(by=member, model=models[0])
    assert offers.is_offered(by=stranger, model=models[0])
    assert AuditEntry.objects.get(kind="models_changed").data["off"] == [str(models[0].id)]


def test_default_is_what_people_without_history_begin_with_and_the_note_stands_beside_the_price(
    admin, member, browser_of, models
):
    client = browser_of(admin)
    form = opened(client) | {"default": str(models[1].id), f"note-{models[1].id}": "  for <b>clients</b>\nonly "}
    assert client.post(PAGE, form).status_code == 303
    assert offers.Offers(member).preselected() == models[1]
    page = browser_of(member).get("/create/").content.decode()
    assert page.count("for &lt;b&gt;clients&lt;/b&gt; only") == 2  # the face of the picker and its row
    form = opened(client) | {"default": ""}
    client.post(PAGE, form)
    assert not TeamModel.objects.filter(is_default=True).exists()


def test_default_has_to_be_switched_on(admin, browser_of, models):
    client = browser_of(admin)
    form = opened(client) | {"default": str(models[1].id)}
    del form[f"on-{models[1].id}"]
    answer = client.post(PAGE, form)
    assert answer.status_code == 422
    assert "The default has to be switched on." in answer.content.decode()
    assert not TeamModel.objects.exists()


def test_two_admins_who_change_different_models_both_get_what_they_set(admin, browser_of, models):
    client = browser_of(admin)
    first, second = opened(client), opened(client)
    client.post(PAGE, first | {f"note-{models[0].id}": "one"})
    assert client.post(PAGE, second | {f"note-{models[1].id}": "two"}).status_code == 303
    notes = dict(TeamModel.objects.values_list("model_id", "price_note"))
    assert notes == {models[0].id: "one", models[1].id: "two"}


def test_what_somebody_else_changed_meanwhile_is_not_written_over_unseen(admin, browser_of, models):
    client = browser_of(admin)
    first, second = opened(client), opened(client)
    client.post(PAGE, first | {f"note-{models[0].id}": "one"})
    answer = client.post(PAGE, second | {f"note-{models[0].id}": "two"})
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "Somebody else changed this meanwhile." in page
    again = form_of(page)
    assert again[f"note-{models[0].id}"] == "two"
    assert TeamModel.objects.get(model=models[0]).price_note == "one"
    assert client.post(PAGE, again).status_code == 303
    assert TeamModel.objects.get(model=models[0]).price_note == "two"


def test_default_that_somebody_else_moved_meanwhile_is_asked_about(admin, browser_of, models):
    client = browser_of(admin)
    first, second = opened(client), opened(client)
    client.post(PAGE, first | {"default": str(models[0].id)})
    answer = client.post(PAGE, second | {"default": str(models[1].id)})
    assert answer.status_code == 409
    assert TeamModel.objects.get(is_default=True).model == models[0]


def test_saving_without_a_change_writes_nothing(admin, browser_of, models):
    client = browser_of(admin)
    assert client.post(PAGE, opened(client)).status_code == 303
    assert not TeamModel.objects.exists()
    assert not AuditEntry.objects.filter(kind="models_changed").exists()


def test_note_that_is_too_long_is_said_and_kept(admin, browser_of, models):
    client = browser_of(admin)
    answer = client.post(PAGE, opened(client) | {f"note-{models[0].id}": "x" * 201})
    assert answer.status_code == 422
    assert "At most 200 characters." in answer.content.decode()
    assert "x" * 201 in answer.content.decode()


def test_models_of_another_team_are_not_there(admin, stranger, browser_of, models):
    theirs = factories.make_model(gateway=factories.make_gateway(is_sandbox=False, team=stranger.team))
    form = {f"was-{theirs.id}": "1:", "default": "", "was_default": ""}
    assert browser_of(admin).post(PAGE, form).status_code == 404
    assert not TeamModel.objects.exists()


@pytest.mark.parametrize("broken", [{"was-nonsense": "1:"}, {"default": "x"}, {"was_default": "x"}])
def test_broken_form_is_refused(admin, browser_of, models, broken):
    assert browser_of(admin).post(PAGE, opened(browser_of(admin)) | broken).status_code == 400


def test_page_is_for_admins(member, viewer, browser_of, models):
    for person in (member, viewer):
        assert browser_of(person).get(PAGE).status_code == 404
        assert browser_of(person).post(PAGE, {"default": ""}).status_code == 404


def test_team_with_a_gateway_of_its_own_sees_that_ones_models(admin, browser_of, models):
    own = factories.make_gateway(is_sandbox=False, team=admin.team, is_default=True)
    factories.make_model("only-ours", gateway=own)
    page = browser_of(admin).get(PAGE).content.decode()
    assert "only-ours" in page
    assert "kling-v3" not in page


def test_without_models_the_page_says_why(admin, browser_of):
    catalogue.default_gateway()
    assert "No models yet" in browser_of(admin).get(PAGE).content.decode()
