"""The Create page: prices, presses, refusals, and that nothing typed is lost. Prices come from the cache."""

import re
from datetime import timedelta
from io import BytesIO

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from PIL import Image

from playground.domain.capabilities import Capabilities, Lengths
from playground.domain.status import Status
from playground.media import storage
from playground.models import Generation, Lifecycle, Membership, Reference, Role, Run
from playground.services import estimates, pauses
from playground.services.estimates import Quote, QuoteState
from playground.views.create_page import EXAMPLES, LATEST
from tests.factories import make_gateway, make_generation, make_member, make_model, make_reference, make_run, make_video
from tests.views.conftest import MemberClient

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/create/?model=kling-v3"}


@pytest.fixture
def model(db):
    gateway = make_gateway(slug="sandbox", is_default=True)
    return make_model("kling-v3", gateway=gateway, price_floor_micros=100_000)


@pytest.fixture
def member():
    return make_member()


@pytest.fixture
def client(member):
    client = MemberClient()
    client.team = member.team.slug
    client.force_login(member.user)
    return client


@pytest.fixture
def ended_session(settings):
    """`signed_out` stands outside LoginRequiredMiddleware."""
    name = "playground.signed_out.signed_out"
    if name not in settings.MIDDLEWARE:
        at = settings.MIDDLEWARE.index("django.contrib.auth.middleware.LoginRequiredMiddleware")
        settings.MIDDLEWARE = [*settings.MIDDLEWARE[:at], name, *settings.MIDDLEWARE[at:]]


def priced(model, micros=400_000, size="1280x720", seconds=4, state="estimated"):
    """What a price check leaves behind."""
    wanted = estimates.Wanted(model=model, size=size, seconds=seconds)
    answer = {"state": state, "message": "This gateway gives no price for kling-v3."}
    if state == "unavailable":
        answer["no_price"] = True
    if state == "estimated":
        answer |= {"unit_micros": micros, "provider": "fal", "checked_at": timezone.now().timestamp()}
    cache.set(estimates._key(wanted), answer, 60)


def values(model, **more):
    return {
        "prompt": "A fox in the snow",
        "model": model.slug,
        "shape": "16:9",
        "quality": "720p",
        "seconds": "4",
        "count": "1",
        "token": "press-1",
        "quoted_micros": "400000",
        **more,
    }


def test_the_price_stands_in_the_first_html_on_the_button(client, model):
    priced(model)
    html = client.get("/create/").content.decode()
    assert "Generate - about $0.40" in html
    assert 'name="quoted_micros" value="400000"' in html
    assert "4 s x $0.10 per second x 1 video" in html
    for text in EXAMPLES:
        assert text in html


def test_a_press_makes_a_run_and_the_prompt_stays(client, model, member):
    priced(model)
    answer = client.post("/create/", values(model, count="2", quoted_micros="800000"))
    assert answer.status_code == 303
    run = Run.objects.get()
    assert (run.prompt, run.created_by, run.generations.count()) == ("A fox in the snow", member.user, 2)
    assert "A fox in the snow" in client.get("/create/").content.decode()


def test_a_press_with_htmx_answers_the_new_card_and_a_fresh_token(client, model):
    priced(model)
    html = client.post("/create/", values(model), headers=HTMX).content.decode()
    assert f"job-{Generation.objects.get().id}" in html
    assert 'hx-swap-oob="afterbegin"' in html
    assert 'value="press-1"' not in html
    assert '1<span class="pill__word"> running</span>' in html


def test_the_same_form_twice_is_one_run(client, model):
    priced(model)
    client.post("/create/", values(model))
    assert client.post("/create/", values(model)).status_code == 303
    assert Run.objects.count() == 1


def test_the_same_token_with_other_words_asks_before_sending(client, model):
    priced(model)
    client.post("/create/", values(model))
    answer = client.post("/create/", values(model, prompt="A wolf"))
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "This form was already sent" in html
    assert "A wolf" in html
    assert 'value="press-1"' not in html
    assert Run.objects.count() == 1


