"""`manage.py sandbox`: replaces this process by `python -m playground.sandbox`, which has settings of its own."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from playground.sandbox.__main__ import FLAGS, add_arguments
from playground.sandbox.settings import BASE_DIR


class Command(BaseCommand):
    help = _("Runs the sandbox gateway: a real HTTP server that imitates a video gateway and draws its own clips.")
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Does not return: the same process goes on as the sandbox, so signals and parent stay as they are."""
        command = [
            sys.executable,
            "-m",
            "playground.sandbox",
            "--host",
            options["host"],
            "--port",
            str(options["port"]),
        ]
        for name in FLAGS:
            if options[name] is not None:
                command += [f"--{name.replace('_', '-')}", str(options[name])]
        path = os.pathsep.join(filter(None, [str(BASE_DIR), os.environ.get("PYTHONPATH", "")]))
        os.execve(sys.executable, command, os.environ | {"PYTHONPATH": path})  # noqa: S606 - the point of it
