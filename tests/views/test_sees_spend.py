"""A member from whom the team's money is kept meets no figure of it: not on a page, in a fragment, nor in a file."""

import re

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Budget, Membership, Role
from playground.models.base import new_id
from playground.services import ledger, notices
from tests import factories
from tests.support.sharing import make_link
from tests.views.test_create import priced, values

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
CANARY = 13_370_000
HTMX = {"HX-Request": "true"}
PAGES = (
    "/",
    "/create/",
    "/create/?count=4",
    "/gallery/",
    "/runs/",
    "/trash/",
    "/notices/",
    "/requests/",
    "/account/password/change/",
)


@pytest.fixture
def model(db):
    cache.clear()
    gateway = factories.make_gateway(is_sandbox=False, is_default=True)
    made = factories.make_model("kling-v3", gateway=gateway, price_floor_micros=100_000)
    for seconds in (4, 8, 12):
        priced(made, micros=420_000, seconds=seconds)
    return made


@pytest.fixture(params=[Role.CREATOR, Role.VIEWER])
def kept_from(request, member, model) -> Membership:
    """Somebody who does not see spend, in a team all of whose money figures hold the canary."""
    who = factories.make_member(team=member.team, role=request.param)
    Membership.objects.filter(id=who.id).update(sees_spend=False)
    who.refresh_from_db()
    team = who.team
    team.monthly_cap_micros = 10 * CANARY
    team.save()
    month = ledger.month_of(team, timezone.now())
    for user in (None, who.user):
        Budget.objects.create(team=team, user=user, month=month, cap_micros=10 * CANARY, spent_micros=9 * CANARY)
    return who


def rows_of(who: Membership, model) -> list:
    """An order in every state that says something of money, and a video."""
    costs = {"cost_micros": CANARY, "estimate_micros": 420_000}
    fields = {
        Status.DONE: costs,
        Status.OUTPUT_LOST: costs | {"ended_at": timezone.now(), "error_code": "output_gone"},
        Status.LOST: costs,
        Status.FAILED: costs | {"error_kind": "provider"},
        Status.CANCELLED: costs | {"submitted_at": timezone.now(), "ended_at": timezone.now()},
        Status.EXPIRED: costs | {"ended_at": timezone.now()},
        Status.UNKNOWN: {"estimate_micros": CANARY},
        Status.RUNNING: {"estimate_micros": CANARY, "submitted_at": timezone.now()},
        Status.STORING: costs,
    }
    return [
        factories.make_generation(
            run=factories.make_run(by=who, model=model, quoted_total_micros=CANARY), status=status, **more
        )
        for status, more in fields.items()
    ]


def told(who: Membership) -> None:
    base = {"used_micros": CANARY, "cap_micros": 10 * CANARY, "forecast_micros": CANARY, "month": "2026-11-01"}
    for percent in (50, 100):
        data = base | {"percent": percent, "time_zone": "UTC", "is_own": True}
        notices.tell("budget_level", team=who.team, key=f"level{percent}", user=who.user, data=data)
    for granted in (True, False):
        data = {"request": str(new_id()), "total_micros": CANARY, "granted": granted, "name": "Ana"}
        notices.tell("budget_answered", team=who.team, key=f"answered{granted}", user=who.user, data=data)


def test_no_page_and_no_fragment_names_a_figure(kept_from, model, browser_of):
    rows, browser = rows_of(kept_from, model), browser_of(kept_from)
    video = factories.make_video(by=kept_from, generation=rows[0])
    late = factories.make_generation(by=kept_from, model=model, cost_micros=CANARY, is_late=True)
    late_video = factories.make_video(by=kept_from, generation=late)
    told(kept_from)
    pages = [*PAGES, *(reverse("runs.detail", args=[row.run_id]) for row in rows)]
    pages += [reverse("videos.detail", args=[one.id]) for one in (video, late_video)]
    for page in pages:
        answer = browser.get(page, follow=True)
        assert answer.status_code == 200, page
        assert_none(answer.content.decode(), page)
    for row in rows:
        card = browser.get(reverse("generations.card", args=[row.id]), headers=HTMX).content.decode()
        assert_none(card, row.status)
    known = ",".join(f"{row.id}:0" for row in rows)
    assert_none(browser.get(f"/generations/cards/?g={known}", headers=HTMX).content.decode(), "cards")


def test_links_of_who_does_not_see_spend_have_no_word_on_cost(member, model, browser_of):
    video = factories.make_video(by=member, generation=rows_of(member, model)[0])
    mine, _token = make_link(by=member, video=video, shows_cost=True)
    pages = ["/team/links/", reverse("share_links.detail", args=[mine.id]), reverse("sharing.video", args=[video.id])]
    pages = [*pages, reverse("videos.detail", args=[video.id])]

    def said() -> list[bool]:
        return [bool(re.search(r"\b[Cc]ost\b", browser_of(member).get(page).text)) for page in pages]

    assert said() == [True] * 4
    Membership.objects.filter(id=member.id).update(sees_spend=False)
    assert said() == [False] * 4


def assert_none(text: str, where: str) -> None:
    for figure in ("13.37", "133.70", "120.33", "13370000", " left", "leaves "):
        assert figure not in text, (where, figure, text[max(0, text.find(figure) - 200) : text.find(figure) + 50])


def test_pages_and_the_file_of_spend_are_not_there(kept_from, browser_of):
    browser = browser_of(kept_from)
    for address in ("/spend/", "/spend/export.csv", "/spend/limits/", "/spend/reconcile/", "/unclear/"):
        assert browser.get(address).status_code == 404
    assert 'href="/spend/"' not in browser.get("/gallery/").content.decode()


def test_over_the_limit_is_said_without_figures_and_the_button_keeps_its_price(member, model, browser_of):
    Membership.objects.filter(id=member.id).update(sees_spend=False)
    month = ledger.month_of(member.team, timezone.now())
    Budget.objects.create(team=member.team, month=month, cap_micros=CANARY, spent_micros=CANARY - 600_000)
    for answer in (
        browser_of(member).get("/create/?count=4"),
        browser_of(member, htmx=True).post("/create/price/", values(model, count="4")),
        browser_of(member).post("/create/", values(model, count="4", quoted_micros="1680000")),
    ):
        text = " ".join(answer.content.decode().split())
        assert_none(text, "over the limit")
        assert "Over the team's limit for the month." in text.replace("&#x27;", "'")
        assert "Make 1 - about $0.42" in text


def test_who_sees_spend_sees_the_same_figures(member, model, browser_of):
    rows = rows_of(member, model)
    video = factories.make_video(by=member, generation=rows[0])
    for page in ("/gallery/", "/runs/", reverse("videos.detail", args=[video.id]), "/create/"):
        assert "13.37" in browser_of(member).get(page).content.decode(), page
    assert browser_of(member).get("/spend/").status_code == 200


def test_an_admin_always_sees_it(admin, model, browser_of):
    Membership.objects.filter(id=admin.id).update(sees_spend=False)
    assert browser_of(admin).get("/spend/").status_code == 200
