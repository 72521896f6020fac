"""Prices asked for before anybody wants them: once each, one at a time, and never in a person's way."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from playground.models import Membership, Role, User
from playground.models.base import new_id
from playground.services import ahead, estimates
from playground.services.estimates import SLOTS, QuoteState
from tests import factories
from tests.bench import Bench, bench, sandbox  # noqa: F401  fixtures
from tests.services.test_estimates import Odd, dry_runs, odd, wait_until  # noqa: F401  fixtures
from tests.views.conftest import plain_static_files  # noqa: F401  pages without `collectstatic`

pytestmark = pytest.mark.pure

really_start = ahead.start


def of_lengths(bench: Bench, *seconds: int) -> list[Any]:  # noqa: F811
    return [bench.wanted(seconds=one) for one in seconds]


def lengths_asked(odd: Odd) -> list[str]:  # noqa: F811
    return [body.decode().split('"seconds":"')[1].split('"')[0] for body in odd.bodies]


def test_each_setting_is_asked_for_once_and_known_from_then_on(bench: Bench) -> None:  # noqa: F811
    wanted, before = of_lengths(bench, 4, 5, 6), dry_runs(bench)
    for _ in range(2):
        ahead.plan(by=bench.membership.id, wanted=[*wanted, wanted[0]])
        ahead.work_off(pause_s=0)
    assert dry_runs(bench) == before + 3
    known = estimates.remembered(by=bench.membership, wanted=wanted)
    assert [(quote and quote.total_micros, due) for quote, due in known] == [
        (80_000, False),
        (100_000, False),
        (120_000, False),
    ]


def test_newest_list_of_a_person_replaces_the_one_before_and_people_take_turns(bench: Bench, odd: Odd) -> None:  # noqa: F811
    user = User.objects.create_user("bo@example.com", "a long password", name="Bo")
    other = Membership.objects.create(team=bench.team, user=user, role=Role.ADMIN)
    odd.answer = {"estimated": True, "total_cost_micros": 400_000, "currency": "USD"}
    ahead.plan(by=bench.membership.id, wanted=of_lengths(bench, 3))
    ahead.plan(by=bench.membership.id, wanted=of_lengths(bench, 4, 5))
    ahead.plan(by=other.id, wanted=of_lengths(bench, 6, 7))
    ahead.work_off(pause_s=0)
    assert lengths_asked(odd) == ["4", "6", "5", "7"]


def test_while_its_place_is_taken_nothing_is_asked_and_then_the_list_goes_on(bench: Bench) -> None:  # noqa: F811
    (wanted,), before = of_lengths(bench, 4), dry_runs(bench)
    cache.set(SLOTS[1], 1, 60)
    assert estimates.ask_ahead(wanted) is None
    assert dry_runs(bench) == before
    assert cache.get(SLOTS[0]) is None  # which people are left with

    ahead.plan(by=bench.membership.id, wanted=[wanted])
    worker = threading.Thread(target=ahead._run)
    worker.start()
    cache.delete(SLOTS[1])
    worker.join(20)
    assert dry_runs(bench) == before + 1


def test_same_question_of_a_person_is_left_to_them(bench: Bench) -> None:  # noqa: F811
    (wanted,), before = of_lengths(bench, 4), dry_runs(bench)
    cache.set(f"{estimates._key(wanted)}:asking", 1, 60)
    assert estimates.ask_ahead(wanted) is None
    assert dry_runs(bench) == before
    assert cache.get(SLOTS[1]) is None


def test_gateway_that_does_not_answer_ends_the_list(bench: Bench, odd: Odd) -> None:  # noqa: F811
    odd.status = 402
    odd.answer = {"error": {"code": "INSUFFICIENT_BALANCE", "message": "no credit"}}
    ahead.plan(by=bench.membership.id, wanted=of_lengths(bench, 4, 5, 6))
    assert ahead.work_off(pause_s=0) == 1
    assert lengths_asked(odd) == ["4"]


def test_thread_starts_with_a_list_and_ends_with_the_last(bench: Bench, monkeypatch: Any) -> None:  # noqa: F811
    monkeypatch.setattr(ahead, "start", really_start)
    for wanted in of_lengths(bench, 4, 5):
        ahead.plan(by=bench.membership.id, wanted=[wanted])
        wait_until(lambda one=wanted: estimates.cached_quote(by=bench.membership, wanted=one))
        wait_until(lambda: not [one for one in threading.enumerate() if one.name == "prices-ahead"])


def test_price_that_no_longer_stands_is_remembered_and_due(bench: Bench, monkeypatch: Any) -> None:  # noqa: F811
    (wanted,) = of_lengths(bench, 4)
    assert estimates.remembered(by=bench.membership, wanted=[wanted]) == [(None, True)]
    estimates.ask_ahead(wanted)
    monkeypatch.setattr(estimates, "_stands", lambda answer: False)
    ((quote, due),) = estimates.remembered(by=bench.membership, wanted=[wanted])
    assert (quote.total_micros, due) == (80_000, True)
    assert estimates.cached_quote(by=bench.membership, wanted=wanted) is None


def test_newest_word_that_there_is_no_price_hides_the_price_of_before(bench: Bench) -> None:  # noqa: F811
    (wanted,) = of_lengths(bench, 4)
    estimates.ask_ahead(wanted)
    estimates._kept(wanted, {"state": QuoteState.UNAVAILABLE, "message": "no"})
    assert estimates.remembered(by=bench.membership, wanted=[wanted]) == [(None, False)]


def test_one_opening_of_create_asks_for_one_price_at_once_and_a_few_ahead(bench: Bench) -> None:  # noqa: F811
    """The figures of docs/architecture.md: the model with the most choices of its own, then with the list opened."""
    client, before = Client(), dry_runs(bench)
    client.force_login(bench.user)
    html = client.get("/create/", {"model": "kling-v3", "size": "1920x1080", "seconds": "12"}).content.decode()
    assert dry_runs(bench) - before == 1
    assert "data-more" in html
    assert ahead.work_off(pause_s=0) == dry_runs(bench) - before - 1
    opened = dry_runs(bench) - before

    form = {
        "team": bench.team.slug,
        "model": "kling-v3",
        "model_shown": "kling-v3",
        "shape": "16:9",
        "quality": "1080p",
    }
    form |= {"seconds": "12", "audio": "true", "picker": "open"}
    html = client.post("/create/price/", form, headers={"HX-Request": "true"}).content.decode()
    assert "data-more" in html
    ahead.work_off(pause_s=0)
    listed = dry_runs(bench) - before
    html = client.post("/create/price/", form, headers={"HX-Request": "true"}).content.decode()
    ahead.work_off(pause_s=0)

    assert "data-more" not in html
    assert dry_runs(bench) - before == listed
    assert (opened, listed) == (8, 18)


def test_gateway_that_answers_slowly_keeps_nobody_else_waiting(
    bench: Bench,  # noqa: F811
    odd: Odd,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ahead, "SLOW_S", 0.3)
    monkeypatch.setattr(ahead, "_slow", {})
    odd.answer = {"estimated": True, "total_cost_micros": 400_000, "currency": "USD"}
    user = User.objects.create_user("bo@example.com", "a long password", name="Bo")
    other = Membership.objects.create(team=bench.team, user=user, role=Role.ADMIN)
    model = bench.wanted(seconds=4).model
    model.slug = "slow-video"
    model.id, model.gateway = new_id(), factories.make_gateway()
    model.save(force_insert=True)
    of_slow = [replace(one, model=model) for one in of_lengths(bench, 4, 5, 6)]
    odd.may_answer.clear()
    threading.Timer(0.6, odd.may_answer.set).start()
    ahead.plan(by=bench.membership.id, wanted=of_slow)
    ahead.plan(by=other.id, wanted=of_lengths(bench, 7, 8))
    ahead.work_off(pause_s=0)
    ahead.plan(by=bench.membership.id, wanted=of_slow)
    ahead.work_off(pause_s=0)
    assert lengths_asked(odd) == ["4", "7", "8"]
    monkeypatch.setattr(ahead, "_slow", {model.gateway_id: 0.0})
    ahead.plan(by=bench.membership.id, wanted=of_slow[1:])
    ahead.work_off(pause_s=0)
    assert lengths_asked(odd) == ["4", "7", "8", "5", "6"], "after a while it is asked again"
