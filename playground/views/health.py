"""For load balancers and supervisors: is the process alive, can it work."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from playground.models import Heartbeat
from playground.services import mailing, sealed

STALE = timedelta(seconds=60)


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database, migrations and a worker's heartbeat are fine, else 503; the body says which is not.

    Stored keys that cannot be opened and a mail server that takes no mail are told too, and keep it from nothing: what
    was ordered goes on.

    It also says how long orders have waited to be sent, asked for and saved, as the worker last saw it.
    """
    checks: dict[str, object] = {"version": settings.VERSION}
    try:
        checks["database"] = "ok"
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        checks["migrations"] = "ok" if not pending else f"{len(pending)} to run"
        checks.update(_worker())
        checks["secrets"] = sealed.known_problem() or "ok"
        checks["mail"] = mailing.failing() or "ok"
    except DatabaseError as error:
        checks["database"] = type(error).__name__
    ready = all(checks.get(name) == "ok" for name in ("database", "migrations", "worker"))
    return JsonResponse({"ready": ready, **checks}, status=200 if ready else 503)


def _worker() -> dict[str, object]:
    beat = Heartbeat.objects.filter(name="worker").first()
    if beat is None:
        return {"worker": "never seen"}
    age = timezone.now() - beat.at
    said = {"worker": "ok" if age < STALE else "silent", "worker_age_seconds": round(age.total_seconds(), 1)}
    return said | {"overdue_seconds": beat.detail.get("overdue_s", {})}
