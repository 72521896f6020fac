"""Collections and share links for tests."""

from datetime import datetime

from playground.models import Collection, CollectionItem, Membership, ShareLink, Video
from playground.services import sharing

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def make_collection(*videos: Video, by: Membership, name: str = "Harbours", **fields) -> Collection:
    collection = Collection.objects.create(team=by.team, owner=by.user, name=name, **fields)
    for video in videos:
        CollectionItem.objects.create(collection=collection, video=video, added_by=by.user)
    return collection


def make_link(
    *,
    by: Membership,
    video: Video | None = None,
    collection: Collection | None = None,
    now: datetime | None = None,
    name: str = "Client A",
    days: int | None = 7,
    **terms,
) -> tuple[ShareLink, str]:
    """The link and its token."""
    made = sharing.Terms(name=name, days=days, **terms)
    return sharing.make(by=by, terms=made, video=video, collection=collection, now=now)
