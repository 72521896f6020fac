"""The painted worlds: ridges and forests, dunes, the sea, a city, ribbons; and the weather in front of them."""

from collections.abc import Callable

import numpy as np

from .figures import balloons, birds, boat, planet
from .layers import FAR, FRONT, MIDDLE, NEAR, Layer, Stage, add, below, mix, profile
from .sky import Field, smoothstep


def _trees(rng: np.random.Generator, width: int, size: float) -> Field:
    """Heights of a row of pines in pixels: triangles with stepped branches."""
    heights = np.zeros(width, np.float32)
    x = 0.0
    while x < width + size:
        tall = size * rng.uniform(0.55, 1.25)
        half = tall * rng.uniform(0.20, 0.27)
        left, right = max(0, int(x - half)), min(width, int(x + half) + 1)
        if left < right:
            reach = np.abs(np.arange(left, right) - x) / half
            steps = 0.09 * (1 - ((1 - reach) * 6 % 1.0))
            tree = tall * np.clip(1 - reach - steps * (reach > 0.08), 0, 1)
            heights[left:right] = np.maximum(heights[left:right], tree)
        x += half * rng.uniform(0.7, 1.6)
    return heights


def _hills(stage: Stage, count: int, *, wooded: int, wavelength: float, rough: float, relief: float) -> list[Layer]:
    palette, rng = stage.scene.palette, np.random.default_rng(stage.scene.seed + 1)
    layers = []
    for index in range(count):
        near = (index + 1) / count
        speed = (FAR, MIDDLE, NEAR, FRONT)[min(3, index + 4 - count)] * stage.unit / 720
        width = stage.span(speed)
        base = stage.height * (stage.horizon - 0.03 + (0.95 - stage.horizon) * near**1.35 * 0.82)
        tall = stage.unit * relief * (1.0 - 0.55 * near)
        skyline = base - tall * (profile(rng, width, stage.unit * wavelength * (0.6 + near), roughness=rough) - 0.35)
        if index >= count - wooded:
            skyline = skyline - _trees(rng, width, stage.unit * (0.035 + 0.16 * near**3))
        top = max(0, int(skyline.min()) - 2) // 2 * 2
        colour = mix(palette.haze, palette.ground, 0.18 + 0.82 * near**1.5)
        foot = mix(colour, palette.haze, 0.55 * (1 - near) + 0.05)
        picture = below(skyline - top, stage.height - top, colour, foot, fade=stage.unit * 0.30)
        layers.append(Layer(picture, 0, top, speed))
    return layers


def ridge(stage: Stage) -> list[Layer]:
    hills = _hills(stage, 5, wooded=1, wavelength=0.55, rough=0.5, relief=0.52)
    if stage.scene.time != "night":
        hills.insert(1, birds(stage))
    if "balloon" in stage.scene.words or "balloons" in stage.scene.words:
        hills.insert(2, balloons(stage))
    return hills


def forest(stage: Stage) -> list[Layer]:
    return _hills(stage, 4, wooded=3, wavelength=1.3, rough=0.40, relief=0.30)


