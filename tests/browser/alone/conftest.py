"""An installation without other visitors, for tests that stop it or count what all visitors do.

tests/support/scheduling.py keeps these tests on one worker of pytest-xdist.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import People
from tests.support.running import Running


def quiet(folder: Path) -> Running:
    """Its jobs take long enough that a page shows every step of them."""
    return Running(folder, SANDBOX_JOB_SECONDS="5-6")


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Nobody has an account on it until the first test makes one."""
    running = quiet(tmp_path_factory.mktemp("alone"))
    try:
        yield running.with_models()
    finally:
        running.remove()


@pytest.fixture(scope="session")
def people(up: Running) -> People:
    return People(up)
