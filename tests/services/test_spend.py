"""What a month cost: whose, which model, which day, and the file of it."""

import csv
from datetime import UTC, date, datetime

import pytest

from playground.domain.status import Status
from playground.domain.sums import Sums
from playground.models import Budget, Generation, LedgerEntry, Role
from playground.services import ledger, spend
from tests import factories
from tests.support.money import order

pytestmark = pytest.mark.django_db
NOVEMBER = date(2026, 11, 1)


def noon(day: int, month: int = 11) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


@pytest.fixture
def admin():
    return factories.make_member(role=Role.ADMIN, user=factories.make_user(name="Ada"))


@pytest.fixture
def model():
    return factories.make_model("kling-v3", gateway=factories.make_gateway(is_sandbox=False))


def table(lines: list[spend.Line]) -> dict[str, tuple[int, int, int]]:
    return {line.name: (line.sums.videos, line.sums.cost, line.sums.aside) for line in lines}


def read(by, month=NOVEMBER) -> list[dict[str, str]]:
    text = b"".join(spend.csv_lines(by, month)).decode("utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


def test_cost_set_aside_and_given_back_are_told_apart(admin, model):
    order(by=admin, model=model, price=400_000, cost=500_000, at=noon(3))
    order(by=admin, model=model, price=300_000, at=noon(3))
    order(by=admin, model=model, price=200_000, given_back=True, at=noon(4))
    total = spend.report(admin, NOVEMBER).total
    assert (total.videos, total.cost, total.aside, total.waiting) == (3, 500_000, 375_000, 1)
    assert (total.priced, total.compared, total.beyond) == (400_000, 500_000, 100_000)


def test_a_cost_after_the_money_was_given_back_counts(admin, model):
    order(by=admin, model=model, price=400_000, given_back=True, cost=390_000, at=noon(3))
    total = spend.report(admin, NOVEMBER).total
    assert (total.cost, total.aside) == (390_000, 0)


def test_cost_that_nobody_knows_is_counted_and_never_taken_for_nothing(admin, model):
    """Neither price nor cost of a video that was made; one that failed, and one that is under way, are not such."""
    for _ in range(2):
        order(by=admin, model=model, price=None, status=Status.DONE, at=noon(3))
    order(by=admin, model=model, price=None, cost=0, at=noon(3))
    order(by=admin, model=model, price=None, given_back=True, at=noon(4))
    order(by=admin, model=model, price=None, at=noon(4))
    order(by=admin, model=model, price=100_000, cost=90_000, at=noon(4))
    report = spend.report(admin, NOVEMBER)
    assert (report.unknown, report.total.cost, report.total.videos) == (2, 90_000, 6)
    assert [line.unknown for line in (*report.by_person, *report.by_model)] == [2, 2]
    assert [day.unknown for day in report.by_day[:4]] == [0, 0, 2, 0]
    assert [row["cost_micros"] for row in read(admin)] == ["", "", "0", "", "", "90000"]
    assert [row["cost_usd"] for row in read(admin)][:2] == ["", ""]
    assert {kind for (kind,) in LedgerEntry.objects.filter(generation__status="done").values_list("kind")} == {
        "hold", "release", "settle",
    }  # fmt: skip
    assert LedgerEntry.objects.filter(kind="settle").count() == 2


def test_cost_that_was_written_down_as_nothing_though_nobody_knew_it_is_unknown_too(admin, model):
    generation = order(by=admin, model=model, price=None, at=noon(3), status=Status.RUNNING)
    ledger.settle(generation=generation, cost_micros=0, at=noon(3))
    Generation.objects.update(status=Status.DONE)
    assert spend.report(admin, NOVEMBER).unknown == 1
    assert read(admin)[0]["cost_micros"] == ""


def test_cost_that_becomes_known_later_is_settled_then(admin, model):
    generation = order(by=admin, model=model, price=None, status=Status.DONE, at=noon(3))
    Generation.objects.update(cost_micros=70_000)
    ledger.settle(generation=generation, cost_micros=70_000, at=noon(4))
    report = spend.report(admin, NOVEMBER)
    assert (report.unknown, report.total.cost, read(admin)[0]["cost_micros"]) == (0, 70_000, "70000")
    assert Budget.objects.get(user=None).spent_micros == 70_000


def test_a_video_without_a_price_is_not_compared_with_it(admin, model):
    order(by=admin, model=model, price=None, cost=700_000, at=noon(3))
    order(by=admin, model=model, price=100_000, cost=90_000, at=noon(3))
    total = spend.report(admin, NOVEMBER).total
    assert (total.cost, total.priced, total.compared) == (790_000, 100_000, 90_000)
    assert {row["price_micros"] for row in read(admin)} == {"", "100000"}


def test_play_money_and_other_teams_stay_out(admin, model):
    order(by=factories.make_member(), model=model, cost=1, at=noon(3))
    order(by=admin, model=factories.make_model(gateway=factories.make_gateway()), cost=1, at=noon(3))
    assert spend.report(admin, NOVEMBER).total == Sums()
    assert spend.months(admin) == []
    assert read(admin) == []


def test_an_admin_sees_the_team_and_others_only_their_own(admin, model):
    bea = factories.make_member(team=admin.team, user=factories.make_user(name="Bea"))
    order(by=admin, model=model, cost=500_000, at=noon(3))
    order(by=bea, model=model, cost=100_000, at=noon(3))
    order(by=bea, model=factories.make_model("wan-2.6", gateway=model.gateway), cost=200_000, at=noon(3, month=10))
    assert table(spend.report(admin, NOVEMBER).by_person) == {"Ada": (1, 500_000, 0), "Bea": (1, 100_000, 0)}
    assert table(spend.report(bea, NOVEMBER).by_model) == {"kling-v3": (1, 100_000, 0)}
    assert spend.months(bea) == [NOVEMBER, date(2026, 10, 1)]
    assert spend.months(admin) == [NOVEMBER, date(2026, 10, 1)]
    assert [row["email"] for row in read(bea)] == [bea.user.email]


def test_people_of_one_name_are_two_and_who_left_has_none(admin, model):
    twin = factories.make_member(team=admin.team, user=factories.make_user(name="Ada"))
    gone = factories.make_member(team=admin.team)
    for member in (admin, twin, gone):
        order(by=member, model=model, cost=100_000, at=noon(3))
    gone.user.delete()
    names = {line.name for line in spend.report(admin, NOVEMBER).by_person}
    assert names == {f"Ada ({admin.user.email})", f"Ada ({twin.user.email})", ""}


def test_days_turn_at_the_teams_midnight_and_add_up_to_the_month(admin, model):
    admin.team.time_zone = "Asia/Tokyo"
    admin.team.save()
    order(by=admin, model=model, cost=1, at=datetime(2026, 10, 31, 14, 59, tzinfo=UTC))
    order(by=admin, model=model, cost=20, at=datetime(2026, 10, 31, 15, 0, tzinfo=UTC))
    order(by=admin, model=model, cost=4_000, at=datetime(2026, 11, 9, 15, 0, tzinfo=UTC))
    order(by=admin, model=model, cost=300, at=datetime(2026, 11, 30, 14, 59, tzinfo=UTC))
    report = spend.report(admin, NOVEMBER)
    costs = [day.sums.cost for day in report.by_day]
    assert (len(costs), costs[0], costs[9], costs[-1], sum(costs)) == (30, 20, 4_000, 300, report.total.cost)
    assert read(admin)[0]["ordered_at"] == "2026-11-01T00:00:00+09:00"


def test_after_a_change_of_time_zone_the_days_still_add_up(admin, model):
    order(by=admin, model=model, cost=20, at=datetime(2026, 11, 1, 1, tzinfo=UTC))
    admin.team.time_zone = "America/Los_Angeles"
    admin.team.save()
    report = spend.report(admin, NOVEMBER)
    assert report.by_day[0].sums.cost == report.total.cost == 20


def test_what_is_left_is_the_teams_for_an_admin_and_the_tighter_one_for_others(admin, model):
    bea = factories.make_member(team=admin.team)
    assert spend.report(admin, NOVEMBER).limit is None
    Budget.objects.create(team=admin.team, month=NOVEMBER, cap_micros=5_000_000, spent_micros=900_000, held_micros=50)
    assert spend.report(admin, NOVEMBER).limit == spend.Limit(5_000_000, 4_099_950, is_own=False)
    Budget.objects.create(team=admin.team, user=bea.user, month=NOVEMBER, cap_micros=100, spent_micros=300)
    assert spend.report(bea, NOVEMBER).limit == spend.Limit(100, 0, is_own=True)
    assert spend.report(admin, NOVEMBER).limit == spend.Limit(5_000_000, 4_099_950, is_own=False)


def test_a_page_reads_as_much_for_many_videos_as_for_one(admin, model, django_assert_num_queries):
    for day in range(1, 25):
        order(by=factories.make_member(team=admin.team), model=model, cost=day, at=noon(day))
    with django_assert_num_queries(3):
        spend.report(admin, NOVEMBER)


def test_the_file_has_a_line_for_each_video_in_micros_and_dollars(admin, model, monkeypatch):
    monkeypatch.setattr(spend, "BATCH", 2)
    made = [
        order(by=admin, model=model, price=400_000, cost=105_001, at=noon(day), upstream_id=str(day))
        for day in (1, 2, 3)
    ]
    made.append(order(by=admin, model=model, price=250_000, at=noon(4)))
    rows = read(admin)
    assert [row["video_order"] for row in rows] == [str(generation.id) for generation in made]
    assert (rows[0]["cost_micros"], rows[0]["cost_usd"], rows[0]["set_aside_micros"]) == ("105001", "0.105001", "0")
    assert (rows[0]["price_micros"], rows[3]["price_usd"]) == ("400000", "0.250000")
    assert (rows[3]["cost_usd"], rows[3]["set_aside_usd"], rows[3]["state"]) == ("", "0.312500", "running")
    assert (rows[0]["ordered_at"], rows[0]["gateway_order"]) == ("2026-11-01T12:00:00+00:00", "1")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\uff1d1"])
def test_no_cell_is_a_formula(admin, model, name):
    admin.user.name = name
    admin.user.save()
    order(by=admin, model=model, cost=1, at=noon(1))
    assert read(admin)[0]["person"] == f"'{name}"


def test_names_of_any_script_survive_the_file(admin, model):
    admin.user.name = 'Jürgen "東京", مرحبا'
    admin.user.save()
    order(by=admin, model=model, cost=1, at=noon(1))
    assert read(admin)[0]["person"] == admin.user.name
