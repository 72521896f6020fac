"""The page of the comparison with the gateway."""

from datetime import date

import pytest

from playground.models import BalanceLook, Gateway, Reconciliation, ReconciliationState
from playground.services import ledger, notices
from playground.services import reconcile as comparing
from tests import factories
from tests.support.money import order

pytestmark = pytest.mark.pure

PAGE = "/spend/reconcile/"


@pytest.fixture
def gateway(db):
    return factories.make_gateway(is_sandbox=False, is_default=True, name="gateway.example", has_request_log=True)


def text_of(answer) -> str:
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def stored(gateway: Gateway, month: date, **result) -> Reconciliation:
    whole = {"differences": [], "difference_count": 0, "tallies": {}, "balance_micros": None, "fresh": 0, "others": 0}
    return Reconciliation.objects.create(
        gateway=gateway, month=month, state="checked", finished_at="2026-11-21T10:00:00Z", result={**whole, **result}
    )


def difference(kind="cost_differs", ours=105_000, theirs=105_001, **fields) -> dict:
    names = {"order_id": "", "team_id": "", "request_id": "", "model": "", "currency": "", "at": ""}
    return {"kind": kind, "ours": ours, "theirs": theirs, **names, **fields}


def month_of(member) -> date:
    return ledger.month_of(member.team, comparing.timezone.now())


def test_with_the_sandbox_there_is_nothing_to_compare(admin, browser_of):
    factories.make_gateway(is_default=True)
    page = text_of(browser_of(admin).get(PAGE))
    assert "Play money is not compared." in page
    assert browser_of(admin).post(f"{PAGE}compare/").status_code == 404


def test_only_admins_may_look_and_compare(member, viewer, gateway, browser_of):
    for membership in (member, viewer):
        assert browser_of(membership).get(PAGE).status_code == 404
        assert browser_of(membership).post(f"{PAGE}compare/").status_code == 404
    assert browser_of().get(PAGE).status_code == 302
    assert not Reconciliation.objects.exists()


def test_a_press_has_the_worker_compare_and_the_page_asks_until_it_is_done(admin, gateway, browser_of):
    client = browser_of(admin)
    assert "has not been compared yet" in text_of(client.get(PAGE))
    month = month_of(admin)
    answer = client.post(f"{PAGE}compare/", {"month": f"{month:%Y-%m}", "gateway": gateway.slug})
    assert (answer.status_code, answer["Location"]) == (303, f"{PAGE}?month={month:%Y-%m}&gateway={gateway.slug}")
    page = text_of(client.get(answer["Location"]))
    assert 'hx-trigger="every 2s"' in page
    assert "Look again" in page
    assert len(comparing.queue.take_all()) == 1
    client.post(f"{PAGE}compare/")
    assert comparing.queue.take_all() == []
    found = Reconciliation.objects.get()
    assert found.started_by == admin.user
    comparing.finish(found)
    part = text_of(browser_of(admin, htmx=True).get(PAGE))
    assert part.startswith('<div id="result"')
    assert "hx-trigger" not in part
    assert "the key of gateway.example is not in the environment" in part


def test_a_month_at_the_end_of_the_calendar_is_this_month(admin, gateway, browser_of):
    assert browser_of(admin).post(f"{PAGE}compare/", {"month": "0001-01"}).status_code == 303
    found = Reconciliation.objects.get()
    assert found.month == month_of(admin)
    assert comparing.finish(found).state == ReconciliationState.FAILED


def test_a_form_of_another_team_compares_nothing(admin, stranger, gateway, browser_of):
    client = browser_of(admin)
    assert client.post(f"{PAGE}compare/", {"team": stranger.team.slug}).status_code == 404
    assert not Reconciliation.objects.exists()


def test_a_difference_is_shown_with_both_figures_and_a_way_to_its_order(admin, gateway, browser_of):
    generation = order(by=admin, model=factories.make_model(gateway=gateway), cost=105_000)
    mine = difference(order_id=str(generation.id), team_id=str(admin.team_id), request_id="<req_1>")
    tally = {"orders": 1, "ours": 105_000, "theirs": 105_001, "aside": 7_000_000}
    stored(
        gateway, month_of(admin), differences=[mine], difference_count=1, balance_micros=5_000_000,
        tallies={str(admin.team_id): tally},
    )  # fmt: skip
    page = text_of(browser_of(admin).get(PAGE))
    for words in (
        "1 difference.", "The gateway charged $0.105001, here the cost is $0.105.", "&lt;req_1&gt;", "$5.00",
        f'href="/runs/{generation.run_id}/"', "less left than what is set aside", "Ask the gateway",
    ):  # fmt: skip
        assert words in page, words
    assert 'style="' not in page


