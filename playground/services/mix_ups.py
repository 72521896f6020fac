"""Answers about another order than the one that was asked after.

A cache or a proxy on the way can mix up answers, so that one order would get another's end, cost and video. An id that
none of our orders has may be another name that the gateway gives it, and is let pass.
"""

from collections.abc import Collection, Sequence

import structlog

from playground.gateway.client import GatewayClient
from playground.gateway.errors import GatewayError, Unclear
from playground.gateway.types import Job
from playground.models import Gateway, Generation
from playground.services.doubts import Answer

log = structlog.get_logger(__name__)

Answers = Sequence[tuple[Generation, Answer]]


def sorted_out(gateway: Gateway, answers: Answers) -> Answers:
    """The answers, with a fault in place of each that has the id of another order of ours: it says nothing of its own.

    One query, and only where an answer names another id than it was asked by.
    """
    told = {answer.told_id for _, answer in answers if isinstance(answer, Job) and _names_another(answer)}
    if not told:
        return answers
    rows = Generation.objects.filter(gateway_id=gateway.id, upstream_id__in=told)
    ours = set(rows.values_list("upstream_id", flat=True))
    return [(row, _judged(row, answer, ours)) for row, answer in answers]


def asked(generation: Generation, client: GatewayClient) -> Job:
    """What the gateway says of this order now. Raises GatewayError, also for an answer about another order."""
    assert generation.upstream_id is not None
    job = client.retrieve(generation.upstream_id)
    ((_row, judged),) = sorted_out(generation.gateway, [(generation, job)])
    if isinstance(judged, GatewayError):
        raise judged
    return job


def _names_another(job: Job) -> bool:
    return job.told_id not in ("", job.id)


def _judged(row: Generation, answer: Answer, ours: Collection[str | None]) -> Answer:
    if not isinstance(answer, Job) or not _names_another(answer) or answer.told_id not in ours:
        return answer
    log.error("answer_about_another_order", generation=str(row.id), asked=answer.id, told=answer.told_id)
    return Unclear("The gateway answered about another order.", code="another_order")
