"""Mutated pictures through the decoder: each is taken or refused, and no process of ours dies of one.

So that ten thousand take minutes, most are decoded by the decoder's own functions in a process that is forked anew for
each hundred; where such a process dies, its hundred are decoded one by one. The rest go the whole way: a child each,
as in a web process. Counterexamples are written to a folder. The seed is printed.
"""

import argparse
import io
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from playground.media import decoder, decoding
from playground.media.picture_limits import LIMITS, THUMBNAIL_SIDE

BATCH = 100
ASKED = {"do": "redraw", "limits": asdict(LIMITS), "thumb_side": THUMBNAIL_SIDE}
KINDS = (
    ("JPEG", "RGB", {}),
    ("JPEG", "RGB", {"progressive": True}),
    ("JPEG", "CMYK", {}),
    ("JPEG", "L", {"restart_marker_blocks": 4}),
    ("PNG", "RGBA", {}),
    ("PNG", "P", {}),
    ("PNG", "1", {}),
    ("PNG", "LA", {"optimize": True}),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}),
)
MAGIC = (
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\0\0\0\0",
    b"\xff\xd8",
    b"\xff\xda",
    b"IHDR",
    b"ANIM",
)


def seeds() -> list[bytes]:
    found = []
    for kind, mode, options in KINDS:
        buffer = io.BytesIO()
        Image.effect_noise((96, 64), 60).convert("RGB").convert(mode).save(buffer, kind, **options)
        found.append(buffer.getvalue())
    return found


def mutated(source: bytes, chance: random.Random) -> bytes:
    """A few bytes other, a piece doubled, moved or cut out, mostly near the head, where the structure is."""
    data = bytearray(source)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        reach = len(data) if chance.random() < 0.4 else min(200, len(data))
        at = chance.randrange(max(1, reach))
        match chance.randrange(6):
            case 0:
                data[at : at + 1] = bytes((chance.randrange(256),))
            case 1:
                data[at : at + 1] = bytes((data[at] ^ (1 << chance.randrange(8)),)) if at < len(data) else b""
            case 2:
                new = chance.choice(MAGIC)
                data[at : at + len(new)] = new
            case 3:
                del data[at : at + chance.randrange(1, 40)]
            case 4:
                data[at:at] = data[at : at + chance.randrange(1, 400)]
            case 5:
                data[at:at] = chance.randbytes(chance.randrange(1, 40))
    return bytes(data[: chance.randrange(1, len(data) + 2)]) if chance.random() < 0.1 else bytes(data)


def mutants(seed: int, count: int) -> Iterator[bytes]:
    chance, sources = random.Random(seed), seeds()
    for _ in range(count):
        yield mutated(chance.choice(sources), chance)


def by_child(data: bytes, folder: Path) -> str:
    """The whole way. What it says of the picture, or why there is no answer."""
    source = folder / "source"
    source.write_bytes(data)
    try:
        with source.open("rb") as file:
            return str(decoding.decode(file, ASKED, out=folder / "out", thumb=folder / "thumb")["code"]) or "taken"
    except decoding.Failed as failed:
        return f"!{failed}" if failed.is_ours else failed.code


def decoded(data: bytes, folder: Path) -> str:
    """By the decoder's functions, in this process."""
    out, thumb = (os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in ("out", "thumb"))
    try:
        return str(decoder.redraw(io.BytesIO(data), ASKED | {"out": out, "thumb": thumb})["code"]) or "taken"
    except decoder.Refused as refused:
        for number in (out, thumb):
            os.close(number)
        return str(refused.facts["code"])
    except MemoryError:
        return "too_much_memory"


def forked(work: Callable[[], list[str]]) -> list[str] | None:
    """What `work` says in a process of its own; None when that dies."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(120)
        try:
            os.write(writing, "\n".join(work()).encode())
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    return said.split("\n") if os.waitpid(child, 0)[1] == 0 else None


def fuzz(*, seed: int, count: int, children: int, folder: Path) -> tuple[Counter[str], list[bytes]]:
    """How many ended how, and what nothing of ours was to die of."""
    ends, bad = Counter[str](), list[bytes]()
    batch = list[bytes]()
    for number, data in enumerate(mutants(seed, count)):
        if number < children:
            end = by_child(data, folder)
            ends[end] += 1
            if end.startswith("!"):
                bad.append(data)
            continue
        batch.append(data)
        if len(batch) == BATCH or number == count - 1:
            _settle(batch, folder, ends, bad)
            batch = []
    return ends, bad


def _settle(batch: list[bytes], folder: Path, ends: Counter[str], bad: list[bytes]) -> None:
    told = forked(lambda: [decoded(data, folder) for data in batch])
    if told is not None:
        ends.update(told)
        return
    for data in batch:  # one of them ended it: which, the whole way tells
        end = by_child(data, folder)
        ends[end] += 1
        if end.startswith("!"):
            bad.append(data)


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--children", type=int, default=200, help="of these, decoded by a child of their own")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    given = parser.parse_args()
    say(f"seed {given.seed}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        ends, bad = fuzz(seed=given.seed, count=given.count, children=given.children, folder=Path(name))
    for end, many in ends.most_common():
        say(f"{many:6} {end}")
    say(f"{sum(ends.values())} pictures in {time.monotonic() - started:.0f} s, {len(bad)} faults of ours")
    if bad:
        kept = Path(tempfile.mkdtemp(prefix="fuzz-uploads-"))
        for number, data in enumerate(bad):
            (kept / str(number)).write_bytes(data)
        say(f"kept in {kept}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
