"""Whether the time of an answer tells what its words do not: that there is something in another team, or was a link.

An admin asks TURNS times for a thing of another team and as often for an id that never was, in turn, each turn the
other way round, at addresses of every kind: pages, media, forms, queries. The holder of a share link asks for another
team's video in the same way, and somebody without an account comes with the token of a link that was revoked, has
ended or shows nothing any more, against one that never was. In process, through all of the middleware. The answer to
what never was is the reference; the ratio is that of the medians. Beside it stands the ratio of the processor time of
this process, which other work on the machine disturbs little; it knows nothing of what a PostgreSQL server does.

Exits 1 unless each ratio is within LEAST and MOST, and both are answered with the same status and size. With
`--processor`, for a machine that others use too, it is the processor time that is judged. An address that is outside is
measured again, up to AGAIN times: of so many there is always one on which something else fell.

    python -m benchmarks.walls_alike [--turns 200] [--processor] [--database sqlite|postgres|URL]
"""

import argparse
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks import stage

LEAST, MOST = 0.8, 1.25
TURNS = 200
WARM_UP = 10
AGAIN = 2
PAGES = (
    *("videos.detail", "media.video", "media.download", "media.reference", "generations.card", "runs.detail"),
    *("comments.index", "collections.detail", "sharing.video", "share_links.detail", "team_gateways.edit"),
)
FORMS = (
    *("videos.rename", "comments.index", "comments.remove", "collections.rename", "share_links.revoke"),
    *("members.change", "team_invitations.revoke", "unclear.close", "limits.answer", "team_gateways.remove"),
    *("generations.cancel", "requests.decline"),
)
QUERIES = {"create.index": "from", "spend.index": "who", "spend.export": "who", "collections.index": "video"}
"""Pages that read an id beside the path, and by which name."""
HOLDERS = ("shares.video", "share_media.video", "share_media.download")

