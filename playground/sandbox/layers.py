"""The things in front of the sky: ridges, trees, dunes, waves, towers, planets, ribbons, birds, snow.

Each layer is drawn once, wider than the picture by as much as it will travel, and slid along by the video filter. That
is far cheaper than drawing it anew for each frame, and nearer layers that move faster give depth.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scene import Rgb, Scene
from .sky import Field, smoothstep

Rgba = NDArray[np.uint8]

FAR, MIDDLE, NEAR, FRONT = 12, 24, 48, 96
"""Speeds in pixels a second at 720 lines. Chroma is halved, so steps under two pixels a frame are held for a frame."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture and its way: left edge at `x - speed_x * t`, top at `y + speed_y * t`, in pixels and seconds."""

    picture: Rgba
    x: float
    y: float
    speed_x: float = 0.0
    speed_y: float = 0.0
    loop: int = 0
    """Pixels after which the vertical way starts again; 0 = never."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the painters need to know of the picture."""

    scene: Scene
    width: int
    height: int
    seconds: float
    horizon: float
    sun: tuple[float, float]

    @property
    def unit(self) -> int:
        return min(self.width, self.height)

    def span(self, speed: float) -> int:
        """Width of a layer that moves at `speed` so that its end is never seen; even."""
        return (self.width + round(speed * self.seconds) + 3) // 2 * 2


def mix(a: Rgb, b: Rgb, amount: float) -> Rgb:
    return tuple(round(x + (y - x) * amount) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def profile(
    rng: np.random.Generator, width: int, wavelength: float, *, roughness: float = 0.5, octaves: int = 6
) -> Field:
    """A skyline in 0..1: sums of ever finer waves with interpolated random heights."""
    total, weight = np.zeros(width, np.float32), 0.0
    for octave in range(octaves):
        step = max(2.0, wavelength / 2**octave)
        points = rng.random(int(width / step) + 3)
        at = np.arange(width) / step
        low = at.astype(int)
        part = smoothstep(0, 1, (at - low).astype(np.float32)) if octave < 2 else (at - low).astype(np.float32)
        total += (points[low] * (1 - part) + points[low + 1] * part) * roughness**octave
        weight += roughness**octave
    return (total / weight).astype(np.float32)


def below(heights: Field, height: int, top: Rgb, foot: Rgb, *, fade: float) -> Rgba:
    """Fill below a skyline. `heights` are pixels from the top; colour runs from `top` to `foot` over `fade` pixels."""
    y = np.arange(height, dtype=np.float32)[:, None]
    depth = y - heights[None, :]
    alpha = np.clip(depth + 0.5, 0, 1)
    blend = np.clip(depth / fade, 0, 1)
    picture = np.empty((height, len(heights), 4), np.uint8)
    for channel in range(3):
        picture[:, :, channel] = top[channel] + (foot[channel] - top[channel]) * blend
    picture[:, :, 3] = alpha * 255
    return picture


def add(picture: Rgba, mask: Field, colour: Rgb) -> None:
    """Blend `colour` into the coloured part of `picture` where `mask` (0..1) says so; its shape stays."""
    for channel in range(3):
        plane = picture[:, :, channel].astype(np.float32)
        picture[:, :, channel] = plane + (colour[channel] - plane) * mask


def disc(radius: int, colour: Rgb, *, softness: float = 1.0) -> Rgba:
    side = (radius * 2 + 5) // 2 * 2
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) - side / 2 + 0.5
    alpha = np.clip((radius - np.hypot(x, y)) / softness + 0.5, 0, 1)
    picture = np.empty((side, side, 4), np.uint8)
    picture[:, :, :3] = colour
    picture[:, :, 3] = alpha * 255
    return picture