def dunes(stage: Stage) -> list[Layer]:
    """Smooth crests, each side of them lit or in shade by which way it slopes."""
    palette, rng = stage.scene.palette, np.random.default_rng(stage.scene.seed + 2)
    sand = mix(palette.haze, (214, 142, 84), 0.5)
    layers = []
    for index in range(4):
        near = (index + 1) / 4
        speed = (FAR, MIDDLE, NEAR, FRONT)[index] * stage.unit / 720
        width = stage.span(speed)
        base = stage.height * (stage.horizon + (0.92 - stage.horizon) * near**1.3 * 0.85)
        wave = profile(rng, width, stage.unit * (0.5 + 0.8 * near), octaves=2, roughness=0.3)
        wave = np.convolve(np.pad(wave, 30, mode="edge"), np.full(61, 1 / 61, np.float32), "valid").astype(np.float32)
        skyline = base - stage.unit * 0.20 * (wave - 0.3)
        top = max(0, int(skyline.min()) - 2) // 2 * 2
        lit = mix(sand, palette.ground, 0.10 + 0.42 * near)
        shade = mix(lit, palette.ground, 0.55)
        picture = below(skyline - top, stage.height - top, lit, mix(lit, shade, 0.6), fade=stage.unit * 0.3)
        slope = smoothstep(-0.05, 0.10, np.gradient(skyline).astype(np.float32))[None, :]
        depth = np.arange(stage.height - top, dtype=np.float32)[:, None] - (skyline - top)[None, :]
        add(picture, (slope * np.exp(-np.clip(depth, 0, None) / (stage.unit * 0.16))).astype(np.float32), shade)
        add(picture, (np.exp(-np.clip(depth, 0, None) / 3) * (1 - slope) * 0.5).astype(np.float32), palette.light)
        layers.append(Layer(picture, 0, top, speed))
    return layers


def ocean(stage: Stage) -> list[Layer]:
    """A far headland, a boat, and swells with bright crests."""
    palette, rng = stage.scene.palette, np.random.default_rng(stage.scene.seed + 3)
    layers = [_headland(stage, rng)]
    if stage.scene.time != "night":
        layers.append(birds(stage))
    boat_words = {"boat", "ship", "sail", "sailing", "harbour", "harbor", "yacht"}
    if boat_words & stage.scene.words or stage.scene.seed % 3 == 0:
        layers.append(boat(stage))
    for index in range(3):
        near = (index + 1) / 3
        speed = (MIDDLE, NEAR, FRONT)[index] * stage.unit / 720
        width = stage.span(speed)
        base = stage.height * (stage.horizon + (1 - stage.horizon) * (0.34 + 0.46 * near))
        swell = profile(rng, width, stage.unit * (0.18 + 0.22 * near), octaves=3, roughness=0.4)
        skyline = base - stage.unit * (0.03 + 0.05 * near) * (swell - 0.5)
        top = max(0, int(skyline.min()) - 2) // 2 * 2
        colour = mix(palette.sky[1], palette.ground, 0.35 + 0.5 * near)
        picture = below(skyline - top, stage.height - top, colour, palette.ground, fade=stage.height - base)
        depth = np.arange(stage.height - top, dtype=np.float32)[:, None] - (skyline - top)[None, :]
        crest = np.exp(-np.clip(depth, 0, None) / (2 + 3 * near)) * smoothstep(0.45, 0.75, swell)[None, :]
        add(picture, (crest * 0.65).astype(np.float32), palette.light)
        alpha = 0.55 + 0.4 * np.clip(depth / (stage.unit * 0.1), 0, 1)
        picture[:, :, 3] = picture[:, :, 3] * alpha
        layers.append(Layer(picture, 0, top, speed))
    return layers


def _headland(stage: Stage, rng: np.random.Generator) -> Layer:
    speed = FAR * stage.unit / 720
    width = stage.span(speed)
    line = stage.height * stage.horizon
    shape = np.clip(profile(rng, width, stage.unit * 0.9, roughness=0.45) - 0.48, 0, 1)
    skyline = line - stage.unit * 0.42 * shape
    top = max(0, int(skyline.min()) - 2) // 2 * 2
    height = (int(line) - top + 2) // 2 * 2
    colour = mix(stage.scene.palette.haze, stage.scene.palette.ground, 0.45)
    return Layer(
        below(skyline - top, height, colour, mix(colour, stage.scene.palette.haze, 0.5), fade=height), 0, top, speed
    )


