"""A gateway and media host for the benchmarks that ask a lot, in a process of its own over raw asyncio.

Prints its port. `GET /videos/<id>` is answered for any id: still running, and once `/bench/end` was asked for, finished
with the film as its file. `POST /videos` takes an order; once `/bench/slow` was asked for it answers 429 above
--orders-per-s. `/media/<name>` is the film, at --bytes-per-s. `/bench/count` tells how many were asked for,
`/bench/log` what happened so far: [kind, name, seconds since the epoch] of each question ("asked"), order ("ordered",
"refused") and file ("fetching", "fetched").
"""

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

PIECE = 256 * 1024
LINK_LASTS_S = 3600
PRICE = {"estimated": True, "model": "sora-2", "provider": "here", "total_cost_micros": 800_000, "currency": "USD"}


class Upstream:
    """What all connections share."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.moving: bool = options.moving
        self.film = Path(options.film).read_bytes() if options.film else b""
        self.bytes_per_s: float = options.bytes_per_s
        self.orders_per_s: float = options.orders_per_s
        self.log: list[tuple[str, str, float]] | None = [] if options.log else None
        self.asked = self.ordered = self.port = 0
        self.next_order_at = 0.0
        self.has_ended = self.is_slow = False

    def note(self, kind: str, name: str) -> None:
        if self.log is not None:
            self.log.append((kind, name, time.time()))

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        name = path.rpartition("/")[2]
        if method == "DRY":
            return 200, PRICE
        if method == "POST" and name == "videos":
            return self.order()
        if path.startswith("/bench/"):
            self.has_ended |= name == "end"
            self.is_slow |= name == "slow"
            return 200, self.log if name == "log" else {"at": time.time(), "asked": self.asked}
        if name in ("models", "balance", "requests"):
            return 200, {"data": []}
        return 200, self.video(name)

    def order(self) -> tuple[int, Any]:
        now = time.monotonic()
        if self.is_slow and now < self.next_order_at:
            self.note("refused", "")
            return 429, {"error": {"message": "slow down"}}
        self.next_order_at = now + 1 / self.orders_per_s
        self.ordered += 1
        self.note("ordered", f"order_{self.ordered}")
        return 202, {"id": f"order_{self.ordered}", "status": "queued"}

    def video(self, name: str) -> dict[str, Any]:
        self.asked += 1
        self.note("asked", name)
        found: dict[str, Any] = {"id": name, "object": "video", "status": "in_progress", "model": "sora-2"}
        found |= {"created_at": 1760000000, "size": "1280x720", "seconds": "4"}
        found["metadata"] = {"provider_name": "here", "cost_estimate": 0.4}
        if self.moving:
            found["progress"] = self.asked % 97
        if self.has_ended:
            link = f"http://127.0.0.1:{self.port}/media/{name}"
            found |= {"status": "completed", "expires_at": int(time.time()) + LINK_LASTS_S}
            found["output"] = {"url": link, "content_type": "video/mp4", "size_bytes": len(self.film)}
        return found


class Answering(asyncio.Protocol):
    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.data = b""
        self.may_write = asyncio.Event()
        self.may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    def data_received(self, data: bytes) -> None:
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, rest = self.data.partition(b"\r\n\r\n")
            length = content_length(head) if head.startswith(b"POST") else 0
            if len(rest) < length:
                return
            self.data = rest[length:]
            method, path, _ = head.split(b" ", 2)
            address, _, query = path.decode().partition("?")
            self.answer("DRY" if query == "dryRun=true" else method.decode(), address)

    def answer(self, method: str, path: str) -> None:
        if path.startswith("/media/"):
            self.fetching = asyncio.ensure_future(self.send_film(path.rpartition("/")[2]))
            return
        status, value = self.upstream.answer(method, path)
        body = json.dumps(value).encode()
        more = "Retry-After: 1\r\n" if status == 429 else ""
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)

    async def send_film(self, name: str) -> None:
        film, pace = memoryview(self.upstream.film), self.upstream.bytes_per_s
        self.upstream.note("fetching", name)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {len(film)}\r\n\r\n"
        self.transport.write(head.encode())
        due = time.monotonic()
        for start in range(0, len(film), PIECE):
            await self.may_write.wait()
            self.transport.write(film[start : start + PIECE])
            if pace:
                due += PIECE / pace
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        self.upstream.note("fetched", name)


def content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moving", action="store_true", help="a new percentage in every answer")
    parser.add_argument("--film", default="")
    parser.add_argument("--bytes-per-s", type=float, default=0.0, help="of one file; 0: as fast as it is read")
    parser.add_argument("--orders-per-s", type=float, default=1.0, help="once it is slow")
    parser.add_argument("--log", action="store_true")
    upstream = Upstream(parser.parse_args())
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(upstream), "127.0.0.1", 0, backlog=512)
    upstream.port = server.sockets[0].getsockname()[1]
    print(upstream.port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
