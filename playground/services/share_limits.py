"""How often strangers may try: wrong tokens, passwords of links, marks; and how often they count as viewers.

playground/rate_limits.py has the numbers.
"""

from uuid import UUID

from playground.services import rates


def wrong_token(client: str) -> int:
    """Count one address that names nothing. Seconds to wait where there were too many, else 0; so below.

    Right ones are never held up by it: behind one address may be a whole office, where somebody opens a page of fifty
    pictures whose link has ended.
    """
    return rates.take("share_token", client)


def password_try(link: UUID, client: str) -> int:
    """Before the password is looked at, so that tries at once get no further than one after the other."""
    return rates.take_all(_tries(link, client))


def password_was_right(link: UUID, client: str) -> None:
    """It was no guess."""
    rates.give_back(*_tries(link, client))


def mark(link: UUID, client: str) -> int:
    return rates.take("share_mark", f"{link} {client}")


def is_view(link: UUID, client: str) -> bool:
    """Count one opening of the page by somebody who was not here before, as far as their browser tells.

    Who throws the cookie away looks new each time, so new ones behind one address are counted up to a bound: a whole
    office fits in it, and a script does not get far.
    """
    return not rates.take("share_view", f"{link} {client}")


def _tries(link: UUID, client: str) -> list[rates.Key]:
    return [("share_password", f"{link} {client}"), ("share_password_link", str(link))]
