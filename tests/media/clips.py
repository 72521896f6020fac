"""Small test clips, made with PyAV: a moving pattern over a bright background, with or without sound."""

import math
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

SOUND_RATE = 48_000


def make_clip(
    path: Path,
    *,
    seconds: float = 2.0,
    size: tuple[int, int] = (160, 96),
    rate: int = 12,
    audio: bool = True,
    video: bool = True,
    codec: str = "libx264",
    black_until: float = 0.0,
    faststart: bool = True,
    noise: bool = False,
) -> Path:
    """Write an MP4 (or WebM with codec="libvpx-vp9") and return its path. The first `black_until` seconds are black."""
    webm = codec.startswith("libvpx")
    options = {"movflags": "+faststart"} if faststart and not webm else {}
    with av.open(str(path), "w", format="webm" if webm else "mp4", options=options) as container:
        track = container.add_stream(codec, rate=rate) if video else None
        sound = container.add_stream("libopus" if webm else "aac", rate=SOUND_RATE) if audio else None
        if track is not None:
            track.width, track.height = size
            track.pix_fmt = "yuv420p" if size[0] % 2 == 0 and size[1] % 2 == 0 else "yuv444p"
            track.options = {"threads": "1"} if webm else {"threads": "1", "preset": "ultrafast"}
        for packets in _interleaved(track, sound, seconds, rate, size, black_until, noise):
            container.mux(packets)
    return path


def _interleaved(track, sound, seconds, rate, size, black_until, noise):
    generator = np.random.default_rng(7)
    samples_done = 0
    for number in range(round(seconds * rate)):
        if track is not None:
            pixels = _picture(number, rate, size, black_until, generator if noise else None)
            frame = VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            yield track.encode(frame)
        while sound is not None and samples_done < (number + 1) * SOUND_RATE // rate:
            yield sound.encode(_tone(samples_done))
            samples_done += 960
    for stream in (track, sound):
        if stream is not None:
            yield stream.encode(None)


def _picture(number, rate, size, black_until, generator):
    width, height = size
    if number / rate < black_until:
        return np.zeros((height, width, 3), dtype=np.uint8)
    if generator is not None:
        return generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    across = np.linspace(0, 255, width, dtype=np.uint8)[None, :, None]
    down = np.linspace(255, 60, height, dtype=np.uint8)[:, None, None]
    pixels = np.concatenate(np.broadcast_arrays(across, down, np.uint8(120)), axis=2).copy()
    left = (number * 4) % max(1, width - 16)
    pixels[height // 3 : height // 3 + 16, left : left + 16] = (255, 255, 255)
    return pixels


def _tone(start):
    times = (np.arange(960) + start) / SOUND_RATE
    wave = (0.2 * np.sin(2 * math.pi * 440 * times)).astype(np.float32)
    frame = AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
    return frame


def turned(source: Path, target: Path) -> Path:
    """A copy whose track header asks players to turn the picture 90 degrees clockwise, as phones write it."""
    data = bytearray(source.read_bytes())
    place = data.index(b"tkhd") + 4 + 4 + 4 * 5 + 8 + 8
    width, height = (value >> 16 for value in struct.unpack(">II", data[place + 36 : place + 44]))
    matrix = (0, 1 << 16, 0, -(1 << 16), 0, 0, height << 16, 0, 1 << 30)
    assert width > height
    data[place : place + 36] = struct.pack(">9i", *matrix)
    target.write_bytes(data)
    return target
