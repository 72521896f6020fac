"""Asking after many orders at once: the sweep's side of the gateway.

Over aiohttp alone: with httpx's own pool a hundred concurrent polls are an order of magnitude slower, and httpx's
messages over aiohttp's transport cost half as much again as the question itself. One session, its name looked up once,
no cookies, no redirects, no proxy from the environment. Each answer is capped and judged on its own: one bad answer is
one error in the result, never the end of the others.
"""

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterable
from functools import partial
from queue import Empty, SimpleQueue
from urllib.parse import quote, urlsplit

import aiohttp  # noqa: TID251
from aiohttp.abc import AbstractResolver, ResolveResult  # noqa: TID251
from yarl import URL

from playground.gateway import dialects
from playground.gateway.calls import Calls, default_headers, is_success
from playground.gateway.egress import Egress, Resolver, resolve
from playground.gateway.errors import Deadline, GatewayError, NotSent, Unclear
from playground.gateway.types import GatewayConfig, Job
from playground.gateway.wire import Answer, tls, unpacked


class _Fixed(AbstractResolver):
    """The addresses that were found before the session began."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def _addresses(config: GatewayConfig, resolver: Resolver) -> list[str]:
    parts = urlsplit(config.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    egress = Egress(guarded=config.guarded, resolver=resolver, is_gateway=True)
    return await asyncio.to_thread(egress.addresses, parts.hostname or "", port, config.limits.retrieve.connect)


def _session(addresses: list[str], concurrency: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency, ssl=tls(), resolver=_Fixed(addresses)),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


def _meaning(error: Exception) -> GatewayError:
    """What a broken exchange says. Only words of our own: the library's hold the request, and that the key."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return NotSent("The gateway could not be reached.")
    if isinstance(error, aiohttp.ServerTimeoutError):
        return Unclear("The gateway did not answer in time.", code="timeout")
    if isinstance(error, TimeoutError):
        return Deadline("The time for this call ran out before the answer was complete.")
    return Unclear("The connection to the gateway was lost before its answer.", code="connection_lost")


class _Poll:
    """One GET of one order."""

    def __init__(self, calls: Calls, session: aiohttp.ClientSession) -> None:
        self._calls = calls
        self._config = calls.config
        self._session = session
        self._headers = {**default_headers(self._config), **calls.authorisation, "Connection": "keep-alive"}
        limits = self._config.limits.retrieve
        self._timeout = aiohttp.ClientTimeout(connect=limits.total, sock_connect=limits.connect, sock_read=limits.read)

    async def __call__(self, job_id: str) -> Job | GatewayError:
        try:
            async with asyncio.timeout(self._config.limits.retrieve.total):
                answer = await self._ask(job_id)
            return self._judge(answer, job_id)
        except GatewayError as error:
            return error
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: odd headers and lengths
            return _meaning(error)

    async def _ask(self, job_id: str) -> Answer:
        url = URL(f"{self._config.base_url}/videos/{quote(job_id, safe='')}", encoded=True)
        most = self._config.limits.max_answer_bytes
        body = bytearray()
        asked = self._session.get(url, headers=self._headers, timeout=self._timeout, allow_redirects=False)
        async with asked as response:
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > most:
                    raise Unclear("The gateway's answer is too large.", code="too_large", status=response.status)
        plain = unpacked(bytes(body), response.headers, most, response.status)
        return Answer(response.status, response.headers, plain)

    def _judge(self, answer: Answer, job_id: str) -> Job:
        calls = self._calls
        if not is_success(answer):
            raise calls.read_error(answer)
        return dialects.retrieved_job(
            calls.json(answer), job_id, self._config.dialect, calls.request_id(answer), answer.status
        )


Answered = tuple[Hashable, str, Job | GatewayError]


class _Line:
    """A session to one gateway, and the questions that wait for a place in it."""

    def __init__(self, session: aiohttp.ClientSession, poll: _Poll, concurrency: int) -> None:
        self.session = session
        self.poll = poll
        self.room = asyncio.Semaphore(concurrency)


class Poller:
    """Questions under way, in a thread with one event loop: whoever asks goes on with other work meanwhile.

    A session to each gateway is kept until `close`, so its name is looked up once and its connections are used again;
    one whose key was replaced meanwhile gets a new one.
    A gateway that does not answer holds up nobody but its own questions. One thread asks, collects and closes.
    """

    def __init__(self, *, concurrency: int = 64, total_s: float = 8.0, resolver: Resolver = resolve) -> None:
        self._concurrency = concurrency
        self._total_s = total_s
        self._resolver = resolver
        self._answers: SimpleQueue[Answered | BaseException] = SimpleQueue()
        self._lines: dict[tuple[Hashable, GatewayConfig], asyncio.Task[_Line]] = {}
        self._tasks: set[asyncio.Task[Job | GatewayError]] = set()
        self._under_way: Counter[Hashable] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="poller", daemon=True)
        self._thread.start()

    def ask(self, key: Hashable, config: GatewayConfig, ids: Iterable[str]) -> None:
        """Ask `config`'s gateway after these orders. `key` names the gateway; it comes back with each answer."""
        wanted = list(ids)
        self._under_way[key] += len(wanted)
        self._loop.call_soon_threadsafe(self._begin, key, config, wanted)

    def under_way(self, key: Hashable) -> int:
        """How many questions to this gateway were not collected yet."""
        return self._under_way[key]

    def collect(self, *, wait_s: float) -> list[Answered]:
        """The answers so far, waiting at most `wait_s` for those under way. Raises what is a fault of ours."""
        found: list[Answered] = []
        ends_at = time.monotonic() + wait_s
        while self._under_way.total():
            try:
                answer = self._answers.get(timeout=max(0.0, ends_at - time.monotonic()))
            except Empty:
                break
            if isinstance(answer, BaseException):
                raise answer
            self._under_way[answer[0]] -= 1
            found.append(answer)
        return found

    def close(self) -> None:
        """End everything that is under way."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _begin(self, key: Hashable, config: GatewayConfig, ids: list[str]) -> None:
        for job_id in ids:
            task = self._loop.create_task(self._one(key, config, job_id))
            self._tasks.add(task)
            task.add_done_callback(partial(self._answered, key, job_id))

    def _answered(self, key: Hashable, job_id: str, task: "asyncio.Task[Job | GatewayError]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            fault = task.exception()  # ours, not the gateway's: whoever collects must hear of it
            self._answers.put((key, job_id, task.result()) if fault is None else fault)

    async def _one(self, key: Hashable, config: GatewayConfig, job_id: str) -> Job | GatewayError:
        try:
            async with asyncio.timeout(self._total_s):
                opened = self._line(key, config)
                line = opened.result() if opened.done() else await asyncio.shield(opened)
                async with line.room:
                    return await line.poll(job_id)
        except GatewayError as error:
            return error
        except TimeoutError:
            return Deadline("There was no time left to ask after this order.")

    def _line(self, key: Hashable, config: GatewayConfig) -> "asyncio.Task[_Line]":
        """The session to this gateway, made by the first who asks; looked up anew after a name that was not found."""
        known = self._lines.get((key, config))
        if known is None or (known.done() and (known.cancelled() or known.exception() is not None)):
            known = self._lines[key, config] = self._loop.create_task(self._open(config))
        return known

    async def _open(self, config: GatewayConfig) -> _Line:
        session = _session(await _addresses(config, self._resolver), self._concurrency)
        return _Line(session, _Poll(Calls(config, self._resolver), session), self._concurrency)

    async def _end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for line in await asyncio.gather(*self._lines.values(), return_exceptions=True):
            if isinstance(line, _Line):
                await line.session.close()
