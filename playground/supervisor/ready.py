"""Asking a service whether it is ready, over the same socket that its visitors use."""

import http.client
import json


def local_address(host: str) -> str:
    """Where a server that listens on `host` is reached from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared, not bound  # nosec B104


def ask(host: str, port: int, path: str, *, timeout: float = 1.0) -> str:
    """GETs `path` once. Empty when the answer is 200, else why it is not."""
    connection = http.client.HTTPConnection(local_address(host), port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": "localhost", "Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read(2000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error})"
    finally:
        connection.close()
    return "" if answer.status == 200 else f"{answer.status} {_short(body)}".strip()


def _short(body: str) -> str:
    """One line of an answer that says "not ready": JSON as it is, of anything else the first line."""
    try:
        return json.dumps(json.loads(body))
    except ValueError:
        return body.strip().partition("\n")[0][:200]
