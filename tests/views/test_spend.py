"""The spend page, its bars and its file."""

import re
from datetime import UTC, date, datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from playground.domain.status import Status
from playground.domain.sums import Sums
from playground.models import Budget
from playground.services import ledger
from playground.services.spend import Day
from playground.templatetags.spending import difference, signed
from playground.views.spend_chart import chart, round_up
from tests import factories
from tests.support.money import order

SPEND = "/spend/"


@pytest.fixture
def model(db):
    return factories.make_model("kling-v3", gateway=factories.make_gateway(is_sandbox=False))


def text_of(answer) -> str:
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_an_empty_month_says_that_play_money_is_not_shown(member, browser_of):
    order(by=member, model=factories.make_model(gateway=factories.make_gateway()), cost=500_000)
    page = text_of(browser_of(member).get(SPEND))
    assert "Nothing was spent in" in page
    assert "play money is not shown" in page.lower()
    assert "$0.50" not in page


def test_an_admin_reads_totals_people_models_days_and_what_is_left(member, admin, model, browser_of):
    order(by=member, model=model, price=400_000, cost=500_000)
    order(by=admin, model=model, price=240_000)
    month = ledger.month_of(member.team, timezone.now())
    Budget.objects.filter(team=member.team, user=None, month=month).update(cap_micros=2_000_000)
    page = text_of(browser_of(admin).get(SPEND))
    for words in (
        "$0.50", "2 videos ordered", "$0.30", "for 1 video whose cost is not known yet", "$1.20", "of $2.00",
        "+$0.10 (25% more)", "priced at $0.40, cost $0.50", "kling-v3", member.user.name, admin.user.name, "<svg",
    ):  # fmt: skip
        assert words in page, words
    assert 'style="' not in page


def test_cost_that_nobody_knows_is_said_and_is_no_silent_nothing(admin, model, browser_of):
    order(by=admin, model=model, price=None, status=Status.DONE)
    page = text_of(browser_of(admin).get(SPEND))
    assert "without 1 video whose cost is unknown" in page
    assert "1 video is in no bar: it had no price, and the gateway named no cost." in page
    assert '<span class="spend__total">unknown</span>' in page
    assert page.count("1 cost unknown") == 3  # by day, by model, by person
    assert 'class="chart"' not in page
    order(by=admin, model=model, price=400_000, cost=500_000)
    page = text_of(browser_of(admin).get(SPEND))
    assert re.search(r"<title>[^<]*: \$0\.50, 1 cost unknown</title>", page)


def test_others_read_only_their_own(member, admin, model, browser_of):
    order(by=admin, model=model, cost=7_770_000)
    order(by=member, model=model, cost=500_000)
    page = text_of(browser_of(member).get(SPEND))
    assert "$0.50" in page
    assert "Your videos" in page
    for hidden in ("$7.77", "$8.27", admin.user.name, "By person", "Limits", "Compare with the gateway"):
        assert hidden not in page, hidden
    table = browser_of(member).get(f"{SPEND}export.csv").getvalue().decode()
    assert "0.500000" in table
    assert "7.770000" not in table


def test_earlier_months_are_a_link_away_and_nonsense_is_this_month(member, model, browser_of):
    order(by=member, model=model, cost=120_000, at=datetime(2025, 3, 9, tzinfo=UTC))
    client = browser_of(member)
    page = text_of(client.get(SPEND))
    assert re.search(r'rel="prev" href="/spend/\?month=2025-03"', page)
    page = text_of(client.get(f"{SPEND}?month=2025-03"))
    assert "March 2025" in page
    assert "$0.12" in page
    assert 'href="/spend/export.csv?month=2025-03"' in page
    for odd in ("2025-13", "soon", "0000-00", "2025-03-01", "9999-12", "９９９９-01"):
        assert "Nothing was spent in" in text_of(client.get(SPEND, {"month": odd})), odd


def test_the_file_has_a_name_and_is_never_kept(member, model, browser_of):
    order(by=member, model=model, cost=120_000, at=datetime(2025, 3, 9, tzinfo=UTC))
    answer = browser_of(member).get(f"{SPEND}export.csv?month=2025-03")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="spend-{member.team.slug}-2025-03.csv"'
    assert answer["Cache-Control"] == "private, no-store"
    assert answer.getvalue().decode("utf-8-sig").count("\r\n") == 2


def test_strangers_see_nothing_of_it(stranger, member, model, browser_of):
    order(by=member, model=model, cost=500_000)
    assert "Nothing was spent in" in text_of(browser_of(stranger).get(SPEND))
    assert browser_of().get(SPEND).status_code == 302
    assert browser_of(member).post(SPEND).status_code == 405


def test_a_page_asks_the_database_as_often_for_many_videos_as_for_one(
    admin, model, browser_of, django_assert_max_num_queries
):
    client = browser_of(admin)
    for day in range(12):
        mine = factories.make_member(team=admin.team)
        order(by=mine, model=factories.make_model(gateway=model.gateway), cost=day, at=timezone.now())
    client.get(SPEND)
    with django_assert_max_num_queries(14):
        client.get(SPEND)


def test_a_name_of_500_letters_and_markup_stays_text(admin, model, browser_of):
    admin.user.name = "<b>" + "x" * 77
    admin.user.save()
    order(by=admin, model=model, cost=1)
    page = text_of(browser_of(admin).get(SPEND))
    assert "&lt;b&gt;xxx" in page
    assert "less than $0.01" in page


def test_the_menu_leads_to_it(member, browser_of):
    assert f'href="{reverse("spend.index")}"' in text_of(browser_of(member).get("/runs/"))


def test_bars_are_as_high_as_their_share_and_never_invisible():
    days = [
        Day(date(2026, 11, 1), Sums(1, cost=100_000_000, aside=50_000_000)),
        Day(date(2026, 11, 2), Sums(1, cost=1)),
    ]
    drawn = chart(days)
    assert (drawn.top_micros, drawn.middle_micros, drawn.width) == (200_000_000, 100_000_000, 20)
    first, second = drawn.bars
    assert (first.cost_height, first.cost_y, first.aside_height, first.aside_y) == (50, 50, 25, 25)
    assert (second.cost_height, second.aside_height, second.x) == (1.5, 0, 11)
    assert chart([Day(date(2026, 11, 1), Sums(videos=3))]) is None


@pytest.mark.parametrize(
    ("highest", "top"),
    [
        (1, 20_000),
        (20_001, 40_000),
        (150_000, 200_000),
        (210_000, 300_000),
        (999_999, 1_000_000),
        (1_000_001, 2_000_000),
    ],
)
def test_the_scale_ends_at_a_round_amount(highest, top):
    assert round_up(highest) == top


@pytest.mark.parametrize(
    ("priced", "compared", "words"),
    [
        (0, 0, ""),
        (100, 100, "none"),
        (400_000, 500_000, "+$0.10 (25% more)"),
        (1_000_000, 900_000, "-$0.10 (10% less)"),
        (1_000_000, 1_000_001, "+$0.000001 (less than 1% more)"),
        (0, 500_000, "+$0.50"),
    ],
)
def test_the_difference_is_said_in_money_and_percent(priced, compared, words):
    assert difference(Sums(priced=priced, compared=compared)) == words


def test_a_difference_below_a_cent_has_its_decimals():
    assert [signed(micros) for micros in (-1, 9_999, 10_000)] == ["-$0.000001", "+$0.009999", "+$0.01"]
