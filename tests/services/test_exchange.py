"""A restore that dies at any step is finished or undone: never half of one and half of the other."""

import itertools
import os
from pathlib import Path

import pytest

from playground.services import exchange
from playground.services.exchange import Plan, Swap

pytestmark = pytest.mark.pure


class Died(BaseException):
    """As a killed process: nothing after it runs."""


def folder(path: Path, word: str) -> Path:
    path.mkdir(parents=True)
    (path / "file").write_text(word)
    return path


def laid_out(root: Path) -> tuple[Plan, Path]:
    """An installation of "old" things, and all "new" ones beside it."""
    stage = root / "restoring"
    for name in ("videos", "references", "base", "base-wal"):
        folder(root / name, "old")
    for name in ("videos", "references", "orphans", "base"):
        folder(stage / name, "new")
    swaps = [
        Swap(str(stage / name), str(root / name), str(root / "before")) for name in ("videos", "references", "orphans")
    ]
    swaps.append(Swap(str(stage / "base"), str(root / "base"), str(root / "before"), ["-shm", "-wal"]))
    return Plan("2026-11-21", "before", swaps, [str(stage)]), root / "restore.json"


def words(root: Path) -> dict[str, str]:
    return {str(path.parent.relative_to(root)): path.read_text() for path in sorted(root.rglob("file"))}


OLD = {"base": "old", "base-wal": "old", "references": "old", "videos": "old"}
NEW = {"base": "new", "orphans": "new", "references": "new", "videos": "new"} | {
    f"before/{name}": word for name, word in OLD.items()
}


def die_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The `number`-th rename, from 0, does not happen, and nothing after it."""
    count, replace = itertools.count(), os.replace

    def rename(source: Path, target: Path) -> None:
        if next(count) >= number:
            raise Died
        replace(source, target)

    monkeypatch.setattr(os, "replace", rename)


def exchanged(root: Path) -> None:
    plan, journal = laid_out(root)
    exchange.write(plan, journal)
    exchange.run(plan)
    exchange.end(plan, journal)


@pytest.mark.parametrize("step", range(9))
def test_exchange_that_dies_at_any_step_is_as_it_was_or_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with monkeypatch.context() as dying:
        die_at(dying, step)
        with pytest.raises(Died):
            exchanged(tmp_path)

    plan = exchange.read(tmp_path / "restore.json")
    if plan is None:
        assert exchange.forget([str(tmp_path / "restoring")])
    else:
        exchange.run(plan)
        exchange.end(plan, tmp_path / "restore.json")

    assert words(tmp_path) == (OLD if step == 0 else NEW)
    assert not (tmp_path / "restoring").exists()
    assert exchange.read(tmp_path / "restore.json") is None


def test_there_are_no_more_steps_than_those(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    die_at(monkeypatch, 9)
    exchanged(tmp_path)
    assert words(tmp_path) == NEW


def test_who_started_on_the_half_costs_nothing_of_what_was_moved_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, journal = laid_out(tmp_path)
    exchange.write(plan, journal)
    with monkeypatch.context() as dying:
        die_at(dying, 7)  # the old database is away, the new one is not there yet
        with pytest.raises(Died):
            exchange.run(plan)
    folder(tmp_path / "base", "empty")

    exchange.run(plan)

    assert words(tmp_path) == NEW | {"before/base.2": "empty"}


def test_second_one_at_the_same_time_is_told_so(tmp_path: Path) -> None:
    with exchange.alone(tmp_path / "lock"), pytest.raises(exchange.Busy), exchange.alone(tmp_path / "lock"):
        pass
    with exchange.alone(tmp_path / "lock"):
        pass
