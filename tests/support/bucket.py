"""A server that speaks S3, for tests: `with start_bucket() as server: ... server.url`.

moto in a process of its own on a free port, so that a real client goes over real sockets. What moto leaves out is added
here, because a store in use does it: a signed link that has run out is refused. The server notes each request.
"""

import subprocess
import sys
import threading
import urllib.request
import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import pytest

from tests.support.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]
ACCESS_KEY = "a-key-of-the-tests"
SECRET_KEY = "s3cr3t/of+the=tests"
REGION = "eu-central-1"
START_SECONDS = 60
S3 = {"s3": "http://s3.amazonaws.com/doc/2006-03-01/"}


@dataclass
class BucketServer:
    """`url(bucket)` is what MEDIA_STORAGE_URL takes; `requests` are lines such as "GET /bucket/key?query 200"."""

    port: int
    process: subprocess.Popen[str]
    requests: list[str] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, bucket: str, *, secret: str = SECRET_KEY) -> str:
        keys = f"{ACCESS_KEY}:{quote(secret, safe='')}"
        return f"s3://{keys}@127.0.0.1:{self.port}/{bucket}?scheme=http&region={REGION}"

    def make(self, bucket: str) -> None:
        name = "CreateBucketConfiguration"
        place = f"<{name}><LocationConstraint>{REGION}</LocationConstraint></{name}>"
        self._ask("PUT", f"/{bucket}", place.encode())

    def settle(self) -> None:
        """Waits until the lines of all that was answered before have come through the pipe."""
        mark = uuid.uuid4().hex
        self._ask("GET", f"/?mark={mark}")
        wait_until(lambda: any(mark in line for line in self.requests), within=10, what="the server's own note")

    def keys(self, bucket: str) -> list[str]:
        listing = ElementTree.fromstring(self._ask("GET", f"/{bucket}?list-type=2"))
        return [found.text or "" for found in listing.iterfind("s3:Contents/s3:Key", S3)]

    def _ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        signed = f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20261121/{REGION}/s3/aws4_request"
        headers = {"Content-Type": "application/xml", "Authorization": signed}
        request = urllib.request.Request(self.origin + path, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())


@dataclass(frozen=True)
class TestBucket:
    """A bucket of one test."""

    __test__ = False

    name: str
    server: BucketServer

    @classmethod
    def new(cls, server: BucketServer) -> "TestBucket":
        name = f"media-{uuid.uuid4().hex}"
        server.make(name)
        return cls(name, server)

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def use(self, settings: Any, url: str = "") -> "TestBucket":
        """Make it the media store, or whatever `url` names."""
        from playground.object_storage import bucket_of

        bucket = bucket_of(url or self.url, page_scheme="http")
        assert bucket is not None
        self.close()
        settings.STORAGES = {**settings.STORAGES, "media": bucket.storage()}
        return self

    def close(self) -> None:
        """Close the connections of the media store that is in use."""
        from playground.media import storage

        made = getattr(storage.store(), "_made", None)
        if made is not None:
            made[1].meta.client.close()

    def keys(self) -> list[str]:
        return self.server.keys(self.name)

    def requests(self) -> list[str]:
        """What was asked of it so far, such as "GET /key?query 200"."""
        self.server.settle()
        return [line.replace(f"/{self.name}/", "/") for line in self.server.requests if self.name in line]


marks = [pytest.mark.contract]
"""The lane that speaks with other programs; one worker, and so one server, for all of them."""


@contextmanager
def start_bucket() -> Iterator[BucketServer]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.bucket"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            raise RuntimeError(f"the S3 server ended with {process.wait(START_SECONDS)}")
        server = BucketServer(int(first), process)
        reader = threading.Thread(target=_note, args=(process, server.requests), daemon=True)
        reader.start()
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _note(process: "subprocess.Popen[str]", lines: list[str]) -> None:
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines += [line.strip()]
    except ValueError:  # closed while the last line was awaited
        return


def has_run_out(query: str, *, now: datetime) -> bool:
    """Whether a signed link is older than the seconds that it names."""
    values = parse_qs(query)
    if "X-Amz-Expires" not in values:
        return False
    signed_at = datetime.strptime(values["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return (now - signed_at).total_seconds() > int(values["X-Amz-Expires"][0])


def serve() -> None:
    """The server's side: the port as the first line, then a line for each request."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server
    from werkzeug.wrappers import Response

    backend = DomainDispatcherApplication(create_backend_app)

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        query = environ.get("QUERY_STRING", "")

        def started(status: str, headers: Any, *more: Any) -> Any:
            sys.stdout.write(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{query} {status[:3]}\n")
            sys.stdout.flush()
            return start_response(status, headers, *more)

        if has_run_out(query, now=datetime.now(UTC)):
            words = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
            return Response(words, status=403, mimetype="application/xml")(environ, started)
        return backend(environ, started)

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, type: str, message: str, *args: Any) -> None:
            """The lines above say it."""

    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    serve()
