"""multipart/form-data, streamed from stored files, byte-equal each time the same order is sent.

Many gateways decide by the bytes whether a repeat is the same order, so the boundary comes from the order's id and the
sequence of parts is fixed. Files are read in pieces; their sizes are known beforehand, so the body has a length.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import BinaryIO

from playground.gateway.errors import NotSent, Unclear
from playground.gateway.types import ExtraValue, ReferenceFile

PIECE = 64 * 1024


class Multipart:
    """The body of one request. Use as a context manager: it opens every file first, so that a missing one is noticed
    before anything is sent (NotSent). A file that turns out shorter or longer on the way is Unclear: the gateway has
    seen part of the order."""

    def __init__(self, order_id: str, fields: Mapping[str, ExtraValue], files: tuple[ReferenceFile, ...]) -> None:
        self._boundary = "playground-" + hashlib.sha256(order_id.encode()).hexdigest()[:40]
        self._fields = [self._text_part(name, value) for name, value in fields.items()]
        name = "input_reference" if len(files) == 1 else "input_reference[]"
        self._files = [(self._file_head(name, file), file) for file in files]
        self._end = f"--{self._boundary}--\r\n".encode()
        self._opened: list[BinaryIO] = []
        self._stack = ExitStack()

    @property
    def content_type(self) -> str:
        return f"multipart/form-data; boundary={self._boundary}"

    @property
    def length(self) -> int:
        text = sum(map(len, self._fields)) + len(self._end)
        return text + sum(len(head) + file.size + 2 for head, file in self._files)

    def __enter__(self) -> "Multipart":
        try:
            self._opened = [self._stack.enter_context(file.open()) for _, file in self._files]
        except OSError:
            self._stack.close()
            raise NotSent("A reference image could not be read.", code="reference_unreadable") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[bytes]:
        yield from self._fields
        for (head, file), source in zip(self._files, self._opened, strict=True):
            yield head
            yield from _exactly(source, file.size)
            yield b"\r\n"
        yield self._end

    def _text_part(self, name: str, value: ExtraValue) -> bytes:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        head = f'--{self._boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
        return (head + text).encode("utf-8", "replace") + b"\r\n"

    def _file_head(self, name: str, file: ReferenceFile) -> bytes:
        kind = "".join(char for char in file.content_type if char.isprintable())
        return (
            f'--{self._boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{_quoted(file.name)}"'
            f"\r\nContent-Type: {kind}\r\n\r\n"
        ).encode("utf-8", "replace")


def _exactly(source: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left:
        try:
            piece = source.read(min(PIECE, left))
        except OSError:
            piece = b""
        if not piece:
            raise _changed()
        left -= len(piece)
        yield piece
    if source.read(1):
        raise _changed()


def _changed() -> Unclear:
    return Unclear("A reference image changed while it was being sent.", code="reference_changed")


def _quoted(text: str) -> str:
    """As browsers write a name or file name in a part's header."""
    return "".join(f"%{ord(char):02X}" if char in '"\\' or ord(char) < 32 else char for char in text)