def test_a_price_that_went_up_sends_nothing_and_says_so(client, model):
    priced(model, 500_000)
    answer = client.post("/create/", values(model))
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "It was $0.40 when you opened the form. Nothing was sent. Press again to go on." in html
    assert "Generate - about $0.50" in html
    assert not Run.objects.exists()


def test_without_a_price_only_a_ticked_box_sends_and_only_where_allowed(client, model, member):
    priced(model, state="unavailable")
    assert client.post("/create/", values(model, accept_unpriced="1", quoted_micros="")).status_code == 422
    member.team.allow_unpriced = True
    member.team.save()
    html = client.get("/create/").content.decode()
    assert "Generate - price unknown" in html
    assert client.post("/create/", values(model, quoted_micros="")).status_code == 422
    assert not Run.objects.exists()
    assert client.post("/create/", values(model, accept_unpriced="1", quoted_micros="")).status_code == 303


def test_a_wrong_field_is_named_and_everything_typed_is_kept(client, model):
    priced(model)
    answer = client.post("/create/", values(model, seconds="5", prompt="Kept <b>words</b>"))
    html = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="seconds-error"' in html
    assert "Kept &lt;b&gt;words&lt;/b&gt;" in html
    assert not Run.objects.exists()


def test_a_model_that_is_gone_is_replaced_by_name_and_nothing_is_sent(client, model):
    gone = make_model("sora-2", gateway=model.gateway, lifecycle=Lifecycle.RETIRED)
    priced(model)
    answer = client.post("/create/", values(gone, seconds="12", quality="720p"))
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "sora-2 is no longer offered. We chose kling-v3." in html
    assert "Your prompt is unchanged." in html
    assert not Run.objects.exists()


def test_a_price_check_with_htmx_keeps_the_token(client, model):
    priced(model, 800_000, seconds=8)
    html = client.post("/create/price/", values(model, seconds="8", model_shown="kling-v3"), headers=HTMX).content
    assert b"about $0.80" in html
    assert b'name="token" value="press-1"' in html
    assert b'id="prompt"' not in html


def test_another_model_brings_its_settings_and_says_what_changed(client, model):
    other = make_model("veo", gateway=model.gateway, takes=Capabilities(lengths=Lengths(choices=(6,))))
    sent = values(other, seconds="12", model_shown="kling-v3")
    html = client.post("/create/price/", sent, headers=HTMX).content.decode()
    assert "Length is now 6 s (was 12 s)." in html
    assert 'data-state="checking"' in html


def test_signed_out_a_form_is_kept_and_comes_back_after_signing_in(model, member, ended_session):
    priced(model)
    client = Client()
    answer = client.post("/create/", values(model, prompt="Do not lose me"))
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("?next=%2Fcreate%2F")
    client.force_login(member.user)
    assert "Do not lose me" in client.get("/create/").content.decode()
    assert not Run.objects.exists()


def test_signed_out_htmx_is_sent_to_sign_in_as_a_whole_page(model, ended_session):
    answer = Client().get("/generations/cards/?g=", headers=HTMX)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"].endswith("?next=%2Fcreate%2F%3Fmodel%3Dkling-v3")
    assert not answer.content


def test_a_viewer_cannot_order(model):
    viewer = make_member(role=Role.VIEWER)
    client = MemberClient()
    client.team = viewer.team.slug
    client.force_login(viewer.user)
    priced(model)
    assert "Generate" not in client.get("/create/").content.decode()
    answer = client.post("/create/", values(model))
    assert answer.status_code == 422
    assert "You may not make videos in this team any more. Nothing was sent" in answer.content.decode()
    assert "A fox in the snow" in answer.content.decode()
    assert not Run.objects.exists()


def test_settings_of_an_earlier_order_fill_the_form_but_not_for_strangers(client, model, member):
    priced(model, seconds=8)
    mine = make_generation(run=make_run(by=member, model=model, prompt="A kite over a field"), status=Status.FAILED)
    theirs = make_run(by=make_member(), model=model, prompt="A secret of others")
    foreign = make_generation(run=theirs, status=Status.FAILED)
    assert mine.run.prompt in client.get(f"/create/?from={mine.id}").content.decode()
    assert foreign.run.prompt not in client.get(f"/create/?from={foreign.id}").content.decode()


