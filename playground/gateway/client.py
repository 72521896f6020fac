"""The client for one gateway: typed calls, one exchange each, every failure an error of errors.py.

An order is sent once, on a fresh connection, and nothing beneath repeats it: a repeat that the caller does not know of
is a second charge. Calls that change nothing are tried up to three times within their total limit. The key is put
on a request as the last step and is in no error, log line or repr.
"""

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import httpx  # noqa: TID251

from playground.gateway import catalogue, dialects
from playground.gateway.answers import Scrubber, refusal, request_id
from playground.gateway.download import download
from playground.gateway.egress import Egress, Resolver, resolve
from playground.gateway.errors import EstimateUnavailable, GatewayError, NotFound, Refused, Unclear
from playground.gateway.multipart import Multipart
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
from playground.gateway.wire import Answer, Wire

log = logging.getLogger("playground.gateway")

TRIES = 3
BACKOFF_S = (0.2, 0.6)


def default_headers(config: GatewayConfig) -> dict[str, str]:
    return {
        "User-Agent": f"video-playground/{config.version}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


class GatewayClient:
    """One gateway. Holds no socket between calls, so it may be shared by the threads of a process.

    Every method raises GatewayError and nothing else for what a gateway or the network does.
    """

    def __init__(self, config: GatewayConfig, *, resolver: Resolver = resolve) -> None:
        self.config = config
        self._resolver = resolver
        self._scrubber = Scrubber(config.api_key)
        self._egress = Egress(guarded=False, resolver=resolver)

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
        answer = self._send_order(order, self.config.limits.create, with_key=self.config.honours_idempotency_key)
        if not _is_success(answer):
            raise refusal(answer, self._scrubber)
        return dialects.created_job(self._json(answer), self.config.dialect, self._request_id(answer), answer.status)

    def estimate(self, order: Order) -> Estimate:
        """The price of an order, in at most five seconds, without placing it.

        Asked without the reference images first, since they rarely change the price; with them when the gateway
        refuses that. Raises EstimateUnavailable at once for a gateway that is not declared to give estimates, since
        one that ignores the flag would start a paid job.
        """
        if not self.config.dry_run:
            raise EstimateUnavailable("This gateway gives no estimates.", code="estimate_not_offered")
        clock = time.monotonic() + self.config.limits.estimate.total
        try:
            answer = self._price_check(order, clock, references=False)
        except Refused as refused:
            if not order.references or refused.status not in (400, 422):
                raise
            answer = None
        if answer is None:
            answer = self._price_check(order, clock, references=True)
        try:
            return dialects.estimate(self._json(answer), self._request_id(answer), answer.status)
        except EstimateUnavailable as problem:
            if problem.job_id:
                log.error(
                    "gateway.estimate_made_a_job base_url=%s job_id=%s order_id=%s: turn estimates off for this gateway",
                    self.config.base_url,
                    problem.job_id,
                    order.order_id,
                )
            raise

    def retrieve(self, job_id: str) -> Job:
        """The order as the gateway tells it now. Raises NotFound for a 404 and what `transient` errors there are."""
        answer = self._repeatable("GET", self._job_url(job_id), self.config.limits.retrieve)
        if not _is_success(answer):
            raise self._read_error(answer)
        return dialects.retrieved_job(
            self._json(answer), job_id, self.config.dialect, self._request_id(answer), answer.status
        )

    def cancel(self, job_id: str) -> None:
        """Ask the gateway to stop an order; best effort, no promise of money back. An unknown order counts as done.

        Raises Refused for a gateway that is not declared to cancel: in some dialects the same verb deletes.
        """
        if not self.config.cancel:
            raise Refused("This gateway cannot stop an order.")
        answer = self._repeatable("DELETE", self._job_url(job_id), self.config.limits.cancel)
        if not _is_success(answer) and answer.status != 404:
            raise refusal(answer, self._scrubber)

    def models(self) -> list[ModelInfo]:
        """The gateway's video models with what is known of each. Never raises for odd entries, only for no list."""
        base, limits = self.config.base_url, self.config.limits.models
        ends_at = time.monotonic() + limits.total
        answer = self._repeatable("GET", f"{base}/models", limits)
        if not _is_success(answer):
            raise self._read_error(answer)
        entries = catalogue.videos(catalogue.items(self._json(answer)), self.config.dialect)
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
        answer = self._repeatable("GET", f"{self.config.native_base_url}/balance", self.config.limits.balance)
        if answer.status in (404, 405, 501):
            return None
        if not _is_success(answer):
            raise self._read_error(answer)
        return dialects.balance(self._json(answer))

    def download(
        self,
        job: Job,
        sink: BinaryIO,
        *,
        progress: Callable[[int], None] | None = None,
        heartbeat: Callable[[], None] | None = None,
    ) -> Downloaded:
        """Write the finished file into `sink` (from where it stands) and say its length and SHA-256.

        `progress` gets the bytes so far after each piece; `heartbeat` is called at most every two seconds, and an
        exception from either ends the download. Raises OutputGone (read the order again), OutputBad (for good),
        NotSent, Unclear or Deadline (try again); what was written to the sink is then worthless.
        """
        headers = default_headers(self.config)
        return download(
            self.config,
            job,
            sink,
            headers=headers,
            auth=self._authorise,
            resolver=self._resolver,
            progress=progress,
            heartbeat=heartbeat,
        )

    def _send_order(self, order: Order, timing: Timing, *, with_key: bool) -> Answer:
        fields = order.body(with_key=with_key)
        url = f"{self.config.base_url}/videos"
        if not order.references:
            return self._post_json(url, fields, timing)
        return self._post_multipart(url, order, fields, timing)

    def _price_check(self, order: Order, ends_at: float, *, references: bool) -> Answer:
        url = f"{self.config.base_url}/videos?dryRun=true"
        fields = order.body(with_key=False)

        def attempt(timing: Timing) -> Answer:
            if references:
                return self._post_multipart(url, order, fields, timing)
            return self._post_json(url, fields, timing)

        answer = self._with_tries(attempt, self.config.limits.estimate, ends_at)
        if not _is_success(answer):
            raise refusal(answer, self._scrubber)
        return answer

    def _post_json(self, url: str, fields: Mapping[str, Any], timing: Timing) -> Answer:
        body = json.dumps(fields, separators=(",", ":"), allow_nan=False).encode()
        headers = {**default_headers(self.config), "Content-Type": "application/json"}
        return self._exchange(httpx.Request("POST", url, headers=headers, content=body), timing)

    def _post_multipart(self, url: str, order: Order, fields: Mapping[str, Any], timing: Timing) -> Answer:
        with Multipart(order.order_id, fields, order.references) as body:
            headers = {
                **default_headers(self.config),
                "Content-Type": body.content_type,
                "Content-Length": str(body.length),
            }
            return self._exchange(httpx.Request("POST", url, headers=headers, stream=body), timing)

    def _repeatable(self, method: str, url: str, limits: Timing) -> Answer:
        ends_at = time.monotonic() + limits.total

        def attempt(timing: Timing) -> Answer:
            return self._exchange(httpx.Request(method, url, headers=default_headers(self.config)), timing)

        return self._with_tries(attempt, limits, ends_at)

    def _with_tries(self, attempt: Callable[[Timing], Answer], limits: Timing, ends_at: float) -> Answer:
        """Repeat on network errors, 408, 425, 429 and 5xx while time is left; the last answer or error stands."""
        for wait in (*BACKOFF_S, None):
            left = max(0.05, ends_at - time.monotonic())
            timing = Timing(limits.connect, limits.read, limits.write, left)
            failure: GatewayError | None = None
            answer: Answer | None = None
            try:
                answer = attempt(timing)
            except GatewayError as error:
                failure = error
            if answer is not None and answer.status not in (408, 425, 429) and answer.status < 500:
                return answer
            asked = refusal(answer, self._scrubber).retry_after_s if answer is not None else None
            pause = max(asked or 0.0, (wait or 0.0) * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
            hopeless = failure is not None and not failure.transient
            if wait is None or hopeless or time.monotonic() + pause >= ends_at:
                break
            time.sleep(pause)
        if failure is not None:
            raise failure
        assert answer is not None
        return answer

    def _exchange(self, request: httpx.Request, timing: Timing) -> Answer:
        self._authorise(request)
        with Wire(self._egress, timing) as wire:
            return wire.exchange(request, max_bytes=self.config.limits.max_answer_bytes)

    def _authorise(self, request: httpx.Request) -> None:
        request.headers["Authorization"] = f"Bearer {self.config.api_key}"

    def _schema(self, slug: str, ends_at: float) -> object:
        """The model's parameter schema, or None: the list is worth having without it."""
        limits = self.config.limits.models
        left = ends_at - time.monotonic()
        if left <= 0:
            return None
        url = f"{self.config.base_url}/models/{quote(slug, safe='')}?schema=true"
        timing = Timing(limits.connect, limits.read, limits.write, left)
        try:
            answer = self._exchange(httpx.Request("GET", url, headers=default_headers(self.config)), timing)
            return self._json(answer) if _is_success(answer) else None
        except GatewayError as error:
            log.warning("gateway.schema_unavailable model=%s code=%s", slug, error.code)
            return None

    def _job_url(self, job_id: str) -> str:
        return f"{self.config.base_url}/videos/{quote(job_id, safe='')}"

    def _json(self, answer: Answer) -> Any:
        try:
            return self._scrubber.load(answer.body)
        except ValueError:
            pass
        raise Unclear(
            "The gateway's answer is not JSON.",
            code="not_json",
            status=answer.status,
            request_id=self._request_id(answer),
        )

    def _request_id(self, answer: Answer) -> str:
        return self._scrubber.clean(request_id(answer))

    def _read_error(self, answer: Answer) -> GatewayError:
        error = refusal(answer, self._scrubber)
        if answer.status != 404:
            return error
        return NotFound(error.message, status=404, gateway_code=error.gateway_code, request_id=error.request_id)


def _is_success(answer: Answer) -> bool:
    return 200 <= answer.status < 300
