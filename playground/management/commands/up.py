"""`manage.py up`: everything from one command. The work is done by `playground.supervisor`."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections

from playground.management.commands.prepare import is_prepared
from playground.services import people, restore, sealed
from playground.services.database_copy import CannotCopy
from playground.services.restore import Refused
from playground.supervisor.environment import service_environment
from playground.supervisor.guard import run_guarded
from playground.supervisor.keeper import Plan, keep
from playground.supervisor.preflight import check_data_dir, check_port, hold_lock
from playground.supervisor.procfile import StartError, read_procfile

PREPARE = "python manage.py prepare"
EXPORTED = ("HOST", "PORT", "SANDBOX_PORT", "PUBLIC_URL")


class Command(BaseCommand):
    help = "Prepares the database and the static files, then runs web, worker and sandbox until stopped (Ctrl-C)."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--procfile", type=Path, default=settings.BASE_DIR / "Procfile")

    def handle(self, *args: object, procfile: Path, **options: object) -> None:
        try:
            commands = read_procfile(procfile)
            check_data_dir(settings.DATA_DIR)
            lock = hold_lock(settings.DATA_DIR)
            check_ports()
            if told := restore.recover():
                self.stdout.write(f"up: {told}")
        except (StartError, Refused, CannotCopy, OSError) as error:
            sys.exit(f"up: {error}")
        if commands.get("release") == PREPARE and is_prepared():
            del commands["release"]  # starting another Python to find that out costs a second
        plan = make_plan(commands)
        with lock:
            sys.exit(run_guarded(lambda alive: keep(plan, alive)))


def check_ports() -> None:
    check_port(variable="PORT", host=settings.HOST, port=settings.PORT)
    if not settings.SANDBOX_IN_USE:
        return
    if settings.SANDBOX_PORT == settings.PORT:
        raise StartError(f"SANDBOX_PORT: {settings.PORT} is the port of the web server already (PORT)")
    check_port(variable="SANDBOX_PORT", host="127.0.0.1", port=settings.SANDBOX_PORT)


def make_plan(commands: dict[str, str]) -> Plan:
    known = {name: getattr(settings, name) for name in EXPORTED} | {"PLAYGROUND_DATA": settings.DATA_DIR}
    return Plan(
        commands=commands,
        cwd=settings.BASE_DIR,
        logs=settings.DATA_DIR / "logs",
        environment=service_environment(os.environ, known),
        host=settings.HOST,
        port=settings.PORT,
        sandbox_port=settings.SANDBOX_PORT if settings.SANDBOX_IN_USE else None,
        announce=announcement,
    )


def announcement() -> list[str]:
    """What is printed once all is ready."""
    here = f"http://localhost:{settings.PORT}"
    lines = [f"Playground ready: {here}/"]
    if here != settings.PUBLIC_URL:
        lines.append(f"Public address: {settings.PUBLIC_URL}/")
    if wrong := sealed.known_problem():
        lines.append(f"SECRETS: {wrong}")
    link = people.first_admin_link(settings.PUBLIC_URL)
    connections.close_all()
    if link:
        lines.append(f"First admin: {link}")
    return lines
