"""Notices say how it stands: one about an order that is decided, or a gateway that goes on, asks for nothing more."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from playground.domain.status import Status
from playground.gateway.types import Job, JobState
from playground.models import Generation, Notice, Visibility
from playground.services import accepted, ledger, notices, pauses, unclear
from tests import factories
from tests.views.test_unclear import press

pytestmark = [pytest.mark.django_db, pytest.mark.pure]


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def told_unclear(by: Any, number: int = 1, *, held: int | None = 400_000, **fields: Any) -> Generation:
    now = timezone.now()
    row = factories.make_generation(by=by, status=Status.UNKNOWN, sent_at=now, unclear_at=now, **fields)
    ledger.hold(generation=row, amount_micros=held or 0, at=now)
    _tell(row, held)
    return row


def _tell(row: Generation, held: int | None) -> None:
    now = timezone.now()
    data = {
        "generation": str(row.id),
        "estimate_micros": row.estimate_micros,
        "held_micros": held,
        "is_sandbox": False,
    }
    notices.tell("unclear_order", team=row.team, key=f"unclear_order:{row.id}:{now.timestamp()}", data=data, now=now)


def notices_in(page: str) -> list[str]:
    return re.findall(r'<li id="notice-.*?</li>', page)


def test_unclear_order_is_to_be_decided_until_it_is(admin, browser_of):
    row, browser = told_unclear(admin), browser_of(admin)
    [words] = notices_in(text_of(browser.get("/notices/")))
    assert "$0.40 stay set aside until you decide." in words
    assert f'href="/unclear/?order={row.id}#order-{row.id}">Decide</a>' in words

    press(browser, "close", row)

    [words] = notices_in(text_of(browser.get("/notices/")))
    assert "Decided: " in words
    assert "closed it, since it never ran. The money set aside for it is free again." in words
    assert admin.user.display_name in words
    assert "until you decide" not in words
    assert ">Decide<" not in words
    assert f'href="/runs/{row.run_id}/">Show the run</a>' in words


def test_closed_order_for_which_nothing_was_set_aside_gives_no_money_back(admin, browser_of):
    row, browser = told_unclear(admin, held=0, estimate_micros=None), browser_of(admin)
    press(browser, "close", row)
    [words] = notices_in(text_of(browser.get("/notices/")))
    assert "closed it, since it never ran." in words
    assert "free" not in words


def test_order_that_is_unclear_twice_is_to_be_decided_once(admin, browser_of):
    row, browser = told_unclear(admin), browser_of(admin)
    press(browser, "send", row)
    Generation.objects.filter(id=row.id).update(status=Status.UNKNOWN)
    row.refresh_from_db()
    _tell(row, 400_000)
    newer, older = notices_in(text_of(browser.get("/notices/")))
    assert ">Decide<" in newer
    assert "had it sent again" in older
    assert ">Decide<" not in older


def test_closed_order_whose_answer_came_after_all_is_not_called_free(admin, browser_of):
    row = told_unclear(admin)
    unclear.close(by=admin, generation=row)
    assert "is free again" in text_of(browser_of(admin).get("/notices/"))
    accepted.keep(Generation.objects.get(id=row.id), Job("v0", JobState.QUEUED))
    page = text_of(browser_of(admin).get("/notices/"))

    assert "Its answer came after all." in page
    assert "is free again" not in page


def test_order_whose_answer_came_after_all_is_not_asked_about(admin, browser_of):
    row = told_unclear(admin)
    Generation.objects.filter(id=row.id).update(status=Status.DONE)
    [words] = notices_in(text_of(browser_of(admin).get("/notices/")))
    assert "Its answer came after all." in words
    assert ">Decide<" not in words


def paused(by: Any, *, is_sandbox: bool = False, reason: str = pauses.BALANCE) -> Any:
    gateway = factories.make_gateway(is_sandbox=is_sandbox)
    factories.make_generation(by=by, model=factories.make_model(gateway=gateway))
    pauses.pause(gateway, reason=reason, now=timezone.now() - timedelta(minutes=9))
    gateway.refresh_from_db()
    return gateway


@pytest.mark.parametrize("reason", [pauses.BALANCE, pauses.KEY, pauses.ANSWERS])
def test_gateway_that_goes_on_is_not_called_paused(admin, browser_of, reason):
    gateway, browser = paused(admin, reason=reason), browser_of(admin)
    assert "Nothing more is sent" in text_of(browser.get("/notices/"))
    pauses.resume(gateway, by=None, now=timezone.now())
    [words] = notices_in(text_of(browser.get("/notices/")))
    assert "was paused: " in words
    assert "It goes on again since <time" in words
    assert "is paused" not in words
    assert "Nothing more is sent" not in words


def test_pause_that_became_another_asks_for_what_is_in_the_way_now(admin, browser_of):
    gateway = paused(admin)
    gateway.refresh_from_db()
    pauses.pause(gateway, reason=pauses.KEY, now=timezone.now())
    for notice in notices_in(text_of(browser_of(admin).get("/notices/"))):
        assert "once you top it up" not in notice
        assert "Put a valid key into the environment" in notice


def test_pause_of_today_does_not_make_one_of_yesterday_look_open(admin, browser_of):
    gateway, browser = paused(admin), browser_of(admin)
    pauses.resume(gateway, by=None, now=timezone.now() - timedelta(minutes=5))
    gateway.refresh_from_db()
    pauses.pause(gateway, reason=pauses.BALANCE, now=timezone.now())
    newer, older = notices_in(text_of(browser.get("/notices/")))
    assert "It goes on again" in older
    assert "Nothing more is sent." in newer


def test_empty_account_that_the_sandbox_plays_is_told_as_everywhere_else(admin, browser_of):
    gateway = paused(admin, is_sandbox=True)
    [words] = notices_in(text_of(browser_of(admin).get("/notices/")))
    assert pauses.words(gateway) in words
    assert "top it up" not in words


def test_link_to_an_order_that_is_decided_says_so_and_leads_to_its_run(admin, browser_of):
    first, second, browser = told_unclear(admin), told_unclear(admin), browser_of(admin)
    assert "decided already" not in text_of(browser.get(f"/unclear/?order={first.id}"))
    press(browser, "close", first)
    page = text_of(browser.get(f"/unclear/?order={first.id}"))
    assert "This order was decided already" in page
    assert f'href="/runs/{first.run_id}/">Show the run</a>' in page
    Generation.objects.filter(id=second.id).update(status=Status.DONE)
    assert "its answer came after all" in text_of(browser.get(f"/unclear/?order={second.id}"))


@pytest.mark.parametrize("order", ["x", "01a20148-3e94-7679-9e26-b890ecad14c4", "9" * 400])
def test_link_to_an_order_that_is_not_there_says_so(admin, stranger, browser_of, order):
    told_unclear(admin)
    assert "This order is not here." in text_of(browser_of(admin).get("/unclear/", {"order": order}))


def test_order_of_another_team_is_not_here(admin, stranger, browser_of):
    row = told_unclear(stranger)
    unclear.close(by=stranger, generation=Generation.objects.get(id=row.id))
    assert "This order is not here." in text_of(browser_of(admin).get("/unclear/", {"order": str(row.id)}))


def test_notice_of_an_unknown_host_leads_only_those_to_the_run_who_may_see_it(admin, member, browser_of):
    run = factories.make_run(by=member, visibility=Visibility.PRIVATE)
    data = {"run": str(run.id), "generation": str(run.id), "host": "videos.example.com"}
    Notice.objects.create(team=member.team, kind="output_host", key="host", data=data)
    page = browser_of(admin).get("/notices/").content.decode()
    assert "videos.example.com" in page
    assert f"/runs/{run.id}/" not in page
    assert "It is private: only who ordered it sees its run." in page
    run.visibility = Visibility.TEAM
    run.save()
    assert f"/runs/{run.id}/" in browser_of(admin).get("/notices/").content.decode()


def test_admins_of_a_restored_team_are_told_to_look_at_the_members_again(admin, browser_of):
    data = {"backup_at": "2026-11-21T03:00:00+00:00", "maybe_sent": 0, "links": 0}
    notices.tell("restored", team=admin.team, key="restored:1", data=data)
    [words] = notices_in(text_of(browser_of(admin).get("/notices/")))
    assert "Who was removed after the backup is a member again" in words
    assert 'href="/team/">Show the members</a>' in words
