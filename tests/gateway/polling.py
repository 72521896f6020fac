"""The poller for plain tests: ask, wait, read."""

import contextlib
from collections.abc import Sequence

from playground.gateway.errors import GatewayError
from playground.gateway.poller import Poller
from playground.gateway.types import GatewayConfig, Job


def poll(config: GatewayConfig, ids: Sequence[str], **options: object) -> dict[str, Job | GatewayError]:
    with contextlib.closing(Poller(**options)) as poller:  # type: ignore[arg-type]
        poller.ask("gateway", config, ids)
        found = poller.collect(wait_s=60)
        assert poller.under_way("gateway") == 0
    return {job_id: answer for _, job_id, answer in found}
