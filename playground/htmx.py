"""What htmx needs of us beyond fragments, and typed input that is kept from one page to the next."""

from collections.abc import Collection

from django.http import HttpRequest

DRAFT_IN_SESSION = "create_draft"
NOT_KEPT = {"csrfmiddlewaretoken", "token", "quoted_micros", "accept_unpriced", "team"}
MAX_KEPT = 40_000
"""Characters of names and values together."""


def is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def keep_typed(request: HttpRequest, *, leave_out: Collection[str] = ()) -> bool:
    """Put the typed values into the session, for Create; False when there is nothing worth keeping, or too much."""
    values = typed(request, leave_out=leave_out)
    if not values:
        return False
    request.session[DRAFT_IN_SESSION] = values
    return True


def typed(request: HttpRequest, *, leave_out: Collection[str] = (), most: int = MAX_KEPT) -> dict[str, str]:
    """The values of this form that are worth keeping; none where they have more than `most` characters."""
    left_out = NOT_KEPT.union(leave_out)
    values = {name: str(value) for name, value in request.POST.items() if name not in left_out and value}
    return values if sum(len(name) + len(value) for name, value in values.items()) <= most else {}
