"""Whom a thing of a team is for."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Visibility(models.TextChoices):
    TEAM = "team", _("Team")
    PRIVATE = "private", _("Only me")
