"""What the first order of a worker process would wait for, had before it comes.

A process that sends its first order otherwise loads the sending code, reads the certificates and opens its database
connection while a person waits: some 200 ms. What a fork hands on is had once, before the cluster forks; what it does
not, a database connection, by each process as it starts. Neither asks a gateway anything.
"""

import gc
import importlib

import structlog
from django.db import DatabaseError
from django.utils import timezone

from playground.domain.status import Status
from playground.gateway import factory
from playground.models.base import new_id
from playground.services import engine, submit

log = structlog.get_logger(__name__)

LATER = (
    "services.catalogue",
    "services.collect",
    "services.housekeeping",
    "services.slots",
    "services.sweep",
    "gateway.poller",
)
"""What tasks import when they run."""


def preload() -> None:
    """Load modules and certificates, without a connection or a thread of ours that a fork would break.

    What is loaded then stays out of the garbage collector's sight: it lasts as long as the processes, and is not copied
    into each of them by being looked through.
    """
    for name in LATER:
        importlib.import_module(f"playground.{name}")
    factory.preload()
    gc.collect()
    gc.freeze()


def warm_process() -> None:
    """Rehearse the first steps of sending with an order that does not exist: a read, and a claim that changes no row.

    A database that is away is not this process's to judge: its tasks will say so.
    """
    try:
        nobody = new_id()
        submit.submit_queued(nobody)
        engine.claim(nobody, source=Status.QUEUED, target=Status.SUBMITTING, event="sending", now=timezone.now())
    except DatabaseError as error:
        log.warning("worker_process_not_warm", why=type(error).__name__)
