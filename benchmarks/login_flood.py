"""A login flood: tries to sign in come 20 times a second, each from another address, while other people use pages.

The real web server with two processes, and a proxy's header that it trusts, so that every try is somebody else's first
and no count of a client stops it: what is left is that few passwords are checked at once. Four visitors go through the
pages, first alone (the reference), then beside the flood. Prints p95 of both; exits 1 when that beside it is over
BAR_MS.

    python -m benchmarks.login_flood [--seconds 60] [--one-client]

`--one-client` sends all tries from one address, which its count stops.
"""

import argparse
import http.client
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import stage

A_SECOND = 20
ALONE_S = 8.0
VISITORS = 4
BAR_MS = 500.0
PAGES = ("/create/", "/gallery/", "/runs/", "/generations/cards/?g=")
TOKEN = "b" * 32


def visit(port: int, headers: dict[str, str], end: float, times: list[float]) -> None:
    connection = http.client.HTTPConnection("localhost", port, timeout=60)
    while time.monotonic() < end:
        for page in PAGES:
            begin = time.monotonic()
            status = stage.get(connection, page, headers)
            times.append((time.monotonic() - begin) * 1000)
            if status not in (200, 204):
                raise RuntimeError(f"{page} answered {status}")
        time.sleep(random.uniform(0.05, 0.15))
    connection.close()


def try_once(port: int, number: int, one_client: bool, answers: Counter[int]) -> None:
    address = "198.51.100.7" if one_client else f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}"
    headers = {"Cookie": f"csrf={TOKEN}", "X-CSRFToken": TOKEN, "X-Forwarded-For": address}
    headers |= {"Content-Type": "application/x-www-form-urlencoded"}
    form = urlencode({"login": f"person{number % 50}@example.com", "password": f"guess {number}"})
    connection = http.client.HTTPConnection("localhost", port, timeout=60)
    try:
        connection.request("POST", "/account/login/", form, headers)
        answers[connection.getresponse().status] += 1
    except (OSError, http.client.HTTPException):
        answers[0] += 1
    finally:
        connection.close()


def flood(port: int, end: float, one_client: bool, answers: Counter[int]) -> None:
    """Whoever is not answered yet keeps nobody from coming after."""
    begin, number = time.monotonic(), 0
    while time.monotonic() < end:
        threading.Thread(target=try_once, args=(port, number, one_client, answers), daemon=True).start()
        number += 1
        time.sleep(max(0.0, begin + number / A_SECOND - time.monotonic()))


def p95(port: int, seconds: float, headers: dict[str, str]) -> float:
    times: list[float] = []
    end = time.monotonic() + seconds
    visitors = [threading.Thread(target=visit, args=(port, headers, end, times)) for _ in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return stage.percentile(times, 0.95)


def measure(seconds: float, one_client: bool) -> int:
    from django.conf import settings

    from tests.factories import make_user

    make_user("person0@example.com")
    _member, headers = stage.visitor()
    answers: Counter[int] = Counter()
    with stage.web(workers=settings.WEB_WORKERS) as (port, _pid):
        p95(port, 3.0, headers)  # what is loaded and opened first
        alone = p95(port, ALONE_S, headers)
        flooding = threading.Thread(target=flood, args=(port, time.monotonic() + seconds, one_client, answers))
        flooding.start()
        beside = p95(port, seconds, headers)
        flooding.join()
    looked_at, refused = answers[422], answers[429]
    print(f"p95 of pages: alone {alone:.0f} ms, beside the flood {beside:.0f} ms, ratio {beside / alone:.1f}")
    print(f"of {sum(answers.values())} tries {looked_at} were looked at, {refused} refused; {stage.load()}")
    others = {status: count for status, count in answers.items() if status not in (422, 429)}
    if others:
        print(f"other answers: {others}")
    return 0 if beside <= BAR_MS and not others else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--one-client", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stage.entered(Path(folder), TRUST_PROXY="true"):
        return measure(given.seconds, given.one_client)


if __name__ == "__main__":
    sys.exit(main())
