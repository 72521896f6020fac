"""Bodies of requests that come well, slowly, in numbers, or not at all."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from playground.front import bodies as module
from playground.front.bodies import STRETCH_BYTES, STRETCH_S, Bodies, Gone, Message, NoRoom, TooMany, TooSlow
from tests.support.small_disk import BLOCK, Disk, small_disk

pytestmark = pytest.mark.pure

LONG = module.IN_MEMORY_BYTES + 1


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


async def read(bodies: Bodies, client: Client, *, whose: str = "a", length: int = 1) -> bytes:
    async with bodies.read(client.receive, client=whose, length=length) as body:
        return body.read()


async def settled() -> None:
    """Lets what can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_bodies_at_once_fill_only_so_much_of_the_disk(tmp_path: Path) -> None:
    """By what they announce; those of others are not held up by one client's."""

    async def story() -> None:
        bodies = Bodies(tmp_path, bytes_at_once=100 * LONG, bytes_of_one_client=60 * LONG)
        first = asyncio.create_task(read(bodies, Client(b"x"), length=50 * LONG))
        await settled()
        with pytest.raises(TooMany):
            await read(bodies, Client(b"x", ends=True), length=20 * LONG)
        await read(bodies, Client(b"x", ends=True), whose="b", length=50 * LONG)
        with pytest.raises(TooMany):
            await read(bodies, Client(b"x", ends=True), whose="b", length=51 * LONG)
        await asyncio.sleep(module.GRACE_S + 1)
        await read(bodies, Client(b"x", ends=True), length=20 * LONG)
        with pytest.raises(TooSlow):
            await first

    run(story())


def test_a_body_arrives_whole_in_memory_or_on_disk(tmp_path: Path) -> None:
    async def story() -> None:
        bodies = Bodies(tmp_path)
        for size in (10, module.IN_MEMORY_BYTES * 3):
            assert await read(bodies, Client(b"x" * size, b"end", ends=True)) == b"x" * size + b"end"
        assert (bodies.on_their_way, bodies.bytes_on_disk) == (0, 0)

    run(story())


def test_a_body_that_stalls_or_drips_is_given_up(tmp_path: Path) -> None:
    async def story() -> None:
        bodies = Bodies(tmp_path)
        for client in (Client(), Client(b"x"), Client(b"x" * (STRETCH_BYTES - 1))):
            with pytest.raises(TooSlow):
                await read(bodies, client)
        assert bodies.on_their_way == 0
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
        async with Bodies(tmp_path).read(client.receive, client="a", length=1) as body:
            assert len(body.read()) == STRETCH_BYTES * stretches
        await coming

    run(story())


def test_a_client_that_sends_no_more_gives_its_place_back(tmp_path: Path) -> None:
    async def story() -> None:
        bodies, client = Bodies(tmp_path), Client(b"x")
        client.messages.put_nowait({"type": "http.disconnect"})
        with pytest.raises(Gone):
            await read(bodies, client)
        assert bodies.on_their_way == 0

    run(story())


@pytest.mark.parametrize(("own", "others"), [(2, 0), (1, 2)])
def test_where_all_places_are_taken_by_bodies_that_keep_coming_a_newcomer_is_refused(
    tmp_path: Path, own: int, others: int
) -> None:
    async def story() -> None:
        bodies = Bodies(tmp_path, at_once=3, of_one_client=2)
        clients = ["a"] * own + [f"other {number}" for number in range(others)]
        waiting = [asyncio.create_task(read(bodies, Client(b"x"), whose=name)) for name in clients]
        await settled()
        with pytest.raises(TooMany):
            await read(bodies, Client(b"x", ends=True))
        if others == 0:
            await read(bodies, Client(b"x", ends=True), whose="b")
        for task in waiting:
            task.cancel()

    run(story())


def test_the_slowest_of_the_late_gives_its_place_to_a_newcomer(tmp_path: Path) -> None:
    async def story() -> None:
        bodies = Bodies(tmp_path, at_once=3)
        sizes = {"fast": 10_000_000, "slow": 10, "dead": 0}
        tasks = {
            name: asyncio.create_task(read(bodies, Client(b"x" * size), whose=name)) for name, size in sizes.items()
        }
        await asyncio.sleep(module.GRACE_S + 0.1)
        for ended in ("dead", "slow"):
            await read(bodies, Client(b"y", ends=True), whose="new")
            with pytest.raises(TooSlow):
                await tasks[ended]
            tasks[ended] = asyncio.create_task(read(bodies, Client(b"x" * 10_000_000), whose=ended))
            await settled()
        with pytest.raises(TooMany):
            await read(bodies, Client(b"y", ends=True), whose="new")
        for task in tasks.values():
            task.cancel()

    run(story())


