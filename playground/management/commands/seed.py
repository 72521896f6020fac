"""`manage.py seed`: order a few videos from the sandbox, so that a fresh gallery is not empty.

They are real runs through the same service as the form's; a running worker makes them. Nothing is ordered from a
gateway that bills.
"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from playground.models import Membership, Role
from playground.services import estimates, runs
from playground.services.offers import Offers

PROMPTS = (
    "A harbour at dawn, fishing boats leaving in a line, soft fog over the water",
    "A lone balloon over desert dunes at golden hour",
    "Northern lights above a quiet pine forest in the snow",
    "Rain on a neon city street at night, reflections in the puddles",
    "A ringed planet rising behind a mountain ridge",
    "Gulls over a stormy sea, long slow waves",
)


class Command(BaseCommand):
    help = "Order a few videos from the sandbox gateway for the first team. A running worker makes them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=3, help=f"how many, 1 to {len(PROMPTS)} (3)")
        parser.add_argument("--team", metavar="SLUG", help="the team to order for (the first one)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["count"] <= len(PROMPTS):
            raise CommandError(f"--count has to be 1 to {len(PROMPTS)}.")
        by = self._member(options["team"])
        offers = Offers(by)
        if not offers.gateway.is_sandbox:
            raise CommandError("The gateway in use bills for videos. seed orders from the sandbox only.")
        model = offers.preselected()
        if model is None:
            raise CommandError("The sandbox has told of no model yet. Is it running?")
        takes = model.takes
        for prompt in PROMPTS[: options["count"]]:
            wanted = estimates.Wanted(model=model, size=takes.sizes[0], seconds=takes.lengths.shortest)
            quote = estimates.quote(by=by, wanted=wanted)
            if quote.total_micros is None:
                raise CommandError(f"The sandbox names no price: {quote.message}")
            run = runs.start(
                by=by, wanted=wanted, prompt=prompt, token=runs.new_token(), quoted_micros=quote.total_micros
            )
            self.stdout.write(f"{run.id} {prompt}")

    def _member(self, team: str | None) -> Membership:
        admins = Membership.objects.select_related("team", "user").filter(role=Role.ADMIN).order_by("id")
        by = (admins.filter(team__slug=team) if team else admins).first()
        if by is None:
            raise CommandError("No team with an admin. Open the link that `scripts/up` prints, or use signin_link.")
        return by
