"""The moving background, painted small (about 160 points on the short side) and enlarged by the video scaler.

Painting at full size would cost fifty times as much and look no better: skies and clouds are soft.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .scene import Rgb, Scene

Field = NDArray[np.float32]

SHORT_SIDE = 120
"""Points on the short side of the painted field."""


def smoothstep(low: float, high: float, value: Field) -> Field:
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    made: Field = (t * t * (3.0 - 2.0 * t)).astype(np.float32)
    return made


def noise(rng: np.random.Generator, height: int, width: int, *, cells: int, octaves: int = 4) -> Field:
    """Soft noise in 0..1 that repeats from side to side, so that it can drift for ever."""
    total = np.zeros((height, width), np.float32)
    weight = 0.0
    for octave in range(octaves):
        columns = cells * 2**octave
        rows = max(2, round(columns * height / width) + 1)
        grid = rng.random((rows + 1, columns), np.float32)
        y, x = np.linspace(0, rows - 1e-3, height), np.linspace(0, columns, width, endpoint=False)
        y0, x0 = y.astype(int), x.astype(int)
        fy, fx = (smoothstep(0, 1, (v - v0).astype(np.float32)) for v, v0 in ((y, y0), (x, x0)))
        right = (x0 + 1) % columns
        top = grid[y0][:, x0] * (1 - fx) + grid[y0][:, right] * fx
        foot = grid[y0 + 1][:, x0] * (1 - fx) + grid[y0 + 1][:, right] * fx
        total += (top * (1 - fy)[:, None] + foot * fy[:, None]) * 0.5**octave
        weight += 0.5**octave
    return total / weight


def gradient(stops: tuple[Rgb, ...], height: int) -> Field:
    """Colours from top to bottom, shape (height, 1, 3)."""
    at = np.linspace(0, len(stops) - 1, height)
    index = np.arange(len(stops))
    columns = [np.interp(at, index, [stop[channel] for stop in stops]) for channel in range(3)]
    return np.stack(columns, axis=-1).astype(np.float32)[:, None, :]


class Sky:
    """Paints the background at a time. `horizon` and `sun` are fractions of height and (width, height)."""

    def __init__(self, scene: Scene, width: int, height: int, *, horizon: float, sun: tuple[float, float]) -> None:
        scale = SHORT_SIDE / min(width, height)
        self.width, self.height = round(width * scale / 2) * 2, round(height * scale / 2) * 2
        self.scene, self.horizon, self.sun = scene, horizon, sun
        rng = np.random.default_rng(scene.seed)
        w, h = self.width, self.height
        self.clouds = noise(rng, h, w * 2, cells=5, octaves=5)
        self.veil = noise(rng, h, w * 2, cells=3, octaves=3)
        self.y, self.x = (v.astype(np.float32) for v in np.mgrid[0:h, 0:w])
        self.still = self._still()
        top = np.clip(1.0 - self.y / (h * max(horizon, 0.1)), 0, 1)
        self.cloud_room = (smoothstep(-0.1, 0.35, top) * 0.9).astype(np.float32)
        self.glint = self._glint_column()

    def _still(self) -> Field:
        """All that does not move: the gradient and the glow round the sun or moon."""
        palette, h, w = self.scene.palette, self.height, self.width
        rows = max(2, round(h * self.horizon))
        column = np.concatenate([gradient(palette.sky, rows), np.repeat(gradient(palette.sky, rows)[-1:], h - rows, 0)])
        field = np.repeat(column, w, axis=1)
        unit = min(w, h)
        distance = np.hypot(self.x - self.sun[0] * w, (self.y - self.sun[1] * h) * 1.1) / unit
        strength = {"night": 0.30, "dusk": 0.85, "dawn": 0.7, "day": 0.5}[self.scene.time]
        if self.scene.kind in ("space", "ribbons"):
            strength = 0.25
        glow = (np.exp(-distance * 3.2) * strength).astype(np.float32)[:, :, None]
        light = np.array(palette.light, np.float32)
        made: Field = (field + (light - field) * glow).astype(np.float32)
        return made

    def _glint_column(self) -> Field:
        """Where the light lies on water: a path below the sun that widens towards the viewer."""
        w, h = self.width, self.height
        below = np.clip((self.y / h - self.horizon) / max(1e-3, 1 - self.horizon), 0, 1)
        spread = (0.05 + 0.16 * below) * min(w, h)
        made: Field = (np.exp(-(((self.x - self.sun[0] * w) / spread) ** 2)) * (below > 0)).astype(np.float32)
        return made

    def _drift(self, field: Field, points: float) -> Field:
        """`field` moved left by a fraction of points; without the fraction it would jump from point to point."""
        whole = math.floor(points)
        part = points - whole
        start = whole % field.shape[1]
        rolled: Field = np.concatenate([field[:, start:], field[:, :start]], axis=1)[:, : self.width + 1]
        made: Field = rolled[:, :-1] * (1 - part) + rolled[:, 1:] * part
        return made

    def paint(self, t: float) -> NDArray[np.uint8]:
        """The background at `t` seconds as RGB, shape (height, width, 3)."""
        kind = self.scene.kind
        if kind == "space":
            frame = self._nebula(t)
        elif kind == "ribbons":
            frame = self._flow(t)
        else:
            frame = self._clouded(t)
            if kind == "ocean":
                frame = self._sea(frame, t)
        return np.clip(frame, 0, 255).astype(np.uint8)

    def _clouded(self, t: float) -> Field:
        high, low = self._drift(self.clouds, t * 1.6), self._drift(self.veil, t * 0.7)
        amount = smoothstep(0.46, 0.74, high * 0.7 + low * 0.3) * self.cloud_room
        night = self.scene.time == "night"
        light = np.array(self.scene.palette.haze if night else self.scene.palette.light, np.float32)
        amount = amount[:, :, None] * np.float32(0.34 if night else 0.55)
        frame = self.still + (light - self.still) * amount
        if night and {"aurora", "northern", "lights"} & self.scene.words:
            frame = frame + self._aurora(t)
        return frame.astype(np.float32)

    def _aurora(self, t: float) -> Field:
        wave = np.sin(self.x * 0.045 + t * 0.5) + 0.5 * np.sin(self.x * 0.11 - t * 0.35)
        centre = self.height * (0.24 + 0.055 * wave)
        above = (centre - self.y) / self.height
        band = np.exp(-np.clip(above, 0, None) * 8) * smoothstep(-0.035, 0.03, above.astype(np.float32))
        rays = 0.45 + 0.75 * self._drift(self.clouds[:1], t * 5)
        made: Field = ((band * rays)[:, :, None] * np.array((40, 190, 130), np.float32)).astype(np.float32)
        return made

    def _sea(self, frame: Field, t: float) -> Field:
        h = self.height
        line = round(h * self.horizon)
        depth = (np.arange(h - line, dtype=np.float32) / max(1, h - line))[:, None]
        mirror = frame[np.clip(line - 1 - np.arange(h - line), 0, h - 1)]
        deep = np.array(self.scene.palette.ground, np.float32)
        x, y = self.x[line:], self.y[line:] - line
        ripple = np.sin(y * (2.4 - 1.5 * depth) - t * 2.2 + 0.8 * np.sin(x * 0.09 + t * 0.9))
        water = mirror + (deep * 1.6 - mirror) * (0.34 + 0.5 * depth)[:, :, None]
        water = water + (ripple * (3 + 5 * depth))[:, :, None]
        sparkle = np.clip(ripple * 0.6 + np.sin(x * 0.55 + y * 1.3 + t * 3.1) * 0.5, 0, 1)
        shine = (self.glint[line:] * (0.22 + 0.6 * sparkle))[:, :, None]
        light = np.array(self.scene.palette.light, np.float32)
        frame = frame.copy()
        frame[line:] = water + (light - water) * shine * 0.8
        return frame

    def _nebula(self, t: float) -> Field:
        cloud = smoothstep(0.42, 0.80, self._drift(self.clouds, t * 1.1) * 0.6 + self._drift(self.veil, t * 0.5) * 0.4)
        dust = smoothstep(0.40, 0.75, self._drift(self.veil, 40 + t * 0.8))
        sky, haze = self.scene.palette.sky, np.array(self.scene.palette.haze, np.float32)
        warm = np.array(sky[2], np.float32)
        base = np.array(sky[0], np.float32) * 0.55
        frame = base + (haze - base) * (cloud * 0.75)[:, :, None]
        made: Field = (frame + (warm - frame) * (cloud * dust * 0.7)[:, :, None]).astype(np.float32)
        return made

    def _flow(self, t: float) -> Field:
        w, h = self.width, self.height
        u, v = self.x / min(w, h), self.y / min(w, h)
        bend = np.sin(u * 2.1 + t * 0.35 + 1.3 * np.sin(v * 1.7 - t * 0.22)) + np.sin(v * 2.6 - t * 0.28 + u)
        mix = smoothstep(-1.8, 1.8, bend.astype(np.float32))[:, :, None]
        sky = [np.array(colour, np.float32) for colour in self.scene.palette.sky]
        frame = sky[0] + (sky[1] - sky[0]) * mix * 1.2
        edge = np.exp(-((bend - 0.9) ** 2) * 2.2)[:, :, None]
        made: Field = (frame + (sky[2] - frame) * edge * 0.45).astype(np.float32)
        return made
