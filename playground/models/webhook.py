"""What gateways tell us unasked."""

from django.db import models
from django.utils import timezone

from playground.models.gateway import Gateway
from playground.models.generation import Generation


class WebhookDelivery(models.Model):
    """A signed message that a gateway sent about one of our orders, stored once by its id."""

    id = models.BigAutoField(primary_key=True)
    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="deliveries")
    generation = models.ForeignKey(Generation, on_delete=models.CASCADE, related_name="deliveries")
    delivery_id = models.CharField(max_length=255, help_text="The header `webhook-id`.")
    kind = models.CharField(max_length=60, blank=True)
    received_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [models.UniqueConstraint(fields=["gateway", "delivery_id"], name="delivery_once_per_gateway")]

    def __str__(self) -> str:
        return self.delivery_id
