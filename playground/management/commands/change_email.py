"""`manage.py change_email OLD NEW`: where no mail is set, or nobody reads the old address any more."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from playground.models import User
from playground.services import profiles

MAX_EMAIL = 254
"""What a row of a person can hold."""


class Command(BaseCommand):
    help = "Change the e-mail address that a person signs in with. Nothing is sent to either address."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("old")
        parser.add_argument("new")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["old"].strip()).first()
        if user is None:
            raise CommandError("Nobody has this e-mail address.")
        if len(options["new"]) > MAX_EMAIL:
            raise CommandError("This e-mail address is too long.")
        try:
            profiles.change_email(user=user, email=options["new"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except profiles.AddressTaken as error:
            raise CommandError("Another account has this e-mail address.") from error
        self.stdout.write(f"{user.email} is the address to sign in with from now on.")
