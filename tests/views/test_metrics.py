"""The figures for Prometheus, and who may read them."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from playground.domain.status import Status
from playground.models import Generation, Heartbeat
from tests import factories

pytestmark = pytest.mark.pure


def figures(client, **headers) -> dict[str, float]:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    found = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        for sample in family.samples:
            label = next(iter(sample.labels.values()), "")
            found[f"{sample.name} {label}".strip()] = sample.value
    return found


def test_empty_installation_has_every_status_at_zero(db, client):
    found = figures(client)
    assert {f"playground_generations {status.value}": 0.0 for status in Status}.items() <= found.items()
    assert found["playground_oldest_due_seconds"] == 0
    assert found["playground_queue_length"] == 0


def test_figures_follow_the_rows(member, client):
    row = factories.make_generation(by=member, status=Status.RUNNING)
    factories.make_generation(by=member, status=Status.FAILED)
    Generation.objects.filter(id=row.id).update(next_check_at=timezone.now() - timedelta(seconds=90))
    Heartbeat.objects.create(name="worker", at=timezone.now() - timedelta(seconds=30))
    found = figures(client)
    assert found["playground_generations running"] == 1
    assert found["playground_generations failed"] == 1
    assert found["playground_queue_length"] == 1
    assert found["playground_oldest_due_seconds"] >= 90
    assert found["playground_heartbeat_age_seconds worker"] >= 30


def test_play_money_is_left_out(member, client):
    real = factories.make_model(gateway=factories.make_gateway(is_sandbox=False))
    play = factories.make_model(gateway=factories.make_gateway(is_sandbox=True))
    for model in (real, play):
        generation = factories.make_generation(run=factories.make_run(by=member, model=model))
        factories.make_entry(generation, "hold", 400_000)
        factories.make_entry(generation, "settle", 380_000)
    found = figures(client)
    assert found["playground_ledger_micros hold"] == 400_000
    assert found["playground_ledger_micros settle"] == 380_000
    assert found["playground_ledger_micros release"] == 0


@pytest.mark.parametrize("address", ["192.0.2.7", "10.0.0.2", "", "not an address"])
def test_without_a_token_only_this_machine_reads(db, client, address):
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == 403
    assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_visitor_behind_a_proxy_is_not_this_machine(db, client, header):
    assert client.get("/metrics", headers={header: "192.0.2.7"}).status_code == 403


def test_trusted_proxy_makes_nobody_local(db, client, settings):
    settings.TRUST_PROXY = True
    assert client.get("/metrics").status_code == 403


def test_token_is_asked_for_even_on_this_machine(db, client, settings):
    settings.METRICS_TOKEN = "s3cret"
    refused = client.get("/metrics")
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, "Bearer")
    assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/metrics", headers={"authorization": "Basic s3cret"}).status_code == 401
    assert figures(client, authorization="Bearer s3cret")
    far = client.get("/metrics", REMOTE_ADDR="192.0.2.7", headers={"authorization": "bearer s3cret"})
    assert far.status_code == 200


def test_no_person_and_no_prompt_is_in_the_figures(member, client):
    factories.make_video(by=member, files=False, prompt="secretword")
    text = client.get("/metrics").content.decode()
    assert not re.search("secretword|example.com", text)
