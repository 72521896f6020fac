"""A person without a browser: plain HTTP with cookies and the CSRF token that the page carries. Follows no redirect."""

import html
import json
import re
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from typing import Any

File = tuple[str, str, bytes]
"""Name, content type, bytes."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def value(self, name: str) -> str:
        """The value of the first input called `name` on this page."""
        found = re.search(rf'<input[^>]*\bname="{re.escape(name)}"[^>]*\bvalue="([^"]*)"', self.text)
        assert found, f"no field {name} on the page: {self.text[:2000]}"
        return html.unescape(found[1])

    def values(self, pattern: str) -> list[str]:
        return re.findall(pattern, self.text)


class Visitor:
    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar), _NoRedirect
        )

    def ask(self, path: str, *, method: str = "GET", data: bytes | None = None, **headers: str) -> Answer:
        """One request; every status is an answer. `If_Range="..."` is sent as `If-Range`."""
        url = path if path.startswith("http") else self.base_url + path
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, data=data, method=method, headers=sent)
        try:
            with self._opener.open(request, timeout=30) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def post(self, path: str, fields: dict[str, Any], *, page: Answer, files: dict[str, File] | None = None) -> Answer:
        """A form sent as multipart, with the CSRF token of the page it stands on."""
        boundary = uuid.uuid4().hex
        fields = {"csrfmiddlewaretoken": page.value("csrfmiddlewaretoken"), **fields}
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        for name, (filename, kind, data) in (files or {}).items():
            head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: {kind}\r\n'
            parts.append(f"--{boundary}\r\n{head}\r\n".encode() + data + b"\r\n")
        body = b"".join([*parts, f"--{boundary}--\r\n".encode()])
        return self.ask(path, method="POST", data=body, Content_Type=f"multipart/form-data; boundary={boundary}")

    def sign_in(self, link: str) -> "Visitor":
        """Press the button of a one-time link."""
        path = link.removeprefix(self.base_url)
        answer = self.post(path, {}, page=self.ask(path))
        assert answer.status == 302, answer.text[:500]
        return self

    def order(self, prompt: str, *, model: str = "p-video", picture: File | None = None, **wanted: Any) -> Answer:
        """Open Create with these settings and press the button at the price that it shows."""
        query = "&".join(f"{name}={value}" for name, value in {"model": model, **wanted}.items())
        page = self.ask(f"/create/?{query}")
        assert page.status == 200, page.text[:500]
        carried = {name: page.value(name) for name in ("team", "token", "quoted_micros")}
        files = {"reference": picture} if picture else None
        return self.post("/create/", {"prompt": prompt, "model": model, **wanted, **carried}, page=page, files=files)

    def cookies(self) -> list[dict[str, str]]:
        """As a browser takes them."""
        return [{"name": cookie.name, "value": cookie.value or "", "url": self.base_url} for cookie in self.jar]


def charges(port: int) -> list[dict[str, Any]]:
    """The charge log of the sandbox on `port`."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/sandbox/charges", headers={"Authorization": "Bearer sandbox"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        data: list[dict[str, Any]] = json.load(answer)["data"]
        return data
