"""Mutated pictures; ./scripts/fuzz_uploads takes ten thousand."""

from pathlib import Path

from tests.support.fuzz_uploads import fuzz

SEED = 20261122


def test_mutated_pictures_are_taken_or_refused_and_nothing_of_ours_dies(tmp_path: Path) -> None:
    ends, bad = fuzz(seed=SEED, count=600, children=300, folder=tmp_path)
    assert not bad, f"seed {SEED}: {ends}"
    assert ends.total() == 600
    assert min(ends["taken"], ends["broken"], ends["unreadable"]) > 20  # neither all sound nor all nonsense
