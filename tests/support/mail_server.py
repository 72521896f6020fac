"""A small mail server on a socket, which takes mails, or fails in the ways that mail servers do."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class MailServer:
    refuses: dict[str, bytes] = field(default_factory=dict)
    """The answer to a command, such as RCPT, in place of a yes."""
    hangs_at: str = ""
    """After this command nothing is answered any more; "connect" for not even a greeting."""
    chatters: bool = False
    """Its greeting has no end, and a line of it comes now and then."""
    drip_s: float = 0.0
    """Waited for before each answer."""
    taken: list[str] = field(default_factory=list)
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


class _Conversation(socketserver.StreamRequestHandler):
    @property
    def kept(self) -> MailServer:
        return self.server.kept

    def handle(self) -> None:
        while self.kept.chatters and not self.kept.over.wait(0.2):
            self.say(b"220-and another thing")
        if self.kept.hangs_at == "connect" or not self.say(b"220 here"):
            self.kept.over.wait(60)
            return
        while line := self.rfile.readline():
            word = line.split(b" ")[0].strip().upper().decode()
            if word == self.kept.hangs_at:
                self.kept.over.wait(60)
                return
            if not self.answer(word):
                return

    def answer(self, word: str) -> bool:
        if word in self.kept.refuses:
            return self.say(self.kept.refuses[word])
        if word == "DATA":
            self.say(b"354 go on")
            text = b"".join(iter(self.rfile.readline, b".\r\n"))
            if "TEXT" in self.kept.refuses:
                return self.say(self.kept.refuses["TEXT"])
            self.kept.taken.append(text.decode())
        if word == "EHLO":
            return self.say(b"250-here\r\n250 AUTH PLAIN")
        usual = {"QUIT": b"221 bye", "AUTH": b"235 it is you"}
        return self.say(usual.get(word, b"250 fine")) and word != "QUIT"

    def say(self, words: bytes) -> bool:
        if self.kept.drip_s and self.kept.over.wait(self.kept.drip_s):
            return False
        self.wfile.write(words + b"\r\n")
        return True


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    kept: MailServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


@contextmanager
def mail_server(**how: object) -> Iterator[MailServer]:
    kept = MailServer(**how)  # type: ignore[arg-type]
    with _Server(("127.0.0.1", 0), _Conversation) as server:
        server.kept = kept
        kept.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield kept
        finally:
            kept.over.set()
            server.shutdown()
