"""What the queue may run: one short function a task. Names are a public interface, rows in the queue hold them.

Everything but the sweep takes a slot first, so that the sweep always finds a free process. Without one a task leaves at
once: its row is still due, or it is put on the queue again.
"""

from uuid import UUID


def sweep() -> None:
    from playground.services.sweep import run_slice

    run_slice()


def submit(generation_id: str, claim_id: str = "") -> None:
    from playground.services import slots
    from playground.services.submit import put_off, submit_claimed, submit_queued

    with slots.taken("work", slots.WORK) as free:
        if not free:
            put_off(generation_id, claim_id)
        elif claim_id:
            submit_claimed(UUID(generation_id), UUID(claim_id))
        else:
            submit_queued(UUID(generation_id))


def collect(generation_id: str) -> None:
    from playground.services import slots
    from playground.services.collect import collect as fetch

    with slots.taken("save", slots.SAVES) as may_save, slots.taken("work", slots.WORK) as may_work:
        if may_save and may_work:
            fetch(UUID(generation_id))


def cancel(generation_id: str) -> None:
    from playground.services import slots, stops

    with slots.taken("work", slots.WORK) as free:
        if free:
            stops.ask_to_stop(UUID(generation_id))
        else:
            stops.put_off(generation_id)


def sync_catalogue(gateway_id: str = "") -> None:
    from playground.services import slots
    from playground.services.catalogue import read
    from playground.services.hooks import fetch_ahead

    with slots.taken("work", slots.WORK) as free:
        if free and (gateway := read(UUID(gateway_id) if gateway_id else None)):
            fetch_ahead(gateway)


def webhook_secret(gateway_id: str) -> None:
    from playground.services import slots
    from playground.services.hooks import fetch_secret

    with slots.taken("work", slots.WORK) as free:
        if free:
            fetch_secret(UUID(gateway_id))


def housekeeping() -> None:
    from playground.services import slots
    from playground.services.housekeeping import tidy

    with slots.taken("work", slots.WORK) as free:
        if free:
            tidy()


def reconcile(reconciliation_id: str) -> None:
    from playground.services import slots
    from playground.services.reconcile import put_off, run_stored

    with slots.taken("work", slots.WORK) as free:
        if free:
            run_stored(UUID(reconciliation_id))
        else:
            put_off(reconciliation_id)


def look_up(generation_id: str, claim_id: str) -> None:
    from playground.services import slots
    from playground.services.lookups import look_up as look

    with slots.taken("work", slots.WORK) as free:
        if free:
            look(UUID(generation_id), UUID(claim_id))


def probe_gateways(gateway_id: str = "") -> None:
    from playground.services import slots
    from playground.services.pauses import PROBES_AT_ONCE, probe_due

    with slots.taken("probe", PROBES_AT_ONCE) as may_probe, slots.taken("work", slots.WORK) as free:
        if may_probe and free:
            probe_due(only=UUID(gateway_id) if gateway_id else None)
