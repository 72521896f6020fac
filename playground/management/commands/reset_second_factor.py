"""`manage.py reset_second_factor EMAIL`: for somebody who lost their phone, their passkeys and their recovery codes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from playground.models import User
from playground.services import factors


class Command(BaseCommand):
    help = "Take away authenticator app, passkeys and recovery codes of a person, and sign them out everywhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"].strip()).first()
        if user is None:
            raise CommandError("Nobody has this e-mail address.")
        found = factors.reset(user=user)
        app, passkeys = "yes" if found.get("totp") else "no", found.get("webauthn", 0)
        codes = "yes" if found.get("recovery_codes") else "no"
        self.stdout.write(
            f"Removed: authenticator app: {app}, passkeys: {passkeys}, recovery codes: {codes}."
            f" Sessions ended: {found['sessions']}."
        )
        if user.has_usable_password():
            self.stdout.write("The password stays as it is.")
        self.stdout.write("A one-time link to sign in: manage.py signin_link " + user.email)
