"""Installations for a test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.running import Running


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def make(**variables: str) -> Running:
        made.append(Running(tmp_path / str(len(made)), **({"SANDBOX_JOB_SECONDS": "0"} | variables)))
        if "DATABASE_URL" not in variables:
            made[-1].prepared()
        return made[-1]

    yield make
    for installation in made:
        installation.remove()
