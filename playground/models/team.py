"""A team, who belongs to it, and who was asked to."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from playground.models.base import Row
from playground.models.user import User


class Role(models.TextChoices):
    """Each may what those before it may, and more."""

    VIEWER = "viewer", _("Viewer")
    CREATOR = "creator", _("Creator")
    ADMIN = "admin", _("Admin")

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class Team(Row):
    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=80, unique=True)
    time_zone = models.CharField(max_length=64, default="UTC", help_text="IANA name; months of budgets turn here.")
    allow_unpriced = models.BooleanField(default=False, help_text="May make videos whose price is not known.")
    monthly_cap_micros = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="What a month may cost; null: no limit. New months' counters take it from here.",
    )
    member_cap_micros = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="What a month may cost for one member who has no limit of their own."
    )
    confirm_above_micros = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="A run that costs more is asked about once more; null: never."
    )
    limits_accepted_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When an admin accepted or changed the limits; before that no real order is sent.",
    )
    limits_accepted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    spending_paused_at = models.DateTimeField(null=True, blank=True, help_text="Set: nothing that costs is ordered.")
    spending_paused_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    retention_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="After so many days a video moves to the trash by itself; null: never."
    )
    link_days = models.PositiveSmallIntegerField(default=7, help_text="How long a share link lasts unless said else.")
    links_may_be_endless = models.BooleanField(default=False)
    link_shows_prompt = models.BooleanField(default=False)
    link_allows_download = models.BooleanField(default=True)
    link_has_previews = models.BooleanField(default=False, help_text="Open Graph, so that messengers show a picture.")
    link_takes_marks = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.name


class Membership(Row):
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.CREATOR)
    monthly_cap_micros = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="What a month may cost for this member; null: the team's limit for members."
    )
    sees_spend = models.BooleanField(
        default=True, help_text="Sees prices already paid, the spend page and what is left; an admin always does."
    )
    notices_seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "user"], name="membership_once_per_team"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN

    @property
    def may_create(self) -> bool:
        return self.role in {Role.CREATOR, Role.ADMIN}

    @property
    def may_see_spend(self) -> bool:
        return self.is_admin or self.sees_spend


class Invitation(Row):
    """An open seat in a team. Only the hash of its secret is kept."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254, blank=True)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.CREATOR)
    sees_spend = models.BooleanField(default=True, help_text="As the membership that comes of it.")
    token_hash = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.team}: {self.role}"


class SignInLink(Row):
    """A one-time link, used up by a button press. Without a user it is the first admin's welcome."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"sign-in link of {self.created_at:%Y-%m-%d %H:%M}"