def city(stage: Stage) -> list[Layer]:
    """Three rows of towers with lit windows, the nearest dark and tall."""
    palette, rng = stage.scene.palette, np.random.default_rng(stage.scene.seed + 4)
    layers = []
    for index in range(3):
        near = (index + 1) / 3
        speed = (MIDDLE, NEAR, FRONT)[index] * stage.unit / 720
        width = stage.span(speed)
        roofs, cells = _roofs(stage, rng, width, near)
        top = max(0, int(roofs.min()) - 2) // 2 * 2
        body = mix(palette.haze, palette.ground, 0.35 + 0.62 * near)
        glow = mix(body, palette.haze, 0.75 - 0.6 * near)
        picture = below(roofs - top, stage.height - top, body, glow, fade=stage.height - top)
        add(picture, _windows(stage, rng, roofs - top, cells, picture.shape[0], near), _window_light(stage, index))
        layers.append(Layer(picture, 0, top, speed))
    return layers


def _window_light(stage: Stage, index: int) -> tuple[int, int, int]:
    return ((255, 206, 132), (255, 224, 170), mix((255, 214, 150), stage.scene.palette.light, 0.3))[index]


def _roofs(stage: Stage, rng: np.random.Generator, width: int, near: float) -> tuple[Field, Field]:
    """The skyline in pixels from the top, and for each column its tower's number."""
    roofs, towers = np.zeros(width, np.float32), np.zeros(width, np.float32)
    x, number = 0, 0
    base = stage.height * (0.66 + 0.10 * near)
    while x < width:
        wide = int(stage.unit * rng.uniform(0.05, 0.11) * (0.7 + 0.9 * near)) // 4 * 4 + 4
        tall = stage.unit * (0.10 + 0.42 * rng.random() ** 1.8) * (1.25 - 0.45 * near)
        roofs[x : x + wide] = base - tall
        towers[x : x + wide] = number
        if rng.random() < 0.35:
            inset = wide // 4
            roofs[x + inset : x + wide - inset] -= stage.unit * 0.03
        if rng.random() < 0.18:
            roofs[x + wide // 2 : x + wide // 2 + 2] -= stage.unit * 0.07
        gap = int(rng.integers(0, 3)) * 2
        roofs[x + wide : x + wide + gap] = base + stage.unit * 0.05
        x, number = x + wide + gap, number + 1
    return roofs, towers


def _windows(stage: Stage, rng: np.random.Generator, roofs: Field, towers: Field, height: int, near: float) -> Field:
    """A mask of lit windows: a grid, most of it dark, brighter in some towers."""
    pitch = max(6, round(stage.unit * (0.009 + 0.011 * near)) // 2 * 2)
    columns, rows = len(roofs) // pitch + 1, height // pitch + 1
    lit = rng.random((rows, columns))
    share = 0.12 + 0.30 * rng.random(int(towers.max()) + 1)
    y, x = np.arange(height), np.arange(len(roofs))
    on = lit[(y // pitch)[:, None], (x // pitch)[None, :]] < share[towers.astype(int)][None, :]
    pane = ((y % pitch > pitch * 0.3)[:, None]) & ((x % pitch > pitch * 0.35)[None, :])
    inside = (y[:, None] - roofs[None, :]) > pitch * 1.2
    warmth = 0.45 + 0.55 * rng.random((rows, columns))
    strength = warmth[(y // pitch)[:, None], (x // pitch)[None, :]] * (0.5 + 0.4 * near)
    if stage.scene.time in ("day", "dawn"):
        strength = strength * 0.35
    made: Field = (on & pane & inside).astype(np.float32) * strength.astype(np.float32)
    return made


def ribbons(stage: Stage) -> list[Layer]:
    """Sheets of colour that cross at different speeds, bright along their edges."""
    palette, rng = stage.scene.palette, np.random.default_rng(stage.scene.seed + 8)
    layers = []
    for index in range(4):
        near = (index + 1) / 4
        speed = (FAR, MIDDLE, NEAR, FRONT)[index] * stage.unit / 720
        width = stage.span(speed)
        wave = profile(rng, width, stage.unit * (1.1 - 0.4 * near), octaves=2, roughness=0.35)
        wave = np.convolve(np.pad(wave, 40, mode="edge"), np.full(81, 1 / 81, np.float32), "valid").astype(np.float32)
        middle = stage.height * (0.18 + 0.24 * index) + stage.unit * 0.75 * (wave - 0.5)
        thick = stage.unit * (0.16 + 0.14 * profile(rng, width, stage.unit * 0.9, octaves=1))
        top = max(0, int(middle.min()) - 2) // 2 * 2
        foot = min(stage.height, int((middle + thick).max()) + 2) // 2 * 2
        colour = (palette.sky[2], palette.haze, palette.light, palette.sky[1])[index]
        y = np.arange(max(2, foot - top), dtype=np.float32)[:, None]
        depth = (y - (middle - top)[None, :]) / thick[None, :]
        picture = np.empty((*depth.shape, 4), np.uint8)
        picture[:, :, :3] = colour
        add(picture, np.exp(-np.clip(depth, 0, None) * 9).astype(np.float32) * 0.8, palette.light)
        fade = np.clip(depth * thick[None, :] + 0.5, 0, 1) * np.clip(1 - depth, 0, 1) ** 1.4
        picture[:, :, 3] = fade * 255 * 0.72
        layers.append(Layer(picture, 0, top, speed))
    return layers


def weather(stage: Stage) -> list[Layer]:
    """Snow, rain or sparks: one large see-through sheet that falls (or rises) past the picture."""
    kind = stage.scene.weather
    if kind == "clear":
        return []
    fall = {"snow": 48, "rain": 720, "sparks": -24}[kind] * stage.unit / 720
    drift = {"snow": 24, "rain": 96, "sparks": 12}[kind] * stage.unit / 720
    # Rain is too quick for one long sheet: the sheet repeats after `loop` pixels and jumps back, unseen.
    loop = stage.height if kind == "rain" else 0
    extra = loop or round(abs(fall) * stage.seconds) // 2 * 2
    width = stage.span(drift)
    sheet = _sheet(stage, width, stage.height if loop else stage.height + extra)
    if loop:
        sheet = np.concatenate([sheet, sheet])
    start = -extra if fall > 0 else 0
    return [Layer(sheet, 0, start, drift, fall, loop=loop)]


def _sheet(stage: Stage, width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rng, kind = np.random.default_rng(stage.scene.seed + 9), stage.scene.weather
    alpha = np.zeros((height, width), np.float32)
    per_picture = {"snow": 60, "rain": 100, "sparks": 40}[kind]
    for _ in range(int(per_picture * (width / stage.width) * (height / stage.height))):
        size = stage.unit * rng.uniform(0.002, 0.006)
        if kind == "rain":
            tall, wide = round(stage.unit * rng.uniform(0.03, 0.07)), 2
            flake = np.full((tall, wide), 0.16 + 0.16 * rng.random(), np.float32)
        else:
            side = max(5, int(size * 5) | 1)
            y, x = np.mgrid[0:side, 0:side].astype(np.float32) - side // 2
            flake = (np.exp(-(x * x + y * y) / (size * size)) * rng.uniform(0.35, 0.95)).astype(np.float32)
        top, left = int(rng.integers(0, height - flake.shape[0])), int(rng.integers(0, width - flake.shape[1]))
        spot = alpha[top : top + flake.shape[0], left : left + flake.shape[1]]
        np.maximum(spot, flake, out=spot)
    picture = np.empty((height, width, 4), np.uint8)
    picture[:, :, :3] = (255, 214, 130) if kind == "sparks" else (235, 242, 250)
    picture[:, :, 3] = alpha * 255
    return picture


SCENE_LAYERS: dict[str, Callable[[Stage], list[Layer]]] = {
    "ridge": ridge,
    "forest": forest,
    "dunes": dunes,
    "ocean": ocean,
    "space": planet,
    "city": city,
    "ribbons": ribbons,
}
