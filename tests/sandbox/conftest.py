from collections.abc import Iterator

import pytest

from tests.sandbox_server import SandboxServer, start_sandbox


@pytest.fixture(scope="module")
def lumenfall() -> Iterator[SandboxServer]:
    with start_sandbox("lumenfall", SANDBOX_SLOW_ANSWER_SECONDS="1", SANDBOX_SLOW_SECONDS="2") as server:
        yield server


@pytest.fixture(scope="module")
def openai() -> Iterator[SandboxServer]:
    with start_sandbox("openai") as server:
        yield server
