"""`manage.py state_diagram`: the life of a generation as a Mermaid diagram, for docs/architecture.md."""

from typing import Any

from django.core.management.base import BaseCommand

from playground.domain.status import ENDED, TRANSITIONS, Status


def diagram() -> str:
    """Mermaid text, one line a move, in the order of `TRANSITIONS`."""
    lines = ["stateDiagram-v2", f"    [*] --> {Status.QUEUED}"]
    order = list(Status)
    for source, targets in TRANSITIONS.items():
        lines += [f"    {source} --> {target}" for target in sorted(targets, key=order.index)]
        if source in ENDED:
            lines.append(f"    {source} --> [*]")
    return "\n".join(lines)


class Command(BaseCommand):
    help = "Print the state diagram of a generation."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(diagram())
