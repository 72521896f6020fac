"""`manage.py restore FOLDER|FILE.tar`: put a backup in place of what is there.

Exit codes: 0 restored, or with --check restorable; 1 nothing was changed, or it broke off with the reason said.
"""

from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from playground.services import restore
from playground.services.archive import BadBackup
from playground.services.database_copy import CannotCopy
from playground.services.restore import Refused, Restored
from playground.supervisor.preflight import check_data_dir, hold_lock
from playground.supervisor.procfile import StartError


class Command(BaseCommand):
    help = "Prove a backup and put it in place. What is there is moved aside with --force. Nothing may be running."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", type=Path, metavar="FOLDER|FILE.tar")
        parser.add_argument("--force", action="store_true", help="move aside what is there already")
        parser.add_argument("--check", action="store_true", help="prove the backup and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        source, force = options["source"].absolute(), options["force"]
        try:
            if options["check"]:
                manifest = restore.check(source, force=True)
                self.stdout.write(
                    f"Good: made {manifest.made_at} by version {manifest.version}, {len(manifest.files)} files"
                )
                return
            check_data_dir(settings.DATA_DIR)
            with closing(hold_lock(settings.DATA_DIR, patience=0)):
                self._tell(restore.restore(source, now=timezone.now(), force=force))
        except (BadBackup, CannotCopy, Refused, StartError, OSError) as error:
            raise CommandError(f"Not restored: {error}") from None

    def _tell(self, done: Restored) -> None:
        say = self.stdout.write
        say(f"Restored: the backup of {done.manifest.made_at}")
        for place in done.moved_to:
            say(f"What was here before: {place}")
        if done.settled:
            say(
                f"Orders that may have been sent since: {done.settled.maybe_sent}. None is ordered anew: where the"
                " gateway still knows their key they are asked for with it, elsewhere they wait for an admin"
            )
        say("Videos ordered after the backup are not in it: compare with the gateway (manage.py reconcile)")
        say("Everybody signs in again")
        if done.absent:
            say(f"Missing in the bucket: {len(done.absent)} files, first {done.absent[0]}")
        if done.keys:
            say(
                f"Other keys than those in use: {done.keys}. Take SECRET_KEY from there into .env, then delete the file"
            )
        say("Now start it: ./scripts/up")