@pytest.mark.parametrize(
    ("micros", "words"),
    [(420_000, "4 s x $0.105 per second x 1 video"), (830_001, "$0.84 per video x 1 video")],
)
def test_a_price_is_called_one_per_second_only_where_the_division_leaves_nothing_over(client, model, micros, words):
    priced(model, micros)
    assert words in client.get("/create/").content.decode()


def test_without_a_word_on_sound_the_order_is_what_was_priced(client, member):
    takes = Capabilities(sizes=("1280x720",), lengths=Lengths(choices=(4,)), audio_switch=True)
    model = make_model("sounding", gateway=make_gateway(slug="sandbox", is_default=True), takes=takes)
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4, audio=True)
    fresh = {"state": "estimated", "unit_micros": 400_000, "provider": "fal", "checked_at": timezone.now().timestamp()}
    cache.set(estimates._key(wanted), fresh, 60)
    assert client.post("/create/", values(model, team=member.team.slug)).status_code == 303
    assert Run.objects.get().settings["audio"] is True


def test_full_disk_is_said_in_the_form_and_nothing_is_sent(client, model, monkeypatch):
    from playground.media import storage

    priced(model)
    monkeypatch.setattr(storage, "free_bytes", lambda: 1024)

    answer = client.post("/create/", values(model, quoted_micros="400000"))

    assert answer.status_code == 503
    assert "too little disk space. Nothing was sent. The admins have been told." in answer.content.decode()
    assert not Run.objects.exists()


def test_run_that_is_too_long_for_the_line_says_how_much_room_there_is(client, model, member, settings):
    make_generation(by=member, model=model, status=Status.QUEUED)
    settings.WAITING_PER_MEMBER = 3
    priced(model)
    answer = client.post("/create/", values(model, count="4", quoted_micros=str(4 * 10**9)))
    assert answer.status_code == 429
    assert "There is room for 2 more: make fewer, or press again when some have gone." in answer.text


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("WAITING_PER_MEMBER", "1 of your videos waits to be sent; at most 1 may."),
        ("WAITING_PER_TEAM", "1 of the team&#x27;s videos waits to be sent; at most 1 may."),
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_line_that_is_full_is_said_beside_the_button_and_everything_typed_is_kept(
    client, model, member, settings, headers, limit, words
):
    make_generation(by=member, model=model, status=Status.QUEUED)
    setattr(settings, limit, 1)
    priced(model)

    answer = client.post("/create/", values(model), headers=headers)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")
    said = re.search(r'price__problem">([^<]*)<', answer.text)[1]
    rest = "Nothing was sent. Press again when some have gone, or cancel some that wait."
    assert said == f"{words} {rest}"
    assert "Too many wait to be sent. Nothing was sent." in answer.text
    assert "A fox in the snow" in answer.text
    assert 'hx-status:429="swap:outerHTML"' in answer.text
    assert Run.objects.count() == 1


def test_a_refusal_is_said_where_no_price_is_known_and_the_tick_is_kept(client, member, model, monkeypatch):
    priced(model, state="unavailable")
    member.team.allow_unpriced = True
    member.team.save()
    monkeypatch.setattr(storage, "free_bytes", lambda: 1024)

    answer = client.post("/create/", values(model, quoted_micros="", accept_unpriced="1"), headers=HTMX)

    page = answer.content.decode()
    assert answer.status_code == 503
    assert "too little disk space" in page
    assert re.search(r'name="accept_unpriced" value="1" checked', page)


SAID = {
    "storage_full": "too little disk space",
    "already_sent": "This form was already sent",
    "line_full": "50 of your videos wait to be sent",
    "price_moved": "Nothing was sent",
    "asked": "The admins have been asked.",
    "asked_too_often": "As many of your runs",
    "limits_accepted": "The limits are set.",
    "over_budget": "Nothing was sent.",
    "spending_closed": "Nothing was sent.",
    "needs_confirmation": "Nothing was sent.",
}


