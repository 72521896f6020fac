"""What a gateway says of a video, held against what was ordered: whether a pasted id can be that of this order.

Gateways word sizes and lengths in their own ways, and providers round: sides to multiples of 16, lengths to the frame.
What cannot be read says nothing.
"""

import re
from typing import Any

from django.utils.translation import gettext as _

from playground.domain.capabilities import parse_size, quality_of, shape_of
from playground.gateway.types import Job

SIDE_MAY_DIFFER = 0.05
"""Of each side: 704 for 720 is 2.2 %, the nearest other quality (768 for 720) 6.7 %."""
SECONDS_MAY_DIFFER = 0.5
_TIMES = re.compile(r"\s*[x*×]\s*")
_SECONDS = re.compile(r"([0-9]{1,5}(?:\.[0-9]+)?)\s*(?:s|secs?|seconds?)?")
_VERSION = re.compile(r"-[0-9]{4}[0-9-]*|[:@].+")
_QUALITY = re.compile(r"[0-9]{3,4}p")
_SHAPE = re.compile(r"[0-9]{1,2}:[0-9]{1,2}")


def differences(ordered: dict[str, Any], job: Job) -> list[str]:
    """Each thing that the gateway says otherwise than it was ordered (the body that was sent), in words."""
    told = (
        (job.model, str(ordered.get("model") or ""), _is_model),
        (job.size, str(ordered.get("size") or ""), _is_size),
        (job.seconds, str(ordered.get("seconds") or ""), _is_length),
    )
    words = _("%(told)s for %(ordered)s")
    found = [(said, asked) for said, asked, is_same in told if said and asked and not is_same(said, asked)]
    return [words % {"told": said, "ordered": asked} for said, asked in found]


def _is_model(told: str, ordered: str) -> bool:
    """By the last part of a path; one may name a version of the other, as by its date, but no other word: "-pro"."""
    short, long = sorted((name.lower().rpartition("/")[2] for name in (ordered, told)), key=len)
    return long == short or (long.startswith(short) and _VERSION.fullmatch(long[len(short) :]) is not None)


def _is_size(told: str, ordered: str) -> bool:
    asked, word = parse_size(ordered), told.strip().lower()
    if asked is None:
        return True
    if _QUALITY.fullmatch(word):
        return word == quality_of(ordered)
    if _SHAPE.fullmatch(word):
        return word == shape_of(ordered)
    said = parse_size(_TIMES.sub("x", word))
    return said is None or all(abs(a - b) <= SIDE_MAY_DIFFER * b for a, b in zip(said, asked, strict=True))


def _is_length(told: str, ordered: str) -> bool:
    said, asked = (_SECONDS.fullmatch(text.strip().lower()) for text in (told, ordered))
    return said is None or asked is None or abs(float(said[1]) - float(asked[1])) <= SECONDS_MAY_DIFFER
