import pytest

from playground.domain.capabilities import Capabilities, Lengths, nearest_shape, parse_size, quality_of, shape_of


@pytest.mark.parametrize(
    ("size", "shape", "quality"),
    [
        ("1280x720", "16:9", "720p"),
        ("1080x1920", "9:16", "1080p"),
        ("960x960", "1:1", "960p"),
        ("1365x768", "16:9", "768p"),
    ],
)
def test_shape_and_quality_are_read_off_the_size(size: str, shape: str, quality: str) -> None:
    assert (shape_of(size), quality_of(size)) == (shape, quality)


NO_SIZES = ["auto", "16:9", "1280", "x720", "1280x", "0x0", "99999x2", "-1x5", "１２x720"]


@pytest.mark.parametrize("size", [*NO_SIZES, "9" * 5000 + "x1"])
def test_what_is_not_a_pixel_size_is_refused(size: str) -> None:
    assert parse_size(size) is None
    with pytest.raises(ValueError, match="not a pixel size"):
        shape_of(size)


def test_shapes_are_matched_on_a_logarithmic_scale() -> None:
    assert nearest_shape(700, 100, ("4:1", "8:1")) == "8:1"


def test_range_of_lengths_becomes_at_most_six_chips_with_both_ends() -> None:
    steps = Lengths(minimum=1, maximum=60).steps()

    assert (steps[0], steps[-1]) == (3, 60)
    assert len(steps) == 6
    assert list(steps) == sorted(set(steps))


def test_clip_of_one_second_may_be_typed_but_is_not_offered() -> None:
    lengths = Lengths(minimum=1, maximum=10)

    assert lengths.allows(1)
    assert lengths.shortest == 3
    assert Lengths(minimum=1, maximum=2).steps() == (2,)


def test_nearest_length_prefers_the_cheaper_one_on_a_tie() -> None:
    assert Lengths(choices=(4, 8, 12)).nearest(10) == 8
    assert Lengths(choices=(4, 8, 12)).nearest(6) == 4
    assert Lengths(minimum=4, maximum=15).nearest(20) == 15


def test_size_for_a_pair_that_is_not_offered_is_none() -> None:
    takes = Capabilities(sizes=("1280x720", "720x1280", "1920x1080"))

    assert takes.size_for("16:9", "1080p") == "1920x1080"
    assert takes.size_for("9:16", "1080p") is None


def test_nearest_size_keeps_the_shape_before_the_quality() -> None:
    takes = Capabilities(sizes=("1280x720", "720x1280"))

    assert takes.nearest_size("1080x1920") == "720x1280"
    assert takes.nearest_size("auto") == "1280x720"


def test_capabilities_survive_the_database() -> None:
    takes = Capabilities(
        sizes=("960x960",),
        lengths=Lengths(minimum=4, maximum=15),
        image_to_video=True,
        text_to_video=False,
        max_references=9,
        prompt_limit=2500,
        negative_prompt=True,
        seed=True,
        audio_switch=True,
    )

    assert Capabilities.from_json(takes.to_json()) == takes
    assert takes.needs_reference


def test_unknown_or_broken_json_reads_as_the_defaults() -> None:
    assert Capabilities.from_json({}) == Capabilities()
    assert (
        Capabilities.from_json({"sizes": ["auto", "junk"], "seconds": {"minimum": 9, "maximum": 3}}) == Capabilities()
    )
