"""`manage.py rotate_secrets`: seals every stored secret anew with the first key of SECRETS_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from playground.services import sealed, sealing


class Command(BaseCommand):
    help = (
        "Seals every stored secret anew with the first key of SECRETS_KEYS. Put the new key first and the old one"
        " behind a comma, restart, run this, then take the old one out and restart."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--forget-unreadable",
            action="store_true",
            help=(
                "Drop what no key opens, when its key is lost for good: teams type the keys of their gateways anew, and"
                " whose app or recovery codes cannot be read loses all second factors, as by reset_second_factor."
            ),
        )

    def handle(self, *args: Any, forget_unreadable: bool, **options: Any) -> None:
        if not sealing.has_own_keys():
            raise CommandError("SECRETS_KEYS is not set: there is no key to seal with. See .env.example.")
        if forget_unreadable:
            self._forget()
        found = sealed.reseal()
        self.stdout.write(f"Sealed {found.anew} secrets anew; {found.were} were sealed with the first key already.")
        if found.unreadable:
            raise CommandError(
                f"{found.unreadable} secrets could not be opened and stay as they are. Put the key that sealed them"
                " into SECRETS_KEYS, behind a comma; or, when it is lost for good, run this with --forget-unreadable."
            )

    def _forget(self) -> None:
        forgotten = sealed.forget_unreadable()
        self.stdout.write(f"Forgot {forgotten.count} secrets that no key opens.")
        for user in forgotten.people:
            self.stdout.write(f"No second factor any more, and signed out everywhere: {user.email}")
