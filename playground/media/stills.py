"""Poster and preview of a checked video: what the gallery shows before anyone presses play."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from playground.media.boxes import BadVideo
from playground.media.probe import LIMITS, VideoLimits, Watch, opened, square_size

POSTER_SIDE = 1280
POSTER_PLACES = (0.25, 0.5, 0.75, 0.1, 0.0)
PREVIEW_SIDE = 320
PREVIEW_SECONDS = 4.0
PREVIEW_RATE = 12
# 4 s at 500 kbit/s are 250 kB, whatever the picture; most previews are far smaller.
PREVIEW_OPTIONS = {
    "preset": "veryfast",
    "profile": "baseline",
    "crf": "28",
    "maxrate": "480k",
    "bufsize": "480k",
    "threads": "1",
}

Pixels = NDArray[np.uint8]


def poster(path: Path, out: Path, *, limits: VideoLimits = LIMITS) -> tuple[int, int]:
    """Write one telling frame as WebP of at most POSTER_SIDE pixels; returns its width and height.

    The frame at a quarter of the length, or the next candidate if that one is black or of one colour; if all are, the
    most varied of them. Raises BadVideo.
    """
    with opened(path, limits) as (container, stream):
        best = _best_frame(container, stream, limits)
    picture = Image.fromarray(best)
    picture.save(out, "WEBP", quality=80, method=4)
    return picture.size


def _best_frame(container: InputContainer, stream: VideoStream, limits: VideoLimits) -> Pixels:
    watch = Watch(limits, None)
    best: tuple[float, Pixels] | None = None
    for place in POSTER_PLACES:
        frame = _frame_at(container, stream, place, watch)
        if frame is None:
            continue
        pixels = upright_pixels(frame, stream, POSTER_SIDE)
        small = pixels[::8, ::8].astype(np.float32)
        brightness, variety = float(small.mean()), float(small.std())
        if brightness > 20 and variety > 6:
            return pixels
        if best is None or variety > best[0]:
            best = (variety, pixels)
    if best is None:
        raise BadVideo("no frame can be read for a poster")
    return best[1]


def _frame_at(container: InputContainer, stream: VideoStream, place: float, watch: Watch) -> VideoFrame | None:
    """The first frame at or after this part of the length; the last frame if there is none after it."""
    length = (container.duration or 0) / av.time_base
    wanted = length * place
    base = stream.time_base
    if base is None:
        return None
    try:
        container.seek(int(wanted / base), stream=stream)
    except FFmpegError:
        # Some files have no index to seek by; from the start, then, or from wherever reading stands.
        wanted = 0.0
    frame = None
    for frame in container.decode(stream):
        watch.step()
        if (frame.time or 0.0) >= wanted:
            break
    return frame


def upright_pixels(frame: VideoFrame, stream: VideoStream, side: int, *, multiple: int = 1) -> Pixels:
    """(height, width, 3) RGB of at most `side` pixels a side, turned upright, sides a multiple of `multiple`."""
    width, height = square_size(frame, stream)
    scale = min(1.0, side / max(width, height))

    def fitted(length: int) -> int:
        return max(multiple, round(length * scale / multiple) * multiple)

    small = frame.reformat(width=fitted(width), height=fitted(height), format="rgb24")
    pixels: Pixels = np.asarray(small.to_ndarray(), dtype=np.uint8)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def preview(
    path: Path, out: Path, *, limits: VideoLimits = LIMITS, tick: Callable[[], None] | None = None
) -> tuple[int, int]:
    """Write the first seconds as a small, silent MP4 for hovering over a tile; returns its width and height.

    At most PREVIEW_SIDE pixels a side, PREVIEW_SECONDS long, PREVIEW_RATE pictures a second, about 250 kB; H.264
    baseline with the index in front. Raises BadVideo.
    """
    with opened(path, limits) as (container, stream):
        pictures = _sampled(container, stream, Watch(limits, tick))
        first = next(pictures, None)
        if first is None:
            raise BadVideo("no frame can be read for a preview")
        height, width = first.shape[:2]
        with av.open(str(out), "w", format="mp4", options={"movflags": "+faststart"}) as made:
            track = made.add_stream("libx264", rate=PREVIEW_RATE, options=PREVIEW_OPTIONS)
            track.width, track.height, track.pix_fmt = width, height, "yuv420p"
            for number, pixels in enumerate(_chain(first, pictures)):
                frame = VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts = number
                made.mux(track.encode(frame))
            made.mux(track.encode(None))
    return width, height


def _chain(first: Pixels, rest: Iterator[Pixels]) -> Iterator[Pixels]:
    """The pictures that have the first one's size: a stream may change its size half-way, an encoder may not."""
    yield first
    for pixels in rest:
        if pixels.shape == first.shape:
            yield pixels


def _sampled(container: InputContainer, stream: VideoStream, watch: Watch) -> Iterator[Pixels]:
    """PREVIEW_RATE pictures a second of the first PREVIEW_SECONDS; slower videos repeat theirs."""
    number = 0
    last = int(PREVIEW_SECONDS * PREVIEW_RATE)
    start: float | None = None
    for frame in container.decode(stream):
        watch.step()
        now = frame.time or 0.0
        start = now if start is None else start
        if (now - start) * PREVIEW_RATE + 1e-6 < number:
            continue
        pixels = upright_pixels(frame, stream, PREVIEW_SIDE, multiple=2)
        while number < last and number <= (now - start) * PREVIEW_RATE + 1e-6:
            yield pixels
            number += 1
        if number >= last:
            return
