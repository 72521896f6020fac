"""Faults on order: a token such as `[[sandbox:fail]]` in a prompt makes the sandbox misbehave in a known way.

`FAULTS` is the one list of them, and `KEY_FAULTS` that of how a gateway may treat an idempotency key that it knows. The
sandbox's page prints both and a test compares docs/sandbox.md with them. Faults belong to real orders; a dry run
ignores them.
"""

import re
from dataclasses import dataclass
from typing import Literal

When = Literal["order", "accepted", "job", "file", "repeat"]
TOKEN = re.compile(r"\s*\[\[sandbox:([a-z0-9-]+)\]\]\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    when: When
    """`order`: refused, nothing accepted or charged. `accepted`: a charged job exists, the answer is at fault.
    `job`: shows while the job runs. `file`: shows in the result. `repeat`: shows when its key comes again."""
    text: str


_ALL = (
    Fault("moderation", "order", "The order is refused: 400 CONTENT_POLICY_VIOLATION."),
    Fault("bad-image", "order", "The order is refused: 400, the image file is invalid."),
    Fault("402", "order", "The order is refused: 402, the balance is too low."),
    Fault("429", "order", "The first two tries are refused: 429 with Retry-After: 1. The third is accepted."),
    Fault("429-bare", "order", "As 429, without a Retry-After header."),
    Fault("500", "order", "The order is refused: 500, nothing was accepted."),
    Fault("502", "order", "The first try gets 502, nothing was accepted. The second is accepted."),
    Fault("html", "order", "The order gets 502 with an HTML page in place of JSON."),
    Fault(
        "slow-answer", "accepted", "The job is accepted, but the answer comes after SANDBOX_SLOW_ANSWER_SECONDS (20)."
    ),
    Fault("drop", "accepted", "The job is accepted and charged, then the connection is closed without an answer."),
    Fault("500-after", "accepted", "The job is accepted and charged, then the answer is 500."),
    Fault("no-id", "accepted", "The job is accepted and charged, but the answer has no id."),
    Fault("fail", "job", "The job fails with UPSTREAM_ERROR when its time is up."),
    Fault("refused-late", "job", "The job fails with CONTENT_POLICY_VIOLATION when its time is up."),
    Fault("stuck", "job", "The job never leaves in_progress."),
    Fault("slow", "job", "The job takes SANDBOX_SLOW_SECONDS (60)."),
    Fault("missing-output", "file", "The job is completed but has no output."),
    Fault("dearer", "file", "The final cost is one and a half times the estimate."),
    Fault("expired", "file", "The file is gone at once: 410."),
    Fault("truncated", "file", "The file breaks off halfway, before its announced length."),
    Fault("cut-file", "file", "The file itself ends at 60 %; its announced length is that of the cut file."),
    Fault("wrong-size", "file", "The stated size_bytes is 1,000 too large."),
    Fault("smaller", "file", "Half the width and height and half the length that was asked for."),
    Fault("not-video", "file", "An HTML page is served in place of the video."),
)
FAULTS: dict[str, Fault] = {fault.name: fault for fault in _ALL}
KEY_FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "in-flight",
            "repeat",
            "The job is accepted and charged, then the connection is closed without an answer. The first two repeats of"
            " its key are refused as still under way: 409 with Retry-After: 1.",
        ),
        Fault(
            "key-reused",
            "repeat",
            "A repeat of its key with another body is refused: 422. With the same body: its job.",
        ),
    )
}
"""Tokens too. They make it a gateway that looks closely at keys; otherwise a known key gives its job to any body."""

HOOK_FAULTS = {
    "lost": "No webhook is ever sent.",
    "duplicate": "Each webhook is sent twice, under one id.",
    "delayed": "The first try comes as late as a first retry would.",
    "reordered": "Every other webhook is held back like that, so that later ones overtake it.",
    "forged": "Webhooks are signed with a key that nobody knows.",
}
"""Of all webhooks of a sandbox, by SANDBOX_HOOK_FAULTS; not tokens of a prompt."""
REFUSED_TRIES = {"429": 2, "429-bare": 2, "502": 1}
"""How many tries of one order a passing fault refuses."""
IN_FLIGHT_TRIES = 2
"""How many repeats of a key "in-flight" refuses."""


def fault_in(prompt: str) -> str:
    """The name of the first known fault token in `prompt`, or ""."""
    names = (match[1].lower() for match in TOKEN.finditer(prompt))
    return next((name for name in names if name in FAULTS or name in KEY_FAULTS), "")


def without_token(prompt: str) -> str:
    """The prompt as it may be shown on the picture."""
    return TOKEN.sub(" ", prompt).strip()
