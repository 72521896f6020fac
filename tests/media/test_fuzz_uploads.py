"""Mutated pictures; ./scripts/fuzz_uploads takes ten thousand."""

from pathlib import Path

from tests.support.fuzz_uploads import fuzz

SEED = 20261122
COUNT = 120


def test_mutated_pictures_are_taken_or_refused_and_nothing_of_ours_dies(tmp_path: Path) -> None:
    ends, bad = fuzz(seed=SEED, count=COUNT, children=40, folder=tmp_path)
    assert not bad, f"seed {SEED}: {ends}"
    assert ends.total() == COUNT
    assert min(ends["taken"], ends["broken"], ends["unreadable"]) > 10  # neither all sound nor all nonsense
