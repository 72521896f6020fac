"""A team with one of everything, seven visitors, and for each address what to ask it for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any
from uuid import uuid4

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from playground.models import (
    AuditEntry,
    BudgetRequest,
    Collection,
    Comment,
    Favourite,
    Gateway,
    Generation,
    Heartbeat,
    Invitation,
    Membership,
    Role,
    ShareLink,
    ShareMark,
    Team,
    TeamModel,
    User,
    Video,
    VideoModel,
    VideoRequest,
)
from playground.services import people, sharing
from playground.walls import Actor
from tests import factories

Arguments = dict[str, Any]
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
CANARY = "heron-in-the-reeds"
"""Stands in what the team wrote: nobody else may read it anywhere."""
EVERYTHING = sharing.Terms(name=CANARY, days=7, shows_prompt=True, shows_cost=True, has_previews=True, takes_marks=True)
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
    cookies: dict[Actor, SimpleCookie] = field(default_factory=dict)

    def browser(self, actor: Actor, *, htmx: bool = False) -> Client:
        """Signed in before, where `actor` can be: each press begins with the session as it was made."""
        client = Client(headers=HTMX if htmx else {})
        if actor in self.cookies:
            client.cookies = SimpleCookie({name: morsel.value for name, morsel in self.cookies[actor].items()})
        return client

    def sign_in(self) -> "World":
        for actor, user in {Actor.REMOVED: self.removed, **{who: by.user for who, by in self.members.items()}}.items():
            client = Client()
            client.force_login(user)
            self.cookies[actor] = client.cookies
        return self

    def made_by(self, actor: Actor) -> dict[str, Any]:
        """What this member of the team made; of a viewer that is no more than remarks."""
        by = self.members[actor]
        return things(by) if by.may_create else self.own | remarks(by, self.own["video"])

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
    offered = factories.make_model("sora-2")
    TeamModel.objects.create(team=team, model=offered, is_default=True, price_note=CANARY)
    Heartbeat.objects.create(
        name="worker", at=timezone.now() + timedelta(hours=1)
    )  # it beats for as long as this lasts
    spent_somewhere(creator)
    spent_somewhere(members[Actor.OTHER])
    for person in (removed, *(member.user for member in members.values())):
        with_factors(person)
    own = things(creator)
    return World(
        team,
        members,
        own=own | {"asked": remarks(members[Actor.VIEWER], own["video"])["asked"]},
        others=things(colleague),
        removed=removed,
    ).sign_in()


def remarks(by: Membership, video: Video) -> dict[str, Any]:
    """What members of every role leave."""
    model = VideoModel.objects.get(slug="sora-2")
    said = {"video": video, "by": by.user, "text": CANARY}
    settings = {"count": 1, "seconds": 4, "size": "1280x720", "references": []}
    return {
        "comment": Comment.objects.create(**said),
        "removed_comment": Comment.objects.create(removed_at=timezone.now(), removed_by=by.user, **said),
        "asked": VideoRequest.objects.create(
            team=by.team, by=by.user, model=model, settings=settings, prompt=CANARY, note=CANARY
        ),
    }


def with_factors(user: User) -> None:
    """An authenticator app and recovery codes."""
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "JBSWY3DPEHPK3PXP"})
    RecoveryCodes.activate(user)


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
    of_a_collection = {"team": by.team, "owner": by.user, "name": CANARY}
    collection = Collection.objects.create(**of_a_collection)
    collection.items.create(video=video, added_by=by.user)
    link, token = sharing.make(by=by, video=video, terms=EVERYTHING)
    _, token_of_all = sharing.make(by=by, collection=collection, terms=EVERYTHING)
    ShareMark.objects.create(link=link, video=video, is_favourite=True, note=CANARY)
    return {
        "video": video,
        "collection": collection,
        "deleted_collection": Collection.objects.create(removed_at=timezone.now(), **of_a_collection),
        **remarks(by, video),
        "link": link,
        "token": token,
        "token_of_all": token_of_all,
        "membership": factories.make_member(team=by.team),
        "invitation": Invitation.objects.create(
            team=by.team, token_hash=uuid4().hex, expires_at=timezone.now() + timedelta(days=1), created_by=by.user
        ),
        "gateway": factories.make_gateway(team=by.team, name=CANARY),
        "run": video.generation.run,
        "generation": factories.make_generation(run=run, status="queued"),
        "unclear": unclear,
        "reference": factories.make_reference(by=by, generation=unclear),
        "request": BudgetRequest.objects.create(
            team=by.team,
            by=by.user,
            model=unclear.model,
            prompt=CANARY,
            settings={"count": 1, "seconds": 4, "size": "1280x720", "references": []},
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
    "requests.": "asked",
    "favourites.": "video",
    "approvals.": "video",
    "comments.": "video",
    "collections.restore": "deleted_collection",
    "collections.": "collection",
    "sharing.video": "video",
    "sharing.collection": "collection",
    "share_links.": "link",
    "shares.": "video",
    "share_media.": "video",
    "members.": "membership",
    "team_invitations.": "invitation",
    "team_gateways.": "gateway",
}
"""What the `id` of an address names, by the beginning of its name; the first that fits."""


def thing_of(name: str) -> str:
    return next(thing for start, thing in NAMED.items() if name.startswith(start))


TOKENS: dict[str, Arguments] = {
    "welcome.index": {"token": NO_TOKEN},
    "signin_link.index": {"token": NO_TOKEN},
    "invitations.index": {"token": NO_TOKEN},
    "shares.nothing": {"rest": "nothing/at/all/"},
    "hooks.receive": {"gateway": "sandbox", "hook_token": NO_TOKEN},
    "account_confirm_email": {"key": "no-key"},
    "signup.finish": {"token": "no-token"},
    "account_reset_password_from_key": {"uidb36": "1", "key": "set-password"},
}
"""Addresses that are opened by what stands in them; here it is wrong."""

FORMS: dict[str, Callable[[dict[str, Any]], Arguments]] = {
    "videos.trash": lambda things: {"video": str(things["video"].id)},
    "videos.restore": lambda things: {"video": str(things["video"].id)},
    "videos.purge": lambda things: {"video": str(trashed(another(things["video"])).id), "sure": "1"},
    "videos.visibility": lambda things: {"visibility": "private"},
    "collections.visibility": lambda things: {"visibility": "private"},
    "videos.rename": lambda things: {"title": "renamed"},
    "limits.index": lambda things: {"monthly_cap": "40", "member_cap": "", "confirm_above": "2", "time_zone": "UTC"},
    "notices.seen": lambda things: {"upto": timezone.now().isoformat()},
}
"""What is sent to an address whose form names things."""


def another(video: Video) -> Video:
    """Of the same owner, with files of its own: what is deleted for good no transaction brings back."""
    return factories.make_video(by=Membership.objects.get(user=video.owner, team=video.team), prompt=CANARY)


def trashed(video: Video) -> Video:
    Video.objects.filter(id=video.id).update(trashed_at=timezone.now() - timedelta(minutes=1))
    return video


def address(name: str, parameters: set[str], things: dict[str, Any] | None, *, held: bool = False) -> str:
    """Of the thing that it names; without `things`, of one that never was. `held`: with the token of a real link."""
    words = dict(TOKENS.get(name, {}))
    if "token" in parameters and name.startswith(("shares.", "share_media.")):
        words["token"] = things["token"] if things and held else NO_TOKEN
    if "id" in parameters:
        words["id"] = things[thing_of(name)].id if things else uuid4()
    if "comment" in parameters:
        which = "removed_comment" if name == "comments.restore" else "comment"
        words["comment"] = things[which].id if things else uuid4()
    if "pk" in parameters:
        words["pk"] = 1
    return reverse(name.removesuffix(" <id>"), kwargs=words)


def form(name: str, things: dict[str, Any]) -> Arguments:
    return FORMS[name](things) if name in FORMS else {}


def counts() -> dict[str, Any]:
    """What nobody without the right to it may move."""
    return {
        "videos": list(Video.objects.order_by("id").values_list("id", "title", "trashed_at", "visibility")),
        "orders": list(Generation.objects.order_by("id").values_list("id", "status")),
        "people": list(Membership.objects.order_by("id").values_list("id", "role", "team_id")),
        "asked": list(BudgetRequest.objects.order_by("id").values_list("id", "granted")),
        "requests": list(VideoRequest.objects.order_by("id").values_list("id", "answered_at")),
        "collections": list(Collection.objects.order_by("id").values_list("id", "name", "visibility", "removed_at")),
        "remarks": [Favourite.objects.count(), ShareMark.objects.count(), AuditEntry.objects.count()],
        "comments": list(Comment.objects.order_by("id").values_list("id", "removed_at")),
        "links": list(ShareLink.objects.order_by("id").values_list("id", "token_hash", "revoked_at", "name")),
        "invitations": list(Invitation.objects.order_by("id").values_list("id", "revoked_at", "accepted_at")),
        "gateways": list(Gateway.objects.order_by("id").values_list("id", "name", "removed_at", "is_default")),
        "teams": list(Team.objects.order_by("id").values_list("id", "name", "link_days", "spending_paused_at")),
        "empty": people.nobody_yet(),
    }
