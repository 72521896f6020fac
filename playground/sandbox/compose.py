"""Puts background, layers, words and the progress bar together, frame by frame, with FFmpeg's own filters."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from av.error import BlockingIOError as NotYet
from av.error import EOFError as NoMore
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image, ImageOps

from .figures import sun_or_moon
from .layers import Layer, Stage
from .scene import Scene
from .sky import Sky
from .worlds import SCENE_LAYERS, weather

YUV, YUVA = VideoFormat("yuv420p"), VideoFormat("yuva420p")
SMOOTH_SECONDS = 10
"""Longer clips have half the pictures, each shown twice as long: half the work, and slow scenes still look calm."""
BAR_HEIGHT = 4
"""A bar along the foot whose width is t/T: each frame tells its own time, which lets a test check seeking."""
HORIZONS = {"ocean": 0.56, "ridge": 0.60, "forest": 0.52, "dunes": 0.58, "city": 0.72}


def step_of(total: int, fps: int) -> int:
    """For how many of the clip's `total` frames one picture stands."""
    return 1 if total <= SMOOTH_SECONDS * fps else 2


class Composer:
    """Gives a picture for each `step_of` frames, the first for frame 0."""

    def __init__(
        self, scene: Scene, width: int, height: int, seconds: float, words: NDArray[np.uint8], *, fps: int
    ) -> None:
        self.scene, self.width, self.height, self.seconds, self.fps = scene, width, height, seconds, fps
        self.words = words
        self.enlarger = VideoReformatter()  # a frame's own would be set up anew for each, which is most of its cost
        across = 0.30 + 0.42 * (scene.seed % 97) / 96
        horizon = HORIZONS.get(scene.kind, 1.0)
        sun = (across, horizon * {"night": 0.42, "dusk": 0.80, "dawn": 0.70, "day": 0.42}[scene.time])
        self.stage = Stage(scene, width, height, seconds, horizon, sun)

    def painted(self, total: int) -> Iterator[VideoFrame]:
        """The scene that the words asked for, as long as `total` frames."""
        layers = sun_or_moon(self.stage) + SCENE_LAYERS[self.scene.kind](self.stage) + weather(self.stage)
        graph = _graph()
        source = graph.add_buffer(width=self.width, height=self.height, format=YUV, time_base=Fraction(1, self.fps))
        sink = self._finish(graph, source, layers)
        sky = Sky(self.scene, self.width, self.height, horizon=self.stage.horizon, sun=self.stage.sun)
        stars = _Stars(self.stage)
        grain = _grain(self.width, self.height, self.scene.seed)
        frame = None
        for number in range(0, total, step_of(total, self.fps)):
            if number % 2 == 0:  # a sky moves slowly: twelve a second look the same and cost half
                frame = self._background(sky, number / self.fps)
                _luma(frame)[:, : self.width] += grain
                stars.twinkle(_luma(frame), number / self.fps)
            assert frame is not None
            frame.pts, frame.time_base = number, Fraction(1, self.fps)
            source.push(frame)
            yield _pull(sink)

    def _background(self, sky: Sky, t: float) -> VideoFrame:
        small = VideoFrame.from_ndarray(sky.paint(t), format="rgb24")
        return self.enlarger.reformat(
            small, self.width, self.height, format="yuv420p", interpolation=Interpolation.FAST_BILINEAR
        )

    def over_picture(self, picture: Image.Image, total: int) -> Iterator[VideoFrame]:
        """A slow move over `picture`, which is cropped to the shape of the clip, as long as `total` frames."""
        # Twice the size: the pan moves in whole points of its source, which would be seen as shaking at single size.
        doubled = ImageOps.fit(picture, (self.width * 2, self.height * 2), Image.Resampling.BICUBIC)
        still = VideoFrame.from_ndarray(np.asarray(doubled), format="rgb24").reformat(format="yuv420p")
        graph = _graph()
        source = graph.add_buffer(width=still.width, height=still.height, format=YUV, time_base=Fraction(1, self.fps))
        way = self.scene.seed % 2
        step = step_of(total, self.fps)
        count = -(-total // step)
        progress = f"on/{max(1, count)}"
        across = f"(iw-iw/zoom)*({progress})" if way else f"(iw-iw/zoom)*(1-{progress})"
        pan = graph.add(
            "zoompan",
            f"z='1.04+0.14*{progress}':x='{across}':y='(ih-ih/zoom)/2':d={count}"
            f":s={self.width}x{self.height}:fps={self.fps}/{step}",
        )
        source.link_to(pan)
        sink = self._finish(graph, pan, weather(self.stage))
        still.pts, still.time_base = 0, Fraction(1, self.fps)
        source.push(still)
        source.push(None)
        for _ in range(count):
            yield _pull(sink)

    def _finish(self, graph: Graph, source: FilterContext, layers: list[Layer]) -> FilterContext:
        """Link layers, words and bar over `source` and hand back the end of the chain, configured."""
        bar, track = (
            np.full((BAR_HEIGHT, self.width, 4), 255, np.uint8),
            np.zeros((BAR_HEIGHT, self.width, 4), np.uint8),
        )
        track[:, :, 3] = 255
        foot = self.height - BAR_HEIGHT
        over = [
            *layers,
            Layer(self.words, 0, 0),
            Layer(track, 0, foot),
            Layer(bar, -self.width, foot, -self.width / self.seconds),
        ]
        pushes: list[tuple[FilterContext, VideoFrame]] = []
        last = source
        for layer in over:
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(layer.picture), format="rgba")
            frame = frame.reformat(format="yuva420p")
            frame.pts, frame.time_base = 0, Fraction(1, self.fps)
            feed = graph.add_buffer(
                width=frame.width, height=frame.height, format=YUVA, time_base=Fraction(1, self.fps)
            )
            x = f"{layer.x:.3f}-({layer.speed_x:.4f})*t"
            way = f"({layer.speed_y:.4f})*t"
            y = f"{layer.y:.3f}+mod({way},{layer.loop})" if layer.loop else f"{layer.y:.3f}+{way}"
            blend = graph.add("overlay", f"x='{x}':y='{y}':format=yuv420:eval=frame:eof_action=repeat")
            last.link_to(blend, 0, 0)
            feed.link_to(blend, 0, 1)
            last = blend
            pushes.append((feed, frame))
        sink = graph.add("buffersink")
        last.link_to(sink)
        graph.configure()
        for feed, frame in pushes:
            feed.push(frame)
            feed.push(None)
        self.graph = graph  # the contexts do not keep it alive
        return sink