@pytest.mark.parametrize("problem", SAID)
def test_every_reason_has_its_words_in_every_state_of_the_price(problem):
    by = Membership(role=Role.CREATOR)
    for state in [None, *QuoteState]:
        quote = Quote(state, count=1, seconds=4) if state else None
        context = {"quote": quote, "quote_state": state.value if state else "checking", "problem": problem}
        context["why"] = SAID["line_full"] if problem == "line_full" else ""

        panel = render_to_string("create/_price.html", context | {"page": {"by": by}})

        said = re.findall(r'price__problem">([^<]*)<', panel)
        assert [SAID[problem] in words for words in said] == [True], state


def test_what_is_running_stands_before_newer_ones_that_have_ended(client, member, model):
    running = make_generation(by=member, model=model, status=Status.RUNNING)
    ended = [make_generation(by=member, model=model, status=Status.FAILED) for _ in range(LATEST)]

    page = client.get("/create/").content.decode()

    assert re.findall(r'<article id="job-([0-9a-f-]+)"', page) == [
        str(row.id) for row in (running, *reversed(ended[1:]))
    ]


def reason(**context):
    """The line above the button of a phone, None for a plain price."""
    panel = render_to_string("create/_order.html", {"may_create": True, "page": {"by": Membership()}} | context)
    found = re.search(r'create__reason">(.*?)</p>', panel, re.DOTALL)
    return found and " ".join(found[1].split())


@pytest.mark.parametrize(
    ("state", "more", "words"),
    [
        ("estimated", {}, None),
        ("estimated", {"is_paused": True}, "Spending is paused."),
        ("estimated", {"lacks_limits": True}, "An admin must first set limits."),
        ("estimated", {"left_micros": 90_000}, "about $0.80, $0.09 left"),
        ("estimated", {"left_micros": 900_000}, "$1.00 to set aside, $0.90 left"),
        ("needs_input", {"message": "Add a picture."}, "Add a picture."),
        ("account_empty", {}, "No credit at the gateway."),
        ("unreachable", {"message": "The gateway does not answer."}, "No price: The gateway does not answer."),
        ("unavailable", {"message": "The gateway refused the key."}, "The gateway refused the key."),
        ("unavailable", {"may_go_unpriced": True}, "No price. Tick the box above to go on."),
    ],
)
def test_a_phone_says_above_its_button_why_it_is_not_the_plain_price(state, more, words):
    unit = 800_000 if state == "estimated" else None
    quote = Quote(QuoteState(state), count=1, seconds=4, unit_micros=unit, checked_at=timezone.now(), **more)
    assert reason(quote=quote, quote_state=state) == words


def test_an_admin_comes_from_there_to_the_gateway_and_who_asked_hears_where_the_answer_comes(model):
    quote = Quote(QuoteState.UNAVAILABLE, count=1, seconds=4)
    model.gateway.paused_reason = "key"
    of_admin = reason(quote=quote, quote_state="unavailable", model=model, page={"by": Membership(role=Role.ADMIN)})
    assert of_admin == 'The gateway refuses its key. <a href="/team/gateways/">Show the gateway</a>'
    assert reason(quote=quote, quote_state="unavailable", model=model) == "The gateway refuses its key."
    assert reason(quote=quote, problem="asked") == "Asked. The answer comes to the bell."


def test_a_press_that_ordered_says_so_with_the_way_to_its_card_and_a_repeated_one_does_not(client, model):
    priced(model)
    page = client.post("/create/", values(model), headers=HTMX).content.decode()
    made = Generation.objects.get()
    assert "Ordered, about $0.40." in page
    assert f'href="#job-{made.id}"' in page
    assert 'data-ordered="Ordered"' in page

    Run.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    again = client.post("/create/", values(model), headers=HTMX).content.decode()
    assert "data-ordered" not in again
    assert "Ordered, about" not in again


def test_token_that_is_no_token_of_ours_draws_a_fresh_form(client, model):
    priced(model)

    answer = client.post("/create/", values(model, quoted_micros="400000", token="two words"))

    assert answer.status_code == 422
    assert not Run.objects.exists()


@pytest.mark.parametrize("example", ["²", "0", "99", "-1", "x"])
def test_example_that_is_none_is_ignored(client, model, example):
    assert client.get("/create/", {"example": example}).status_code == 200


