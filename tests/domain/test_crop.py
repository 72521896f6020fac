import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.domain.capabilities import SHAPES, nearest_shape
from playground.domain.crop import LEAST_SIDE, crop_for

pytestmark = pytest.mark.pure
sides = st.integers(LEAST_SIDE, 4000)


@pytest.mark.parametrize(
    ("size", "shape", "at", "box"),
    [
        ((1600, 900), "9:16", 50, (547, 0, 506, 900)),
        ((1600, 900), "9:16", 0, (0, 0, 506, 900)),
        ((1600, 900), "9:16", 100, (1094, 0, 506, 900)),
        ((900, 1600), "16:9", 50, (0, 547, 900, 506)),
        ((900, 1600), "16:9", 100, (0, 1094, 900, 506)),
        ((1000, 800), "1:1", 25, (50, 0, 800, 800)),
        ((1000, 800), "1:1", -5, (0, 0, 800, 800)),
        ((1000, 800), "1:1", 900, (200, 0, 800, 800)),
    ],
)
def test_part_has_the_shape_of_the_video_and_lies_where_asked(size, shape, at, box):
    crop = crop_for(*size, shape, at)
    assert crop.box == box
    assert not crop.is_whole


@pytest.mark.parametrize(
    ("size", "shape"),
    [((1600, 900), "16:9"), ((1000, 1000), "1:1"), ((1000, 563), "16:9"), ((256, 32), "9:16")],
)
def test_picture_of_that_shape_or_too_narrow_to_cut_is_used_whole(size, shape):
    crop = crop_for(*size, shape)
    assert crop.is_whole
    assert crop.box == (0, 0, *size)


@given(sides, sides, st.sampled_from(SHAPES), st.integers(0, 100))
def test_part_is_inside_the_picture_as_large_as_it_can_be_and_is_not_cut_again(width, height, shape, at):
    crop = crop_for(width, height, shape, at)
    assert min(crop.x, crop.y) >= 0
    assert crop.x + crop.width <= width
    assert crop.y + crop.height <= height
    assert crop.width == width or crop.height == height
    assert crop_for(crop.width, crop.height, shape).is_whole
    assert crop.is_whole or nearest_shape(crop.width, crop.height) == shape
