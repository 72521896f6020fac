"""How many videos may wait to be taken by a gateway: so many of a member, so many of a team, exactly."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Generation, LedgerEntry, Membership, Run, VideoModel
from playground.services import estimates, line, runs
from playground.services.line import Line
from tests import factories

PRICE = 400_000


@pytest.fixture
def model(db: None) -> VideoModel:
    return factories.make_model(gateway=factories.make_gateway(is_sandbox=False, is_default=True))


@pytest.fixture
def member(model: VideoModel) -> Membership:
    return factories.make_member()


@pytest.fixture(autouse=True)
def limits(settings: Any) -> Any:
    settings.WAITING_PER_MEMBER, settings.WAITING_PER_TEAM = 3, 5
    return settings


def press(by: Membership, model: VideoModel, *, count: int = 1, token: str = "") -> Run:
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4, count=count)
    answer = {"state": "estimated", "unit_micros": PRICE, "provider": "fal", "checked_at": timezone.now().timestamp()}
    cache.set(estimates._key(wanted), answer, 60)
    token, quoted = token or runs.new_token(), PRICE * count
    return runs.start(by=by, wanted=wanted, prompt="A boat", token=token, quoted_micros=quoted, confirmed_micros=quoted)


def waiting(by: Membership, model: VideoModel, count: int, status: Status = Status.QUEUED, **fields: Any) -> None:
    run = factories.make_run(by=by, model=model)
    for _ in range(count):
        factories.make_generation(run=run, status=status, **fields)


def refused(by: Membership, model: VideoModel, **given: Any) -> Line:
    before = (Run.objects.count(), Generation.objects.count(), LedgerEntry.objects.count())
    with pytest.raises(runs.LineFull) as full:
        press(by, model, **given)
    assert before == (Run.objects.count(), Generation.objects.count(), LedgerEntry.objects.count())
    return full.value.line


@pytest.mark.django_db
def test_as_many_of_a_member_wait_as_may_and_no_more(model: VideoModel, member: Membership) -> None:
    waiting(member, model, 1)
    assert refused(member, model, count=3) == Line(waiting=1, limit=3, is_own=True)
    assert press(member, model, count=2).generations.count() == 2
    assert refused(member, model) == Line(waiting=3, limit=3, is_own=True)
    other = factories.make_member(team=member.team)
    assert press(other, model, count=2).generations.count() == 2


@pytest.mark.django_db
def test_as_many_of_a_team_wait_as_may_and_no_more(model: VideoModel, member: Membership) -> None:
    for by in (member, factories.make_member(team=member.team)):
        waiting(by, model, 2)
    third = factories.make_member(team=member.team)
    assert refused(third, model, count=2) == Line(waiting=4, limit=5, is_own=False)
    press(third, model)
    assert refused(third, model) == Line(waiting=5, limit=5, is_own=False)
    assert press(factories.make_member(), model)


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(set(Status) - {Status.QUEUED, Status.SUBMITTING}))
def test_what_a_gateway_took_or_what_ended_waits_in_no_line(
    model: VideoModel, member: Membership, status: Status
) -> None:
    waiting(member, model, 5, status)
    assert press(member, model, count=3)


@pytest.mark.django_db
@pytest.mark.parametrize("status", [Status.QUEUED, Status.SUBMITTING])
def test_what_is_being_sent_waits_too(model: VideoModel, member: Membership, status: Status) -> None:
    waiting(member, model, 3, status)
    assert refused(member, model).waiting == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("whose", ["member", "team"])
def test_presses_at_once_are_as_many_as_the_line_takes(
    model: VideoModel, member: Membership, limits: Any, whose: str
) -> None:
    limits.WAITING_PER_MEMBER, limits.WAITING_PER_TEAM = (5, 500) if whose == "member" else (500, 5)
    people = [member] if whose == "member" else [factories.make_member(team=member.team) for _ in range(4)]
    together = Barrier(12)

    def presses(number: int) -> list[str]:
        outcomes = []
        by = Membership.objects.select_related("team", "user").get(id=people[number % len(people)].id)
        together.wait(30)
        for _ in range(2):
            try:
                press(by, model)
                outcomes.append("made")
            except runs.LineFull as full:
                outcomes.append("own" if full.line.is_own else "team's")
        connection.close()
        return outcomes

    with ThreadPoolExecutor(12) as pool:
        outcomes = [outcome for some in pool.map(presses, range(12)) for outcome in some]

    assert (outcomes.count("made"), outcomes.count("own" if whose == "member" else "team's")) == (5, 19)
    assert Run.objects.count() == Generation.objects.count() == LedgerEntry.objects.count() == 5


@pytest.mark.django_db
@pytest.mark.parametrize("meanwhile", [(line, "check"), (estimates, "quote")])
def test_same_press_twice_at_the_last_place_is_the_first_run(
    model: VideoModel, member: Membership, monkeypatch: pytest.MonkeyPatch, meanwhile: tuple[Any, str]
) -> None:
    """Whatever the second was about when the first took the place."""
    waiting(member, model, 2)
    really, firsts = getattr(*meanwhile), list[Run]()

    def ordered_meanwhile(**given: Any) -> Any:
        monkeypatch.setattr(*meanwhile, really)
        firsts.append(press(member, model, token="press"))
        return really(**given)

    monkeypatch.setattr(*meanwhile, ordered_meanwhile)
    assert press(member, model, token="press") == firsts[0]
    assert press(member, model, token="press") == firsts[0]
    assert Run.objects.filter(submit_token="press").count() == 1
