"""The client for one gateway: typed calls, one exchange each, every failure an error of errors.py.

An order is sent once, on a fresh connection, and nothing beneath repeats it: a repeat that the caller does not know of
is a second charge. So is a price check: to a gateway that ignores the flag it is an order. Calls that change nothing
are tried up to three times within their total limit. The key is put on a request as the last step and is in no error,
log line or repr.
"""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import quote

from playground.gateway import catalogue, dialects, request_log, webhooks
from playground.gateway.calls import Calls, default_headers, is_success
from playground.gateway.download import download
from playground.gateway.egress import Resolver, resolve
from playground.gateway.errors import EstimateUnavailable, GatewayError, NoRequestLog, Refused
from playground.gateway.request_log import LoggedRequest
from playground.gateway.types import (
    Balance,
    Dialect,
    Downloaded,
    Estimate,
    GatewayConfig,
    Job,
    ModelInfo,
    Order,
    Timing,
)
from playground.gateway.wire import Answer

log = logging.getLogger("playground.gateway")


class GatewayClient:
    """One gateway. Holds no socket between calls, so it may be shared by the threads of a process.

    Every method raises GatewayError and nothing else for what a gateway or the network does.
    """

    def __init__(self, config: GatewayConfig, *, resolver: Resolver = resolve) -> None:
        self.config = config
        self._resolver = resolver
        self._calls = Calls(config, resolver)

    def __repr__(self) -> str:
        return f"GatewayClient({self.config.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close: each call closes its own connections."""

    def create(self, order: Order) -> Job:
        """Send a paid order, exactly once.

        Raises NotSent (send again), Refused, AccountRefused, Throttled (nothing was taken), InFlight, Unclear
        (it may have been taken: the same order with the same key only, and only where keys are honoured).
        """
        config = self.config
        answer = self._calls.post_order(
            f"{config.base_url}/videos",
            order,
            config.limits.create,
            with_key=config.honours_idempotency_key,
            references=True,
        )
        if not is_success(answer):
            raise self._calls.refusal(answer)
        return dialects.created_job(
            self._calls.json(answer), self.config.dialect, self._calls.request_id(answer), answer.status
        )

    def estimate(self, order: Order) -> Estimate:
        """The price of just this order, pictures and all, in at most five seconds and one try, without placing it.

        Raises EstimateUnavailable at once for a gateway that is not declared to give estimates, since one that
        ignores the flag would start a paid job.
        """
        if not self.config.dry_run:
            raise EstimateUnavailable("This gateway gives no estimates.", code="estimate_not_offered")
        answer = self._price_check(order)
        try:
            return dialects.estimate(self._calls.json(answer), self._calls.request_id(answer), answer.status)
        except EstimateUnavailable as problem:
            if problem.job_id:
                log.error(
                    "gateway.estimate_made_a_job base_url=%s job_id=%s order_id=%s: turn its estimates off",
                    self.config.base_url,
                    problem.job_id,
                    order.order_id,
                )
            raise

    def retrieve(self, job_id: str) -> Job:
        """The order as the gateway tells it now. Raises NotFound for a 404 and what `transient` errors there are."""
        answer = self._calls.repeatable("GET", self._job_url(job_id), self.config.limits.retrieve)
        if not is_success(answer):
            raise self._calls.read_error(answer)
        return dialects.retrieved_job(
            self._calls.json(answer), job_id, self.config.dialect, self._calls.request_id(answer), answer.status
        )

    def cancel(self, job_id: str) -> None:
        """Ask the gateway to stop an order; best effort, no promise of money back. An unknown order counts as done.

        Raises Refused for a gateway that is not declared to cancel: in some dialects the same verb deletes.
        """
        if not self.config.cancel:
            raise Refused("This gateway cannot stop an order.")
        answer = self._calls.repeatable("DELETE", self._job_url(job_id), self.config.limits.cancel)
        if not is_success(answer) and answer.status not in (404, 410):
            raise self._calls.refusal(answer)

    def models(self) -> list[ModelInfo]:
        """The gateway's video models with what is known of each. Never raises for odd entries, only for no list."""
        base, limits = self.config.base_url, self.config.limits.models
        ends_at = time.monotonic() + limits.total
        answer = self._calls.repeatable("GET", f"{base}/models", limits)
        if not is_success(answer):
            raise self._calls.read_error(answer)
        entries = catalogue.videos(catalogue.items(self._calls.json(answer)), self.config.dialect)
        found: dict[str, ModelInfo] = {}
        for entry in entries:
            schema = None
            if self.config.dialect is Dialect.LUMENFALL and not catalogue.tells_capabilities(entry):
                schema = self._schema(str(entry["id"]), ends_at)
            info = catalogue.model(entry, schema)
            found.setdefault(info.slug, info)
        return list(found.values())

    def balance(self) -> Balance | None:
        """What is left in the account; None where the gateway does not tell."""
        if self.config.dialect is not Dialect.LUMENFALL:
            return None
        answer = self._calls.repeatable("GET", f"{self.config.native_base_url}/balance", self.config.limits.balance)
        if answer.status in (404, 405, 501):
            return None
        if not is_success(answer):
            raise self._calls.read_error(answer)
        return dialects.balance(self._calls.json(answer))

    def requests(
        self,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        max_pages: int = request_log.MAX_PAGES,
    ) -> Iterator[LoggedRequest]:
        """What the gateway says it was asked for by this key's account, newest first, between two aware times.

        Pages are read as they are needed, each with up to three tries, so a caller that has found what it looked for
        just stops. Raises, here or while iterating, NoRequestLog for a gateway without one, Unclear when the list is
        broken or longer than `max_pages` of 100, and what reads raise: it never ends early in silence.
        """
        if self.config.dialect is not Dialect.LUMENFALL:
            raise NoRequestLog("This gateway keeps no list of requests.")
        first = request_log.first_page(self.config.native_base_url, created_after, created_before)
        return request_log.walk(first, self._logged_page, max_pages=max_pages)

    def webhook_secret(self) -> str:
        """What this gateway signs its webhooks with, `whsec_...`; made by it at the first call.

        Raises Unclear for an answer without one, besides what reads raise.
        """
        address = f"{self.config.native_base_url}/webhooks/secret"
        answer = self._calls.repeatable("GET", address, self.config.limits.balance)
        if not is_success(answer):
            raise self._calls.read_error(answer)
        return webhooks.secret_in(self._calls.json(answer))

    def _logged_page(self, address: str) -> object:
        answer = self._calls.repeatable("GET", address, self.config.limits.requests)
        if answer.status in (404, 405, 501):
            raise NoRequestLog("This gateway keeps no list of requests.", status=answer.status)
        if not is_success(answer):
            raise self._calls.read_error(answer)
        return self._calls.json(answer)

    def download(
        self,
        job: Job,
        sink: BinaryIO,
        *,
        progress: Callable[[int], None] | None = None,
        heartbeat: Callable[[], None] | None = None,
        gives_way: Callable[[bool], bool] | None = None,
    ) -> Downloaded:
        """Write the finished file into `sink` (from where it stands) and say its length and SHA-256.

        `progress` gets the bytes so far after each piece; `heartbeat` is called at most every two seconds, and an
        exception from either ends the download. `gives_way` is asked at most once a minute, and only of a download that
        crawls, with whether it even drips: True ends it with TooSlow. Raises OutputGone (read the order again),
        OutputBad (for good), NotSent, Unclear or Deadline (try again); what was written to the sink is then worthless.
        """
        return download(
            self.config,
            job,
            sink,
            headers=default_headers(self.config),
            auth=self._calls.authorise,
            resolver=self._resolver,
            progress=progress,
            heartbeat=heartbeat,
            gives_way=gives_way,
        )

    def _price_check(self, order: Order) -> Answer:
        url = f"{self.config.base_url}/videos?dryRun=true"
        answer = self._calls.post_order(url, order, self.config.limits.estimate, with_key=False, references=True)
        if not is_success(answer):
            raise self._calls.refusal(answer)
        return answer

    def _schema(self, slug: str, ends_at: float) -> object:
        """The model's parameter schema, or None: the list is worth having without it."""
        limits = self.config.limits.models
        left = ends_at - time.monotonic()
        if left <= 0:
            return None
        url = f"{self.config.base_url}/models/{quote(slug, safe='')}?schema=true"
        timing = Timing(limits.connect, limits.read, limits.write, left)
        try:
            answer = self._calls.get(url, timing)
            return self._calls.json(answer) if is_success(answer) else None
        except GatewayError as error:
            log.warning("gateway.schema_unavailable model=%s code=%s", slug, error.code)
            return None

    def _job_url(self, job_id: str) -> str:
        return f"{self.config.base_url}/videos/{quote(job_id, safe='')}"
