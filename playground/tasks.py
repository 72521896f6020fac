"""What the queue may run: one short function a task. Names are a public interface, rows in the queue hold them."""

from uuid import UUID


def sweep() -> None:
    from playground.services.sweep import run_slice

    run_slice()


def submit(generation_id: str) -> None:
    from playground.services.submit import submit as send

    send(UUID(generation_id))


def collect(generation_id: str) -> None:
    from playground.services.collect import collect as fetch

    fetch(UUID(generation_id))


def cancel(generation_id: str) -> None:
    from playground.services.submit import ask_to_stop

    ask_to_stop(UUID(generation_id))


def sync_catalogue() -> None:
    from playground.services.catalogue import sync_default

    sync_default()


def housekeeping() -> None:
    from playground.services.housekeeping import tidy

    tidy()
