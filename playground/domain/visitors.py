"""Who opens an address: a person with a browser, or a program that looks at it for somebody.

Messengers draw previews of links, mail filters open them, browsers fetch pages ahead. None of them watches anything.
"""

import re

_PROGRAMS = re.compile(
    r"(?<!cu)bots?\b|crawl|spider|slurp|externalhit|facebookcatalog|preview|headless|lighthouse|pagespeed|pingdom|"
    r"uptime|monitor|scanner|safelinks|proofpoint|mimecast|barracuda|urlscan|ms-?office|embedly|iframely|"
    r"microsoft office|bingpreview|google-|apis-google|mediapartners|feedfetcher|whatsapp|telegram|discord|skypeuri|"
    r"vkshare|phantomjs|python|curl|wget|java/|okhttp|axios|node-fetch|go-http|libwww|archive\.org|heritrix|validator",
    re.IGNORECASE,
)
_AHEAD = ("prefetch", "prerender", "preview")


def is_person(*, method: str, user_agent: str, purpose: str = "") -> bool:
    """Whether this looks like somebody who looks. `purpose` is what Sec-Purpose and its elder forms say.

    Every browser calls itself Mozilla; most programs that do too tell elsewhere in the name what they are.
    """
    if method != "GET" or any(word in purpose.lower() for word in _AHEAD):
        return False
    return user_agent.startswith("Mozilla/") and not _PROGRAMS.search(user_agent)
