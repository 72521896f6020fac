"""A real file system of a few megabytes that a test can fill, mounted in memory. Needs the right to mount."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BLOCK = 4096


@contextmanager
def small_disk(folder: Path, *, mib: int = 4) -> Iterator["Disk"]:
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Disk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.filler = folder / "filler"

    def fill(self, *, leave: int) -> None:
        """Write until `leave` bytes, rounded to blocks, are left."""
        self.free()
        with self.filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"\0" * BLOCK):
                    pass
            except OSError:
                file.truncate(max(0, file.tell() - leave // BLOCK * BLOCK))

    def free(self) -> None:
        self.filler.unlink(missing_ok=True)
