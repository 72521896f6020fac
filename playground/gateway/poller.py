"""Asking after many orders at once: the sweep's side of the gateway.

httpx over the aiohttp transport: with httpx's own pool a hundred concurrent polls are an order of magnitude slower.
One session, its name looked up once, no cookies, no redirects, no proxy from the environment. Each answer is capped and
judged on its own: one bad answer is one error in the result, never the end of the others.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import cast
from urllib.parse import quote, urlsplit

import aiohttp  # noqa: TID251
import httpx  # noqa: TID251
from aiohttp.abc import AbstractResolver, ResolveResult  # noqa: TID251
from httpx_aiohttp import AiohttpTransport  # noqa: TID251

from playground.gateway import dialects
from playground.gateway.calls import Calls, default_headers, is_success
from playground.gateway.egress import Resolver, resolve
from playground.gateway.errors import Deadline, GatewayError, NotSent, Unclear
from playground.gateway.types import GatewayConfig, Job
from playground.gateway.wire import Answer, tls, unpacked

Polled = tuple[str, Job | GatewayError]

_LOST = (
    httpx.TransportError,
    aiohttp.ClientError,
    OSError,
    ValueError,
)
"""What the two libraries raise for a broken connection or an unreadable answer; ValueError: odd headers and lengths."""


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


async def poll_many(
    config: GatewayConfig, ids: Iterable[str], *, concurrency: int = 100, resolver: Resolver = resolve
) -> AsyncGenerator[Polled, None]:
    """Each id with its Job, or with the error that asking gave, in the sequence in which the answers come.

    Each id is asked once. Raises nothing for what a gateway does; leaving the loop early ends all calls.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return
    try:
        addresses = await _addresses(config, resolver)
    except GatewayError as error:
        for job_id in wanted:
            yield job_id, error
        return
    calls = Calls(config, resolver)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency, ssl=tls(), resolver=_Fixed(addresses)),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as session:
        poll = _Poll(calls, AiohttpTransport(client=session, verify=tls(), trust_env=False))
        async with contextlib.aclosing(_side_by_side(poll, wanted, concurrency)) as results:
            async for polled in results:
                yield polled


async def _addresses(config: GatewayConfig, resolver: Resolver) -> list[str]:
    parts = urlsplit(config.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return await asyncio.to_thread(resolver, parts.hostname or "", port, config.limits.retrieve.connect)


async def _side_by_side(poll: "_Poll", wanted: list[str], concurrency: int) -> AsyncGenerator[Polled, None]:
    """A fixed number of workers over one list: no task per id, so ten thousand ids cost no more memory than ten."""
    waiting = iter(wanted)
    results: asyncio.Queue[Polled | Exception] = asyncio.Queue()

    async def work() -> None:
        try:
            for job_id in waiting:
                results.put_nowait((job_id, await poll(job_id)))
        except Exception as fault:  # ours, not the gateway's: the reader must not wait for ever
            results.put_nowait(fault)
            raise

    workers = [asyncio.create_task(work()) for _ in range(min(concurrency, len(wanted)))]
    try:
        for _ in wanted:
            result = await results.get()
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _meaning(error: Exception) -> GatewayError:
    """The transport calls a dropped connection a connect timeout, so the exception beneath is asked instead."""
    cause = error.__cause__ or error
    if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return NotSent("The gateway could not be reached.")
    if isinstance(cause, aiohttp.ServerTimeoutError):
        return Unclear("The gateway did not answer in time.", code="timeout")
    return Unclear("The connection to the gateway was lost before its answer.", code="connection_lost")


class _Poll:
    """One GET of one order."""

    def __init__(self, calls: Calls, transport: AiohttpTransport) -> None:
        self._calls = calls
        self._config = calls.config
        self._transport = transport
        self._headers = {**default_headers(self._config), "Connection": "keep-alive"}
        limits = self._config.limits.retrieve
        self._limits = {"connect": limits.connect, "read": limits.read, "pool": limits.total}

    async def __call__(self, job_id: str) -> Job | GatewayError:
        try:
            async with asyncio.timeout(self._config.limits.retrieve.total):
                answer = await self._ask(job_id)
            return self._judge(answer, job_id)
        except GatewayError as error:
            return error
        except TimeoutError:
            return Deadline("The time for this call ran out before the answer was complete.")
        except _LOST as error:
            return _meaning(error)

    async def _ask(self, job_id: str) -> Answer:
        url = f"{self._config.base_url}/videos/{quote(job_id, safe='')}"
        request = httpx.Request("GET", url, headers=self._headers, extensions={"timeout": self._limits})
        self._calls.authorise(request)
        response = await self._transport.handle_async_request(request)
        most = self._config.limits.max_answer_bytes
        body = bytearray()
        try:
            async for piece in cast("AsyncIterator[bytes]", response.stream):
                body += piece
                if len(body) > most:
                    raise Unclear("The gateway's answer is too large.", code="too_large", status=response.status_code)
        finally:
            await response.aclose()
        plain = unpacked(bytes(body), response.headers, most, response.status_code)
        return Answer(response.status_code, response.headers, plain)

    def _judge(self, answer: Answer, job_id: str) -> Job:
        calls = self._calls
        if not is_success(answer):
            raise calls.read_error(answer)
        return dialects.retrieved_job(
            calls.json(answer), job_id, self._config.dialect, calls.request_id(answer), answer.status
        )


def poll(
    config: GatewayConfig,
    ids: Iterable[str],
    concurrency: int = 100,
    total_s: float = 8.0,
    *,
    resolver: Resolver = resolve,
) -> dict[str, Job | GatewayError]:
    """`poll_many` for plain code: every id has a value, Deadline for those that `total_s` seconds did not reach.

    Runs an event loop of its own, so it must not be called from one.
    """
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Job | GatewayError] = {}

    async def gather() -> None:
        results = poll_many(config, wanted, concurrency=concurrency, resolver=resolver)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(total_s), contextlib.aclosing(results):
                async for job_id, result in results:
                    found[job_id] = result  # noqa: PERF403 - what came before the time ran out is kept

    asyncio.run(gather())
    for job_id in wanted:
        if job_id not in found:
            found[job_id] = Deadline("There was no time left to ask after this order.")
    return found
