"""The one door to django-q2: put a task on the queue, run a cluster.

The queue only wakes workers up and carries long work. It is not the truth: every task re-reads its row, claims it,
and does nothing when somebody else was first. Redelivery is never relied on (`max_attempts` is 1); a row whose task
was lost is found again by the sweep through its due time.

With the ORM broker an enqueue is an INSERT on our own connection, so it commits or rolls back with our rows.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django_q.brokers.orm import ORM  # noqa: TID251
from django_q.cluster import Cluster  # noqa: TID251
from django_q.conf import Conf  # noqa: TID251
from django_q.models import Failure, OrmQ  # noqa: TID251
from django_q.signals import post_spawn  # noqa: TID251
from django_q.tasks import async_task  # noqa: TID251


class _DelayedOrm(ORM):  # type: ignore[misc]
    """django-q2's ORM broker, with the moment from which a task may be taken."""

    def __init__(self, delay_s: float) -> None:
        super().__init__()
        self.delay_s = delay_s

    def enqueue(self, task: str) -> Any:
        due = timezone.now() + timedelta(seconds=self.delay_s)
        return self.get_connection().create(key=self.list_key or Conf.CLUSTER_NAME, payload=task, lock=due).pk


def enqueue(task: str, *args: object, timeout_s: int, delay_s: float = 0.0) -> None:
    """Put `playground.tasks.<task>` on the queue, inside the present transaction.

    `timeout_s` ends the task's process when it takes longer. Arguments are ids and numbers, never bytes or secrets:
    they are stored in the queue's row.
    """
    async_task(f"playground.tasks.{task}", *args, timeout=timeout_s, broker=_DelayedOrm(delay_s))


def waiting() -> int:
    """Tasks that nobody has taken and that are due."""
    return int(OrmQ.objects.filter(lock__lte=timezone.now()).count())


def length() -> int:
    """Tasks that are on the queue in any way: waiting, delayed, or taken and not yet ended."""
    return int(OrmQ.objects.count())


def waiting_for(task: str) -> int:
    """How many of `task` are on the queue and taken by nobody."""
    name, now = f"playground.tasks.{task}", timezone.now()
    return sum(row.task.get("func") == name for row in _newest_rows() if row.lock <= now)


def bring_back(*, slack: timedelta, now: datetime) -> int:
    """Make tasks due that wait for longer than any can, which a clock that was ahead has put there. Returns the count.

    One that is being worked on may be taken twice by this, which every task bears: it claims its row first.
    """
    return int(OrmQ.objects.filter(lock__gt=now + timedelta(seconds=Conf.RETRY) + slack).update(lock=now))


def forget_sweeps() -> None:
    """Take sweeps off the queue that a killed cluster had taken: a new one is seeded in their place."""
    stale = [row.pk for row in _newest_rows() if row.task.get("func") == "playground.tasks.sweep"]
    OrmQ.objects.filter(pk__in=stale).delete()


def _newest_rows() -> list[Any]:
    """At most 200. A payload that this installation did not sign reads as a task without a function."""
    return list(OrmQ.objects.order_by("-pk")[:200])


def take_all() -> list[dict[str, Any]]:
    """Take every task off the queue, due or not, for a process that runs them itself. Each is given out once."""
    taken = []
    for row in OrmQ.objects.order_by("pk"):
        task = row.task
        if row.delete()[0]:
            taken.append(task)
    return taken


def prune_failures(*, older_than: timedelta) -> int:
    """Failure rows are kept by the library for ever; ours are in the log and in the event rows. Returns the count."""
    count, _ = Failure.objects.filter(stopped__lt=timezone.now() - older_than).delete()
    return int(count)


def run_cluster(*, in_each_process: Callable[[], None]) -> None:
    """Run the cluster in this process until it is told to stop; each of its processes begins with `in_each_process`."""

    def begin(**_: Any) -> None:
        in_each_process()

    post_spawn.connect(begin, weak=False)
    cluster = Cluster()
    cluster.start()
    cluster.sentinel.join()
