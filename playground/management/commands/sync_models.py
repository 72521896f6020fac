"""`manage.py sync_models`: read the gateway's list of models now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from playground.models import Gateway
from playground.services import catalogue


class Command(BaseCommand):
    help = "Bring the models of the configured gateway up to date. The worker does the same once an hour."

    def handle(self, *args: Any, **options: Any) -> None:
        result = catalogue.sync_default()
        if result is None:
            why = Gateway.objects.filter(team=None, is_default=True).values_list("sync_error", flat=True).first()
            raise CommandError(f"The gateway's models could not be read: {why}")
        self.stdout.write(f"{result.live} models offered, {result.new} new, {result.retired} retired.")
