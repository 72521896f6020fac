"""Requests of one gateway: how they are built, signed, limited and, where that is harmless, repeated."""

import json
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx  # noqa: TID251

from playground.gateway.answers import Scrubber, refusal, request_id
from playground.gateway.egress import Egress, Resolver
from playground.gateway.errors import GatewayError, NotFound, Unclear
from playground.gateway.multipart import Multipart
from playground.gateway.trace import headers_of
from playground.gateway.types import ExtraValue, GatewayConfig, Order, Timing
from playground.gateway.wire import Answer, Wire

BACKOFF_S = (0.2, 0.6)
"""Waits before the second and third try."""


def default_headers(config: GatewayConfig) -> dict[str, str]:
    return {
        "User-Agent": f"video-playground/{config.version}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


def is_success(answer: Answer) -> bool:
    return 200 <= answer.status < 300


class Calls:
    """Each call opens a connection of its own and closes it."""

    def __init__(self, config: GatewayConfig, resolver: Resolver) -> None:
        self.config = config
        self._scrubber = Scrubber(config.api_key)
        self._egress = Egress(guarded=config.guarded, resolver=resolver, is_gateway=True)

    @property
    def authorisation(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.config.api_key}"}

    def authorise(self, request: httpx.Request) -> None:
        request.headers.update(self.authorisation)

    def get(self, url: str, timing: Timing) -> Answer:
        """One try."""
        return self._exchange(httpx.Request("GET", url, headers=default_headers(self.config)), timing)

    def repeatable(self, method: str, url: str, limits: Timing) -> Answer:
        """Up to three tries of a call that changes nothing when repeated."""

        def attempt(timing: Timing) -> Answer:
            return self._exchange(httpx.Request(method, url, headers=default_headers(self.config)), timing)

        return self.with_tries(attempt, limits, time.monotonic() + limits.total)

    def post_order(self, url: str, order: Order, timing: Timing, *, with_key: bool, references: bool) -> Answer:
        """One try. JSON, or multipart when reference files go along."""
        fields = order.body(with_key=with_key)
        if references and order.references:
            return self._post_multipart(url, order, fields, timing)
        body = json.dumps(fields, separators=(",", ":"), allow_nan=False).encode()
        headers = self._headers_of(order, fields) | {"Content-Type": "application/json"}
        return self._exchange(httpx.Request("POST", url, headers=headers, content=body), timing)

    def _post_multipart(self, url: str, order: Order, fields: Mapping[str, ExtraValue], timing: Timing) -> Answer:
        with Multipart(order.order_id, fields, order.references) as body:
            headers = self._headers_of(order, fields)
            headers |= {"Content-Type": body.content_type, "Content-Length": str(body.length)}
            return self._exchange(httpx.Request("POST", url, headers=headers, content=body), timing)

    def _headers_of(self, order: Order, fields: Mapping[str, ExtraValue]) -> dict[str, str]:
        """With the key beside the field of the body: some gateways take it here, as most payment interfaces do."""
        headers = {**default_headers(self.config), **headers_of(order.order_id)}
        key = fields.get("idempotency_key")
        return headers | ({"Idempotency-Key": str(key)} if key is not None else {})

    def with_tries(self, attempt: Callable[[Timing], Answer], limits: Timing, ends_at: float) -> Answer:
        """Repeat on network errors, 408, 425, 429 and 5xx while time is left; the last answer or error stands.

        `ends_at` is on the monotonic clock.
        """
        for wait in (*BACKOFF_S, None):
            left = max(0.05, ends_at - time.monotonic())
            answer, failure = _outcome(attempt, Timing(limits.connect, limits.read, limits.write, left))
            if answer is not None and answer.status not in (408, 425, 429) and answer.status < 500:
                return answer
            asked = self.refusal(answer).retry_after_s if answer is not None else None
            pause = max(asked or 0.0, (wait or 0.0) * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
            hopeless = failure is not None and not failure.transient
            if wait is None or hopeless or time.monotonic() + pause >= ends_at:
                break
            time.sleep(pause)
        if failure is not None:
            raise failure
        assert answer is not None
        return answer

    def json(self, answer: Answer) -> Any:
        """The answer's JSON value, never with the key in it. Raises Unclear."""
        try:
            return self._scrubber.load(answer.body)
        except ValueError:
            failure = Unclear(
                "The gateway's answer is not JSON.",
                code="not_json",
                status=answer.status,
                request_id=self.request_id(answer),
            )
        raise failure

    def request_id(self, answer: Answer) -> str:
        return self._scrubber.clean(request_id(answer))

    def refusal(self, answer: Answer) -> GatewayError:
        return refusal(answer, self._scrubber)

    def read_error(self, answer: Answer) -> GatewayError:
        """As `refusal`, for a call that asks for something known: a 404 is NotFound, and so is a 410."""
        error = self.refusal(answer)
        if answer.status not in (404, 410):
            return error
        return NotFound(
            error.message, status=answer.status, gateway_code=error.gateway_code, request_id=error.request_id
        )

    def _exchange(self, request: httpx.Request, timing: Timing) -> Answer:
        self.authorise(request)
        with Wire(self._egress, timing) as wire:
            return wire.exchange(request, max_bytes=self.config.limits.max_answer_bytes)


def _outcome(attempt: Callable[[Timing], Answer], timing: Timing) -> tuple[Answer | None, GatewayError | None]:
    try:
        return attempt(timing), None
    except GatewayError as error:
        return None, error
