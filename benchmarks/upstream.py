"""A gateway that answers "still running" at once, for the sweep's benchmark. A process of its own over raw asyncio.

Prints its port. `/videos/<id>` is answered for any id. With an
argument, every answer carries a new percentage.
"""

import asyncio
import json
import sys


class Answering(asyncio.Protocol):
    asked = 0
    moving = len(sys.argv) > 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, self.data = self.data.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            self.answer(path.rpartition(b"/")[2].decode())

    def answer(self, name: str) -> None:
        Answering.asked += 1
        found: dict[str, object] = {"id": name, "object": "video", "status": "in_progress", "model": "sora-2"}
        found |= {"created_at": 1760000000, "size": "1280x720", "seconds": "4"}
        found["metadata"] = {"provider_name": "here", "cost_estimate": 0.4}
        if self.moving:
            found["progress"] = Answering.asked % 97
        body = json.dumps(found).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)  # type: ignore[attr-defined]


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
