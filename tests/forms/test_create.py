"""The lenient and the strict reading of the Create form."""

import pytest

from playground.domain.capabilities import Capabilities, Lengths
from playground.forms.create import CreateForm, Draft, fit, tidy

TAKES = Capabilities(sizes=("1280x720", "720x1280", "1920x1080"), lengths=Lengths(choices=(4, 8)), prompt_limit=20)
RANGE = Capabilities(lengths=Lengths(minimum=3, maximum=15))
GOOD = {"prompt": "A fox", "token": "t", "shape": "16:9", "quality": "720p", "seconds": "8", "count": "2"}


def read(takes=TAKES, **values):
    form = CreateForm(GOOD | values, takes=takes, model_slug="kling-v3")
    form.is_valid()
    return form


def test_good_values_are_taken_as_they_are():
    form = read()
    assert not form.errors
    assert {k: form.cleaned_data[k] for k in ("size", "seconds", "count")} == {
        "size": "1280x720",
        "seconds": 8,
        "count": 2,
    }


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("prompt", {"prompt": "  \r\n "}),
        ("prompt", {"prompt": "x" * 21}),
        ("seconds", {"seconds": "5"}),
        ("quality", {"shape": "9:16", "quality": "1080p"}),
        ("size", {"shape": "", "quality": "", "size": "99x99"}),
        ("count", {"count": "5"}),
        ("seed", {"seed": "7"}),
        ("negative_prompt", {"negative_prompt": "blur"}),
        ("token", {"token": ""}),
    ],
)
def test_what_the_model_does_not_take_is_said_beside_its_field(field, values):
    assert list(read(**values).errors) == [field]


def test_a_line_end_counts_as_one_character():
    assert tidy("a\r\nb") == "a\nb"
    assert not read(prompt="x" * 9 + "\r\n" + "x" * 10).errors


def test_the_message_for_a_long_prompt_says_by_how_much():
    assert read(prompt="x" * 25).errors["prompt"] == ["25 of 20 characters for kling-v3. Shorten it by 5."]


def test_the_number_field_wins_over_the_chip():
    assert read(RANGE, shape="", quality="", seconds="4", seconds_other="7").cleaned_data["seconds"] == 7


def test_nothing_given_means_the_shortest_length_and_one_video():
    fitted = fit(Draft(), TAKES)
    assert (fitted.seconds, fitted.count, fitted.size, fitted.changes) == (4, 1, "1280x720", [])


def test_another_model_keeps_what_fits_and_names_what_changed():
    fitted = fit(Draft(shape="9:16", quality="1080p", seconds="12", count="3", seed="7"), TAKES)
    assert (fitted.size, fitted.seconds, fitted.count, fitted.seed) == ("720x1280", 8, 3, None)
    assert fitted.changes == [
        "quality is now 720p (was 1080p)",
        "length is now 8 s (was 12 s)",
        "the seed is left out",
    ]


@pytest.mark.parametrize("shape", ["0:0", "x", "16:", "::", "9" * 400])
def test_a_nonsense_shape_in_a_link_falls_back_to_what_the_model_makes(shape):
    assert fit(Draft(shape=shape, quality="p"), TAKES).size in TAKES.sizes


@pytest.mark.parametrize("sent", ["", "true", "false"])
@pytest.mark.parametrize("switch", [True, False])
def test_sound_means_the_same_in_the_price_and_in_the_order(sent, switch):
    takes = Capabilities(audio_switch=switch)
    ordered = read(takes, shape="", quality="", seconds="", audio=sent).cleaned_data["audio"]
    assert ordered == fit(Draft(audio=sent), takes).audio
