"""Share links: made, changed, given a new address, revoked; and found by what stands in their address.

A link holds a 256-bit token of which only the SHA-256 is stored: whoever reads the database cannot open one. The token
is returned once, by what made it. Each deed is on record, with the recipient's name and ids.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from playground.models import Collection, Membership, ShareLink, Team, Video, Visibility, share
from playground.services import audit, budgets
from playground.services.people import LinkEnded

MOST_DAYS = 365
SWITCHES = ("shows_prompt", "shows_cost", "allows_download", "has_previews", "takes_marks")


class NotYours(Exception):
    """This member may not share it, or not so."""


class MadeAlready(Exception):
    """The same form was sent twice: the link is there, its address was shown the first time."""


@dataclass(frozen=True, slots=True)
class Terms:
    """For whom a link is, how long it lasts from now (None: for ever), and what it lets its holder see and do."""

    name: str
    days: int | None
    password: str = ""
    shows_prompt: bool = False
    shows_cost: bool = False
    allows_download: bool = True
    has_previews: bool = False
    takes_marks: bool = False

    def switches(self) -> dict[str, bool]:
        return {name: getattr(self, name) for name in SWITCHES}


def suggested(by: Membership) -> Terms:
    """What the team's settings say of a new link. The cost is off, always."""
    team = by.team
    return Terms(
        name="",
        days=team.link_days,
        shows_prompt=team.link_shows_prompt,
        allows_download=team.link_allows_download,
        has_previews=team.link_has_previews,
        takes_marks=team.link_takes_marks,
    )


def most_days(team: Team) -> int:
    return max(MOST_DAYS, team.link_days)


def may_share(by: Membership, thing: Video | Collection) -> bool:
    """One's own; an admin all of the team's but what is private to somebody else. A viewer nothing.

    By the row in hand, without a question to the database: a link shows later only what its maker may share then.
    """
    if isinstance(thing, Collection) and thing.removed_at:
        return False
    is_seen = thing.visibility == Visibility.TEAM or thing.owner_id == by.user_id
    return share.may_share(by, thing) and is_seen


def may_change(by: Membership, link: ShareLink) -> bool:
    """Its maker, and an admin who sees what it shows: a new address is a way to see it."""
    thing = link.video or link.collection
    return by.may_create and thing is not None and (link.created_by_id == by.user_id or may_share(by, thing))


def make(
    *,
    by: Membership,
    terms: Terms,
    video: Video | None = None,
    collection: Collection | None = None,
    id: UUID | None = None,
    now: datetime | None = None,
) -> tuple[ShareLink, str]:
    """The link and its token, which is nowhere else. `id` is good for one link of this person: MadeAlready for the
    second. Where it is somebody else's another is taken, as if it had never been.

    Raises NotYours, and ValueError for terms that the form would have refused.
    """
    now = now or timezone.now()
    thing = video or collection
    if thing is None or not may_share(by, thing) or (terms.shows_cost and not by.may_see_spend):
        raise NotYours
    token = secrets.token_urlsafe(32)
    values: dict[str, Any] = {**_checked(terms), **terms.switches(), "expires_at": _end(terms, by.team, now)}
    values |= {"id": id} if id else {}
    link = ShareLink(team=by.team, created_by=by.user, video=video, collection=collection, created_at=now, **values)
    link.password = make_password(terms.password) if terms.password else ""
    link.token_hash = digest(token)
    link.shows_private = is_private_collection(thing)
    try:
        with transaction.atomic():
            _hold(by, thing)
            link.save(force_insert=True)
            record("link_made", by, link, now, **{name: on for name, on in terms.switches().items() if on})
    except IntegrityError:
        if id is None:
            raise
        if ShareLink.objects.filter(id=id, team=by.team, created_by=by.user).exists():
            raise MadeAlready from None
        return make(by=by, terms=terms, video=video, collection=collection, now=now)
    return link, token


def is_private_collection(thing: Video | Collection) -> bool:
    """Whether a link made to it now shows its owner's private videos."""
    return isinstance(thing, Collection) and thing.visibility == Visibility.PRIVATE


def _hold(by: Membership, thing: Video | Collection) -> None:
    """Until the link is there nobody deletes the thing for good, nor removes its maker: NotYours where they have.

    The team is locked first, as where a member is removed: their links end there, and this one with them.
    """
    maker = _standing(by)
    there = type(thing).objects.select_for_update().filter(id=thing.id).first()
    if there is None or not may_share(maker, there) or there.visibility != thing.visibility:
        raise NotYours


def change(
    *,
    by: Membership,
    link: ShareLink,
    terms: Terms,
    keeps_end: bool = True,
    keeps_password: bool = True,
    now: datetime | None = None,
) -> list[str]:
    """Set what differs, and return the names of it. Raises NotYours; LinkEnded for one that was revoked."""
    now = now or timezone.now()
    if not may_change(by, link) or (terms.shows_cost and not (by.may_see_spend or link.shows_cost)):
        raise NotYours
    values: dict[str, Any] = {**_checked(terms), **terms.switches()}
    new = {name: value for name, value in values.items() if getattr(link, name) != value}
    if not keeps_end:
        new["expires_at"] = _end(terms, link.team, now)
    if not keeps_password:
        new["password"] = make_password(terms.password) if terms.password else ""
    if new:
        _set(by, link, new, now)
    return sorted(new)


