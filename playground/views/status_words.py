"""One word for each state, the same wherever a state is named, and the colour class that goes with it."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from playground.domain.status import Status

WORDS: dict[Status, tuple[str | Promise, str]] = {
    Status.QUEUED: (_("Waiting to send"), "running"),
    Status.SUBMITTING: (_("Sending"), "running"),
    Status.SUBMITTED: (_("Queued at the provider"), "running"),
    Status.RUNNING: (_("Generating"), "running"),
    Status.COMPLETED: (_("Saving"), "running"),
    Status.STORING: (_("Saving"), "running"),
    Status.DONE: (_("Ready"), "good"),
    Status.REJECTED: (_("Refused"), "bad"),
    Status.FAILED: (_("Failed"), "bad"),
    Status.CANCELLED: (_("Stopped"), "muted"),
    Status.EXPIRED: (_("Late"), "warn"),
    Status.LOST: (_("Lost"), "bad"),
    Status.OUTPUT_LOST: (_("Lost"), "bad"),
    Status.UNKNOWN: (_("Unclear"), "unclear"),
}


def word(status: Status, *, is_late: bool = False) -> tuple[str, str]:
    """`("Ready", "good")`; what arrived after it was stopped is marked."""
    text, kind = WORDS[status]
    if is_late and status is Status.DONE:
        return str(_("Ready, late")), kind
    return str(text), kind
