"""Memory of 50 uploads of 12 MiB at once, on top of an idle web server.

Each is a real JPEG, posted to /references/ by a signed-in person of their own (the same picture twice by one person is
kept once) as the page does it: received, decoded, shrunk,
written anew, stored with its row, answered with the form's field. Prints the peak resident memory of the one web
process above idle, per upload; exits 1 above LIMIT_MB. The child processes that decode are not of it: one runs at a
time, and none takes more than 200 MiB (media/picture_limits.py). Idle is a server that has drawn pages and received
nothing.

    python -m benchmarks.uploads
"""

import http.client
import io
import re
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import stage

UPLOADS = 50
LIMIT_MB = 4.0
FILE_BYTES = 12 * 1024 * 1024
BOUNDARY = "b0undary"


def picture() -> bytes:
    """A JPEG of 16 megapixels, filled up to FILE_BYTES with what a decoder skips at its end."""
    grain = np.random.default_rng(3).integers(0, 255, (400, 600, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grain).resize((4096, 4096), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=95)
    data = buffer.getvalue()
    if len(data) > FILE_BYTES:
        raise RuntimeError(f"the test picture has {len(data)} bytes")
    return data + b"\0" * (FILE_BYTES - len(data))


def form(data: bytes, team: str) -> list[bytes]:
    """In pieces, so that all uploads share the picture's bytes here."""
    part = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    head = f'{part}"team"\r\n\r\n{team}\r\n{part}"reference"; filename="p.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    return [head.encode(), data, f"\r\n--{BOUNDARY}--\r\n".encode()]


def upload(port: int, body: list[bytes], headers: dict[str, str], statuses: list[int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    length = str(sum(len(piece) for piece in body))
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Content-Length": length, "HX-Request": "true"}
    connection.request("POST", "/references/", body, headers | kind)
    answer = connection.getresponse()
    answer.read()
    statuses.append(answer.status)
    connection.close()


def memory_kib(pid: int, field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise RuntimeError(f"no {field} for process {pid}")
    return int(found[1])


def draw_pages(port: int, headers: dict[str, str]) -> None:
    """So often that every thread has drawn some: what a thread or a template costs once is not an upload's."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(64):
        if stage.get(connection, "/create/", headers) != 200:
            raise RuntimeError("Create did not answer")
    connection.close()


def stored() -> int:
    from playground.models import Reference

    return Reference.objects.count()


def main() -> int:
    data = picture()
    statuses: list[int] = []
    with tempfile.TemporaryDirectory() as name, stage.entered(Path(name)):
        visitors = [stage.visitor() for _ in range(UPLOADS)]
        with stage.web() as (port, pid):
            draw_pages(port, visitors[0][1])
            idle = memory_kib(pid, "VmRSS")
            threads = [
                threading.Thread(target=upload, args=(port, form(data, member.team.slug), headers, statuses))
                for member, headers in visitors
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            peak = memory_kib(pid, "VmHWM")
        rows = stored()
    if statuses != [200] * (UPLOADS) or rows != UPLOADS:
        print(f"not every upload was stored: {rows} rows, answers {sorted(statuses)}")
        return 1
    each = (peak - idle) / 1024 / UPLOADS
    print(f"idle {idle // 1024} MB, peak {peak // 1024} MB: {each:.1f} MB per upload of 12 MiB (bar {LIMIT_MB:g})")
    return 0 if each <= LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