Ask = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two questions whose answers have to be alike."""

    name: str
    there: Ask
    never: Ask


@dataclass(slots=True)
class Side:
    wall_ms: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)

    def ask(self, question: Ask) -> None:
        began, began_processor = time.perf_counter(), time.process_time()
        answer = question()
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        self.wall_ms.append((time.perf_counter() - began) * 1000)
        self.processor_ms.append((time.process_time() - began_processor) * 1000)
        self.sizes.append(len(content))
        self.statuses.add(answer.status_code)


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    there: Side
    never: Side

    @property
    def ratio(self) -> float:
        return statistics.median(self.there.wall_ms) / statistics.median(self.never.wall_ms)

    @property
    def of_processor(self) -> float:
        return statistics.median(self.there.processor_ms) / statistics.median(self.never.processor_ms)

    @property
    def is_same(self) -> bool:
        """A page may say what time it is or how old a price: so its usual size."""
        sizes = {statistics.median_low(side.sizes) for side in (self.there, self.never)}
        return self.there.statuses == self.never.statuses and len(sizes) == 1

    def is_alike(self, *, by_processor: bool) -> bool:
        return LEAST <= (self.of_processor if by_processor else self.ratio) <= MOST and self.is_same

    def __str__(self) -> str:
        there, never = (statistics.median(side.wall_ms) for side in (self.there, self.never))
        answer = f"{sorted(self.never.statuses)} {statistics.median_low(self.never.sizes)} bytes"
        words = f"{there:6.2f} of {never:6.2f} ms, {self.ratio:.2f} (processor {self.of_processor:.2f}), {answer}"
        return f"{self.name:42} {words}"


def compared(pair: Pair, turns: int) -> Result:
    for _ in range(WARM_UP):
        pair.there(), pair.never()
    there, never = Side(), Side()
    for turn in range(turns):
        sides = [(there, pair.there), (never, pair.never)]
        for side, question in sides if turn % 2 else sides[::-1]:
            side.ask(question)
    return Result(pair.name, there, never)


def judged(pair: Pair, turns: int, *, by_processor: bool) -> tuple[Result, bool]:
    """Said as soon as it is known, each time."""
    for _ in range(AGAIN + 1):
        result = compared(pair, turns)
        is_alike = result.is_alike(by_processor=by_processor)
        print(result, "" if is_alike else " OUTSIDE", flush=True)
        if is_alike:
            break
    return result, is_alike


def pairs() -> Iterator[Pair]:
    from playground.walls import Actor
    from tests.walls import world as worlds

    world = worlds.make()
    yield from of_members(world.browser(Actor.OTHER), world.own, world.team_of(Actor.OTHER))
    yield from of_holders(world)
    yield from of_tokens(world)


def of_members(browser: Any, theirs: dict[str, Any], team: str) -> Iterator[Pair]:
    from django.urls import reverse

    from tests.walls.world import address

    def where(name: str, things: dict[str, Any] | None) -> str:
        return address(name, {"id", "comment"} if name == "comments.remove" else {"id"}, things)

    form = {"team": team}
    for name in PAGES:
        there = where(name, theirs)
        yield Pair(name, lambda w=there: browser.get(w), lambda n=name: browser.get(where(n, None)))
    for name in FORMS:
        there = where(name, theirs)
        yield Pair(
            f"{name} (form)", lambda w=there: browser.post(w, form), lambda n=name: browser.post(where(n, None), form)
        )
    ids = {"from": theirs["generation"].id, "who": theirs["video"].owner_id, "video": theirs["video"].id}
    for name, word in QUERIES.items():
        yield Pair(
            f"{name}?{word}=",
            lambda n=name, q=word: browser.get(reverse(n), {q: str(ids[q])}),
            lambda n=name, q=word: browser.get(reverse(n), {q: str(uuid4())}),
        )


def of_holders(world: Any) -> Iterator[Pair]:
    """Who may see one video asks for one of another team."""
    from django.test import Client
    from django.urls import reverse

    from playground.walls import Actor
    from tests.walls.world import things

    elsewhere = things(world.members[Actor.OTHER])["video"].id
    token, browser = world.own["token_of_all"], Client()
    for name in HOLDERS:
        yield Pair(
            f"{name} of a link",
            lambda n=name: browser.get(reverse(n, args=[token, elsewhere])),
            lambda n=name: browser.get(reverse(n, args=[token, uuid4()])),
        )


def of_tokens(world: Any) -> Iterator[Pair]:
    """Tokens that open nothing any more, against one that never did."""
    from django.test import Client
    from django.urls import reverse
    from django.utils import timezone

    from playground.services import sharing
    from playground.walls import Actor
    from tests.factories import make_video

    by, now, browser = world.members[Actor.CREATOR], timezone.now(), Client()
    kinds = {"revoked": {"revoked_at": now}, "ended": {"expires_at": now - timedelta(days=1)}, "in the trash": {}}
    for kind, fields in kinds.items():
        video = make_video(by=by)
        link, token = sharing.make(by=by, video=video, terms=sharing.Terms(name=kind, days=7))
        type(link).objects.filter(id=link.id).update(**({"view_count": 1} | fields))
        if not fields:
            type(video).objects.filter(id=video.id).update(trashed_at=now)
        for name, more in (("shares.index", []), ("share_media.video", [video.id])):
            yield Pair(
                f"{name}, link {kind}",
                lambda n=name, t=token, m=more: browser.get(reverse(n, args=[t, *m])),
                lambda n=name, m=more: browser.get(reverse(n, args=[secrets.token_urlsafe(32), *m])),
            )


def without_limits() -> None:
    """Else most would be told to wait."""
    from django.conf import settings

    from playground.rate_limits import DEFAULTS, Limit

    settings.RATE_LIMITS = dict.fromkeys(DEFAULTS, Limit(10**6, 60))
    settings.ALLOWED_HOSTS = ["*"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--processor", action="store_true")
    parser.add_argument("--database", default="sqlite")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        stage.database(options.database) as database,
        stage.entered(Path(folder), database=database),
    ):
        without_limits()
        results = [judged(pair, options.turns, by_processor=options.processor) for pair in pairs()]
    ratios, processor = [one.ratio for one, _ in results], [one.of_processor for one, _ in results]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}, processor {min(processor):.2f} to {max(processor):.2f}"
    print(f"{len(results)} addresses, {options.turns} turns each: {spread}, {stage.load()}")
    return 0 if all(is_alike for _, is_alike in results) else 1


if __name__ == "__main__":
    sys.exit(main())
