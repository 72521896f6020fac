"""Everything that can go wrong with a gateway, and what it means for an order that was being sent.

    GatewayError                outcome    what is known, and what may be done
    |- NotSent                  not_sent   never reached the gateway: no connection, no name, no free socket; send again
    |- Refused                  refused    400 404 413 415 422 and other plain noes: nothing was taken, do not repeat
    |- AccountRefused           refused    401 402 403: nothing was taken; stop using this key until a person looks
    |- Throttled                refused    429: nothing was taken; same order, same key, after `retry_after_s`
    |- InFlight                 unclear    409: the same order is still being taken; same key again later
    |- Unclear                  unclear    5xx, lost or unreadable answer, 2xx without an id: it may have been taken
    |  |- Deadline              unclear    the total limit passed with the call under way
    |  `- TooSlow               unclear    a download that crawled while another one waited for its place
    |- NotFound                 refused    404 for an id we know: the rules for lost orders decide
    |- NoRequestLog             refused    this gateway has no list of its requests: nothing can be looked up there
    |- EstimateUnavailable      refused    the gateway gives no price for this; `job_id` set: it started a job instead
    |- OutputGone               refused    403 404 410, or no link at all: read the order again for a fresh link
    `- OutputBad                refused    wrong type or encoding, too large, endless, at a forbidden place
       |- OutputHost            refused    at a host that OUTPUT_HOSTS does not name
       `- OutputLength          refused    of another length than the gateway tells; read the order and the file again

The outcome speaks of orders. For calls that change nothing it only says whether the gateway gave a clear answer; ask
`transient` whether trying again later makes sense. `code` is ours and stable (the words on a card hang on it);
`gateway_code` and `message` are the gateway's, cut and cleaned, and never hold the key.
"""

from enum import StrEnum
from typing import Literal


class Outcome(StrEnum):
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    UNCLEAR = "unclear"


class FailureKind(StrEnum):
    """Why an order failed or was refused, as far as a person can act on it."""

    MODERATION = "moderation"
    IMAGE = "image"
    PROVIDER = "provider"
    BALANCE = "balance"
    OTHER = "other"


class GatewayError(Exception):
    """The root. `str()` is `message`, which is safe to show and to log."""

    outcome: Outcome = Outcome.UNCLEAR
    transient: bool = False
    default_code: str = "gateway_error"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int | None = None,
        gateway_code: str = "",
        request_id: str = "",
        retry_after_s: float | None = None,
        received_bytes: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.status = status
        self.gateway_code = gateway_code
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.received_bytes = received_bytes
        """Of a file, before the host closed the connection in the middle of it; None for every other fault."""

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code!r}, status={self.status}, message={self.message!r})"


class NotSent(GatewayError):
    """Codes: unreachable, timeout_connect, name_lookup, busy (no free connection), bad_request (could not be written),
    reference_unreadable."""

    outcome = Outcome.NOT_SENT
    transient = True
    default_code = "unreachable"


class Refused(GatewayError):
    """Code is `refused_` and the kind: refused_moderation, refused_image, refused_provider, refused_balance,
    refused_other."""

    outcome = Outcome.REFUSED
    default_code = "refused_other"

    def __init__(
        self,
        message: str,
        *,
        kind: FailureKind = FailureKind.OTHER,
        status: int | None = None,
        gateway_code: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(
            message, code=f"refused_{kind}", status=status, gateway_code=gateway_code, request_id=request_id
        )
        self.kind = kind


class AccountRefused(GatewayError):
    """Codes: account_key (wrong, expired or not allowed), account_balance (empty)."""

    outcome = Outcome.REFUSED
    default_code = "account_key"

    def __init__(
        self,
        message: str,
        *,
        reason: Literal["key", "balance"],
        status: int | None = None,
        gateway_code: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(
            message, code=f"account_{reason}", status=status, gateway_code=gateway_code, request_id=request_id
        )
        self.reason: Literal["key", "balance"] = reason


class Throttled(GatewayError):
    outcome = Outcome.REFUSED
    transient = True
    default_code = "throttled"


class InFlight(GatewayError):
    outcome = Outcome.UNCLEAR
    transient = True
    default_code = "in_flight"


class Unclear(GatewayError):
    """Codes: server_error (5xx), timeout, connection_lost, not_json, too_large, no_id, error_in_success, redirected,
    unexpected_status, reference_changed, download_broken, no_list, bad_page_link, too_many_pages."""

    outcome = Outcome.UNCLEAR
    transient = True
    default_code = "server_error"


class Deadline(Unclear):
    default_code = "deadline"


class TooSlow(Unclear):
    """A download that crawled, and gave its place to another one."""

    default_code = "download_slow"


class NotFound(GatewayError):
    outcome = Outcome.REFUSED
    default_code = "not_found"


class NoRequestLog(GatewayError):
    outcome = Outcome.REFUSED
    default_code = "no_request_log"


class EstimateUnavailable(GatewayError):
    """Codes: estimate_not_offered, estimate_not_marked, estimate_unreadable, estimate_made_a_job.

    With `job_id` set the gateway answered a price check with an order: it may cost money and should be cancelled.
    """

    outcome = Outcome.REFUSED
    default_code = "estimate_not_offered"

    def __init__(
        self, message: str, *, code: str = "", job_id: str = "", status: int | None = None, request_id: str = ""
    ) -> None:
        super().__init__(message, code=code, status=status, request_id=request_id)
        self.job_id = job_id


class OutputGone(GatewayError):
    """Codes: output_gone, output_missing (completed, but no link was given)."""

    outcome = Outcome.REFUSED
    default_code = "output_gone"


class OutputBad(GatewayError):
    """Codes: output_place (address not allowed), output_redirects, output_length, output_type, output_encoded,
    output_too_large, output_empty."""

    outcome = Outcome.REFUSED
    default_code = "output_bad"


class OutputHost(OutputBad):
    """It lies at a host that whoever runs this installation has not allowed."""

    default_code = "output_host"

    def __init__(self, host: str) -> None:
        super().__init__(f"The finished file is at {host}, which is not among OUTPUT_HOSTS.")
        self.host = host


class OutputLength(OutputBad):
    """The gateway told `told_bytes`, and `came_bytes` came to the file's end, or were promised by the host."""

    default_code = "output_length"

    def __init__(self, message: str, *, told_bytes: int, came_bytes: int) -> None:
        super().__init__(message)
        self.told_bytes = told_bytes
        self.came_bytes = came_bytes
