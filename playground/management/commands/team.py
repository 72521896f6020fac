"""`manage.py team SLUG`: print a team's settings, and change what no page changes yet."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from playground.models import Team
from playground.services import teams


class Command(BaseCommand):
    help = "Print a team's settings, after changing those that are given."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="the team's short name")
        parser.add_argument(
            "--allow-unpriced",
            choices=["yes", "no"],
            help="whether its members may make videos at a gateway that gives no prices",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        team = Team.objects.filter(slug=options["slug"]).first()
        if team is None:
            known = ", ".join(Team.objects.order_by("slug").values_list("slug", flat=True))
            raise CommandError(f"There is no team {options['slug']!r}. There are: {known or 'none'}")
        if options["allow_unpriced"]:
            teams.allow_unpriced(team=team, allowed=options["allow_unpriced"] == "yes")
        self.stdout.write(f"Team: {team.slug}")
        self.stdout.write(f"Name: {team.name}")
        self.stdout.write(f"Time zone: {team.time_zone}")
        self.stdout.write(f"Members: {team.memberships.count()}")
        self.stdout.write(f"Videos without a price: {'yes' if team.allow_unpriced else 'no'}")
