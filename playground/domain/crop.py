"""Which part of a reference picture goes to the model, when picture and video have different shapes."""

from dataclasses import dataclass

from playground.domain.capabilities import nearest_shape, ratio_of

CENTRE = 50
LEAST_SIDE = 32
"""Pixels. A narrower strip says nothing to a model: then the whole picture is sent."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A box in the picture's pixels, and the shapes that made it necessary. The whole picture when they agree."""

    x: int
    y: int
    width: int
    height: int
    picture_shape: str
    video_shape: str
    is_whole: bool

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width, height."""
        return self.x, self.y, self.width, self.height


def crop_for(width: int, height: int, shape: str, at: int = CENTRE) -> Crop:
    """The largest part of a `width` x `height` picture that has the `shape` "16:9".

    `at` says where it lies along the side that is too long: 0 left or top, 100 right or bottom, in percent.
    """
    own = nearest_shape(width, height)
    ratio = ratio_of(shape)
    if width > height * ratio:
        kept = max(1, round(height * ratio)), height
    else:
        kept = width, max(1, min(height, round(width / ratio)))
    if own == shape or min(kept) < LEAST_SIDE or kept == (width, height):
        return Crop(0, 0, width, height, own, shape, is_whole=True)
    share = max(0, min(100, at)) / 100
    x, y = round((width - kept[0]) * share), round((height - kept[1]) * share)
    return Crop(x, y, *kept, own, shape, is_whole=False)
