"""Which choices count as cheaper. Prices are given; that none is worked out is what is tested."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.domain.capabilities import Capabilities, Lengths, quality_of, shape_of
from playground.models import Gateway, Lifecycle, VideoModel
from playground.models.reference import Reference
from playground.services.cheaper import MOST, choices, pay_less
from playground.services.estimates import Quote, QuoteState
from playground.services.wanted import Wanted

pytestmark = pytest.mark.pure

GATEWAY = Gateway(slug="g", has_dry_run=True)
SIZES = ("1280x720", "720x1280", "1920x1080", "1080x1920", "640x360")
TAKES = st.builds(
    Capabilities,
    sizes=st.lists(st.sampled_from(SIZES), min_size=1, unique=True).map(tuple),
    lengths=st.one_of(
        st.lists(st.integers(1, 20), min_size=1, max_size=4, unique=True).map(lambda found: Lengths(tuple(found))),
        st.integers(1, 10).map(lambda low: Lengths(minimum=low, maximum=low + 9)),
    ),
    text_to_video=st.booleans(),
    image_to_video=st.booleans(),
    max_references=st.integers(0, 2),
    prompt_limit=st.sampled_from([100, 2500]),
    negative_prompt=st.booleans(),
    seed=st.booleans(),
    audio_switch=st.booleans(),
)


def model(number, takes, **values):
    row = {"name": f"Model {number}", "price_floor_micros": 50_000, "lifecycle": Lifecycle.LIVE} | values
    return VideoModel(id=UUID(int=number), slug=f"m-{number}", gateway=GATEWAY, capabilities=takes.to_json(), **row)


@st.composite
def forms(draw):
    """A form that its model takes, and other models."""
    takes = draw(TAKES)
    lengths = [seconds for seconds in range(1, 30) if takes.lengths.allows(seconds)]
    takes_picture = takes.image_to_video and takes.max_references > 0
    wanted = Wanted(
        model=model(0, takes),
        size=draw(st.sampled_from(takes.sizes)),
        seconds=draw(st.sampled_from(lengths)),
        count=draw(st.integers(1, 4)),
        negative_prompt=draw(st.sampled_from(["", "rain"])) if takes.negative_prompt else "",
        seed=draw(st.sampled_from([None, 7])) if takes.seed else None,
        audio=draw(st.booleans()) if takes.audio_switch else None,
        references=(Reference(id=UUID(int=9), width=640, height=360),) if takes_picture and draw(st.booleans()) else (),
    )
    lifecycles = st.sampled_from([Lifecycle.LIVE, Lifecycle.LIVE, Lifecycle.RETIRING])
    others = [
        model(number, draw(TAKES), lifecycle=draw(lifecycles), price_floor_micros=draw(st.sampled_from([None, 0, 9])))
        for number in range(1, draw(st.integers(1, 4)))
    ]
    return wanted, others, draw(st.sampled_from([0, 101]))


def estimated(wanted, unit):
    return Quote(QuoteState.ESTIMATED, wanted.count, wanted.seconds, unit)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the first Wanted loads what it needs
@given(forms(), st.integers(1, 1000), st.data())
def test_every_choice_shown_is_cheaper_by_its_own_price_and_changes_one_thing_its_model_takes(form, unit, data):
    wanted, others, characters = form
    found = choices(wanted, models=[wanted.model, *others], prompt_characters=characters)
    prices = {choice: data.draw(st.one_of(st.none(), st.integers(1, 1000))) for choice in found}
    quotes = {choice: micros and estimated(choice.wanted, micros) for choice, micros in prices.items()}
    now = estimated(wanted, unit)

    shown = pay_less(now, found, quotes)

    assert len(shown) <= MOST
    assert len({one.field for one in shown}) == len(shown)
    assert [one.saves_micros for one in shown] == sorted((one.saves_micros for one in shown), reverse=True)
    for one in shown:
        (choice,) = [choice for choice in found if (choice.field, choice.value) == (one.field, one.value)]
        assert one.total_micros == quotes[choice].total_micros < now.total_micros
        assert one.saves_micros == now.total_micros - one.total_micros
    for choice in found:
        check_valid(choice, wanted, characters)


def check_valid(choice, wanted, characters):
    then, takes = choice.wanted, choice.wanted.model.takes
    assert then.size in takes.sizes
    assert takes.lengths.allows(then.seconds)
    kept = ("negative_prompt", "seed", "references", "crop_at", "route", "parameters")
    assert all(getattr(then, name) == getattr(wanted, name) for name in kept)
    if choice.field != "model":
        name = {"quality": "size"}.get(choice.field, choice.field)
        assert then == replace(wanted, **{name: getattr(then, name)}) != wanted
        assert shape_of(then.size) == shape_of(wanted.size)
        return
    assert (then.seconds, then.count, quality_of(then.size)) == (wanted.seconds, wanted.count, quality_of(wanted.size))
    assert then.model != wanted.model
    assert then.model.lifecycle == Lifecycle.LIVE
    assert then.model.price_floor_micros != 0
    assert characters <= takes.prompt_limit
    assert takes.image_to_video if wanted.references else takes.text_to_video
    assert takes.negative_prompt or not wanted.negative_prompt
    assert takes.seed or wanted.seed is None
    assert wanted.audio is None or then.audio == wanted.audio


BASIC = Capabilities(sizes=("1920x1080", "1280x720"), lengths=Lengths((4, 8, 12)), audio_switch=True)


def kinds(wanted, **more):
    return {choice.field: choice.value for choice in choices(wanted, **more)}


def test_one_choice_of_each_kind_is_the_nearest():
    wanted = Wanted(model=model(0, BASIC), size="1920x1080", seconds=12, count=3, audio=True)
    assert kinds(wanted) == {"seconds": "8", "audio": "false", "quality": "720p", "count": "1"}


def test_nothing_is_cheaper_than_the_least_of_everything():
    assert kinds(Wanted(model=model(0, BASIC), size="1280x720", seconds=4, audio=False)) == {}


def test_no_other_model_where_a_provider_parameters_or_an_unfitting_picture_were_chosen():
    takes = replace(BASIC, audio_switch=False)
    plain = Wanted(model=model(0, takes), size="1280x720", seconds=4)
    other = [model(1, takes)]
    assert kinds(plain, models=other) == {"model": "m-1"}
    assert kinds(replace(plain, route="fal"), models=other) == {}
    assert kinds(replace(plain, parameters=(("mode", "pro"),)), models=other) == {}
    assert kinds(plain, models=other, has_picture=True) == {}


def test_without_a_price_now_or_then_nothing_is_offered():
    wanted = Wanted(model=model(0, BASIC), size="1280x720", seconds=8)
    found = choices(wanted)
    dear = estimated(wanted, 500)
    assert pay_less(dear, found, {}) == []
    assert pay_less(dear, found, {found[0]: Quote(QuoteState.UNAVAILABLE, 1, 4, 1)}) == []
    assert pay_less(dear, found, {found[0]: estimated(found[0].wanted, 500)}) == []
    assert pay_less(Quote(QuoteState.UNREACHABLE, 1, 8), found, {found[0]: estimated(found[0].wanted, 1)}) == []
    assert [one.total_micros for one in pay_less(dear, found, {found[0]: estimated(found[0].wanted, 499)})] == [499]


def test_what_does_not_fit_into_what_is_left_either_is_not_offered():
    wanted = Wanted(model=model(0, BASIC), size="1280x720", seconds=8, count=2)
    shorter, fewer = (next(one for one in choices(wanted) if one.field == field) for field in ("seconds", "count"))
    left = {"left_micros": 90_000}
    now = Quote(QuoteState.ESTIMATED, 2, 8, 400_000, **left)
    quotes = {
        shorter: Quote(QuoteState.ESTIMATED, 2, 4, 200_000, **left),
        fewer: Quote(QuoteState.ESTIMATED, 1, 8, 60_000, **left),
    }
    assert [one.field for one in pay_less(now, [shorter, fewer], quotes)] == ["count"]
