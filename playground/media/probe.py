"""What a finished video is: checked by decoding every frame, measured, and given a poster and a preview.

The file comes from elsewhere and libavcodec runs in this process, so the work is bounded: only two containers, named
outright (a playlist format would make libavformat open other files), a list of codecs, a limit of length, of pixels and
of time, one thread. Call it in the worker, never in a web process.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from playground.media.boxes import BadVideo, check_mp4_boxes, container_of

VIDEO_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "libdav1d"})
AUDIO_CODECS = frozenset({"aac", "mp3", "mp3float", "opus", "libopus", "vorbis"})
FRAMES_BETWEEN_TICKS = 24
NOT_THE_FILES_FAULT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENOMEM})


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """Seconds of video, pixels a side, and seconds of our time for one call."""

    max_seconds: float = 600.0
    max_side: int = 4096
    work_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Probe:
    """A video as it is shown: width and height are upright and have square pixels. `fps` is the average rate."""

    width: int
    height: int
    duration_ms: int
    has_audio: bool
    video_codec: str
    fps: float
    content_type: str


LIMITS = VideoLimits()


class Watch:
    """Counts frames; every second or so of video it calls `tick` and looks at the clock. `tick` may raise to stop."""

    def __init__(self, limits: VideoLimits, tick: Callable[[], None] | None) -> None:
        self._end = time.monotonic() + limits.work_seconds
        self._limits = limits
        self._tick = tick
        self._count = 0

    def step(self) -> None:
        self._count += 1
        if self._count % FRAMES_BETWEEN_TICKS:
            return
        if time.monotonic() > self._end:
            raise BadVideo(f"decoding took longer than {self._limits.work_seconds:g} s", code="over_limits")
        if self._tick is not None:
            self._tick()


@contextmanager
def opened(path: Path, limits: VideoLimits = LIMITS) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its video stream, after every check that needs no decoding. Raises BadVideo.

    What the block itself writes with libav may find the disk full: then that is raised, as OSError.
    """
    kind = container_of(path)
    if kind == "mp4":
        check_mp4_boxes(path)
    options = {"protocol_whitelist": "file", "enable_drefs": "0"} if kind == "mp4" else {"protocol_whitelist": "file"}
    try:
        container = av.open(str(path), format="mp4" if kind == "mp4" else "matroska", container_options=options)
    except (FFmpegError, ValueError, OSError) as error:
        raise BadVideo(f"the file cannot be opened: {error}") from error
    with container:
        try:
            yield container, _checked(container, limits)
        except FFmpegError as error:
            if isinstance(error, OSError) and error.errno in NOT_THE_FILES_FAULT:
                raise OSError(error.errno, os.strerror(error.errno)) from error
            raise BadVideo(f"the video cannot be decoded: {error}") from error


def _checked(container: InputContainer, limits: VideoLimits) -> VideoStream:
    if not container.streams.video:
        raise BadVideo("the file has no video track", code="no_video")
    stream = container.streams.video[0]
    codec = stream.codec_context.name
    if codec not in VIDEO_CODECS:
        raise BadVideo(f"the video is coded as {codec!r}, which browsers do not play", code="not_playable")
    width, height = stream.codec_context.width, stream.codec_context.height
    if not (0 < width <= limits.max_side and 0 < height <= limits.max_side):
        too_large = f"the video is {width} x {height} pixels; {limits.max_side} a side is the limit"
        raise BadVideo(too_large, code="over_limits")
    for audio in container.streams.audio:
        if audio.codec_context is None or audio.codec_context.name not in AUDIO_CODECS:
            raise BadVideo("the sound is coded in a way that browsers do not play", code="not_playable")
    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    return stream


def probe(path: Path, *, limits: VideoLimits = LIMITS, tick: Callable[[], None] | None = None) -> Probe:
    """Decode the whole file, sound too, and measure it. Raises BadVideo, also when it ends before it said it would.

    `tick` is called about once per second of video, for instance to renew a claim; what it raises ends the work.
    """
    watch = Watch(limits, tick)
    with opened(path, limits) as (container, stream):
        seconds, frames, shown = _decode_all(container, stream, limits, watch)
        width, height = shown
        return Probe(
            width=width,
            height=height,
            duration_ms=round(seconds * 1000),
            has_audio=bool(container.streams.audio),
            video_codec=stream.codec_context.codec.canonical_name,
            fps=round(float(stream.average_rate or Fraction(frames) / Fraction(seconds).limit_denominator(1000)), 3),
            content_type=f"video/{container_of(path)}",
        )


def _decode_all(
    container: InputContainer, stream: VideoStream, limits: VideoLimits, watch: Watch
) -> tuple[float, int, tuple[int, int]]:
    """(seconds from zero to the end of the last frame, number of frames, shown size)."""
    end, frames, shown = 0.0, 0, (0, 0)
    streams = [stream, *container.streams.audio[:1]]
    for packet in container.demux(streams):
        if packet.is_corrupt:
            raise BadVideo("the file holds damaged data")
        for frame in packet.decode():
            watch.step()
            if not isinstance(frame, VideoFrame):
                continue
            if frame.is_corrupt:
                raise BadVideo(f"frame {frames} is damaged")
            frames += 1
            end = max(end, _end_of(frame, stream))
            shown = shown if frames > 1 else shown_size(frame, stream)
            if end > limits.max_seconds:
                raise BadVideo(f"the video is longer than {limits.max_seconds:g} s", code="over_limits")
    if frames == 0:
        raise BadVideo("the video has no frame")
    _check_complete(stream, container, end)
    return end, frames, shown


def _end_of(frame: VideoFrame, stream: VideoStream) -> float:
    start = frame.time or 0.0
    if frame.duration and frame.time_base:
        return start + float(frame.duration * frame.time_base)
    return start + (float(1 / stream.average_rate) if stream.average_rate else 0.0)


def _check_complete(stream: VideoStream, container: InputContainer, end: float) -> None:
    """The headers say how long it should be. A second or a twentieth is let pass: rounding, and sound that runs on."""
    if stream.duration and stream.time_base:
        promised = float(stream.duration * stream.time_base)
    else:
        promised = (container.duration or 0) / av.time_base
    if end < promised - max(1.0, promised * 0.05):
        raise BadVideo(f"the video ends after {end:.1f} s of {promised:.1f} s")


def shown_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height as a player shows the frame: upright, with square pixels."""
    width, height = square_size(frame, stream)
    return (height, width) if frame.rotation % 180 else (width, height)


def square_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height with square pixels, before any turn."""
    ratio = stream.codec_context.sample_aspect_ratio
    if ratio is None or ratio <= 0 or not Fraction(1, 4) <= ratio <= 4:
        return frame.width, frame.height
    return max(1, round(frame.width * ratio)), frame.height
