"""What a failed try to save a video was: its cause, its code, and what came of the file. See services/saving.py."""

import errno
from enum import StrEnum

from django.db import DatabaseError

from playground.gateway.errors import (
    AccountRefused,
    Deadline,
    InFlight,
    NotFound,
    NotSent,
    OutputGone,
    OutputHost,
    OutputLength,
    Throttled,
    TooSlow,
    Unclear,
)
from playground.services import gateways


class Why(StrEnum):
    GONE = "gone"
    """The link answers 403, 404 or 410, or there is none."""
    UNKNOWN = "unknown"
    """The gateway no longer knows the order: for a while it may say so of all."""
    BAD = "bad"
    """What is served is not the video, does not end, or always breaks off at the same byte."""
    WAY = "way"
    """The media host has trouble or breaks off."""
    OURS = "ours"
    NOT_SET_UP = "not_set_up"
    """The gateway, or its key, is no longer in the environment: nobody can be asked."""
    SAVER = "saver"
    """Whoever was saving died or froze."""


def why_of(error: Exception) -> Why:
    match error:
        case OutputGone():
            return Why.GONE
        case NotFound():
            return Why.UNKNOWN
        case Deadline():
            return Why.BAD
        case TooSlow():
            return Why.OURS  # it gave way to another one: nothing is wrong with it
        case Unclear() | Throttled() | InFlight():
            return Why.WAY
        case gateways.GatewayNotConfigured():
            return Why.NOT_SET_UP
        case OutputHost():
            return Why.OURS  # whoever runs this installation may allow it yet
        case NotSent() | AccountRefused() | OSError() | DatabaseError():
            return Why.OURS
        case _:
            return Why.BAD


def code_of(error: Exception | None) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "disk_full"
    if isinstance(error, gateways.GatewayNotConfigured):
        return "not_configured"
    return str(getattr(error, "code", "") or type(error).__name__)[:100]


def length_of(error: Exception | None) -> OutputLength | None:
    """What a try learned of the length of its file, also where a gateway that is silent is what is wrong."""
    return next((one for one in (error, error and error.__cause__) if isinstance(one, OutputLength)), None)


def sizes_of(error: Exception | None) -> dict[str, int]:
    """In bytes, as the event of a failed try keeps it: what came of a file that broke off, or was of another length."""
    if length := length_of(error):
        return {"told": length.told_bytes, "came": length.came_bytes}
    received = getattr(error, "received_bytes", None)
    return {} if received is None else {"received": received}
