"""Limits on pages: setting them, what Create says of them, asking for more, and being told."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from playground.domain.status import Status
from playground.models import AuditEntry, Budget, BudgetRequest, Membership, Notice, Role, Run, Team
from playground.services import budget_requests, budgets, estimates, ledger, limits, notices, runs
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
LIMITS = "/spend/limits/"


@pytest.fixture
def model(db):
    return factories.make_model("kling-v3", gateway=factories.make_gateway(is_sandbox=False, is_default=True))


def priced(model, *pictures):
    """A video of four seconds is $0.80; a dollar is set aside for it."""
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4, references=pictures)
    answer = {"state": "estimated", "unit_micros": 800_000, "provider": "fal", "checked_at": timezone.now().timestamp()}
    cache.set(estimates._key(wanted), answer, 60)


@pytest.fixture(autouse=True)
def price(model):
    priced(model)


def values(count=1, **more):
    shape = {"shape": "16:9", "quality": "720p", "seconds": "4", "count": str(count)}
    sent = {"prompt": "A fox in the snow", "model": "kling-v3", "token": "press-1"}
    return sent | shape | {"quoted_micros": str(800_000 * count)} | more


def set_team(team, **fields):
    Team.objects.filter(id=team.id).update(**fields)


def used(team, micros, *, cap, user=None):
    month = ledger.month_of(team, timezone.now())
    return Budget.objects.create(team=team, user=user, month=month, cap_micros=cap, spent_micros=micros)


def html(answer) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


# --- the page


def limits_form(**more):
    return {"monthly_cap": "40", "member_cap": "", "confirm_above": "2.50", "time_zone": "Europe/Berlin", **more}


def test_limits_are_for_admins_alone(member, admin, viewer, browser_of):
    assert browser_of().get(LIMITS).status_code == 302
    assert [browser_of(one).get(LIMITS).status_code for one in (viewer, member, admin)] == [404, 404, 200]
    for name in ("limits.index", "limits.pause"):
        assert browser_of(member).post(reverse(name), limits_form(paused="1")).status_code == 404
    assert not AuditEntry.objects.exists()


def test_admin_sets_limits_that_count_at_once_and_are_on_record(member, admin, browser_of):
    used(member.team, 1_000_000, cap=None)
    used(member.team, 1_000_000, cap=None, user=member.user)
    answer = browser_of(admin).post(LIMITS, limits_form(**{f"own_{member.id}": "12.50"}))
    assert answer.status_code == 303
    team = Team.objects.get(id=member.team_id)
    assert (team.monthly_cap_micros, team.member_cap_micros, team.confirm_above_micros, team.time_zone) == (
        40_000_000,
        None,
        2_500_000,
        "Europe/Berlin",
    )
    assert set(Budget.objects.values_list("user_id", "cap_micros")) == {
        (None, 40_000_000),
        (member.user_id, 12_500_000),
    }
    entry = AuditEntry.objects.get()
    assert (entry.kind, entry.by) == ("limits_changed", admin.user)
    assert entry.data["monthly_cap_micros"] == {"was": None, "is": 40_000_000}
    assert entry.data["members"] == {str(member.user_id): {"was": None, "is": 12_500_000}}


def drawn(browser) -> dict[str, str]:
    """What a browser would send of the form as the page draws it."""
    inputs = re.findall(r"<input [^>]*>", browser.get(LIMITS).content.decode())
    pairs = [(re.search(r'name="([^"]+)"', one), re.search(r'value="([^"]*)"', one)) for one in inputs]
    return {
        name[1]: value[1] if value else ""
        for name, value in pairs
        if re.search("monthly|member_|confirm|zone|own", name[1])
    }


def test_form_leaves_what_another_admin_has_set_since_it_was_opened(member, admin, browser_of):
    set_team(member.team, monthly_cap_micros=100_000_000)
    browser = browser_of(admin)
    opened = drawn(browser)
    limits.change(by=admin, limits=limits.Limits(10_000_000, None, None, "Europe/Berlin"), own={admin.id: 3_000_000})
    answer = browser.post(LIMITS, opened | {f"own_{member.id}": "5"})
    assert answer.status_code == 303
    team = Team.objects.get(id=member.team_id)
    assert (team.monthly_cap_micros, team.time_zone) == (10_000_000, "Europe/Berlin")
    assert set(Membership.objects.values_list("id", "monthly_cap_micros")) == {
        (member.id, 5_000_000),
        (admin.id, 3_000_000),
    }


def test_limit_that_two_admins_change_is_asked_about_once_more_with_what_it_is_now(member, admin, browser_of):
    set_team(member.team, monthly_cap_micros=100_000_000)
    browser = browser_of(admin)
    opened = drawn(browser) | {"monthly_cap": "60", f"own_{member.id}": "5"}
    limits.change(by=admin, limits=limits.Limits(10_000_000, 2_000_000, None, "UTC"), own={member.id: 4_000_000})
    answer = browser.post(LIMITS, opened)
    assert answer.status_code == 409
    page = html(answer)
    for words in (
        "Somebody else set this to 10 meanwhile. Save again to set it to yours.",
        "Somebody else set this to 4 meanwhile.",
        "Nothing was set yet",
        'name="monthly_cap" value="60"',
        'name="initial-monthly_cap" value="10"',
        'name="member_cap" value="2"',
    ):
        assert words in page
    assert Team.objects.get(id=member.team_id).monthly_cap_micros == 10_000_000
    again = {"initial-monthly_cap": "10", "initial-member_cap": "2", "member_cap": "2", f"initial-own_{member.id}": "4"}
    assert browser.post(LIMITS, opened | again).status_code == 303
    team = Team.objects.get(id=member.team_id)
    assert (team.monthly_cap_micros, team.member_cap_micros) == (60_000_000, 2_000_000)
    assert Membership.objects.get(id=member.id).monthly_cap_micros == 5_000_000


def test_first_save_accepts_the_limits_as_they_were_suggested(admin, browser_of):
    set_team(admin.team, limits_accepted_at=None)
    browser = browser_of(admin)
    assert browser.post(LIMITS, drawn(browser)).status_code == 303
    team = Team.objects.get(id=admin.team_id)
    assert (team.monthly_cap_micros, team.confirm_above_micros) == (50_000_000, 5_000_000)
    assert team.limits_accepted_at


@pytest.mark.parametrize("lost", ["monthly_cap", "member_cap", "confirm_above", "time_zone"])
def test_form_that_lacks_a_field_of_the_team_sets_nothing(admin, browser_of, lost):
    set_team(admin.team, monthly_cap_micros=10_000_000)
    sent = limits_form()
    del sent[lost]
    assert browser_of(admin).post(LIMITS, sent).status_code == 400
    assert not AuditEntry.objects.exists()
    assert Team.objects.get(id=admin.team_id).monthly_cap_micros == 10_000_000


def test_form_that_says_nonsense_of_what_it_showed_is_refused(admin, browser_of):
    shown = {f"initial-{name}": "a,b" for name in limits_form()}
    assert browser_of(admin).post(LIMITS, limits_form(**shown)).status_code == 400
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("field", "wrong"), [("monthly_cap", "12,50"), ("confirm_above", "-1"), ("time_zone", "Mars/Olympus")]
)
def test_wrong_value_is_said_beside_its_field_and_nothing_changes(member, admin, browser_of, field, wrong):
    answer = browser_of(admin).post(LIMITS, limits_form(**{field: wrong}))
    assert answer.status_code == 422
    assert f'id="id_{field}_error" role="alert"' in html(answer)
    assert f'value="{wrong}"' in html(answer)
    assert Team.objects.get(id=member.team_id).time_zone == "UTC"
    assert not AuditEntry.objects.exists()


def test_page_says_what_is_spent_set_aside_and_left_and_where_the_month_is_heading(member, admin, browser_of):
    Budget.objects.filter(id=used(member.team, 3_000_000, cap=20_000_000).id).update(held_micros=2_000_000)
    set_team(member.team, monthly_cap_micros=20_000_000)
    page = html(browser_of(admin).get(LIMITS))
    for words in ("$3.00", "$2.00", "$15.00", 'max="20000000" value="5000000"', "Forecast for the month"):
        assert words in page


def test_form_without_its_team_changes_nothing(admin, browser_of):
    browser = browser_of(admin)
    browser.team = ""
    assert browser.post(LIMITS, limits_form()).status_code == 404
    assert not AuditEntry.objects.exists()


def test_pause_stops_orders_says_so_and_is_on_record(member, admin, browser_of):
    browser_of(admin).post(reverse("limits.pause"), {"paused": "1"})
    answer = browser_of(member).post("/create/", values())
    assert answer.status_code == 422
    assert "An admin has paused all spending. Your prompt is kept." in html(answer)
    assert "A fox in the snow" in html(answer)
    assert not Run.objects.exists()
    browser_of(admin).post(reverse("limits.pause"), {"paused": "0"})
    assert browser_of(member).post("/create/", values()).status_code == 303
    assert list(AuditEntry.objects.values_list("kind", flat=True)) == ["spending_paused", "spending_resumed"]


def test_card_of_an_order_that_waits_says_that_spending_is_paused(member, admin, model, browser_of):
    waits = factories.make_generation(by=member, model=model, status=Status.QUEUED, deadline_at=timezone.now())

    def card(version):
        asked = {"g": f"{waits.id}:{version}"}
        return browser_of(member, htmx=True).get(reverse("generations.cards"), asked)

    assert card(waits.version).status_code == 204
    browser_of(admin).post(reverse("limits.pause"), {"paused": "1"})
    paused = card(waits.version)
    assert "An admin has paused all spending. It waits until" in html(paused)
    browser_of(admin).post(reverse("limits.pause"), {"paused": "0"})
    assert "paused all spending" not in html(card(waits.version + 1))


@pytest.mark.parametrize("htmx", [False, True])
def test_pause_that_arrives_during_a_press_is_said_as_a_pause(member, admin, browser_of, monkeypatch, htmx):
    start = runs.start

    def paused_first(**order):
        limits.pause(by=admin, paused=True)
        return start(**order)

    monkeypatch.setattr(runs, "start", paused_first)
    answer = browser_of(member, htmx=htmx).post("/create/", values())
    assert answer.status_code == 422
    assert "An admin has paused all spending. Your prompt is kept." in html(answer)
    assert "Spending goes on again." not in html(answer)


# --- before the first order


def test_before_the_first_order_members_are_told_that_an_admin_sets_limits(member, browser_of):
    set_team(member.team, limits_accepted_at=None)
    page = html(browser_of(member).get("/create/"))
    assert "An admin must first set limits." in page
    assert 'name="accept_limits"' not in page
    assert browser_of(member).post("/create/", values()).status_code == 422
    assert browser_of(member).post("/create/", values(accept_limits="1")).status_code == 404
    assert Team.objects.get(id=member.team_id).limits_accepted_at is None


@pytest.mark.parametrize("htmx", [False, True])
def test_admin_accepts_the_suggested_limits_on_create_and_keeps_what_was_typed(admin, browser_of, htmx):
    set_team(admin.team, limits_accepted_at=None)
    browser = browser_of(admin, htmx=htmx)
    page = html(browser.get("/create/"))
    assert "Suggested: $50.00 a month, and a question before a run above $5.00." in page
    assert "Accept $50.00 a month" in page
    answer = browser.post("/create/", values(accept_limits="1", prompt="A half-written"))
    assert answer.status_code == 200
    assert "The limits are set. Nothing was sent. Press again to go on." in html(answer)
    assert "A half-written" in html(answer)
    assert AuditEntry.objects.get().kind == "limits_accepted"
    assert browser.post("/create/", values()).status_code == (200 if htmx else 303)


# --- the threshold


def test_run_above_the_threshold_is_asked_about_once_more_with_its_sum(member, browser_of):
    set_team(member.team, confirm_above_micros=1_000_000)
    browser = browser_of(member)
    answer = browser.post("/create/", values(2))
    assert answer.status_code == 422
    assert "Your team asks once more above $1.00." in html(answer)
    assert 'name="confirmed" value="1600000">Yes, spend about $1.60</button>' in html(answer)
    assert browser.post("/create/", values(3, confirmed="1600000")).status_code == 422
    assert not Run.objects.exists()
    assert browser.post("/create/", values(2, confirmed="1600000")).status_code == 303


def test_try_again_above_the_threshold_leads_to_create(member, model, browser_of):
    set_team(member.team, confirm_above_micros=1)
    old = factories.make_generation(by=member, model=model, status="failed", estimate_micros=800_000)
    sent = {"token": "again", "quoted_micros": "800000"}
    answer = browser_of(member).post(reverse("generations.again", args=[old.id]), sent)
    assert answer.url == f"/create/?from={old.id}"
    assert Run.objects.count() == 1


# --- over budget


@pytest.fixture
def tight(member):
    """$1.20 left of $50."""
    set_team(member.team, monthly_cap_micros=50_000_000)
    return used(member.team, 48_800_000, cap=50_000_000)


def test_over_budget_says_what_is_left_and_offers_one(member, tight, browser_of):
    page = html(browser_of(member).get("/create/?count=4"))
    assert "about $3.20, $1.20 left" in page
    assert f"The team's limit for {timezone.now():%B} (UTC) is $50.00." in page
    assert "Make 1 - about $0.80" in page
    assert "Ask an admin for more" in page
    assert "Generate - " not in page


def test_own_limit_is_called_ones_own(member, browser_of):
    used(member.team, 0, cap=1, user=member.user)
    page = html(browser_of(member).get("/create/"))
    assert f"Your limit for {timezone.now():%B} (UTC) is" in page
    assert "Make 1" not in page


def test_price_panel_counts_what_is_set_aside_as_gone(member, browser_of):
    used(member.team, 0, cap=5_000_000)
    assert "leaves $4.00 of $5.00 this month" in html(browser_of(member).get("/create/"))


def test_price_that_fits_alone_says_what_would_be_set_aside(member, browser_of):
    used(member.team, 0, cap=900_000)
    assert "$1.00 would be set aside until the cost is known." in html(browser_of(member).get("/create/"))


def test_price_that_fits_says_what_is_left_with_what_it_sets_aside_gone(member, browser_of):
    used(member.team, 1_000_000, cap=5_000_000)
    assert "leaves $2.00 of $5.00 this month" in html(browser_of(member).get("/create/?count=2"))


def test_make_one_orders_one_at_its_own_price(member, tight, browser_of):
    browser = browser_of(member)
    dearer = browser.post("/create/", values(4, only_one="700000"))
    assert dearer.status_code == 422
    assert "It was $0.70 when you opened the form." in html(dearer)
    assert browser.post("/create/", values(4, only_one="800000")).status_code == 303
    assert Run.objects.get().generations.count() == 1
    assert Run.objects.get().quoted_total_micros == 800_000


def test_money_that_went_meanwhile_is_said_and_nothing_is_sent(member, browser_of):
    cap = used(member.team, 0, cap=5_000_000)
    browser = browser_of(member)
    assert "Generate - about $3.20" in html(browser.get("/create/?count=4"))
    Budget.objects.filter(id=cap.id).update(spent_micros=3_500_000)
    answer = browser.post("/create/", values(4))
    assert answer.status_code == 422
    assert "about $3.20, $1.50 left" in html(answer)
    assert "Nothing was sent." in html(answer)
    assert not Run.objects.exists()


def asked(browser, model, member):
    """Four videos with a seed and a picture, which is given back with the answer."""
    picture = factories.make_reference(by=member)
    priced(model, picture)
    sent = values(4, ask="1", seed="7", reference_id=str(picture.id))
    return picture, browser.post("/create/", sent)


def test_asking_reaches_the_admins_with_the_run_as_it_would_be_ordered(member, admin, model, tight, browser_of):
    picture, answer = asked(browser_of(member), model, member)
    assert answer.status_code == 200
    assert "The admins have been asked." in html(answer)
    assert "A fox in the snow" in html(answer)
    one = BudgetRequest.objects.get(settings__references=[str(picture.id)])
    assert (one.prompt, one.model, one.total_micros, one.by) == ("A fox in the snow", model, 3_200_000, member.user)
    assert {name: one.settings[name] for name in ("count", "seed", "size")} == {
        "count": 4,
        "seed": 7,
        "size": "1280x720",
    }
    page = html(browser_of(admin).get("/notices/"))
    assert "asks for 4 videos, about $3.20" in page
    # 48.8 spent and 4 x 1.25 x 0.80 set aside are 52.80.
    assert "Raise the limit to $53.00" in page
    assert "Raise the limit to $53.00" in html(browser_of(admin).get(LIMITS))
    assert not Run.objects.exists()
    assert "asks for 4" not in html(browser_of(member).get("/notices/"))


def test_asking_twice_is_one_request(member, tight, browser_of):
    for _ in range(2):
        browser_of(member).post("/create/", values(4, ask="1"))
    assert BudgetRequest.objects.count() == 1
    assert Notice.objects.filter(kind="budget_asked").count() == 1


def test_raised_limit_makes_room_and_leads_back_to_exactly_that_run(member, admin, model, tight, browser_of):
    asked(browser_of(member), model, member)
    one = BudgetRequest.objects.get()
    answer = browser_of(admin).post(
        reverse("limits.answer", args=[one.id]),
        {"answer": "raise", "team_cap_micros": "53000000", "next": "/notices/"},
    )
    assert (answer.status_code, answer.url) == (303, "/notices/")
    tight.refresh_from_db()
    assert tight.cap_micros == Team.objects.get(id=member.team_id).monthly_cap_micros == 53_000_000
    browser = browser_of(member)
    page = html(browser.get("/notices/"))
    assert "made room for your run, about $3.20" in page
    opened = html(browser.get(f"/create/?request={one.id}"))
    for words in ("A fox in the snow", "Generate - about $3.20", 'value="7"', one.settings["references"][0]):
        assert words in opened
    assert set(AuditEntry.objects.values_list("kind", flat=True)) == {"budget_request_granted", "limits_changed"}


def test_run_whose_picture_is_gone_says_so_and_does_not_order_without_it_unseen(
    member, admin, model, tight, browser_of
):
    picture, _answer = asked(browser_of(member), model, member)
    one = BudgetRequest.objects.get()
    picture.delete()
    page = html(browser_of(member).get(f"/create/?request={one.id}"))
    assert "The picture is gone. Choose it again, or go on without one." in page
    assert "A fox in the snow" in page
    assert "The picture is gone." not in html(browser_of(member).get("/create/"))


def test_admin_is_told_what_came_of_the_answer(member, admin, tight, browser_of):
    browser_of(member).post("/create/", values(4, ask="1"))
    one, browser = BudgetRequest.objects.get(), browser_of(admin)

    def answered(**to):
        return html(browser.post(reverse("limits.answer", args=[one.id]), {"answer": "raise", **to}, follow=True))

    assert "Money went meanwhile: more has to be raised now. Nothing was changed." in answered(
        team_cap_micros="52000000"
    )
    assert "Raise the limit to $53.00" in html(browser.get(LIMITS))
    Budget.objects.update(cap_micros=None)
    page = answered()
    assert f"It fits. {member.user.display_name} has been told." in page
    assert "The limit is raised." not in page


def test_run_of_who_has_left_cannot_be_granted(member, admin, tight, browser_of):
    browser_of(member).post("/create/", values(4, ask="1"))
    one, browser = BudgetRequest.objects.get(), browser_of(admin)
    member.delete()
    sent = {"answer": "raise", "team_cap_micros": "99000000"}
    page = html(browser.post(reverse("limits.answer", args=[one.id]), sent, follow=True))
    assert f"{member.user.display_name} is not in the team any more. Nothing was changed." in page
    tight.refresh_from_db()
    assert tight.cap_micros == 50_000_000


def test_one_request_too_many_is_said_beside_the_price_and_nobody_is_told(member, tight, browser_of, monkeypatch):
    monkeypatch.setattr(budget_requests, "MOST_OPEN", 1)
    browser_of(member).post("/create/", values(4, ask="1"))
    answer = browser_of(member).post("/create/", values(4, ask="1", prompt="Another fox"))
    assert answer.status_code == 422
    assert "wait already. Nothing was sent; your prompt is kept." in html(answer)
    assert Notice.objects.filter(kind="budget_asked").count() == 1


def test_page_shows_the_newest_requests_and_says_that_there_are_more(member, admin, tight, browser_of, monkeypatch):
    monkeypatch.setattr("playground.views.limits.SHOWN", 1)
    browser_of(member).post("/create/", values(4, ask="1", prompt="An old fox"))
    browser_of(member).post("/create/", values(4, ask="1", prompt="A young fox"))
    page = html(browser_of(admin).get(LIMITS))
    assert "A young fox" in page
    assert "An old fox" not in page
    assert "There are more: older ones come up when these are answered." in page


def test_second_answer_changes_nothing(member, admin, tight, browser_of):
    browser_of(member).post("/create/", values(4, ask="1"))
    one = BudgetRequest.objects.get()
    address = reverse("limits.answer", args=[one.id])
    browser_of(admin).post(address, {"answer": "decline"})
    browser_of(admin).post(address, {"answer": "raise", "team_cap_micros": "99000000"})
    tight.refresh_from_db()
    assert tight.cap_micros == 50_000_000
    assert "declined your run" in html(browser_of(member).get("/notices/"))
    assert Notice.objects.filter(kind="budget_answered").count() == 1


def test_request_is_answered_and_opened_by_its_team_alone(member, stranger, tight, browser_of):
    browser_of(member).post("/create/", values(4, ask="1"))
    one = BudgetRequest.objects.get()
    address = reverse("limits.answer", args=[one.id])
    assert browser_of(stranger).post(address, {"answer": "decline"}).status_code == 404
    assert browser_of(member).post(address, {"answer": "raise"}).status_code == 404
    colleague = factories.make_member(team=member.team)
    for other in (stranger, colleague):
        assert "A fox in the snow" not in html(browser_of(other).get(f"/create/?request={one.id}"))
    one.refresh_from_db()
    assert one.granted is None


def test_limits_say_for_what_money_is_set_aside(admin, browser_of):
    page = html(browser_of(admin).get(LIMITS))
    assert "Set aside is for videos that are being made, looked for or unclear" in page


# --- notices


def test_levels_are_told_once_each_to_whom_they_concern(member, admin, model):
    set_team(member.team, monthly_cap_micros=10_000_000)
    Membership.objects.filter(id=member.id).update(monthly_cap_micros=4_000_000)
    member.team.refresh_from_db()

    def order(aside):
        generation = factories.make_generation(by=member, model=model, status="running")
        ledger.hold(generation=generation, amount_micros=aside, at=timezone.now())
        return generation

    order(1_900_000)
    assert not Notice.objects.exists()
    order(100_000)
    order(1_000_000)
    order(1_000_000)
    told = [(notice.user_id, notice.data["percent"]) for notice in Notice.objects.order_by("at")]
    assert told == [(member.user_id, 50), (member.user_id, 100)]
    other = factories.make_member(team=member.team)
    spent = factories.make_generation(by=other, model=model, status="running")
    ledger.hold(generation=spent, amount_micros=1_000_000, at=timezone.now())
    ledger.settle(generation=spent, cost_micros=4_000_000, at=timezone.now())
    for_admins = Notice.objects.filter(user=None, kind="budget_level").order_by("at")
    assert [notice.data["percent"] for notice in for_admins] == [50, 80]
    assert for_admins[1].data["used_micros"] == 8_000_000
    assert for_admins[1].data["forecast_micros"] >= 8_000_000


def test_changed_limit_tells_its_own_levels(member, admin, browser_of):
    used(member.team, 9_000_000, cap=None)
    browser_of(admin).post(LIMITS, limits_form(monthly_cap="10"))
    browser_of(admin).post(LIMITS, limits_form(monthly_cap="15"))
    assert [n.data["percent"] for n in Notice.objects.order_by("at")] == [80, 50]
    month = Budget.objects.get().month
    assert f"by the end of {month:%B %Y} (" in html(browser_of(admin).get("/notices/"))


def test_bell_counts_what_is_new_and_looking_at_the_list_changes_nothing(member, admin, browser_of):
    for number in range(2):
        notices.tell("budget_asked", team=member.team, key=f"k{number}", data={"name": "Ana", "total_micros": 1})
    notices.tell("budget_answered", team=member.team, key="mine", data={"name": "Ana", "request": ""}, user=member.user)
    assert "2 not seen" in html(browser_of(admin).get("/runs/"))
    assert "1 not seen" in html(browser_of(member).get("/runs/"))
    browser = browser_of(admin)
    page = html(browser.get("/notices/"))
    assert "2 not seen" in html(browser.get("/notices/"))
    upto = re.search(r'name="upto" value="([^"]+)"', page)[1].replace("&#x2B;", "+")
    notices.tell("disk_full", team=member.team, key="later", data={"run": str(member.id)})
    assert browser.post("/notices/seen/", {"upto": upto}).status_code == 303
    assert "1 not seen" in html(browser.get("/runs/"))
    assert "1 not seen" in html(browser_of(member).get("/runs/"))


BEYOND = ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59")
"""Written well, but outside all years once they are in UTC."""


@pytest.mark.parametrize("upto", ["", "yesterday", "2026-01-01T00:00:00", "9999-99-99T00:00:00+00:00", *BEYOND])
def test_what_is_no_moment_marks_nothing(member, browser_of, upto):
    assert browser_of(member).post("/notices/seen/", {"upto": upto}).status_code == 400
    assert Membership.objects.get(id=member.id).notices_seen_at is None


def test_bell_goes_out_when_the_row_made_last_tells_of_an_earlier_moment(member, browser_of):
    now = timezone.now()
    for name, at in (("first", now), ("second", now - timedelta(seconds=9))):
        notices.tell("of_old", team=member.team, key=name, user=member.user, now=at)
    browser = browser_of(member)
    upto = re.search(r'name="upto" value="([^"]+)"', html(browser.get("/notices/")))[1].replace("&#x2B;", "+")
    browser.post("/notices/seen/", {"upto": upto})
    assert "not seen" not in html(browser.get("/runs/"))


def test_moment_to_come_does_not_hide_what_is_told_later(member, browser_of):
    later = (timezone.now() + timedelta(days=9)).isoformat()
    browser_of(member).post("/notices/seen/", {"upto": later})
    notices.tell("budget_answered", team=member.team, key="mine", data={"name": "Ana"}, user=member.user)
    assert "1 not seen" in html(browser_of(member).get("/runs/"))


def test_unclear_order_may_have_cost_its_price_and_keeps_a_quarter_more_aside(member, admin, browser_of):
    unclear = factories.make_generation(by=member, status="unknown")
    data = {"generation": str(unclear.id), "estimate_micros": 400_000, "held_micros": 500_000}
    notices.tell("unclear_order", team=member.team, key="unclear", data=data)
    page = html(browser_of(admin).get("/notices/"))
    assert "It may have cost $0.40. $0.50 stay set aside until you decide." in page


def test_notice_of_a_kind_without_words_is_shown_all_the_same(member, browser_of):
    notices.tell("of_old", team=member.team, key="old", user=member.user)
    assert "of_old" in html(browser_of(member).get("/notices/"))


def test_empty_list_says_what_comes_here(member, browser_of):
    page = html(browser_of(member).get("/notices/"))
    assert "Nothing to tell yet." in page
    assert "not seen" not in page


def test_viewer_has_no_button_that_asks(member, tight, browser_of):
    viewer = factories.make_member(team=member.team, role=Role.VIEWER)
    page = html(browser_of(viewer).get("/create/?count=4"))
    assert 'name="ask"' not in page
    assert browser_of(viewer).post("/create/", values(4, ask="1")).status_code == 422
    assert not BudgetRequest.objects.exists()


# --- without a known price


@pytest.fixture
def unpriced(model, member):
    """A gateway that gives no price, and a team that may order without one."""
    set_team(member.team, allow_unpriced=True)
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4)
    answer = {"state": "unavailable", "message": "This gateway gives no price for kling-v3.", "no_price": True}
    cache.set(estimates._key(wanted), answer | {"checked_at": timezone.now().timestamp()}, 60)


def without_price(count=1, **more):
    return values(count, **{"quoted_micros": "", "accept_unpriced": "1"} | more)


@pytest.mark.parametrize("htmx", [{}, {"HX-Request": "true"}])
def test_run_without_a_price_is_asked_about_once_and_the_answer_sends_it(member, unpriced, browser_of, htmx):
    browser = browser_of(member)
    first = browser.get("/create/").content.decode()
    assert "No limit can count it before its cost is known." in first
    assert "price unknown" in first
    asked = browser.post("/create/", without_price(2), headers=htmx)
    page = html(asked)
    assert asked.status_code == 422
    assert (
        "The price of this run is unknown: it may cost any sum, and no limit can count it. Nothing was sent yet."
        in page
    )
    assert 'name="confirmed_unpriced" value="2">Yes, make 2 videos - price unknown<' in page
    assert '<input type="hidden" name="accept_unpriced" value="1">' in page
    assert 'type="checkbox" name="accept_unpriced"' not in page
    assert not Run.objects.exists()
    token = re.search(r'name="token" value="([^"]+)"', page).group(1)
    more = browser.post("/create/", without_price(3, token=token, confirmed_unpriced="2"), headers=htmx)
    assert (more.status_code, Run.objects.exists()) == (422, False)
    browser.post("/create/", without_price(2, token=token, confirmed_unpriced="2"), headers=htmx)
    assert Run.objects.get().generations.count() == 2


def test_month_that_takes_no_more_without_a_price_says_so_and_what_helps(
    member, admin, unpriced, browser_of, monkeypatch
):
    monkeypatch.setattr(budgets, "UNPRICED_A_MONTH", 3)
    set_team(member.team, monthly_cap_micros=50_000_000)
    browser = browser_of(member)
    assert "it before its cost is known; 3 such videos are left this month." in html(browser.get("/create/"))
    browser.post("/create/", without_price(2, confirmed_unpriced="2"))
    few = html(browser.post("/create/", without_price(2, token="press-2", confirmed_unpriced="2")))
    assert "1 is left for" in few
    assert "Nothing was sent." in few
    assert "Choose fewer videos, or a model with a price." in few
    assert "Yes, make" not in few
    assert "price unknown<" not in few
    browser.post("/create/", without_price(1, token="press-3", confirmed_unpriced="1"))
    assert Run.objects.count() == 2
    none = html(browser.post("/create/", without_price(1, token="press-4", confirmed_unpriced="1")))
    assert "0 are left for" in none
    assert "wait for the next month, or ask an admin to change the limits." in none
    assert 'formaction="/create/price/"' in none[none.index('class="create__bar"') :]
    assert "wait for the next month, or change the limits." in html(browser_of(admin).get("/create/"))
    assert Run.objects.count() == 2


def test_page_says_what_limits_cannot_count_where_the_team_allows_it_alone(member, admin, browser_of):
    words = "This team may order without a known price."
    browser = browser_of(admin)
    assert words not in html(browser.get(LIMITS))
    set_team(member.team, allow_unpriced=True)
    page = html(browser.get(LIMITS))
    assert f"{words} Such an order counts here only once its cost is known, and never if the gateway names none" in page
    assert "With a monthly limit, of the team or of a member, a month takes at most 20 of them under it." in page
    set_team(member.team, monthly_cap_micros=50_000_000)
    assert "a month takes at most 20 videos whose price and cost are unknown; 20 are left." in html(browser.get(LIMITS))
