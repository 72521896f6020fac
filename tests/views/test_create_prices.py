"""The prices around the one on the button: what is known stands there; a press loses nothing and orders nothing."""

import re
from dataclasses import replace

import pytest
from django.core.cache import cache
from django.utils import timezone

from playground.domain.capabilities import Capabilities, Lengths
from playground.domain.status import Status
from playground.models import Role, Run
from playground.services import ahead, estimates
from playground.services.estimates import Wanted
from tests.factories import make_gateway, make_generation, make_member, make_model, make_reference, make_run
from tests.views.conftest import MemberClient
from tests.views.test_create import HTMX, values

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
TAKES = Capabilities(
    sizes=("1920x1080", "1280x720"), lengths=Lengths((4, 8)), audio_switch=True, seed=True, image_to_video=True
)


@pytest.fixture
def model(db):
    cache.clear()
    gateway = make_gateway(slug="sandbox", is_default=True)
    return make_model("kling-v3", gateway=gateway, takes=TAKES, price_floor_micros=100_000)


@pytest.fixture
def client(member):
    client = MemberClient()
    client.team = member.team.slug
    client.force_login(member.user)
    return client


@pytest.fixture
def other(model):
    return make_model("p-video", gateway=model.gateway, takes=TAKES, price_floor_micros=20_000, name="P-Video")


def form(model, **more):
    return values(model, quality="1080p", seconds="8", audio="true", seed="7", picker="", **more)


def wanted(model, **changes):
    return replace(Wanted(model=model, size="1920x1080", seconds=8, audio=True), **changes)


def priced(one, micros):
    answer = {"state": "estimated", "unit_micros": micros, "provider": "fal", "checked_at": timezone.now().timestamp()}
    cache.set(estimates._key(one), answer, 600)


def pressed(html):
    """What the cheaper choices say, and what each would change."""
    found = re.findall(r'name="cheaper" value="([^"]+)".*?>(.*?)</button>', html, re.S)
    return [(change, " ".join(re.sub(r"<[^>]+>", " ", words).split())) for change, words in found]


def page_of(client, model, **more):
    return client.post("/create/price/", form(model, **more)).content.decode()


def test_cheaper_choices_stand_with_their_checked_prices_the_greatest_saving_first(client, model, other):
    priced(wanted(model), 800_000)
    priced(wanted(model, seconds=4), 400_000)
    priced(wanted(model, audio=False), 600_000)
    priced(wanted(model, size="1280x720"), 800_000)
    priced(wanted(other), 160_000)
    assert pressed(page_of(client, model)) == [
        ("model=p-video", "P-Video $0.16 , saves $0.64"),
        ("seconds=4", "4 s $0.40 , saves $0.40"),
        ("audio=false", "silent $0.60 , saves $0.20"),
    ]


def test_choices_whose_price_was_not_checked_are_not_shown_but_asked_for(client, model, other):
    priced(wanted(model), 800_000)
    html = page_of(client, model, count="2")
    assert pressed(html) == [("count=1", "1 video $0.80 , saves $0.80")]
    assert "data-more" in html
    asked = next(iter(ahead._lists.values())).wanted
    assert [(one.model.slug, one.seconds, one.size, one.audio) for one in asked] == [
        ("kling-v3", 4, "1920x1080", True),
        ("kling-v3", 8, "1920x1080", False),
        ("kling-v3", 8, "1280x720", True),
        ("p-video", 8, "1920x1080", True),
    ]


