"""For each address that takes a form: one that is filled in as a person would, and who sends it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from allauth.account.internal.flows import login
from allauth.account.internal.userkit import user_id_to_str
from django.test import Client
from django.urls import reverse

from playground.forms.create import Draft
from playground.forms.sharing import ShareForm
from playground.forms.team import SettingsForm
from playground.models import CollectionItem, Gateway, Membership, Role, ShareLink, VideoModel
from playground.services import invitations, people, sharing
from playground.walls import WALLS, Actor, Cells, Gets
from tests import factories
from tests.support.pages import form_of
from tests.views.test_create import priced, values
from tests.views.test_references import picture
from tests.walls import world as worlds
from tests.walls.world import Arguments, World

WRITERS = (Actor.CREATOR, Actor.ADMIN, Actor.VIEWER, Actor.HOLDER, Actor.ANONYMOUS)
ASKED = frozenset(("requests.take_back", "comments.restore"))
"""The viewer's, who may do it as any other member: for the others it would be somebody else's."""


@dataclass
class Press:
    """A form that is about to be sent. `others`: names that the form has too, and that were left empty."""

    browser: Client
    where: str
    data: Arguments
    others: frozenset[str] = frozenset()
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def own(self) -> frozenset[str]:
        return frozenset(self.data) | self.others

    def send(self, **more: Any) -> Any:
        data = {name: fresh(value) for name, value in (self.data | more).items()}
        return self.browser.post(self.where, data, headers=self.headers)


def fresh(value: Any) -> Any:
    """A picture is read to its end when it is sent."""
    return picture(*value.size) if isinstance(value, Picture) else value


@dataclass(frozen=True)
class Picture:
    size: tuple[int, int] = (360, 640)


def writer(cells: Cells) -> Actor | None:
    return next((actor for actor in WRITERS if cells[actor] in (Gets.YES, Gets.OWN, Gets.SIGNED)), None)


TAKING_FORMS = sorted(name for name, wall in WALLS.items() if writer(wall.post))
SIGNED_BODY = frozenset(("hooks.receive", "socialaccount_signup", "openid_connect_callback", "google_callback"))
SIGNED_BODY |= {"github_callback"}
"""Take no form of a page: a signed message, or what a provider sends."""

TERMS = {"name": "Client B", "days": "7", "shows_prompt": "on", "takes_marks": "on"}
MEMBER = {"role": "viewer", "sees_spend": "on"}
CODE = {"code": "123456"}
WORDS = {"name": "Renamed"}
ORDER = {"quoted_micros": "400000", "token": "press-1"}


def order(things: dict[str, Any]) -> Arguments:
    return values(things["video"].generation.run.model) | ORDER | {"visibility": "team"}


def chosen(things: dict[str, Any]) -> Arguments:
    return {"video": str(things["video"].id)}


def shown(things: dict[str, Any]) -> Arguments:
    return {"shown": sharing.mark_of(ShareLink.objects.get(id=things["link"].id))}


def version(things: dict[str, Any]) -> Arguments:
    return {"version": str(things["unclear"].version)}


FILLED: dict[str, Callable[[dict[str, Any]], Arguments]] = {
    "account.index": lambda things: {"name": "A new name"},
    "account_email": lambda things: {"email": "new@example.com", "action_add": ""},
    "account_change_password": lambda things: {
        "oldpassword": factories.PASSWORD,
        "password1": "another-long-word-9",
        "password2": "another-long-word-9",
    },
    "account_login": lambda things: {"login": "nobody@example.com", "password": "not-it-at-all"},
    "account_signup": lambda things: {"email": "bo@example.com"},
    "account_reset_password": lambda things: {"email": "bo@example.com"},
    "account_request_login_code": lambda things: {"email": "bo@example.com"},
    "account_reauthenticate": lambda things: {"password": factories.PASSWORD},
    "account_confirm_login_code": lambda things: CODE,
    "mfa_authenticate": lambda things: CODE,
    "mfa_reauthenticate": lambda things: CODE,
    "mfa_activate_totp": lambda things: CODE,
    "mfa_add_webauthn": lambda things: {"name": "Key", "credential": "{}"},
    "mfa_edit_webauthn": lambda things: {"name": "Key"},
    "signup.finish": lambda things: {"name": "Bo", "password": "another-long-word-9"},
    "welcome.index": lambda things: {"name": "Bo", "password": "another-long-word-9", "email": "b@example.com"},
    "invitations.index": lambda things: {"join": "1"},
    "create.index": order,
    "create.price": order,
    "references.upload": lambda things: {"reference": Picture(), "model": "sora-2"},
    "generations.again": lambda things: ORDER,
    "requests.decline": lambda things: {"note": "Not now"},
    "favourites.mark": lambda things: {"on": "1"},
    "approvals.mark": lambda things: {"on": "1"},
    "comments.index": lambda things: {"text": "Said", "at": ""},
    "collections.create": lambda things: {"name": "Boats", "visibility": "team"} | chosen(things),
    "collections.add": chosen,
    "collections.remove": chosen,
    "collections.put_back": chosen,
    "collections.rename": lambda things: WORDS,
    "sharing.video": lambda things: TERMS,
    "sharing.video_preview": lambda things: TERMS,
    "sharing.collection": lambda things: TERMS,
    "sharing.collection_preview": lambda things: TERMS,
    "share_links.detail": lambda things: TERMS,
    "share_links.preview": lambda things: TERMS,
    "share_links.renew": shown,
    "shares.unlock": lambda things: {"password": "a-password"},
    "shares.mark": lambda things: {"note": "Fine", "favourite": "1"},
    "team.new": lambda things: {"name": "Another team"},
    "members.change": lambda things: MEMBER,
    "team_invitations.index": lambda things: MEMBER | {"email": "", "days": "7"},
    "limits.pause": lambda things: {"paused": "1"},
    "limits.answer": lambda things: {"answer": "raise", "team_cap_micros": "90000000", "own_cap_micros": ""},
    "unclear.send": version,
    "unclear.close": version,
    "unclear.adopt": lambda things: {"upstream_id": "video_9", "insists": "1"} | version(things),
    "team_gateways.add": lambda things: {
        "kind": "other",
        "name": "Ours",
        "base_url": "https://gateway.example/v1",
        "dialect": "openai",
        "honours": "cancel",
        "key": "k" * 24,
        "use_it": "on",
    },
    "team_gateways.edit": lambda things: {"name": "Ours", "honours": "cancel"},
    "team_gateways.key": lambda things: {"key": "k" * 24},
    "videos.visibility": lambda things: {"visibility": "private", "links": "keep"},
    "collections.visibility": lambda things: {"visibility": "private", "links": "keep"},
}
FILLED = worlds.FORMS | FILLED
"""What is not here has a button and nothing else."""

OTHERS: dict[str, frozenset[str]] = {
    "create.": frozenset(Draft.__slots__)
    | {"reference", "remove_reference", "request", "ask", "cheaper", "only_one", "accept_unpriced", "confirmed"}
    | {"to_team", "accept_limits", "model_shown", "picker", "confirmed_unpriced"},
    "references.upload": frozenset(Draft.__slots__) | {"remove"},
    "generations.again": frozenset(("accept_unpriced", "confirmed", "next")),
    "sharing.": frozenset(ShareForm.base_fields) | {"show", "link"},
    "share_links.": frozenset(ShareForm.base_fields) | {"show", "next"},
    "team_invitations.": frozenset(("role", "email", "days", "sees_spend")),
    "invitations.index": frozenset(("provider", "name", "email", "password")),
    "team_settings.index": frozenset(SettingsForm.base_fields),
    "comments.": frozenset(("text", "at")),
    "account_": frozenset(("email", "password", "next", "login", "remember", "primary")),
}
"""Names that forms have besides, by the beginning of the address's name."""

