"""`manage.py worker`: does the background work, and restarts what does it when it dies or freezes."""

import signal
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from playground.services import durability, gateways, housekeeping, keys_used, sealed, worker


class Command(BaseCommand):
    help = "Send orders, watch them and save their videos, until stopped. Any number may run beside one another."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--cluster", action="store_true", help="Be the cluster itself; the worker starts it so.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["cluster"]:
            worker.run_cluster()
            return
        housekeeping.at_start()
        durability.warn()
        gateways.ensure_default()
        sealed.at_start()
        keys_used.note(now=timezone.now())
        watcher = worker.Watcher([sys.executable, str(settings.BASE_DIR / "manage.py"), "worker", "--cluster"])
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: watcher.stop.set())
        watcher.run()
