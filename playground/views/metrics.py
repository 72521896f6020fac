"""Figures for Prometheus, read from the database when asked: any web process gives the same answer.

Open to the bearer of METRICS_TOKEN. Without a token only to programs on this machine, and never through a proxy, which
would make every visitor look like one.
"""

import hmac
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db.models import Count, Min, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from playground.domain.status import Status
from playground.models import EntryKind, Generation, Heartbeat, LedgerEntry

PROXY_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Host")


@login_not_required
@never_cache
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    if not _is_allowed(request):
        status = 401 if settings.METRICS_TOKEN else 403
        answer = HttpResponse("not allowed\n", status=status, content_type="text/plain")
        if status == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(timezone.now()))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _is_allowed(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), settings.METRICS_TOKEN.encode())
    if settings.TRUST_PROXY or any(name in request.headers for name in PROXY_HEADERS):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class Figures(Collector):
    """Everything that is worth an alarm. Amounts are micros of a US dollar, ages seconds."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def collect(self) -> Iterator[Metric]:
        yield self._generations()
        yield from self._due()
        yield self._heartbeats()
        yield self._ledger()

    def _generations(self) -> Metric:
        family = GaugeMetricFamily("playground_generations", "Generations by status.", labels=["status"])
        counts = dict(Generation.objects.order_by().values_list("status").annotate(Count("id")))
        for status in Status:
            family.add_metric([status.value], counts.get(status.value, 0))
        return family

    def _due(self) -> Iterator[Metric]:
        rows = Generation.objects.filter(next_check_at__lte=self.now)
        due = rows.aggregate(n=Count("id"), oldest=Min("next_check_at"))
        yield GaugeMetricFamily(
            "playground_queue_length", "Generations that are due and not yet looked at.", value=due["n"]
        )
        age = (self.now - due["oldest"]).total_seconds() if due["oldest"] else 0.0
        yield GaugeMetricFamily(
            "playground_oldest_due_seconds", "How long the oldest due generation has waited.", value=age
        )

    def _heartbeats(self) -> Metric:
        family = GaugeMetricFamily(
            "playground_heartbeat_age_seconds", "Time since the last sign of life of a process.", labels=["process"]
        )
        for beat in Heartbeat.objects.order_by("name"):
            family.add_metric([beat.name], (self.now - beat.at).total_seconds())
        return family

    def _ledger(self) -> Metric:
        family = GaugeMetricFamily(
            "playground_ledger_micros", "Money that moved, without play money, by kind.", labels=["kind"]
        )
        real = LedgerEntry.objects.filter(gateway__is_sandbox=False).order_by()
        sums = dict(real.values_list("kind").annotate(Sum("amount_micros")))
        for kind in EntryKind.values:
            family.add_metric([kind], sums.get(kind) or 0)
        return family
