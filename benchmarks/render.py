"""CPU time of the sandbox's renderer: 4 s of 720p under 1 s, 20 s under 3 s, of one core.

Prints the seconds (the better of two runs: a busy machine slows all) and their ratio to a plain x264 encode of one
still picture of the same length in the same run. Ends non-zero when a limit is missed. Run: python benchmarks/render.py
"""

import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playground.sandbox.render import FPS, Clip, render

PROMPTS = (
    "A fox in a snowy forest at dusk",
    "City street at night",
    "Waves at sunset",
    "Mountains at dawn",
    "Saturn in space",
)
LIMITS = {4: 1.0, 20: 3.0}


def cpu(work: object, *values: object) -> float:
    started = time.process_time()
    work(*values)  # type: ignore[operator]
    return time.process_time() - started


def reference(seconds: int, folder: str) -> None:
    """The same number of frames of one noisy still, encoded with the same options and nothing else."""
    rng = np.random.default_rng(1)
    still = av.VideoFrame.from_ndarray(rng.integers(0, 255, (720, 1280, 3), np.uint8), format="rgb24").reformat(
        format="yuv420p"
    )
    with av.open(f"{folder}/still.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "28"})
        stream.width, stream.height, stream.pix_fmt, stream.thread_count = 1280, 720, "yuv420p", 1
        for number in range(seconds * FPS):
            still.pts = number
            container.mux(stream.encode(still))
        container.mux(stream.encode(None))


def main() -> int:
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        render(Clip("warm up", 320, 180, 1), folder)
        for seconds, limit in LIMITS.items():
            clips = [Clip(prompt, 1280, 720, seconds) for prompt in PROMPTS]
            times = [min(cpu(render, clip, folder) for _ in range(2)) for clip in clips]
            plain = min(cpu(reference, seconds, folder) for _ in range(2))
            worst, median = max(times), sorted(times)[len(times) // 2]
            missed |= worst >= limit
            print(f"{seconds:>2} s of 720p: median {median:.2f} s, worst {worst:.2f} s CPU (limit {limit:.0f} s), "
                  f"{median / plain:.1f} x a plain encode of a still ({plain:.2f} s)")  # fmt: skip
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