@pytest.mark.parametrize("reference_id", ["gone", "019a0000-0000-7000-8000-000000000000"])
def test_order_whose_picture_is_gone_is_not_sent_without_it(client, model, reference_id):
    priced(model)

    answer = client.post("/create/", values(model, quoted_micros="400000", reference_id=reference_id))

    assert answer.status_code == 422
    assert "The picture is gone" in answer.content.decode()
    assert not Run.objects.exists()


@pytest.mark.parametrize("slug", ["kling-v3", "gone-v1", ""])
def test_wrong_picture_in_a_form_is_said_beside_it_whatever_the_model(client, model, slug):
    priced(model)
    picture = SimpleUploadedFile("words.jpg", b"no picture", content_type="image/jpeg")

    answer = client.post("/create/", values(model) | {"model": slug, "reference": picture})

    assert answer.status_code == 422
    assert 'id="reference-error"' in answer.content.decode()
    assert not Run.objects.exists()


@pytest.mark.parametrize("parent", ["garbage", "of another team", "in the trash"])
def test_parent_that_is_not_there_is_said_and_nothing_is_sent(client, model, member, parent):
    priced(model)
    ids = {
        "of another team": lambda: make_video(by=make_member(), model=model, files=False).id,
        "in the trash": lambda: make_video(by=member, model=model, files=False, trashed_at=timezone.now()).id,
    }
    sent = values(model, parent=ids.get(parent, lambda: parent)())
    before = Run.objects.count()
    answer = client.post("/create/", sent)
    assert answer.status_code == 422
    assert "is not here any more. Press again without it." in answer.text
    assert "A fox in the snow" in answer.text
    assert str(sent["parent"]) not in answer.text
    assert Run.objects.count() == before
    assert client.post("/create/", sent | {"parent": "", "token": "press-2"}).status_code == 303


def test_settings_used_again_bring_the_whole_picture_and_the_place_of_the_crop(client, model, member):
    whole = make_reference(by=member, size=(640, 360))
    generation = make_generation(run=make_run(by=member, model=model), status=Status.DONE)
    generation.run.settings |= {"size": "720x1280", "crop_at": 80}
    generation.run.save()
    make_reference(by=member, generation=generation, size=(202, 360), cut_from=whole)

    html = client.get("/create/", {"from": generation.id}).content.decode()

    assert f'name="reference_id" value="{whole.id}"' in html
    assert 'name="crop_at" min="0" max="100" step="1" value="80"' in html


@pytest.mark.parametrize(("shape", "size"), [("16:9", "1280x720"), ("9:16", "720x1280")])
def test_order_of_a_picture_whose_file_is_gone_says_so_beside_it(client, model, member, shape, size):
    whole = make_reference(by=member, size=(640, 360))
    storage.delete(whole.key)
    cache.set(
        estimates._key(estimates.Wanted(model=model, size=size, seconds=4, references=(whole,))),
        {"state": "estimated", "unit_micros": 400_000, "provider": "fal", "checked_at": timezone.now().timestamp()},
        60,
    )

    answer = client.post("/create/", values(model, shape=shape, reference_id=str(whole.id)))

    assert answer.status_code == 422
    assert 'id="reference-error"' in answer.content.decode()
    assert "The picture is gone" in answer.content.decode()
    assert not Run.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("shape", ["16:9", "9:16"])
def test_picture_removed_while_the_price_is_asked_for_is_said_and_nothing_is_sent(
    client, model, member, monkeypatch, shape
):
    whole = make_reference(by=member, size=(640, 360))

    def ask(wanted):
        Reference.objects.filter(id=whole.id).delete()
        return {"state": "estimated", "unit_micros": 400_000, "checked_at": timezone.now().timestamp()}

    monkeypatch.setattr(estimates, "_ask", ask)

    answer = client.post("/create/", values(model, shape=shape, reference_id=str(whole.id)))

    assert answer.status_code == 422
    assert "The picture is gone" in answer.content.decode()
    assert not Run.objects.exists()


