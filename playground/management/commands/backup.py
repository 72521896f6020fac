"""`manage.py backup FOLDER|FILE.tar`: database, media and keys in one place, while everything runs.

Exit codes: 0 written and proved; 1 not written; 3 written and proved, but files were missing or damaged before.
"""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from playground.services import backup
from playground.services.archive import BadBackup
from playground.services.backup import Written
from playground.services.database_copy import CannotCopy

SHOWN = 20


class Command(BaseCommand):
    help = "Write a backup of database, media and keys to a new folder or .tar file, and prove it. Safe while running."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", type=Path, metavar="FOLDER|FILE.tar")
        parser.add_argument("--without-keys", action="store_true", help="leave the secrets out")
        parser.add_argument("--with-bucket", action="store_true", help="copy media out of a bucket too")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = backup.write(
                options["target"].absolute(),
                now=timezone.now(),
                with_keys=not options["without_keys"],
                with_bucket=options["with_bucket"],
            )
        except (BadBackup, CannotCopy, OSError) as error:
            raise CommandError(f"No backup: {error}") from None
        self._tell(done)
        if not done.is_whole:
            sys.exit(3)

    def _tell(self, done: Written) -> None:
        manifest = done.manifest
        size = sum(entry.size for entry in manifest.media.values()) / 1024**2
        say = self.stdout.write
        say(f"Backup: {done.target}")
        counts = ", ".join(f"{count} {name}" for name, count in manifest.counts.items())
        say(f"Database: {manifest.engine}, {counts}; checked. Sessions and one-time links: left out")
        if manifest.listed:
            say(f"Media: {len(manifest.listed)} files in the bucket, listed and not copied; --with-bucket copies them")
        else:
            say(f"Media: {len(manifest.media)} files, {size:.1f} MB; read again and compared with their rows")
        say("Keys: keys.env. Whoever has this backup has them: keep it safe" if done.has_keys else "Keys: left out")
        for word, keys in (("missing", manifest.missing), ("damaged", manifest.damaged)):
            for key in keys[:SHOWN]:
                say(f"Was {word} before: {key}")
            if len(keys) > SHOWN:
                say(f"Was {word} before: {len(keys) - SHOWN} more")
        if not done.is_whole:
            say("The backup is good; what was missing or damaged is so here too. See manage.py repair")
