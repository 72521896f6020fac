"""The proof that the keys of today open what was sealed before."""

from django.db import models
from django.utils import timezone


class Canary(models.Model):
    """A known text, sealed at the first start. Where it cannot be opened, no stored secret can; none is replaced."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sealed = models.TextField(help_text="Sealed; the same words in every installation.")
    made_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "canaries"

    def __str__(self) -> str:
        return f"sealed at {self.made_at:%Y-%m-%d %H:%M}"
