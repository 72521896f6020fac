"""An installation without other visitors, for tests that stop it or count what all visitors do.

tests/support/scheduling.py keeps these tests on one worker of pytest-xdist.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import People
from tests.support.running import Running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They come first and together, at their head the test that wants nobody to have an account yet."""
    here = Path(__file__).parent
    items.sort(key=lambda item: (here not in item.path.parents, item.path.name != "test_new_user.py"))


def quiet(folder: Path) -> Running:
    """Its jobs take long enough that a page shows every step of them."""
    return Running(folder, SANDBOX_JOB_SECONDS="5-6")


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Nobody has an account on it until the first test makes one."""
    running = quiet(tmp_path_factory.mktemp("alone"))
    running.prepared()
    try:
        yield running.with_models()
    finally:
        running.remove()


@pytest.fixture(scope="package")
def people(up: Running) -> People:
    return People(up)
