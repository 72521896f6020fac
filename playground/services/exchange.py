"""Many renames that all happen, whoever dies in between: everything new lies ready beside its place, then a journal
says what goes where, then it is done step by step, and whoever finds the journal does what is left.

Each step can be seen on the disk: what is staged has not been put in place yet. Nothing is ever written over.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from playground.services.archive import sync_folder


class Busy(Exception):
    """Somebody is at it now."""


@dataclass(frozen=True, slots=True)
class Swap:
    """`staged` becomes `target`; what is there, also with one of these endings, goes into the folder `aside`."""

    staged: str
    target: str
    aside: str
    endings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one restore. `made_at` is the time of its backup; `dump` is for PostgreSQL, `keys` a file for the operator."""

    made_at: str
    aside: str
    swaps: list[Swap]
    stages: list[str]
    dump: str = ""
    keys: str = ""
    keys_to: str = ""


def write(plan: Plan, journal: Path) -> None:
    """From here on it will be done. All that is staged is on the disk before the journal is."""
    os.sync()
    part = journal.with_name(f"{journal.name}.part")
    with part.open("w") as file:
        json.dump(asdict(plan), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, journal)
    sync_folder(journal.parent)


def read(journal: Path) -> Plan | None:
    """What is to be done; None when there is nothing."""
    try:
        told = json.loads(journal.read_text())
    except FileNotFoundError:
        return None
    return Plan(**{**told, "swaps": [Swap(**swap) for swap in told["swaps"]]})


def run(plan: Plan) -> list[str]:
    """Do what is left of the renames. Returns the folders that hold what was there before."""
    for swap in plan.swaps:
        _swap(swap)
    return sorted({swap.aside for swap in plan.swaps if Path(swap.aside).is_dir()})


def _swap(swap: Swap) -> None:
    staged, target, aside = Path(swap.staged), Path(swap.target), Path(swap.aside)
    if not staged.exists():
        return
    for ending in (*swap.endings, ""):
        old = target.with_name(target.name + ending)
        if old.exists():
            aside.mkdir(mode=0o750, exist_ok=True)
            os.replace(old, _free(aside / old.name))
            sync_folder(aside)
    os.replace(staged, target)
    sync_folder(target.parent)


def _free(path: Path) -> Path:
    """A name that nothing has: somebody may have started on the half, which must not cost what was moved before."""
    number = 1
    found = path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}.{number}")
    return found


def end(plan: Plan, journal: Path) -> None:
    """All is in place: nothing is left to be done by anybody."""
    journal.unlink()
    sync_folder(journal.parent)
    forget(plan.stages)


def forget(stages: list[str]) -> bool:
    """Remove what was staged and is not wanted. False when there was nothing."""
    found = [stage for stage in stages if Path(stage).exists()]
    for stage in found:
        shutil.rmtree(stage)
    return bool(found)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """One at a time on this machine. Raises Busy."""
    lock.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        yield