def test_provider_and_more_parameters_are_ordered_and_used_again(client, model):
    cache.set(
        estimates._key(
            estimates.Wanted(
                model=model, size="1280x720", seconds=4, route="fal", parameters=(("cfg_scale", 0.5), ("mode", "pro"))
            )
        ),
        {"state": "estimated", "unit_micros": 400_000, "provider": "fal", "checked_at": timezone.now().timestamp()},
        60,
    )

    answer = client.post("/create/", values(model, route="fal", parameters='{"mode": "pro", "cfg_scale": 0.5}'))

    assert answer.status_code == 303
    generation = Generation.objects.get()
    assert generation.body["model"] == "fal/kling-v3"
    assert generation.body["cfg_scale"] == 0.5
    again = client.get("/create/", {"from": generation.id}).content.decode()
    assert 'name="route"' in again
    assert 'value="fal"' in again
    assert "{&quot;cfg_scale&quot;: 0.5, &quot;mode&quot;: &quot;pro&quot;}</textarea>" in again
    shown = client.get(f"/runs/{generation.run_id}/").content.decode()
    assert "{&quot;cfg_scale&quot;: 0.5, &quot;mode&quot;: &quot;pro&quot;}" in shown


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("parameters", "cfg_scale=0.5", "This is not a JSON object."),
        ("parameters", '{"model": "other"}', "model cannot be set here."),
        ("parameters", '{"a": [1]}', "a needs a text, a number, true or false."),
        ("parameters", '{"<b>x": 1}', "“&lt;b&gt;x” is no name: letters from a to z, digits and _ only."),
        ("parameters", '{"\\ud800": 1}', "“\\ud800” is no name"),
        ("parameters", '{"": 1}', "“” is no name"),
        ("parameters", '{"a": 1' + 400 * "0" + "}", "a needs a text, a number, true or false."),
        ("parameters", '{"a": "https://example.org/"}', "a cannot be an address"),
        ("route", "Not A Provider", "A provider is a short name in small letters"),
    ],
)
def test_wrong_provider_or_parameters_are_said_beside_the_field_and_kept(client, model, field, text, words):
    priced(model)

    answer = client.post("/create/", values(model, **{field: text}))

    html = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="{field}-error"' in html
    assert words in html
    assert escape(text) in html
    assert not Run.objects.exists()


@pytest.mark.parametrize("text", ['{"\\ud800": 1}', '{"a": 1' + 400 * "0" + "}"])
def test_parameters_that_cannot_be_sent_break_neither_the_page_nor_the_price_check(client, model, text):
    priced(model)
    assert client.get("/create/", {"parameters": text}).status_code == 200
    assert client.post("/create/price/", values(model, parameters=text), headers=HTMX).status_code == 200


@pytest.mark.parametrize("text", ["cfg_scale=0.5", '{"cfg_scale": 0.5}'], ids=["wrong", "right"])
def test_price_check_says_beside_the_field_what_is_left_out_of_the_price(client, model, text):
    html = client.post("/create/price/", values(model, parameters=text, route="fal"), headers=HTMX).content.decode()
    said = re.search(r'<div id="parameters-said"[^>]*hx-swap-oob[^>]*>(.*?)</div>', html, re.S).group(1)
    assert ("This is not a JSON object." in said) is (text == "cfg_scale=0.5")


def test_model_with_no_choices_of_its_own_takes_a_provider_and_more_parameters_too(client, model):
    model.capabilities = Capabilities(negative_prompt=False, seed=False, audio_switch=False).to_json()
    model.save()
    priced(model)

    html = client.post("/create/", values(model, route="X", parameters="x")).content.decode()

    assert 'id="route-error"' in html
    assert 'id="parameters-error"' in html


def test_order_for_a_model_given_with_its_provider_goes_to_that_provider(client, model):
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4, route="fal")
    answer = {"state": "estimated", "unit_micros": 400_000, "checked_at": timezone.now().timestamp()}
    cache.set(estimates._key(wanted), answer, 60)

    assert client.post("/create/", values(model) | {"model": "fal/kling-v3"}).status_code == 303

    assert Generation.objects.get().body["model"] == "fal/kling-v3"


