"""What a process of its own costs a picture: decoded by a child, against the same work in this process.

A JPEG of about 1 MB as phones make them (12 megapixels), and a small one, where starting the child weighs most. Prints
for both the ratio of the medians of ROUNDS tries, taken in turns, and exits 1 where the large one costs more than LIMIT
times as much.

    python -m benchmarks.decoding
"""

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from playground.media import decoder, decoding
from playground.media.picture_limits import LIMITS, THUMBNAIL_SIDE

ROUNDS = 15
LIMIT = 2.0


def picture(width: int, height: int) -> bytes:
    grain = np.random.default_rng(3).integers(0, 255, (height // 20, width // 20, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grain).resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=72)
    return buffer.getvalue()


def by_child(source: Path, folder: Path) -> None:
    asked = {"do": "redraw", "limits": asdict(LIMITS), "thumb_side": THUMBNAIL_SIDE}
    with source.open("rb") as file:
        answer = decoding.decode(file, asked, out=folder / "out", thumb=folder / "thumb")
    if answer["code"]:
        raise RuntimeError(f"the child refused the picture: {answer}")


def here(source: Path, folder: Path) -> None:
    out, thumb = (os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in ("out", "thumb"))
    asked = {"limits": asdict(LIMITS), "thumb_side": THUMBNAIL_SIDE, "out": out, "thumb": thumb}
    with source.open("rb") as file:
        decoder.redraw(file, asked)


def seconds(work: Callable[[Path, Path], None], source: Path, folder: Path) -> float:
    started = time.perf_counter()
    work(source, folder)
    return time.perf_counter() - started


def start_alone() -> float:
    """Python with Pillow, without a picture."""
    started = time.perf_counter()
    subprocess.run([*decoding.COMMAND[:-2], "-c", "import playground.media.decoder"], cwd=decoding.ROOT, check=True)
    return time.perf_counter() - started


def main() -> int:
    ratios = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, size in {"12 megapixels": (4032, 3024), "0.3 megapixels": (640, 480)}.items():
            source = folder / "source"
            source.write_bytes(picture(*size))
            tries = [(seconds(here, source, folder), seconds(by_child, source, folder)) for _ in range(ROUNDS)]
            own, child = (statistics.median(times) for times in zip(*tries, strict=True))
            ratios[label] = child / own
            told = {"MB": source.stat().st_size / 1e6, "here ms": own * 1e3, "child ms": child * 1e3}
            print(label, json.dumps({key: round(value, 1) for key, value in told.items()}), f"{child / own:.2f} times")
    print(f"starting a child: {statistics.median(start_alone() for _ in range(ROUNDS)) * 1e3:.0f} ms")
    return 0 if ratios["12 megapixels"] <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
