"""`manage.py signin_link EMAIL`: print a one-time address that signs this person in."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from playground.models import Role
from playground.services import people


class Command(BaseCommand):
    help = "Print a one-time sign-in link, valid for 15 minutes. Makes account, team and membership where missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--team", metavar="SLUG", help="the team to join; made when there is none of that name")
        parser.add_argument("--role", choices=Role.values, help="the role in the team; an existing one is changed")

    def handle(self, *args: Any, **options: Any) -> None:
        role = Role(options["role"]) if options["role"] else None
        try:
            link = people.signin_link(
                email=options["email"], base_url=settings.PUBLIC_URL, team_slug=options["team"], role=role
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(link)
