"""`manage.py reconcile`: what it prints and with which code it ends."""

import pytest
from django.core.management import CommandError, call_command

from playground.models import Gateway
from tests import factories
from tests.services.test_reconcile import AT, by, gateway, listed, paid, server  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db


def test_no_difference_ends_well(paid, listed, gateway, capsys):  # noqa: F811
    listed.add(paid(cost=105_000), cost=0.105)
    call_command("reconcile", month="2026-10", gateway=gateway.slug)
    printed = capsys.readouterr().out
    for words in ("2026-10", "Orders compared: 1, requests in the gateway's list: 1", "$0.105", "No difference"):
        assert words in printed


def test_a_difference_is_printed_with_both_figures_and_ends_with_1(paid, listed, gateway, capsys):  # noqa: F811
    generation = paid(cost=105_000)
    listed.add(generation, cost=0.105001)
    paid(price=20_000_000)
    with pytest.raises(CommandError) as ended:
        call_command("reconcile", month="2026-10", gateway=gateway.slug)
    printed = capsys.readouterr().out
    assert ended.value.returncode == 1
    assert f"- The gateway charged $0.105001, here the cost is $0.105. [order {generation.id} req_0" in printed
    assert "Left on the gateway's account: $12.50, less than what is set aside" in printed


@pytest.mark.parametrize(
    "options",
    [
        {"month": "2026-13"},
        {"month": "soon"},
        {"month": "2026-1"},
        {"month": "0001-01"},
        {"month": "9999-12"},
        {"gateway": "no-such"},
    ],
)
def test_a_month_or_gateway_that_is_none_ends_with_2(gateway, options):  # noqa: F811
    with pytest.raises(CommandError) as ended:
        call_command("reconcile", **{"gateway": gateway.slug, **options})
    assert ended.value.returncode == 2


def test_what_could_not_be_compared_ends_with_2():
    unreachable = factories.make_gateway(is_sandbox=False)
    with pytest.raises(CommandError, match="Nothing was compared") as ended:
        call_command("reconcile", gateway=unreachable.slug)
    assert ended.value.returncode == 2


def test_a_gateway_without_a_list_is_no_difference(paid, gateway, capsys):  # noqa: F811
    Gateway.objects.filter(id=gateway.id).update(has_request_log=False)
    paid(cost=400_000)
    call_command("reconcile", month="2026-10", gateway=gateway.slug)
    assert "keeps no list of what it charged" in capsys.readouterr().out