def test_nothing_is_asked_ahead_without_a_price_now_nor_for_who_may_not_order(client, model, member):
    cache.set(estimates._key(wanted(model)), {"state": "account_empty", "message": ""}, 60)
    assert "data-more" not in page_of(client, model)
    priced(wanted(model), 800_000)
    viewer = make_member(team=member.team, role=Role.VIEWER)
    client.force_login(viewer.user)
    assert "data-more" not in client.get("/create/", {"size": "1920x1080", "seconds": "8"}).content.decode()
    assert not ahead._lists


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ("seconds=4", 'id="seconds-4" name="seconds" value="4" checked'),
        ("audio=false", 'name="audio" value="false" checked'),
        ("quality=720p", 'name="quality" value="720p" checked'),
        ("model=p-video", 'name="model" value="p-video" checked'),
        ("count=1", 'id="count-1" name="count" value="1" checked'),
        ("prompt=x", 'name="seconds" value="8" checked'),
        ("seconds=", 'name="seconds" value="8" checked'),
    ],
)
def test_a_press_without_scripts_changes_that_and_keeps_all_else_and_orders_nothing(
    client, model, other, member, change, shown
):
    picture = make_reference(by=member)
    for address in ("/create/price/", "/create/"):
        html = client.post(
            address, form(model, count="2", negative_prompt="", reference_id=str(picture.id), cheaper=change)
        ).content.decode()
        assert shown in html
        assert "A fox in the snow</textarea>" in html
        assert 'name="seed"' in html
        assert 'value="7"' in html
        assert f'value="{picture.id}"' in html
        assert html.count(" checked>") == 6  # model, length, shape, quality, count, sound
    assert not Run.objects.exists()


def test_a_picture_is_never_dropped_for_a_cheaper_model(client, model, member):
    blind = make_model("blind", gateway=model.gateway, takes=replace(TAKES, image_to_video=False))
    picture = make_reference(by=member, size=(1920, 1080))
    priced(wanted(model, references=(picture,)), 800_000)
    priced(wanted(blind), 10_000)
    html = page_of(client, model, reference_id=str(picture.id))
    assert pressed(html) == []
    assert "about $0.01" not in html


def test_a_model_that_always_fails_is_no_cheaper_choice(client, model, other, member):
    priced(wanted(model), 800_000)
    priced(wanted(other), 160_000)
    assert pressed(page_of(client, model))
    for _ in range(5):
        make_generation(run=make_run(by=member, model=other), status=Status.FAILED)
    assert pressed(page_of(client, model)) == []


def test_the_list_of_models_says_what_each_would_cost_as_it_stands_or_with_what_it_takes(client, model, other):
    short = make_model("short", gateway=model.gateway, takes=replace(TAKES, lengths=Lengths((5,))))
    small = make_model("small", gateway=model.gateway, takes=replace(TAKES, sizes=("1280x720",)))
    priced(wanted(model), 800_000)
    priced(wanted(other), 160_000)
    priced(wanted(short, seconds=5), 500_000)
    priced(wanted(small, size="1280x720"), 300_000)
    html = client.post("/create/price/", form(model) | {"model_shown": model.slug}, headers=HTMX).content.decode()
    for one, words in (
        (model, "about $0.80 for these settings"),
        (other, "about $0.16 for these settings"),
        (short, "about $0.50 for 5 s"),
        (small, "about $0.30 for 8 s, 720p"),
    ):
        said = re.search(rf'id="price-of-{one.id}" hx-swap-oob="innerHTML">(.*?)</span>', html, re.S).group(1)
        assert re.sub(r"<[^>]+>", "", said).strip() == words


def test_prices_of_all_models_are_asked_for_once_the_list_is_open(client, model, other):
    for number in range(4):
        make_model(f"m{number}", gateway=model.gateway, takes=TAKES, price_floor_micros=30_000)
    priced(wanted(model), 800_000)

    def asked(picker):
        client.post("/create/price/", form(model) | {"model_shown": model.slug, "picker": picker}, headers=HTMX)
        return [one.model.slug for one in next(iter(ahead._lists.values())).wanted]

    assert asked("") == ["kling-v3"] * 3 + ["p-video", "m0"]
    assert asked("open") == ["kling-v3"] * 3 + ["p-video", "m0", "m1", "m2", "m3"]


def test_gateway_without_prices_keeps_no_room_for_them_and_is_asked_for_none(client, model):
    model.gateway.has_dry_run = False
    model.gateway.save()
    html = page_of(client, model)
    assert "data-more" not in html
    assert "room-" not in html
    assert not ahead._lists