def test_an_admin_sees_no_order_and_no_sum_of_another_team(admin, stranger, gateway, browser_of):
    rows = [difference(order_id="x", team_id=str(stranger.team_id)), difference("unknown_there", ours=None)]
    tally = {"orders": 1, "ours": 7_770_000, "theirs": 7_770_001, "aside": 0}
    stored(gateway, month_of(admin), differences=rows, difference_count=2, tallies={str(stranger.team_id): tally})
    page = text_of(browser_of(admin).get(PAGE))
    assert "1 difference." in page
    assert "for an order that is none of ours" in page
    for hidden in ("here the cost is", "$7.77"):
        assert hidden not in page, hidden


def test_what_left_or_came_into_the_account_besides_is_said_and_only_what_left_is_a_difference(
    admin, gateway, browser_of
):
    stored(gateway, month_of(admin))
    now = comparing.timezone.now()
    rows = {"gateway": gateway, "at": now, "since_at": now, "change_micros": -3_000_000, "most_micros": 1_000_000}
    BalanceLook.objects.create(available_micros=9_500_000, difference_micros=-2_000_000, **rows)
    BalanceLook.objects.create(available_micros=29_500_000, difference_micros=20_000_000, **rows)
    page = text_of(browser_of(admin).get(PAGE))
    for words in (
        "1 difference.", "$2.00 more was spent.", "Somebody else may use the same key or account.",
        "$20.00 came in.", "That is a top-up, or money that the gateway gave back.",
    ):  # fmt: skip
        assert words in page, words


def test_notices_of_the_daily_comparison_lead_to_the_page(admin, gateway, browser_of):
    about = {"gateway": gateway.slug, "name": gateway.name, "month": "2026-11"}
    for kind, data in (
        ("ledger_differs", {"count": 2, "told": []}),
        ("balance_differs", {"micros": 2_000_000, "came_in": False}),
    ):
        notices.tell(kind, team=admin.team, key=kind, data=about | data)
    page = text_of(browser_of(admin).get("/notices/"))
    for words in ("in 2 places that were not told before", "$2.00 more left the account at gateway.example"):
        assert words in page, words
    assert page.count(f"{PAGE}?month=2026-11&amp;gateway={gateway.slug}") == 2


def test_agreement_and_what_was_too_fresh_is_said(admin, gateway, browser_of):
    stored(gateway, month_of(admin), fresh=2, others=1)
    page = text_of(browser_of(admin).get(PAGE))
    for words in ("No difference", "2 orders are too recent to be judged.", "1 request that is no video"):
        assert words in page, words


def test_a_comparison_that_never_ended_says_so(admin, gateway, browser_of):
    began = comparing.timezone.now() - comparing.GIVEN_UP_AFTER
    Reconciliation.objects.create(gateway=gateway, month=month_of(admin), started_at=began)
    page = text_of(browser_of(admin).get(PAGE))
    assert "did not come to its end" in page
    assert "Compare again" in page


def test_a_gateway_without_a_list_says_so(admin, gateway, browser_of):
    found = stored(gateway, month_of(admin))
    Reconciliation.objects.filter(id=found.id).update(state=ReconciliationState.NO_LOG)
    page = text_of(browser_of(admin).get(PAGE))
    assert "gateway.example keeps no list of what it charged" in page
    assert "Cost here" not in page


def test_each_gateway_with_money_of_the_team_can_be_chosen(admin, gateway, browser_of):
    earlier = factories.make_gateway(is_sandbox=False, name="earlier.example")
    order(by=admin, model=factories.make_model(gateway=earlier), cost=1)
    foreign = factories.make_gateway(is_sandbox=False, name="foreign.example")
    page = text_of(browser_of(admin).get(PAGE, {"gateway": earlier.slug}))
    assert "what earlier.example charged" in page
    assert "what gateway.example charged" in text_of(browser_of(admin).get(PAGE, {"gateway": foreign.slug}))
    assert "foreign.example" not in page


def test_the_page_never_asks_the_gateway(admin, gateway, browser_of):
    """Its key is not in the environment here: a look-up would raise."""
    stored(gateway, month_of(admin))
    assert browser_of(admin).get(PAGE).status_code == 200
