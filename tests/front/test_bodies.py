"""Bodies of requests that come well, slowly, in numbers, or not at all."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from playground.front import bodies as module
from playground.front.bodies import STRETCH_BYTES, STRETCH_S, Bodies, Gone, Message, NoRoom, TooMany, TooSlow

pytestmark = pytest.mark.pure


class Quick(asyncio.SelectorEventLoop):
    """A loop that waits for nothing: where only a time is waited for, it is that time."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        live = [timer.when() for timer in self._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        if not self._ready and live:  # type: ignore[attr-defined]
            self.now = max(self.now, min(live))
        super()._run_once()  # type: ignore[misc]


class Client:
    """Sends what is put in; `receive` waits for it."""

    def __init__(self, *blocks: bytes, ends: bool = False) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        for number, block in enumerate(blocks, start=1):
            self.send(block, more=not (ends and number == len(blocks)))

    def send(self, block: bytes, *, more: bool = True) -> None:
        self.messages.put_nowait({"type": "http.request", "body": block, "more_body": more})

    async def receive(self) -> Message:
        return await self.messages.get()


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=Quick) as runner:
        runner.run(coroutine)


async def settled() -> None:
    """Lets what can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_bodies_at_once_fill_only_so_much_of_the_disk(tmp_path: Path) -> None:
    """By what they announce; those of others are not held up by one client's."""

    async def story() -> None:
        bodies = Bodies(tmp_path, bytes_at_once=100, bytes_of_one_client=60)
        first = asyncio.create_task(bodies.read(Client(b"x").receive, client="a", length=50))
        await settled()
        with pytest.raises(TooMany):
            await bodies.read(Client(b"x", ends=True).receive, client="a", length=20)
        (await bodies.read(Client(b"x", ends=True).receive, client="b", length=50)).close()
        with pytest.raises(TooMany):
            await bodies.read(Client(b"x", ends=True).receive, client="b", length=51)
        await asyncio.sleep(module.GRACE_S + 1)
        (await bodies.read(Client(b"x", ends=True).receive, client="a", length=20)).close()
        with pytest.raises(TooSlow):
            await first

    run(story())


def test_a_body_arrives_whole_in_memory_or_on_disk(tmp_path: Path) -> None:
    async def story() -> None:
        bodies = Bodies(tmp_path)
        for size in (10, module.IN_MEMORY_BYTES * 3):
            with await bodies.read(Client(b"x" * size, b"end", ends=True).receive, client="a", length=1) as body:
                assert body.read() == b"x" * size + b"end"
        assert bodies.taken == 0
        assert list(tmp_path.iterdir()) == []

    run(story())


def test_a_body_that_stalls_or_drips_is_given_up(tmp_path: Path) -> None:
    async def story() -> None:
        bodies = Bodies(tmp_path)
        for client in (Client(), Client(b"x"), Client(b"x" * (STRETCH_BYTES - 1))):
            with pytest.raises(TooSlow):
                await bodies.read(client.receive, client="a", length=1)
        assert bodies.taken == 0
        assert asyncio.get_running_loop().time() == pytest.approx(3 * STRETCH_S, abs=0.1)

    run(story())


def test_a_body_that_keeps_coming_has_all_the_time_it_needs(tmp_path: Path) -> None:
    async def story() -> None:
        client, stretches = Client(), 4

        async def comes() -> None:
            for number in range(stretches):
                await asyncio.sleep(STRETCH_S * 0.9)
                client.send(b"x" * STRETCH_BYTES, more=number < stretches - 1)

        coming = asyncio.create_task(comes())
        with await Bodies(tmp_path).read(client.receive, client="a", length=1) as body:
            assert len(body.read()) == STRETCH_BYTES * stretches
        await coming

    run(story())


def test_a_client_that_leaves_is_not_answered_and_gives_its_place_back(tmp_path: Path) -> None:
    async def story() -> None:
        bodies, client = Bodies(tmp_path), Client(b"x")
        client.messages.put_nowait({"type": "http.disconnect"})
        with pytest.raises(Gone):
            await bodies.read(client.receive, client="a", length=1)
        assert bodies.taken == 0

    run(story())


@pytest.mark.parametrize(("own", "others"), [(2, 0), (1, 2)])
def test_where_all_places_are_taken_by_bodies_that_keep_coming_a_newcomer_is_refused(
    tmp_path: Path, own: int, others: int
) -> None:
    async def story() -> None:
        bodies = Bodies(tmp_path, at_once=3, of_one_client=2)
        clients = ["a"] * own + [f"other {number}" for number in range(others)]
        waiting = [asyncio.create_task(bodies.read(Client(b"x").receive, client=name, length=1)) for name in clients]
        await settled()
        with pytest.raises(TooMany):
            await bodies.read(Client(b"x", ends=True).receive, client="a", length=1)
        if others == 0:
            (await bodies.read(Client(b"x", ends=True).receive, client="b", length=1)).close()
        for task in waiting:
            task.cancel()

    run(story())


def test_the_slowest_of_the_late_gives_its_place_to_a_newcomer(tmp_path: Path) -> None:
    async def story() -> None:
        bodies = Bodies(tmp_path, at_once=3)
        sizes = {"fast": 10_000_000, "slow": 10, "dead": 0}
        tasks = {
            name: asyncio.create_task(bodies.read(Client(b"x" * size).receive, client=name, length=1))
            for name, size in sizes.items()
        }
        await asyncio.sleep(module.GRACE_S + 0.1)
        for ended in ("dead", "slow"):
            (await bodies.read(Client(b"y", ends=True).receive, client="new", length=1)).close()
            with pytest.raises(TooSlow):
                await tasks[ended]
            tasks[ended] = asyncio.create_task(bodies.read(Client(b"x" * 10_000_000).receive, client=ended, length=1))
            await settled()
        with pytest.raises(TooMany):
            await bodies.read(Client(b"y", ends=True).receive, client="new", length=1)
        for task in tasks.values():
            task.cancel()

    run(story())


def test_a_full_disk_refuses_the_body(tmp_path: Path) -> None:
    async def story() -> None:
        gone = Bodies(tmp_path / "missing")
        with pytest.raises(NoRoom):
            await gone.read(Client(b"x" * (module.IN_MEMORY_BYTES + 1), ends=True).receive, client="a", length=1)

    run(story())
