"""How often strangers may try: wrong tokens, passwords of links, marks; and members, to make links.

A try takes a place among as many as its limit has, under its number in the cache, which can be taken once: so no number
of tries at once gets past the limit. The places are free again in the next window of time.
"""

import time
from uuid import UUID

from django.core.cache import cache
from django.utils.crypto import salted_hmac

_LIMITS = {
    "share": (60, 60),
    "share_password": (5, 300),
    "share_password_link": (100, 3600),
    "share_mark": (60, 60),
    "wrong_token": (60, 60),
}
"""How many in how many seconds."""


def wrong_token(client: str) -> int:
    """Count one address that names nothing. Seconds to wait where there were too many, else 0; so below."""
    return _take("wrong_token", client)


def password_try(link: UUID, client: str) -> int:
    return _take("share_password", f"{link}:{client}") or _take("share_password_link", str(link))


def password_was_right(link: UUID, client: str) -> None:
    """Those who know it do not use up the tries of others: theirs is no guess."""
    _forget("share_password", f"{link}:{client}")


def mark(link: UUID, client: str) -> int:
    return _take("share_mark", f"{link}:{client}")


def link_made(member: UUID) -> int:
    return _take("share", str(member))


def _places(action: str, key: str) -> tuple[list[str], int]:
    amount, per_s = _LIMITS[action]
    now = int(time.time())
    name = salted_hmac(f"share_limits.{action}", f"{key}:{now // per_s}", algorithm="sha256").hexdigest()[:32]
    return [f"{action}:{name}:{number}" for number in range(amount)], per_s - now % per_s


def _take(action: str, key: str) -> int:
    places, left = _places(action, key)
    taken = cache.get_many(places)
    free = (place for place in places if place not in taken)
    return 0 if any(cache.add(place, 1, left + 1) for place in free) else left


def _forget(action: str, key: str) -> None:
    cache.delete_many(_places(action, key)[0])