def test_a_whole_body_counts_on_the_disk_until_its_request_is_answered_but_takes_no_place(tmp_path: Path) -> None:
    async def story() -> None:
        bodies = Bodies(tmp_path, at_once=1, bytes_at_once=100 * LONG)
        client = Client(b"x", ends=True)
        async with bodies.read(client.receive, client="a", length=60 * LONG):
            assert (bodies.on_their_way, bodies.bytes_on_disk) == (0, 60 * LONG)
            with pytest.raises(TooMany):
                await read(bodies, Client(b"x", ends=True), whose="b", length=41 * LONG)
            assert await read(bodies, Client(b"y", ends=True), whose="b", length=40 * LONG) == b"y"
        assert await read(bodies, Client(b"z", ends=True), whose="b", length=100 * LONG) == b"z"

    run(story())


def test_short_bodies_and_long_ones_keep_each_other_from_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        bodies = Bodies(tmp_path, at_once=1, of_one_client=1, bytes_at_once=LONG, bytes_of_one_client=LONG)
        long = asyncio.create_task(read(bodies, Client(b"x"), length=LONG))
        await settled()
        assert await read(bodies, Client(b"y", ends=True), length=LONG - 1) == b"y"
        short = asyncio.create_task(read(bodies, Client(b"x"), length=LONG - 1))
        await settled()
        for length in (LONG - 1, LONG):
            with pytest.raises(TooMany):
                await read(bodies, Client(b"y", ends=True), length=length)
        assert bodies.bytes_on_disk == LONG
        long.cancel()
        short.cancel()

    run(story())


def test_where_whole_bodies_fill_the_disk_no_slow_one_is_ended_in_vain(tmp_path: Path) -> None:
    async def story() -> None:
        bodies = Bodies(tmp_path, bytes_at_once=100 * LONG)
        async with bodies.read(Client(b"x", ends=True).receive, client="a", length=80 * LONG):
            slow = asyncio.create_task(read(bodies, Client(b"x"), whose="b", length=10 * LONG))
            await asyncio.sleep(module.GRACE_S + 1)
            with pytest.raises(TooMany):
                await read(bodies, Client(b"y", ends=True), whose="c", length=30 * LONG)
            assert bodies.on_their_way == 1
            assert await read(bodies, Client(b"y", ends=True), whose="c", length=20 * LONG) == b"y"
            with pytest.raises(TooSlow):
                await slow

    run(story())


def test_a_newcomer_in_the_moment_in_which_another_runs_out_of_time_has_its_place(tmp_path: Path) -> None:
    async def story() -> None:
        bodies, loop = Bodies(tmp_path, at_once=1), asyncio.get_running_loop()
        late = asyncio.create_task(read(bodies, Client()))
        await settled()
        newcomers: list[asyncio.Task[bytes]] = []

        def comes() -> None:
            newcomers.append(asyncio.create_task(read(bodies, Client(b"y", ends=True), whose="new")))

        # The loop is held for a moment: both come in one turn, and the newcomer begins before the late one is told.
        loop.call_at(STRETCH_S - 0.002, lambda: setattr(loop, "now", STRETCH_S + 0.1))
        loop.call_at(STRETCH_S - 0.001, comes)
        await asyncio.sleep(STRETCH_S + 1)
        assert await newcomers[0] == b"y"
        with pytest.raises(TooSlow):
            await late

    run(story())


@pytest.mark.parametrize(
    "blocks",
    [[1000] * 200, [65_537, 30_000, 5_000], [100_001], [65_537, 15_000, 5_000]],
    ids=["small", "between", "one", "last"],
)
def test_a_disk_that_is_full_refuses_the_body(tmp_path: Path, blocks: list[int]) -> None:
    async def story(disk: Disk) -> None:
        bodies = Bodies(disk.folder)
        with pytest.raises(NoRoom):
            await read(bodies, Client(*(b"x" * size for size in blocks), ends=True))
        disk.free()
        assert await read(bodies, Client(b"x" * 100_001, ends=True)) == b"x" * 100_001

    with small_disk(tmp_path / "disk", mib=1) as disk:
        disk.fill(leave=20 * BLOCK)
        run(story(disk))


def test_a_folder_that_is_not_there_refuses_the_body(tmp_path: Path) -> None:
    async def story() -> None:
        gone = Bodies(tmp_path / "missing")
        with pytest.raises(NoRoom):
            await read(gone, Client(b"x" * (module.IN_MEMORY_BYTES + 1), ends=True))

    run(story())
