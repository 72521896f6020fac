"""Single things in a scene: sun, boat, balloon, birds, planet. Each is a small picture with soft edges."""

import numpy as np

from .layers import Layer, Rgba, Stage, add, disc, mix
from .sky import Field, noise, smoothstep


def boat(stage: Stage) -> Layer:
    """A small sailing boat, drawn from three shapes with soft edges."""
    size = max(24, round(stage.unit * 0.13)) // 2 * 2
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    hull = smoothstep(0, 0.02, y - 0.80) * smoothstep(0, 0.02, 0.93 - y - np.abs(x - 0.5) ** 3 * 1.2)
    hull *= smoothstep(0, 0.02, 0.42 - (y - 0.80) * 0.9 - np.abs(x - 0.5))
    main = smoothstep(0, 0.015, x - 0.50) * smoothstep(0, 0.02, y * 0.46 - 0.02 - (x - 0.50)) * (y < 0.76) * (y > 0.03)
    jib = smoothstep(0, 0.015, 0.47 - x) * smoothstep(0, 0.02, (y - 0.14) * 0.55 - (0.47 - x)) * (y < 0.76)
    palette = stage.scene.palette
    picture = np.empty((size, size, 4), np.uint8)
    sail = mix(palette.light, palette.ground, 0.12)
    sails = np.clip(main + jib, 0, 1)
    for channel in range(3):
        picture[:, :, channel] = palette.ground[channel] + (sail[channel] - palette.ground[channel]) * sails
    picture[:, :, 3] = np.clip(hull + sails, 0, 1) * 255
    start = stage.width * (0.30 if stage.sun[0] > 0.5 else 0.58)
    return Layer(picture, start, stage.height * stage.horizon - size * 0.72, -12 * stage.unit / 720)


def balloons(stage: Stage) -> Layer:
    size = max(40, round(stage.unit * 0.20)) // 2 * 2
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    r = np.hypot((x - 0.5) * 1.05, y - 0.38)
    taper = np.abs(x - 0.5) < np.clip(0.36 - (y - 0.38) * 0.8, 0.06, 0.36)
    cloth = np.clip(smoothstep(0, 0.012, 0.36 - r) + (taper & (y > 0.5) & (y < 0.78)), 0, 1).astype(np.float32)
    basket = ((np.abs(x - 0.5) < 0.05) & (y > 0.84) & (y < 0.93)).astype(np.float32)
    ropes = ((np.abs(np.abs(x - 0.5) - 0.045) < 0.006) & (y >= 0.78) & (y <= 0.84)).astype(np.float32)
    stripes = (np.sin(np.arcsin(np.clip((x - 0.5) / 0.36, -1, 1)) * 7) > 0).astype(np.float32)
    shade = 1 - 0.45 * smoothstep(0.45, 0.85, x)
    picture = np.empty((size, size, 4), np.uint8)
    for channel, (a, b) in enumerate(zip((226, 84, 66), (252, 226, 182), strict=True)):
        picture[:, :, channel] = (a + (b - a) * stripes) * shade * cloth + 44 * (1 - cloth)
    picture[:, :, 3] = np.clip(cloth + basket + ropes, 0, 1) * 255
    return Layer(picture, stage.width * 0.62, stage.height * 0.30, 10 * stage.unit / 720, -6 * stage.unit / 720)


