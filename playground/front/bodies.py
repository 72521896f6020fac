"""Reading the bodies of requests: how slowly one may come, and how many may be on their way at once.

A body has to keep coming: each STRETCH_BYTES of it, or what is left, within a stretch of seconds. Only so many are read
at once in a process, and only so many of one client. Where no place is free, the slowest of those that have lagged
behind that pace for GRACE_S is ended for the newcomer; where all keep it, the newcomer is refused. Short bodies and
long ones have places of their own: uploads keep nobody from signing in.

All of this runs in one event loop, so nothing is locked.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

STRETCH_BYTES = 40_000
STRETCH_S = 20.0
GRACE_S = 3.0
AT_ONCE = 160
OF_ONE_CLIENT = 64
"""Of the short ones and of the long ones each."""
BYTES_AT_ONCE = 2 * 1024**3
BYTES_OF_ONE_CLIENT = 1024**3
"""By their announced lengths, until their requests are answered: what they may fill of the disk."""
IN_MEMORY_BYTES = 64 * 1024
"""No longer than this is short."""


class Refused(Exception):
    """This request is not looked at. `status` is the answer's."""

    status = 503


class TooMany(Refused):
    """As many as may be are being read, and all of them keep coming."""


class TooSlow(Refused):
    """The body lagged behind: its time was over, or its place was needed."""

    status = 408


class NoRoom(Refused):
    """The disk took no more of it."""


class Gone(Exception):
    """The client has left, or at least sends no more."""


@dataclass(eq=False)
class Place:
    """One body, on its way or whole."""

    client: str
    length: int
    began: float
    limit: asyncio.Timeout
    read: int = 0
    is_whole: bool = False

    @property
    def on_disk(self) -> int:
        return 0 if is_short(self.length) else self.length

    def pace(self, now: float) -> float:
        """Bytes a second since it began."""
        return self.read / max(now - self.began, 0.001)


class Bodies:
    """The bodies in this process that are being read, or are there for a request that is not answered yet."""

    def __init__(
        self,
        folder: Path,
        *,
        stretch_s: float = STRETCH_S,
        at_once: int = AT_ONCE,
        of_one_client: int = OF_ONE_CLIENT,
        bytes_at_once: int = BYTES_AT_ONCE,
        bytes_of_one_client: int = BYTES_OF_ONE_CLIENT,
    ) -> None:
        self._folder = folder
        self._stretch_s = stretch_s
        self._at_once = at_once
        self._of_one_client = of_one_client
        self._bytes_at_once = bytes_at_once
        self._bytes_of_one_client = bytes_of_one_client
        self._places: set[Place] = set()

    @property
    def on_their_way(self) -> int:
        return len(_unfinished(self._places))

    @property
    def bytes_on_disk(self) -> int:
        return _on_disk(self._places)

    @asynccontextmanager
    async def read(self, receive: Receive, *, client: str, length: int) -> AsyncIterator[IO[bytes]]:
        """The whole body of so many announced bytes, from its beginning, for as long as the block lasts.

        Raises Refused or Gone.
        """
        with self._place(client, length) as place:
            spool = SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(self._folder))  # noqa: SIM115
            try:
                await self._whole(spool, receive, place)
                yield cast(IO[bytes], spool)
            finally:
                with suppress(OSError):  # what a full disk did not take is tried once more, for nobody
                    spool.close()

    async def _whole(self, spool: "SpooledTemporaryFile[bytes]", receive: Receive, place: Place) -> None:
        try:
            async with place.limit:
                await self._fill(spool, receive, place)
            spool.seek(0)
        except TimeoutError as error:
            raise TooSlow(f"{place.read} bytes came") from error
        except OSError as error:
            raise NoRoom(str(error)) from error
        place.is_whole = True

    @contextmanager
    def _place(self, client: str, length: int) -> Iterator[Place]:
        now = asyncio.get_running_loop().time()
        self._check_disk(length, client)
        while self._are_full(own := self._alike(length, client), length, *self._own_room):
            self._give_up_one(own, now)
        while self._are_full(every := self._alike(length), length, self._at_once, self._bytes_at_once):
            self._give_up_one(every, now)
        place = Place(client, length, now, asyncio.timeout(self._stretch_s))
        self._places.add(place)
        try:
            yield place
        finally:
            self._places.discard(place)

    def _check_disk(self, length: int, client: str) -> None:
        """Those that are whole give nothing up: where they alone leave no room, nobody's slow body ends for it."""
        whole = [place for place in self._alike(length) if place.is_whole]
        own = [place for place in whole if place.client == client]
        if self._are_full(own, length, *self._own_room) or self._are_full(
            whole, length, self._at_once, self._bytes_at_once
        ):
            raise TooMany(f"{len(whole)} wait for their answer")

    def _alike(self, length: int, client: str | None = None) -> list[Place]:
        """Those that compete with one of that length for a place."""
        alike = [place for place in self._places if is_short(place.length) == is_short(length)]
        return [place for place in alike if client in (None, place.client)]

    @property
    def _own_room(self) -> tuple[int, int]:
        return self._of_one_client, self._bytes_of_one_client

    @staticmethod
    def _are_full(places: list[Place], length: int, most: int, most_bytes: int) -> bool:
        if len(_unfinished(places)) >= most:
            return True
        return not is_short(length) and _on_disk(places) + length > most_bytes

    def _give_up_one(self, places: list[Place], now: float) -> None:
        coming = _unfinished(places)
        late = [place for place in coming if self._lags(place, now)]
        if not late:
            raise TooMany(f"{len(coming)} of {len(places)} are being read")
        slowest = min(late, key=lambda place: place.pace(now))
        if not slowest.limit.expired():
            slowest.limit.reschedule(now)
        self._places.discard(slowest)

    def _lags(self, place: Place, now: float) -> bool:
        return now - place.began > GRACE_S and place.pace(now) < STRETCH_BYTES / self._stretch_s

    async def _fill(self, spool: "SpooledTemporaryFile[bytes]", receive: Receive, place: Place) -> None:
        next_stretch = STRETCH_BYTES
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            block = message.get("body", b"")
            spool.write(block)
            place.read += len(block)
            if not message.get("more_body", False):
                return
            if place.read >= next_stretch and place in self._places:
                next_stretch = place.read + STRETCH_BYTES
                place.limit.reschedule(asyncio.get_running_loop().time() + self._stretch_s)


def _unfinished(places: Iterable[Place]) -> list[Place]:
    return [place for place in places if not place.is_whole]


def _on_disk(places: Iterable[Place]) -> int:
    return sum(place.on_disk for place in places)


def is_short(length: int) -> bool:
    return length <= IN_MEMORY_BYTES
