"""`manage.py repair`: look for what should never be wrong, put it right, and say it line by line.

Never orders and never spends. Exit codes: 0 nothing was found, or all of it put right; 1 with --dry-run, something was.
"""

import sys
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from playground.services import repair


class Command(BaseCommand):
    help = (
        "Find rows without files, files without rows, overdue or forgotten orders and money; put it right and say it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what is found; ends with 1 if anything is")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        found = repair.run(now=timezone.now(), dry_run=dry_run)
        for finding in found:
            self.stdout.write(str(finding))
        kinds = Counter(finding.kind for finding in found)
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "nothing"
        self.stdout.write(f"Found: {told}{'. Nothing was changed' if dry_run else ''}")
        if dry_run and found:
            sys.exit(1)
