"""The HTTP server: one thread per connection, kept alive, without Nagle's delay, gone when its parent is gone."""

import fcntl
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType
from typing import IO, Any, cast

from django.core.servers.basehttp import ServerHandler, ThreadedWSGIServer, WSGIRequestHandler

MAX_CHUNKED_BYTES = 512 * 1024 * 1024


class Connection:
    """The client's socket, for the faults that break it off."""

    KEY = "sandbox.connection"

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    @classmethod
    def of(cls, meta: dict[str, Any]) -> "Connection":
        return cast(Connection, meta[cls.KEY])

    def cut(self) -> None:
        """End the connection now: what was written arrives, nothing more does."""
        self.sock.shutdown(socket.SHUT_RDWR)


class Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True  # else each small answer waits 40 ms for the client's delayed acknowledgement
    timeout = 300

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ[Connection.KEY] = Connection(cast(socket.socket, self.connection))
        return environ

    def handle_one_request(self) -> None:
        """As in the base class, and bodies sent in chunks are understood."""
        try:
            self.raw_requestline = self.rfile.readline(65537)
        except (ConnectionError, TimeoutError):
            self.raw_requestline = b""
        if not self.raw_requestline:
            self.close_connection = True
            return
        if len(self.raw_requestline) > 65536:
            self.requestline, self.request_version, self.command = "", "", ""
            self.send_error(414)
            return
        if not self.parse_request():
            return
        environ, body = self.get_environ(), cast("IO[bytes]", self.rfile)
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            try:
                body = self._unchunk()
            except ValueError:
                self.send_error(400)
                self.close_connection = True
                return
            environ["CONTENT_LENGTH"] = str(body.seek(0, os.SEEK_END))
            body.seek(0)
        handler = ServerHandler(body, self.wfile, self.get_stderr(), environ)
        handler.request_handler = self  # type: ignore[attr-defined]
        handler.run(self.server.get_app())  # type: ignore[attr-defined]
        if body is not self.rfile:
            body.close()

    def _unchunk(self) -> IO[bytes]:
        """The whole chunked body in a temporary file. Raises ValueError if it is malformed or beyond all measure."""
        whole = cast("IO[bytes]", tempfile.SpooledTemporaryFile(max_size=1024 * 1024))  # noqa: SIM115 - the caller closes it
        total = 0
        while size := int(self.rfile.readline(1024).split(b";")[0], 16):
            total += size
            if size < 0 or total > MAX_CHUNKED_BYTES:
                raise ValueError("body too large")
            whole.write(self.rfile.read(size))
            self.rfile.readline(8)
        while self.rfile.readline(65537).strip():
            pass  # trailers
        return whole

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the request log is written by the middleware, without keys."""


class Server(ThreadedWSGIServer):
    request_queue_size = 256
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours; the rest is reported as usual."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        from .state import jobs

        try:
            super().process_request_thread(request, client_address)
        finally:
            jobs().store.close()


class Taken(RuntimeError):
    """Another sandbox uses this data folder."""


def lock_folder(folder: Path) -> IO[str]:
    """Hold the folder for this process; the system lets go when the process ends, however it ends. Raises Taken."""
    folder.mkdir(parents=True, exist_ok=True)
    file = open(folder / "lock", "w", encoding="utf-8")  # noqa: SIM115 - held until the process ends
    for _ in range(20):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.1)  # a predecessor that is just ending
        else:
            return file
    file.close()
    raise Taken(f"another sandbox is using {folder}")


def serve(host: str, port: int, profile: str) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent process; does not return.

    `port` 0 takes a free one. Prints the address once requests are answered. Raises OSError if the port is taken.
    """
    from django.core.wsgi import get_wsgi_application

    from .state import open_jobs, sender

    application = get_wsgi_application()
    server = Server((host, port), Handler, ipv6=":" in host)
    server.set_app(application)
    jobs = open_jobs()

    def stop(number: int = 0, frame: FrameType | None = None) -> None:
        jobs.renderer.close()
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _watch_parent(stop)
    jobs.resume()
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{server.server_port}/"
    sender().start(address)
    _tick(jobs.settle_due, jobs.purge)
    print(f"Sandbox ready: {address} ({profile})", flush=True)  # noqa: T201
    server.serve_forever(poll_interval=1)


def _watch_parent(stop: Any) -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.3)
        stop()

    threading.Thread(target=watch, daemon=True).start()


def _tick(often: Any, seldom: Any) -> None:
    """Run `often` twenty times a second and `seldom` once a minute."""

    def run() -> None:
        beat = 0
        while True:
            try:
                often()
                if beat % 1200 == 0:
                    seldom()
            except Exception:  # noqa: BLE001 - one bad tick must not end all later ones; it is reported
                sys.excepthook(*sys.exc_info())
            beat += 1
            time.sleep(0.05)

    threading.Thread(target=run, daemon=True).start()