def test_model_whose_own_name_has_a_slash_is_found_by_it(client, model):
    own = make_model("openai/sora-2", gateway=model.gateway)
    priced(own)

    assert 'name="model_shown" value="openai/sora-2"' in client.get("/create/", {"model": own.slug}).content.decode()
    assert client.post("/create/", values(own)).status_code == 303

    assert Generation.objects.get().body["model"] == "openai/sora-2"


def test_model_given_with_its_provider_is_that_model_asked_of_that_provider(client, model):
    html = client.get("/create/", {"model": "replicate/kling-v3"}).content.decode()
    assert 'name="model_shown" value="kling-v3"' in html
    assert 'value="replicate"' in html


def test_gateway_that_knows_no_routes_has_no_field_for_one_and_refuses_it(client, model):
    model.gateway.dialect = "openai"
    model.gateway.save()
    priced(model)
    assert 'name="route"' not in client.get("/create/").content.decode()

    answer = client.post("/create/", values(model, route="fal"))

    assert answer.status_code == 422
    assert "This gateway chooses the provider itself." in answer.content.decode()
    assert not Run.objects.exists()


def test_form_of_one_person_does_not_come_back_for_the_next_one(model, member, ended_session):
    priced(model)
    page = MemberClient()
    page.force_login(member.user)
    person = re.search(r'name="person" value="([^"]+)"', page.get("/create/").content.decode())[1]
    for reader, found in ((make_member(team=member.team), False), (member, True)):
        client = Client()
        client.post("/create/", values(model, prompt="Words of one person", person=person))
        client.force_login(reader.user)
        assert ("Words of one person" in client.get("/create/").content.decode()) is found


@pytest.mark.parametrize(("letters", "is_kept"), [(3_900, True), (4_100, False)])
def test_names_count_towards_what_is_kept_when_signed_out(model, ended_session, letters, is_kept):
    client = Client()
    client.post("/create/", {"prompt": "Kept", **{f"{n}" * letters: "1" for n in range(5)}})
    assert ("create_draft" in client.session) is is_kept


@pytest.mark.parametrize("shape", ["9" * 400 + ":1", "1:" + "9" * 400, "9" * 5000 + ":1", "0:0", "0:1", "-1:1"])
def test_shape_that_is_none_is_the_nearest_one(client, model, shape):
    assert client.get("/create/", {"shape": shape, "quality": "720p"}).status_code == 200
    assert client.post("/create/price/", {"shape": shape, "quality": "720p"}, headers=HTMX).status_code == 200


@pytest.mark.parametrize(("role", "team"), [(Role.VIEWER, "elsewhere"), (Role.ADMIN, "elsewhere"), (Role.ADMIN, "")])
def test_price_check_stores_no_picture_for_another_team(model, role, team):
    member = make_member(role=role)
    client = Client()
    client.force_login(member.user)
    sink = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(sink, "PNG")
    file = SimpleUploadedFile("a.png", sink.getvalue(), content_type="image/png")

    sent = {"model": "kling-v3", "team": member.team.slug if team is None else team, "reference": file}
    answer = client.post("/create/price/", sent)

    assert answer.status_code == 404
    assert not Reference.objects.exists()


def test_press_of_somebody_who_is_in_no_team_any_more_says_so(model, member):
    client = MemberClient()
    client.team = member.team.slug
    client.force_login(member.user)
    member.delete()

    answer = client.post("/create/", values(model), headers=HTMX)

    assert answer.status_code == 403
    assert "You are in no team any more." in answer.headers["HX-Trigger"]


@pytest.mark.parametrize("plays", [True, False])
def test_empty_account_is_told_in_the_price_panel_as_everywhere_else(client, model, plays):
    """In play money nobody can top anything up."""
    model.gateway.is_sandbox = plays
    model.gateway.save()
    pauses.pause(model.gateway, reason=pauses.BALANCE, now=timezone.now())
    model.gateway.refresh_from_db()
    page = client.get("/create/", values(model)).content.decode()
    panel = page[page.index('id="price"') :].split("</div>")[0]
    assert pauses.words(model.gateway) in panel
    assert ("An admin can top it up" in panel) is not plays
    assert ("The sandbox plays an empty account." in page.split('create__reason">')[1].split("</p>")[0]) is plays
