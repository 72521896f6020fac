"""The gateway that the environment names: one row for one address, and what waits while its set-up is broken."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Gateway, Generation
from playground.services import collect, gateways, submit, sweep
from tests import factories
from tests.bench import money
from tests.services.test_exactly_once import fresh
from tests.services.test_saving import passed
from tests.services.upstream import model_of_gateway, queued, running, upstream

pytestmark = pytest.mark.django_db(transaction=True)
PLAIN = "https://gw.example/v1"
WRITTEN = ["https://GW.Example/v1", "https://gw.example:443/v1", "HTTPS://gw.example/v1/", PLAIN]


@pytest.fixture
def custom(settings: Any) -> Any:
    settings.GATEWAY_BASE_URL, settings.GATEWAY_API_KEY = PLAIN, "key"
    return settings


@pytest.mark.parametrize("written", WRITTEN)
def test_same_address_in_other_letters_is_the_same_gateway(custom: Any, written: str) -> None:
    first = gateways.ensure_default()
    custom.GATEWAY_BASE_URL = written

    assert gateways.ensure_default().id == first.id
    assert list(Gateway.objects.values_list("base_url", "name", "is_default")) == [(PLAIN, "gw.example", True)]


def test_addresses_that_differ_only_at_the_end_of_a_long_path_are_two_gateways(custom: Any) -> None:
    """Each may be another account, whose answers are not about the other's orders."""
    made = []
    for end in ("first", "second"):
        custom.GATEWAY_BASE_URL = f"https://gw.example/of/a/large/house/with/many/rooms/and/halls/{end}/v1"
        made.append(gateways.ensure_default())

    assert made[0].id != made[1].id
    assert made[0].slug != made[1].slug
    assert [row.base_url[-9:] for row in made] == ["/first/v1", "second/v1"]


@pytest.mark.parametrize("written", WRITTEN)
def test_row_of_an_older_version_in_other_letters_is_kept(custom: Any, written: str) -> None:
    """Its orders go on: they are asked for at the gateway that the environment names."""
    old = factories.make_gateway(slug="custom-old", is_sandbox=False, is_default=True, base_url=written)

    gateway = gateways.ensure_default()

    assert (gateway.id, gateway.slug, gateway.base_url) == (old.id, "custom-old", PLAIN)
    assert gateways.config_of(gateway).base_url == PLAIN


def test_of_two_rows_of_one_address_the_one_in_use_stays_and_the_other_can_be_asked(custom: Any) -> None:
    """As an older version made them when the address was written anew."""
    earlier = factories.make_gateway(slug="custom-a", is_sandbox=False, is_default=False, base_url=PLAIN)
    in_use = factories.make_gateway(slug="custom-b", is_sandbox=False, is_default=True, base_url=WRITTEN[0])

    assert gateways.ensure_default().id == in_use.id
    for row in (earlier, in_use):
        row.refresh_from_db()
        assert gateways.config_of(row).api_key == "key"


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("is_old", [True, False])
def test_price_checks_that_made_an_order_stay_off_in_whatever_letters_the_address_is_written(
    custom: Any, written: str, is_old: bool
) -> None:
    """Those of the row that an older version wrote, or those of today's environment."""
    custom.GATEWAY_HONOURS = "dry-run"
    gateways.give_up_dry_runs(gateways.ensure_default())
    if is_old:
        Gateway.objects.update(base_url=written)
    else:
        custom.GATEWAY_BASE_URL = written

    assert not gateways.ensure_default().has_dry_run


BROKEN = [
    {"GATEWAY_DIALECT": "openai", "GATEWAY_HONOURS": "request-log"},
    {"GATEWAY_HONOURS": "no such word"},
    {"GATEWAY_API_KEY": ""},
]


@pytest.mark.parametrize("broken", BROKEN)
def test_orders_wait_while_the_set_up_of_their_gateway_is_broken(settings: Any, broken: dict[str, str]) -> None:
    with upstream(settings) as gateway:
        by, model = factories.make_member(), model_of_gateway()
        order, asked = queued(by=by, model=model), running(by=by, model=model, upstream_id="video_8")
        for name, value in broken.items():
            setattr(settings, name, value)
        with pytest.raises(gateways.GatewayNotConfigured):
            gateways.config_of(model.gateway)
        submit.submit_queued(order.id)
        sweep.sweep_once(now=timezone.now())

    assert (fresh(order).state, fresh(asked).state) == (Status.QUEUED, Status.RUNNING)
    assert (gateway.posts, gateway.polls) == ([], 0)
    assert list(money(order)) == list(money(asked)) == ["hold"]


@pytest.mark.parametrize("broken", BROKEN)
def test_finished_video_waits_while_the_set_up_of_its_gateway_is_broken(settings: Any, broken: dict[str, str]) -> None:
    with upstream(settings) as gateway:
        row, now = running(by=factories.make_member(), model=model_of_gateway(), upstream_id="video_1"), timezone.now()
        told = {"output_url": f"{gateway.origin}/v.mp4", "output_expires_at": now + timedelta(hours=1)}
        Generation.objects.filter(id=row.id).update(status=Status.COMPLETED, completed_at=now, **told)
        for name, value in broken.items():
            setattr(settings, name, value)
        for _ in range(8):
            collect.collect(row.id)
            passed(row, minutes=0.5)

    assert fresh(row).state is Status.COMPLETED
    assert list(money(row)) == ["hold"]
