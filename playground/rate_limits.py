"""How often something may be done: every limit with its name, in one place, and how `RATE_LIMITS` changes some of them.

A limit is a bucket: `amount` at once, and from then on one more each `per_s / amount` seconds. Those of people are far
above what hands do, those of guesses far below what guessing takes.
"""

import re
from dataclasses import dataclass

MOST = 10_000
LONGEST_S = 24 * 3600
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
_ONE = re.compile(r"(?P<name>[a-z_]+)=(?P<amount>[0-9]{1,6})/(?P<times>[0-9]{0,4})(?P<unit>[smhd])")


@dataclass(frozen=True, slots=True)
class Limit:
    amount: int
    per_s: int

    @property
    def step_us(self) -> int:
        """What one of them takes off the bucket, in microseconds."""
        return self.per_s * 1_000_000 // self.amount

    @property
    def room_us(self) -> int:
        """What the whole bucket holds."""
        return self.step_us * self.amount


MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
DEFAULTS = {
    # of a member
    "submit": Limit(60, MINUTE),
    "price": Limit(300, MINUTE),
    "upload": Limit(60, MINUTE),
    "comment": Limit(30, MINUTE),
    "comment_undo": Limit(60, MINUTE),
    "mark": Limit(300, MINUTE),
    "collect": Limit(300, MINUTE),
    "share": Limit(60, MINUTE),
    "share_end": Limit(300, MINUTE),
    "visibility": Limit(60, MINUTE),
    "invite": Limit(60, HOUR),
    "video_request": Limit(30, HOUR),
    "export": Limit(6, MINUTE),
    "gateway_check": Limit(20, 5 * MINUTE),
    # wrong passwords and codes: of an e-mail address from one client, of a client, of an e-mail address from everywhere
    "login": Limit(5, 5 * MINUTE),
    "login_client": Limit(30, 5 * MINUTE),
    "login_address": Limit(100, HOUR),
    # wrong codes: of a second factor, for a person from one client and from everywhere; of a mail, in one session
    "second_factor": Limit(5, 15 * MINUTE),
    "second_factor_person": Limit(30, HOUR),
    "login_code": Limit(10, 10 * MINUTE),
    # tries to make an account: of a client; mails to make one: to an e-mail address
    "signup": Limit(20, MINUTE),
    "signup_mail": Limit(3, MINUTE),
    # beginnings of a sign-in at an identity provider or by a passkey: of a client
    "provider": Limit(30, MINUTE),
    # wrong passwords of a shared link: of the link from one client, of the link from everywhere
    "share_password": Limit(5, 5 * MINUTE),
    "share_password_link": Limit(100, HOUR),
    # what the holder of a shared link writes: of the link from one client
    "share_mark": Limit(60, MINUTE),
    # openings of a shared link that count as views: of the link from one client, beyond what a cookie tells
    "share_view": Limit(10, HOUR),
    # forms of Create from somebody who is not signed in, whose words are kept until they are: of a client
    "typed": Limit(10, MINUTE),
    # addresses with a wrong token, of a client: of sign-in, welcome, sign-up and invitations; of shared links
    "wrong_token": Limit(60, MINUTE),
    "share_token": Limit(60, MINUTE),
    # webhooks that are refused: of a sender
    "webhook": Limit(60, MINUTE),
}


def limits_of(words: str) -> dict[str, Limit]:
    """The limits, with those changed that `words` names: `submit=120/m, login=10/15m`. Raises ValueError."""
    limits = dict(DEFAULTS)
    for part in filter(None, (part.strip() for part in words.split(","))):
        match = _ONE.fullmatch(part)
        if match is None or match["name"] not in DEFAULTS:
            raise ValueError(f"RATE_LIMITS must be like submit=120/m, login=10/15m, with these names: {_names()}")
        amount, per_s = int(match["amount"]), int(match["times"] or 1) * _UNITS[match["unit"]]
        if not 1 <= amount <= MOST or not 1 <= per_s <= LONGEST_S:
            raise ValueError(f"RATE_LIMITS: {match['name']} must be 1 to {MOST} in 1 second to 1 day")
        limits[match["name"]] = Limit(amount, per_s)
    return limits


def _names() -> str:
    return ", ".join(DEFAULTS)