def _graph() -> Graph:
    graph = Graph()
    graph.threads = 1  # splitting such small pictures over threads costs more than it saves
    return graph


def _pull(sink: FilterContext) -> VideoFrame:
    try:
        frame = sink.pull()
    except (NotYet, NoMore) as error:
        raise RuntimeError("the filter chain gave no frame") from error
    assert isinstance(frame, VideoFrame)
    return frame


def _luma(frame: VideoFrame) -> NDArray[np.uint8]:
    """The brightness plane of `frame`, writable; rows may be wider than the picture."""
    plane = frame.planes[0]
    rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows


def _grain(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    """Noise of one step up or down that breaks the bands of a smooth sky. 255 is -1: addition wraps."""
    rng = np.random.default_rng(seed + 11)
    return rng.choice(np.array([255, 0, 0, 1], np.uint8), (height, width))


class _Stars:
    """Points of light added to the brightness plane, each breathing at its own pace. None by day."""

    def __init__(self, stage: Stage) -> None:
        rng = np.random.default_rng(stage.scene.seed + 7)
        count = {"space": 170, "ribbons": 0}.get(stage.scene.kind, 70 if stage.scene.time == "night" else 0)
        if stage.scene.weather in ("rain", "snow"):
            count = 0
        floor = stage.height * min(stage.horizon, 0.98) - 8
        self.spots = []
        for _ in range(count):
            size = float(rng.choice([0.8, 0.8, 1.1, 1.7])) * stage.unit / 720
            y, x = (np.mgrid[-3:4, -3:4]).astype(np.float32)
            shape = np.exp(-(x * x + y * y) / (2 * size * size)) * rng.uniform(70, 190)
            left, top = int(rng.uniform(4, stage.width - 8)), int(rng.uniform(4, max(9, floor - 4)))
            self.spots.append((top, left, shape.astype(np.float32), rng.uniform(0.6, 2.4), rng.uniform(0, 6.28)))

    def twinkle(self, luma: NDArray[np.uint8], t: float) -> None:
        for top, left, shape, pace, phase in self.spots:
            spot = luma[top : top + 7, left : left + 7]
            light = shape * (0.62 + 0.38 * np.sin(t * pace + phase))
            np.minimum(spot + light, 235, out=spot, casting="unsafe")
