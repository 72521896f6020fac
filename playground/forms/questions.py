"""The question that a browser answers by signing it with a passkey.

allauth keeps one in the session under one name, whatever it was asked for. Here each says what it is for and of whom it
was asked, is good for a quarter of an hour, and is gone after the first answer, right or wrong: that to a second step
is no sign-in.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from hashlib import sha256
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn.internal import auth
from django.core.cache import cache

GOOD_FOR_S = 15 * 60


class For(StrEnum):
    SIGN_IN = "sign-in"
    SECOND_STEP = "second step"
    PROOF = "proof of oneself"
    NEW_PASSKEY = "new passkey"


def note(what: For, *, of: Any = None) -> None:
    """Write down what the question that allauth has just asked is for; `of` nobody in particular where one signs in."""
    auth.set_state({**auth.get_state(), "for": what.value, "of": _name(of), "at": int(time.time())})


@contextmanager
def answered(what: For, *, of: Any = None) -> Iterator[None]:
    """Within it an answer is looked at. Raises ValidationError for one to no such question, and for a second one."""
    asked = auth.get_state() or {}
    try:
        is_meant = (asked.get("for"), asked.get("of")) == (what.value, _name(of))
        if not is_meant or not 0 <= time.time() - asked.get("at", 0) <= GOOD_FOR_S:
            raise get_adapter().validation_error("incorrect_code")
        yield
        # Two requests may have read the session before either has stored it.
        digest = sha256(asked["challenge"].encode()).hexdigest()
        if not cache.add(f"passkey-answered:{digest}", "y", timeout=2 * GOOD_FOR_S):
            raise get_adapter().validation_error("incorrect_code")
    finally:
        auth.clear_state()


def _name(of: Any) -> str:
    return str(of.pk) if of else ""