def renew(*, by: Membership, link: ShareLink, shown: str, now: datetime | None = None) -> str:
    """A new token in place of the old one, which ends at once. `shown` is `mark_of` the link as the form knew it.

    Who takes the address of somebody else's link is its maker from then on: it shows what they may share, and stops
    where its video or collection becomes somebody else's alone.

    Raises NotYours, LinkEnded for one that was revoked, MadeAlready when the address is another by now.
    """
    now = now or timezone.now()
    if not may_change(by, link):
        raise NotYours
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        _standing(by)
        locked = ShareLink.objects.select_for_update().filter(id=link.id, revoked_at__isnull=True).first()
        if locked is None:
            raise LinkEnded
        if mark_of(locked) != shown:
            raise MadeAlready
        new: dict[str, Any] = {"token_hash": digest(token)}
        if locked.created_by_id != by.user_id:
            new |= {"created_by": by.user, "shows_private": False}
        _set(by, link, new, now, said=["address", *(["made by"] if len(new) > 1 else [])])
    return token


def revoke(*, by: Membership, link: ShareLink, now: datetime | None = None) -> bool:
    """End it for the next byte and for good. False when it was revoked before. Raises NotYours."""
    now = now or timezone.now()
    if not by.may_create or not ShareLink.objects.visible_to(by).filter(id=link.id).exists():
        raise NotYours
    with transaction.atomic():
        # One that ended with its collection would come back with it.
        is_to_end = Q(revoked_at__isnull=True) | Q(ended_with_collection=True)
        rows = ShareLink.objects.filter(is_to_end, id=link.id)
        if not rows.update(revoked_at=now, revoked_by=by.user, ended_with_collection=False):
            return False
        link.revoked_at = now
        record("link_revoked", by, link, now)
    return True


def open_link(*, token: str, now: datetime | None = None) -> ShareLink:
    """The link of this token, if its holder may see something by it now. Raises LinkEnded, whatever is the matter.

    One query for all the reasons, so that none of them takes another time.
    """
    links = ShareLink.objects.answering(now).select_related("team", "collection")
    link = links.filter(token_hash=digest(token)).first()
    if link is None:
        raise LinkEnded
    return link


def still_shows(*, link: ShareLink, video: Video, now: datetime | None = None) -> bool:
    """Whether this link, with this very address and password, still shows this video."""
    same = ShareLink.objects.answering(now).filter(id=link.id, token_hash=link.token_hash, password=link.password)
    return same.exists() and link.videos().filter(id=video.id).exists()


def _standing(by: Membership) -> Membership:
    """The member as they are now, their team held until the end of the transaction and before any other row.

    Raises NotYours for who is none any more.
    """
    budgets.lock(by.team_id)
    found = Membership.objects.select_related("team", "user").filter(id=by.id, user__is_active=True).first()
    if found is None:
        raise NotYours
    return found


def count_showing(*, collection: Collection, videos: Sequence[Video]) -> int:
    """By how many links to the collection somebody sees one of these."""
    links = ShareLink.objects.answering().filter(collection=collection)
    return sum(link.videos().filter(id__in=[video.id for video in videos]).exists() for link in links)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def mark_of(link: ShareLink) -> str:
    """By which a form says which address it knew: of the hash a hash, from which nothing follows."""
    return digest(link.token_hash)[:16]


def _checked(terms: Terms) -> dict[str, str]:
    name = terms.name.strip()
    if not name or len(name) > 80:
        raise ValueError("a link needs the name of its recipient, at most 80 characters")
    return {"name": name}


def _end(terms: Terms, team: Team, now: datetime) -> datetime | None:
    if terms.days is None and not team.links_may_be_endless:
        raise ValueError("this team's links end")
    if terms.days is not None and not 1 <= terms.days <= most_days(team):
        raise ValueError("a link lasts from one day to a year")
    return None if terms.days is None else now + timedelta(days=terms.days)


def _set(by: Membership, link: ShareLink, new: dict[str, Any], now: datetime, said: list[str] | None = None) -> None:
    with transaction.atomic():
        if not may_change(_standing(by), link):
            raise NotYours
        if not ShareLink.objects.filter(id=link.id, revoked_at__isnull=True).update(**new):
            raise LinkEnded
        for name, value in new.items():
            setattr(link, name, value)
        record("link_changed", by, link, now, fields=said or sorted(new))


def record(kind: str, by: Membership, link: ShareLink, now: datetime, **more: Any) -> None:
    """Write down what was done to a link. Call it inside the transaction that does it."""
    audit.record(kind, by=by.user, team=by.team, data=_data(link) | more, now=now)


def _data(link: ShareLink) -> dict[str, Any]:
    thing = {"video": str(link.video_id)} if link.video_id else {"collection": str(link.collection_id)}
    ends = link.expires_at.isoformat() if link.expires_at else None
    return {"link": str(link.id), "name": link.name, "ends": ends, **thing}
