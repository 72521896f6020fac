"""The gateway's own list of the requests it got, read page by page.

After an answer was lost it is the only way to find out what became of an order, and it is what our own ledger is
compared with. So it is never silently incomplete: a page that cannot be read, a link that leads in a circle or to
another host, and more pages than the caller allows are errors, not ends.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from playground.domain.money import micros_from_dollars
from playground.gateway.answers import MAX_ID, MAX_MESSAGE, identifier, mapping, moment, text
from playground.gateway.dialects import state_of
from playground.gateway.errors import Unclear
from playground.gateway.types import JobState

PAGE = 100
MAX_PAGES = 1000
"""A hundred thousand requests. A caller that wants more asks month by month."""


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request as the gateway keeps it. Everything but `state` may be unknown; texts are then "".

    `id` is the gateway's own request id, which need not be the id of the video. `trace_id` is the middle of the
    `traceparent` header that the order was sent with, 32 lower-case hex digits. `cost_micros` is None when no cost is
    told, when it is no amount of money, and when `currency` is not "USD"; a missing currency is taken for dollars.
    """

    id: str
    created_at: datetime | None
    model: str
    status: str
    """The gateway's own word."""
    state: JobState
    cost_micros: int | None
    currency: str
    """Upper case, as in "USD"."""
    trace_id: str
    user: str
    modality: str
    error_code: str
    error_message: str


def logged(data: object) -> LoggedRequest:
    """One entry out of any JSON value; never raises."""
    found = mapping(data)
    error = mapping(found.get("error"))
    currency = text(found.get("currency"), 8).upper() or "USD"
    status = text(found.get("status"), 40)
    return LoggedRequest(
        id=identifier(found.get("id"))[:MAX_ID],
        created_at=moment(found.get("created_at")),
        model=text(found.get("model"), 200),
        status=status,
        state=state_of(status),
        cost_micros=micros_from_dollars(found.get("cost")) if currency == "USD" else None,
        currency=currency,
        trace_id=text(found.get("trace_id"), 64).lower().replace("-", ""),
        user=text(found.get("user"), 255),
        modality=text(found.get("modality"), 40),
        error_code=text(found.get("error_code"), 100) or text(error.get("code"), 100),
        error_message=text(found.get("error_message"), MAX_MESSAGE) or text(error.get("message"), MAX_MESSAGE),
    )


def first_page(native_base_url: str, created_after: datetime | None, created_before: datetime | None) -> str:
    """The address of the newest page. Raises ValueError for a time without a zone."""
    query = {"limit": str(PAGE)}
    for name, at in (("created_after", created_after), ("created_before", created_before)):
        if at is not None:
            query[name] = _iso(at)
    return f"{native_base_url}/requests?{urlencode(query)}"


def walk(first: str, read: Callable[[str], object], *, max_pages: int) -> Iterator[LoggedRequest]:
    """Every entry from `first` on, newest first, reading one page when it is needed and none that is not.

    `read` gives the JSON value at an address. Raises Unclear (codes no_list, bad_page_link, too_many_pages).
    """
    address, seen = first, {first}
    for _page in range(max_pages):
        page = mapping(read(address))
        entries = page.get("data")
        if not isinstance(entries, list):
            raise Unclear("The gateway's answer is not a list of requests.", code="no_list")
        yield from (logged(entry) for entry in entries if isinstance(entry, Mapping))
        address = _next(address, page, first)
        if not address:
            return
        if address in seen:
            raise Unclear("The gateway's list of requests leads in a circle.", code="bad_page_link")
        seen.add(address)
    raise Unclear(f"The gateway's list of requests has more than {max_pages} pages.", code="too_many_pages")


def _next(address: str, page: Mapping[str, Any], first: str) -> str:
    """The address of the next page, on our own scheme, host and port; "" when this was the last.

    A gateway behind a proxy often writes its links with the inner scheme. The host must be the same, and scheme and
    port stay ours: the key goes with the request.
    """
    link = page.get("next_page_url")
    if link is None or link == "":
        return ""
    own = urlsplit(first)
    try:
        parts = urlsplit(urljoin(address, link)) if isinstance(link, str) and len(link) <= 8192 else None
    except ValueError:
        parts = None
    if parts is None or parts.hostname != own.hostname or parts.username is not None:
        raise Unclear("The gateway's list of requests goes on at another place.", code="bad_page_link")
    return parts._replace(scheme=own.scheme, netloc=own.netloc, fragment="").geturl()


def _iso(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("a time needs a zone")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
