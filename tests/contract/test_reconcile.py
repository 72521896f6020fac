"""The comparison of ledger and gateway against the imitation gateway, a real process with a charge log of its own."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from playground.gateway.types import Order
from playground.models import EntryKind, LedgerEntry
from playground.models.base import new_id
from playground.services import gateways, ledger, reconcile
from tests import factories
from tests.sandbox_server import start_sandbox
from tests.support.money import order

pytestmark = [pytest.mark.contract, pytest.mark.django_db]


def test_what_the_sandbox_charged_agrees_until_a_micro_or_an_order_differs(settings, capsys):
    with start_sandbox() as sandbox:
        settings.GATEWAY_BASE_URL, settings.GATEWAY_API_KEY = sandbox.base_url, "a-key-of-this-test"
        settings.GATEWAY_DIALECT = "lumenfall"
        gateway = gateways.ensure_default()
        member = factories.make_member()
        model = factories.make_model("grok-imagine-video", gateway=gateway)
        with gateways.client_for(gateway) as client:

            def send(order_id: object, prompt: str) -> str:
                wanted = Order(order_id=str(order_id), model=model.slug, prompt=prompt, seconds=1, size="854x480")
                return client.create(wanted).id

            prompts = ("A harbour", "A harbour [[sandbox:dearer]]", "A harbour [[sandbox:fail]]")
            made = [order(by=member, model=model, price=50_000) for _ in prompts]
            for generation, prompt in zip(made, prompts, strict=True):
                job_id = send(generation.id, prompt)
                sandbox.wait(job_id)
                job = client.retrieve(job_id)
                generation.status = "done" if job.cost_micros else "failed"
                generation.save()
                ledger.settle(generation=generation, cost_micros=job.cost_micros or 0, at=timezone.now())
            call_command("reconcile")
            assert "No difference" in capsys.readouterr().out

            LedgerEntry.objects.filter(generation=made[1], kind=EntryKind.SETTLE).update(amount_micros=75_001)
            send(new_id(), "A harbour of nobody")
            month = timezone.now().date().replace(day=1)
            found = reconcile.run_now(gateway=gateway, month=month, now=timezone.now() + timedelta(hours=1))
            told = {(row["kind"], row["ours"], row["theirs"]) for row in found.result["differences"]}
            assert {one for one in told if one[0] == "cost_differs"} == {("cost_differs", 75_001, 75_000)}
            assert {one[0] for one in told} == {"cost_differs", "unknown_there"}
            with pytest.raises(CommandError) as ended:
                call_command("reconcile", gateway=gateway.slug)
            assert ended.value.returncode == 1
            assert "The gateway charged $0.075, here the cost is $0.075001." in capsys.readouterr().out
