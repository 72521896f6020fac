"""`manage.py walls`: who gets what at every address, as Markdown, for docs/security.md."""

from typing import Any

from django.core.management.base import BaseCommand

from playground.walls import table


class Command(BaseCommand):
    help = "Print the matrix of addresses and actors."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(table())
