"""A team with one of everything, seven visitors, and for each address what to ask it for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from playground.models import BudgetRequest, Gateway, Generation, Heartbeat, Membership, Role, Video
from playground.services import people
from playground.walls import Actor
from tests import factories

Arguments = dict[str, Any]
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
CANARY = "heron-in-the-reeds"
"""Stands in what the team wrote: nobody else may read it anywhere."""
NO_TOKEN = "A" * 43
"""Of the length of a token, and none."""


@dataclass
class World:
    """`own` is the creator's, `others` another creator's; both in the same team."""

    team: Any
    members: dict[Actor, Membership]
    own: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)
    removed: Any = None

    def browser(self, actor: Actor, *, htmx: bool = False) -> Client:
        client = Client(headers=HTMX if htmx else {})
        if actor in self.members:
            client.force_login(self.members[actor].user)
        elif actor is Actor.REMOVED:
            client.force_login(self.removed)
        return client

    def team_of(self, actor: Actor) -> str:
        """The slug that this actor's own forms carry."""
        return self.members[actor].team.slug if actor in self.members else self.team.slug


def make() -> World:
    creator = factories.make_member()
    team = creator.team
    colleague = factories.make_member(team=team)
    gone = factories.make_member(team=team)
    removed = gone.user
    gone.delete()
    members = {
        Actor.VIEWER: factories.make_member(team=team, role=Role.VIEWER),
        Actor.CREATOR: creator,
        Actor.ADMIN: factories.make_member(team=team, role=Role.ADMIN),
        Actor.OTHER: factories.make_member(role=Role.ADMIN),
    }
    factories.make_gateway(is_default=True)
    factories.make_model("sora-2")
    Heartbeat.objects.create(name="worker", at=timezone.now())
    spent_somewhere(creator)
    spent_somewhere(members[Actor.OTHER])
    return World(team, members, own=things(creator), others=things(colleague), removed=removed)


def spent_somewhere(by: Membership) -> None:
    """Real money, so that there is something to compare."""
    gateway = Gateway.objects.filter(slug="real").first() or factories.make_gateway(slug="real", is_sandbox=False)
    ordered = factories.make_generation(by=by, model=factories.make_model(gateway=gateway))
    factories.make_entry(ordered, "hold", 500_000)


def things(by: Membership) -> dict[str, Any]:
    """One of everything that an address may name."""
    video = factories.make_video(by=by, prompt=CANARY, title=CANARY)
    run = factories.make_run(by=by, prompt=CANARY)
    unclear = factories.make_generation(run=run, status="unknown", unclear_at=timezone.now())
    return {
        "video": video,
        "run": video.generation.run,
        "generation": factories.make_generation(run=run, status="queued"),
        "unclear": unclear,
        "reference": factories.make_reference(by=by, generation=unclear),
        "request": BudgetRequest.objects.create(
            team=by.team,
            by=by.user,
            model=unclear.model,
            prompt=CANARY,
            settings={"count": 1, "references": []},
            total_micros=1,
            month=timezone.now().date().replace(day=1),
        ),
    }


NAMED: dict[str, str] = {
    "media.reference": "reference",
    "media.": "video",
    "videos.": "video",
    "generations.": "generation",
    "runs.": "run",
    "unclear.": "unclear",
    "limits.": "request",
}
"""What the `id` of an address names, by the beginning of its name; the first that fits."""


def thing_of(name: str) -> str:
    return next(thing for start, thing in NAMED.items() if name.startswith(start))


TOKENS: dict[str, Arguments] = {
    "welcome.index": {"token": NO_TOKEN},
    "signin_link.index": {"token": NO_TOKEN},
    "hooks.receive": {"gateway": "sandbox", "hook_token": NO_TOKEN},
    "account_reset_password_from_key": {"uidb36": "1", "key": "set-password"},
}
"""Addresses that are opened by what stands in them; here it is wrong."""

FORMS: dict[str, Callable[[dict[str, Any]], Arguments]] = {
    "videos.trash": lambda things: {"video": str(things["video"].id)},
    "videos.restore": lambda things: {"video": str(things["video"].id)},
    "videos.purge": lambda things: {"video": str(trashed(things["video"]).id), "sure": "1"},
    "videos.rename": lambda things: {"title": "renamed"},
    "limits.index": lambda things: {"monthly_cap": "40", "member_cap": "", "confirm_above": "2", "time_zone": "UTC"},
    "notices.seen": lambda things: {"upto": timezone.now().isoformat()},
}
"""What is sent to an address whose form names things."""


def trashed(video: Video) -> Video:
    Video.objects.filter(id=video.id).update(trashed_at=timezone.now() - timedelta(minutes=1))
    return video


def address(name: str, parameters: set[str], things: dict[str, Any] | None) -> str:
    """Of the thing that it names; without `things`, of one that never was."""
    if name in TOKENS:
        return reverse(name, kwargs=TOKENS[name])
    if "id" not in parameters:
        return reverse(name)
    return reverse(name, kwargs={"id": things[thing_of(name)].id if things else uuid4()})


def form(name: str, things: dict[str, Any]) -> Arguments:
    return FORMS[name](things) if name in FORMS else {}


def counts() -> dict[str, Any]:
    """What nobody without the right to it may move."""
    return {
        "videos": list(Video.objects.order_by("id").values_list("id", "title", "trashed_at", "visibility")),
        "orders": list(Generation.objects.order_by("id").values_list("id", "status")),
        "people": list(Membership.objects.order_by("id").values_list("id", "role", "team_id")),
        "asked": list(BudgetRequest.objects.order_by("id").values_list("id", "granted")),
        "empty": people.nobody_yet(),
    }
