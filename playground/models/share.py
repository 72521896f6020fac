"""Links by which people without an account see a video or a collection, and what they leave there."""

from datetime import datetime
from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property

from playground.models.base import Row
from playground.models.collection import Collection
from playground.models.team import Membership, Role, Team
from playground.models.user import User
from playground.models.video import Video, VideoQuerySet
from playground.models.visibility import Visibility

NOTE_LENGTH = 280
SHARING = (Role.CREATOR, Role.ADMIN)
"""Whose links show something; `Membership.may_create` in words of the database."""


def may_share(by: Membership, thing: Video | Collection) -> bool:
    """Of what this member sees: their own, an admin anything; a viewer nothing."""
    return by.may_create and by.team_id == thing.team_id and (by.is_admin or thing.owner_id == by.user_id)


class ShareLinkQuerySet(models.QuerySet["ShareLink"]):
    def visible_to(self, membership: Membership | None) -> Self:
        """An admin sees all of the team's, others those they made."""
        if membership is None:
            return self.none()
        rows = self.filter(team_id=membership.team_id)
        return rows if membership.is_admin else rows.filter(created_by_id=membership.user_id)

    def open(self, now: datetime | None = None) -> Self:
        """Neither revoked nor over, and of somebody who may still share."""
        return self.filter(_is_open(now))

    def ended(self, now: datetime | None = None) -> Self:
        return self.exclude(_is_open(now))

    def answering(self, now: datetime | None = None) -> Self:
        """The open ones whose thing is there, and is one that their maker may still show."""
        video, collection = (_is_there(thing) & _may_be_shown(thing) for thing in ("video", "collection"))
        return self.open(now).filter(video | collection)


def _is_open(now: datetime | None) -> models.Q:
    """Written so that its opposite is exactly what is left, null dates included."""
    is_lasting = models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=now or timezone.now())
    return is_lasting & models.Q(revoked_at__isnull=True) & _made_by(SHARING)


def _made_by(roles: tuple[Role, ...]) -> models.Q:
    """Whose maker is one of these now."""
    maker = Membership.objects.filter(team=models.OuterRef("team"), user=models.OuterRef("created_by"), role__in=roles)
    return models.Q(models.Exists(maker))


def _may_be_shown(thing: str) -> models.Q:
    """What its maker may share now: their own, an admin all of the team's but what is private to somebody else."""
    of_team = models.Q(**{f"{thing}__visibility": Visibility.TEAM})
    return (of_team & _made_by((Role.ADMIN,))) | models.Q(**{f"{thing}__owner": models.F("created_by")})


def _is_there(thing: str) -> models.Q:
    if thing == "collection":
        return models.Q(collection__isnull=False, collection__removed_at__isnull=True)
    return models.Q(video__isnull=False, video__trashed_at__isnull=True, video__missing_at__isnull=True)


class ShareLink(Row):
    """One recipient's way to one video or one collection. Of its 256-bit token only the SHA-256 is kept."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="share_links")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=80, help_text="For whom it is; only the team reads it.")
    video = models.ForeignKey(Video, on_delete=models.CASCADE, null=True, blank=True, related_name="share_links")
    collection = models.ForeignKey(
        Collection, on_delete=models.CASCADE, null=True, blank=True, related_name="share_links"
    )
    token_hash = models.CharField(max_length=64, unique=True)
    password = models.CharField(max_length=128, blank=True, help_text="Hashed as those of accounts; empty: none.")
    shows_prompt = models.BooleanField(default=False)
    shows_cost = models.BooleanField(default=False)
    allows_download = models.BooleanField(default=True)
    has_previews = models.BooleanField(default=False)
    takes_marks = models.BooleanField(default=False, help_text="The holder may mark favourites and leave a note.")
    view_count = models.PositiveIntegerField(default=0, help_text="Openings of the page by people, not by bots.")
    last_seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Null: never, where the team allows that.")
    revoked_at = models.DateTimeField(null=True, blank=True)
    ended_with_collection = models.BooleanField(
        default=False, help_text="Revoked by the deletion of its collection alone: undoing that opens it."
    )
    revoked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    shows_private = models.BooleanField(
        default=False,
        help_text="Of a collection that was its owner's alone when the link was made: what is private too.",
    )

    objects = ShareLinkQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(video__isnull=False, collection__isnull=True)
                | models.Q(video__isnull=True, collection__isnull=False),
                name="share_link_of_one_thing",
            ),
        ]
        indexes = [models.Index(fields=["team", "-id"], name="share_link_newest_of_team")]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def lets_cost(self) -> bool:
        """Whether its holder sees what a video cost: only while its maker does."""
        if not self.shows_cost:
            return False
        maker = Membership.objects.filter(models.Q(team_id=self.team_id, user_id=self.created_by_id)).first()
        return maker is not None and maker.may_see_spend

    def videos(self) -> VideoQuerySet:
        """What its holder may see now, in order: of what its maker may share now nothing that is in the trash or lost.

        A collection of the team shows no private video, whoever owns it: others of the team rule its links too. When it
        becomes private, the links of before show no more than they did.
        """
        maker = Membership.objects.filter(models.Q(team_id=self.team_id, user_id=self.created_by_id))
        mine = models.Q(owner_id__isnull=False, owner_id=self.created_by_id)
        of_team = models.Q(visibility=Visibility.TEAM)
        may_share = models.Exists(maker.filter(role__in=SHARING)) & (
            mine | models.Exists(maker.filter(role=Role.ADMIN))
        )
        rows = Video.objects.kept().filter(may_share, team_id=self.team_id, missing_at__isnull=True)
        if self.video_id:
            return rows.filter(of_team | mine, id=self.video_id)
        if self.shows_private:
            of_team |= mine & models.Q(collection_items__collection__visibility=Visibility.PRIVATE)
        rows = rows.filter(of_team, collection_items__collection=self.collection)
        return rows.order_by("collection_items__id")


class ShareMark(Row):
    """What the holder of a link says of one video: a favourite, a note."""

    link = models.ForeignKey(ShareLink, on_delete=models.CASCADE, related_name="marks")
    video = models.ForeignKey(Video, on_delete=models.CASCADE, related_name="share_marks")
    is_favourite = models.BooleanField(default=False)
    note = models.CharField(max_length=NOTE_LENGTH, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["link", "video"], name="share_mark_once")]

    def __str__(self) -> str:
        return self.note or str(self.video_id)
