"""Draws a clip: a real MP4 (H.264, AAC, index at the front) for a prompt, plus a thumbnail and a sprite sheet.

Pure: no Django, no database, no network; runs in a process of its own, since a codec may crash. Made to be cheap: the
sky is painted small and enlarged, everything else is drawn once and slid. benchmarks/render.py holds it to that.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageOps

from .caption import draw_words
from .compose import Composer, step_of
from .scene import Scene, read_scene
from .sound import RATE, pad

FPS = 24
SPRITE_COLUMNS, SPRITE_WIDTH, THUMBNAIL_SIDE = 5, 160, 640
MAX_REFERENCE_PIXELS = 50_000_000


@dataclass(frozen=True, slots=True)
class Clip:
    """What to draw. Width and height in pixels, even; length in seconds."""

    prompt: str
    width: int
    height: int
    seconds: float
    audio: bool = True
    seed: int = 0
    reference: str | None = None
    """Path of an image to pan over in place of a painted scene."""


def render(clip: Clip, folder: str, name: str = "video") -> int:
    """Write `name`.mp4, .webp and .jpg into `folder`; returns the MP4's size in bytes. The MP4 comes last, whole."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    scene = read_scene(clip.prompt, seed=clip.seed)
    stills: list[Image.Image] = []
    unfinished = target / f"{name}.mp4.part"
    with av.open(str(unfinished), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        _encode(container, clip, scene, stills)
    _write_stills(stills, target / name, clip)
    os.replace(unfinished, target / f"{name}.mp4")
    return (target / f"{name}.mp4").stat().st_size


def _streams(container: OutputContainer, clip: Clip, step: int) -> tuple[VideoStream, AudioStream | None]:
    options = {"preset": "ultrafast", "crf": "28", "profile": "baseline", "g": str(FPS * 2 // step)}
    video = container.add_stream("libx264", rate=FPS, options=options)
    video.width, video.height, video.pix_fmt = clip.width, clip.height, "yuv420p"
    video.thread_count = 1
    audio = None
    if clip.audio:
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        audio.bit_rate = 64_000
    return video, audio


def _encode(container: OutputContainer, clip: Clip, scene: Scene, stills: list[Image.Image]) -> None:
    total = max(1, round(clip.seconds * FPS))
    step = step_of(total, FPS)
    video, audio = _streams(container, clip, step)
    poster, *tiles = [
        number // step * step for number in (total // 3, *(round(i * (total - 1) / 9) for i in range(10)))
    ]
    sound = pad(total / FPS, scene.seed) if audio else None
    for number, frame in zip(range(0, total, step), _frames(clip, scene, total), strict=True):
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        if number == poster:
            stills.insert(0, _small(frame, THUMBNAIL_SIDE))
        if number in tiles:
            stills.append(_small(frame, SPRITE_WIDTH))
        _write_pictures(container, video, frame, step, total)
        if audio and sound is not None and (number + step) % FPS == 0:
            _write_sound(container, audio, sound, number + step - FPS, number + step)
    if audio and sound is not None:
        _write_sound(container, audio, sound, total // FPS * FPS, total)
        container.mux(audio.encode(None))
    _write_pictures(container, video, None, step, total)


def _write_pictures(
    container: OutputContainer, stream: VideoStream, frame: VideoFrame | None, step: int, total: int
) -> None:
    """Encode `frame`, or what is still held back, each picture lasting `step` frames: else the last would end early."""
    for packet in stream.encode(frame):
        if packet.pts is not None:
            packet.duration = min(step, total - packet.pts)
        container.mux(packet)


def _write_sound(container: OutputContainer, stream: AudioStream, sound: np.ndarray, first: int, last: int) -> None:
    """Encode the sound of frames `first` up to `last`, so that picture and sound lie interleaved in the file."""
    start, end = first * RATE // FPS, last * RATE // FPS
    if end <= start:
        return
    frame = AudioFrame.from_ndarray(sound[None, start:end], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
    container.mux(stream.encode(frame))


def _frames(clip: Clip, scene: Scene, total: int) -> Iterator[VideoFrame]:
    words = draw_words(clip.prompt, clip.width, clip.height)
    composer = Composer(scene, clip.width, clip.height, total / FPS, words, fps=FPS)
    if clip.reference:
        return composer.over_picture(load_reference(clip.reference), total)
    return composer.painted(total)


def load_reference(path: str) -> Image.Image:
    """The reference upright and in RGB. Raises ValueError if it is too large, OSError if it is no image."""
    with Image.open(path) as opened:
        if opened.width * opened.height > MAX_REFERENCE_PIXELS:
            raise ValueError("image has too many pixels")
        upright = ImageOps.exif_transpose(opened)
        return upright.convert("RGB")


def _small(frame: VideoFrame, longest: int) -> Image.Image:
    scale = longest / max(frame.width, frame.height) if longest > SPRITE_WIDTH else longest / frame.width
    width, height = max(2, round(frame.width * scale / 2) * 2), max(2, round(frame.height * scale / 2) * 2)
    return Image.fromarray(frame.reformat(width=width, height=height, format="rgb24").to_ndarray())


def _write_stills(stills: list[Image.Image], stem: Path, clip: Clip) -> None:
    """The thumbnail (the first still) and the sprite sheet (the others in rows of five)."""
    large, *stills = stills
    large.save(stem.with_suffix(".webp"), "WEBP", quality=80, method=2)
    tile = SPRITE_WIDTH, max(2, round(clip.height * SPRITE_WIDTH / clip.width / 2) * 2)
    rows = -(-len(stills) // SPRITE_COLUMNS)
    sheet = Image.new("RGB", (tile[0] * SPRITE_COLUMNS, tile[1] * rows))
    for index, still in enumerate(stills):
        at = index % SPRITE_COLUMNS * tile[0], index // SPRITE_COLUMNS * tile[1]
        sheet.paste(still.resize(tile), at)
    sheet.save(stem.with_suffix(".jpg"), "JPEG", quality=82)