def birds(stage: Stage) -> Layer:
    """A loose flock: each bird two arcs."""
    rng = np.random.default_rng(stage.scene.seed + 5)
    width, height = round(stage.unit * 0.5) // 2 * 2, round(stage.unit * 0.22) // 2 * 2
    alpha = np.zeros((height, width), np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for index in range(7):
        span = stage.unit * rng.uniform(0.014, 0.028)
        cx = width * (0.12 + 0.11 * index) + rng.uniform(-8, 8)
        cy = height * (0.25 + abs(index - 3) * 0.12) + rng.uniform(-4, 4)
        u = np.abs(x - cx) / span
        line = cy - span * 0.55 * np.sqrt(np.clip(u * (1.25 - u), 0, None))
        alpha = np.maximum(alpha, np.clip(1.6 - np.abs(y - line), 0, 1) * (u < 1.05) * 0.8)
    picture = np.empty((height, width, 4), np.uint8)
    picture[:, :, :3] = stage.scene.palette.ground
    picture[:, :, 3] = alpha * 255
    return Layer(picture, stage.width * 0.18, stage.height * 0.24, -36 * stage.unit / 720, -4 * stage.unit / 720)


def sun_or_moon(stage: Stage) -> list[Layer]:
    if stage.scene.kind in ("space", "ribbons") or stage.scene.weather in ("rain", "snow"):
        return []
    radius = round(stage.unit * (0.045 if stage.scene.time == "night" else 0.062))
    picture = disc(radius, stage.scene.palette.light, softness=2.5)
    side = picture.shape[0]
    return [Layer(picture, stage.sun[0] * stage.width - side / 2, stage.sun[1] * stage.height - side / 2, 0, 0)]


def planet(stage: Stage) -> list[Layer]:
    rng = np.random.default_rng(stage.scene.seed + 6)
    radius = stage.unit * 0.27
    side = round(radius * 4.4) // 2 * 2
    y, x = (np.mgrid[0:side, 0:side].astype(np.float32) - side / 2) / radius
    r2 = x * x + y * y
    inside = np.clip((1 - np.sqrt(r2)) * radius + 0.5, 0, 1)
    z = np.sqrt(np.clip(1 - r2, 0, 1))
    light = np.clip((-0.62 * x - 0.45 * y + 0.65 * z), 0, 1) ** 0.8
    bands = noise(rng, 256, 8, cells=2, octaves=5)[:, 0]
    turned = y * 0.94 + x * 0.34 + 0.05 * np.sin(x * 4)
    tone = bands[np.clip((turned * 0.5 + 0.5) * 255, 0, 255).astype(int)]
    tone = smoothstep(0.25, 0.75, tone)
    warm, cool = np.array(stage.scene.palette.light, np.float32), np.array(stage.scene.palette.sky[2], np.float32)
    surface = (cool + (warm - cool) * tone[:, :, None]) * (0.05 + 0.95 * light)[:, :, None]
    rim = (np.exp(-np.abs(np.sqrt(r2) - 1) * 14) * (light + 0.1))[:, :, None] * 60
    picture = np.zeros((side, side, 4), np.uint8)
    picture[:, :, :3] = np.clip(surface + rim, 0, 255)
    alpha = inside
    if {"saturn", "ring", "rings", "ringed"} & stage.scene.words or stage.scene.seed % 2:
        alpha = _ring(picture, x, y, inside)
    picture[:, :, 3] = alpha * 255
    cx = stage.width * (0.66 if stage.width > stage.height else 0.5)
    speed = 6 * stage.unit / 720
    return [Layer(picture, cx - side / 2, stage.height * 0.52 - side / 2, speed, -speed / 3)]


def _ring(picture: Rgba, x: Field, y: Field, inside: Field) -> Field:
    """Draw a tilted ring round the planet, behind its upper half; returns the new alpha."""
    u, v = x * 0.94 - y * 0.34, (y * 0.94 + x * 0.34) * 3.6
    d = np.hypot(u, v)
    band = smoothstep(1.32, 1.38, d) * (1 - smoothstep(1.98, 2.08, d))
    band = (
        band
        * (0.55 + 0.45 * np.sin(d * 34))
        * (0.9 - 0.5 * smoothstep(1.66, 1.70, d) * (1 - smoothstep(1.74, 1.78, d)))
    )
    front = np.where(v > 0, band, band * (1 - inside)).astype(np.float32)
    add(picture, np.clip(front, 0, 1).astype(np.float32), (232, 216, 190))
    made: Field = np.maximum(inside, front * 0.85).astype(np.float32)
    return made