PAGES = {"team_settings.index", "team_models.index", "limits.index"}
"""Their forms say also what they were drawn with: they are sent as the page has them, but for one change."""
CHANGED: dict[str, Callable[[dict[str, Any]], Arguments]] = {
    "team_settings.index": lambda things: {"link_days": "5"},
    "limits.index": lambda things: {"monthly_cap": "41"},
    "team_models.index": lambda things: {"default": str(VideoModel.objects.get(slug="sora-2").id)},
}


def press(world: World, name: str, parameters: frozenset[str]) -> Press:
    """Of a thing that this one may change. What it needs is made, so call it where all is undone."""
    actor = Actor.VIEWER if name in ASKED else writer(WALLS[name].post)
    assert actor is not None
    things = world.made_by(actor) if name in ASKED else world.own
    browser = world.browser(actor)
    where = worlds.address(name, set(parameters), things, held=actor is Actor.HOLDER)
    data: Arguments = FILLED[name](things) if name in FILLED else {}
    others = frozenset().union(*(names for start, names in OTHERS.items() if name.startswith(start)))
    prepared(world, name, things, world.members.get(actor), browser)
    if name in PAGES:
        data = form_of(browser.get(where).text, where) | CHANGED[name](things)
    if actor in world.members and not name.startswith(("account", "mfa_", "usersessions")):
        data = {"team": world.team_of(actor)} | data
    return Press(browser, ways_in(world, name) or where, data, others)


def prepared(world: World, name: str, things: dict[str, Any], by: Membership | None, browser: Client) -> None:
    """What has to stand before the press does something."""
    if name.startswith(("create.", "generations.again")):
        priced(things["video"].generation.run.model)
    if name == "collections.put_back":
        browser.post(
            reverse("collections.remove", args=[things["collection"].id]), chosen(things) | {"team": world.team.slug}
        )
    if name == "collections.add":
        CollectionItem.objects.filter(collection=things["collection"]).delete()
    if name == "videos.restore":
        worlds.trashed(things["video"])
    if name == "team_gateways.key":
        Gateway.objects.filter(id=things["gateway"].id).update(base_url="https://gateway.example/v1")
    if name == "generations.again":
        priced(things["generation"].model)
    if by and name.startswith(("account", "mfa_")):
        session = browser.session
        session[login.AUTHENTICATION_METHODS_SESSION_KEY] = [
            {"method": "password", "at": time.time(), "reauthenticated": True}
        ]
        session[login._AUTHENTICATION_METHODS_USER_SESSION_KEY] = user_id_to_str(by.user)
        session.save()


def ways_in(world: World, name: str) -> str:
    """The address of a link that is right; "" for an address without a token."""
    by = world.members[Actor.ADMIN]
    if name == "invitations.index":
        return urlsplit(invitations.invite(by=by, role=Role.ADMIN, base_url="http://x")[1]).path
    if name == "signin_link.index":
        return urlsplit(people.signin_link(email=by.user.email, base_url="http://x")).path
    return ""
