"""`manage.py signin_link EMAIL`: print a one-time address that signs this person in."""

import re
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from playground.models import Role, Team
from playground.services import people
from playground.services.members import LastAdmin

MAX_EMAIL = 254
"""What a row of a person can hold."""
NEW_TEAM = r"[a-z0-9_-]{1,60}"


class Command(BaseCommand):
    help = "Print a one-time sign-in link, valid for 15 minutes. Makes account, team and membership where missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--team", metavar="SLUG", help="the team to join; made when there is none of that name")
        parser.add_argument("--role", choices=Role.values, help="the role in the team; an existing one is changed")

    def handle(self, *args: Any, **options: Any) -> None:
        team = options["team"]
        if team is not None and not re.fullmatch(NEW_TEAM, team) and not Team.objects.filter(slug=team).exists():
            raise CommandError("--team takes a short name: small letters, digits, - and _, at most 60.")
        if len(options["email"]) > MAX_EMAIL:
            raise CommandError("This e-mail address is too long.")
        role = Role(options["role"]) if options["role"] else None
        try:
            link = people.signin_link(email=options["email"], base_url=settings.PUBLIC_URL, team_slug=team, role=role)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except people.NeedsAdmin as error:
            words = (
                "There is no such team yet, and whoever comes into a new one first is its admin. Leave --role out, or"
            )
            raise CommandError(f"{words} say --role admin.") from error
        except LastAdmin as error:
            raise CommandError("The team would be without an admin. Make somebody else one first.") from error
        self.stdout.write(link)
