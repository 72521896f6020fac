"""Each thing that should never be wrong: found, put right, said, and not found a second time."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from playground import queue
from playground.domain.status import Status
from playground.media import storage
from playground.models import AuditEntry, Budget, Gateway, Generation, Membership, Notice, Video
from playground.services import ledger, parking, repair, submit
from tests import factories
from tests.bench import money
from tests.gateway.fake import Behaviour, in_turn, says
from tests.services.test_housekeeping import DAY, orphan
from tests.services.test_saving import CLIP, Place, film, finished, places, saved, saved_to_the_end  # noqa: F401  fixture

pytestmark = pytest.mark.django_db(transaction=True)
Places = Callable[[Behaviour], Place]
LATE = timedelta(minutes=6)


@pytest.fixture(autouse=True)
def never_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "_send", lambda *arguments: pytest.fail("it ordered"))


def repaired() -> list[str]:
    """What a run says, after a dry run that found as much and changed nothing; a second run finds nothing."""
    now = timezone.now()
    before = list(Generation.objects.order_by("id").values()), list(Video.objects.order_by("id").values())
    told = repair.run(now=now, dry_run=True)
    assert before == (list(Generation.objects.order_by("id").values()), list(Video.objects.order_by("id").values()))
    found = repair.run(now=now)
    assert len(told) == len(found)
    assert AuditEntry.objects.filter(kind="repaired").count() == len(found)
    assert repair.run(now=now) == []
    return [str(finding) for finding in found]


def overdue(status: Status, **fields: Any) -> Generation:
    ago = timezone.now() - LATE
    generation = factories.make_generation(status=status, **{"next_check_at": ago, "deadline_at": ago, **fields})
    ledger.hold(generation=generation, amount_micros=500_000, at=timezone.now())
    return generation


def test_healthy_installation_has_nothing_to_repair(places: Places, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    assert saved(finished(places(film()))).state is Status.DONE
    factories.make_generation(status=Status.RUNNING, upstream_id="up-9")

    call_command("repair", "--dry-run")

    assert capsys.readouterr().out == "Found: nothing. Nothing was changed\n"


def test_dry_run_that_finds_something_says_it_and_ends_with_1(
    places: Places,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    places(film())
    generation = overdue(Status.QUEUED)

    with pytest.raises(SystemExit) as ended:
        call_command("repair", "--dry-run")

    said = capsys.readouterr().out.splitlines()
    assert ended.value.code == 1
    assert said[0].startswith(f"overdue: order {generation.id}: ")
    assert said[-1] == "Found: 1 overdue. Nothing was changed"


def test_order_that_was_never_sent_in_its_time_ends_for_free(places: Places) -> None:  # noqa: F811
    places(film())
    generation = overdue(Status.QUEUED)

    (line,) = repaired()

    generation.refresh_from_db()
    assert (generation.state, list(money(generation))) == (Status.CANCELLED, ["hold", "release"])
    assert "never sent" in line


def test_periodic_run_looks_at_no_row_after_its_time(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    place = places(film())
    overdue(Status.QUEUED)
    overdue(Status.RUNNING, upstream_id="up-1")
    monkeypatch.setattr(repair, "PERIODIC_S", -1.0)

    assert repair.run(now=timezone.now(), periodic=True) == []
    assert set(Generation.objects.values_list("status", flat=True)) == {Status.QUEUED, Status.RUNNING}
    assert not place.server().heard


@pytest.mark.parametrize(
    ("has_log", "code", "ends"),
    [
        (False, "", Status.UNKNOWN),
        (True, "", Status.SUBMITTING),
        (True, parking.LOOKED_FOR, Status.UNKNOWN),
    ],
)
def test_order_whose_answer_never_came_is_looked_for_or_left_to_admins_who_are_told(
    places: Places,  # noqa: F811
    has_log: bool,
    code: str,
    ends: Status,
) -> None:
    places(film())
    generation = overdue(Status.SUBMITTING, attempts=1, error_code=code)
    Gateway.objects.filter(id=generation.gateway_id).update(has_request_log=has_log)

    (line,) = repaired()

    generation.refresh_from_db()
    assert (generation.state, list(money(generation))) == (ends, ["hold"])
    assert Notice.objects.filter(kind="unclear_order").exists() is (ends is Status.UNKNOWN)
    assert (generation.error_code == parking.LOOKED_FOR) is has_log
    assert "parked" in line


@pytest.mark.parametrize("kinds", [["handed_out"], ["sending", "put_back", "handed_out"]])
def test_order_whose_sender_never_began_is_ended_for_free(places: Places, kinds: list[str]) -> None:  # noqa: F811
    places(film())
    generation = overdue(Status.SUBMITTING, claim_id=uuid4(), attempts=len(kinds) // 2)
    for kind in kinds:
        factories.make_event(generation, kind)

    (line,) = repaired()

    generation.refresh_from_db()
    assert (generation.state, list(money(generation))) == (Status.CANCELLED, ["hold", "release"])
    assert "never sent" in line
    assert not Notice.objects.filter(kind="unclear_order").exists()


def test_order_whose_sender_began_once_more_after_an_unclear_try_is_not_taken_for_unsent(places: Places) -> None:  # noqa: F811
    places(film())
    now = timezone.now()
    generation = overdue(Status.SUBMITTING, claim_id=uuid4(), attempts=1, unclear_at=now, sent_at=now)
    for kind in ("sending", "answer_unclear", "handed_out"):
        factories.make_event(generation, kind)

    (line,) = repaired()

    assert list(money(generation)) == ["hold"]
    assert "looked for, or parked" in line


def test_order_that_finished_at_the_gateway_is_saved(places: Places) -> None:  # noqa: F811
    places(film())
    generation = overdue(Status.RUNNING, upstream_id="up-1")

    (line,) = repaired()

    assert line.startswith(f"finished upstream: order {generation.id}: ")
    assert saved(generation).state is Status.DONE


def test_order_that_the_gateway_forgot_is_lost_and_its_money_free(places: Places) -> None:  # noqa: F811
    place = places(film())
    place.job_status = 404
    old = timezone.now() - timedelta(hours=1)
    generation = overdue(Status.RUNNING, upstream_id="up-1", submitted_at=old, created_at=old, not_found_count=9)
    factories.make_event(generation, "not_found", at=old)

    (line,) = repaired()

    generation.refresh_from_db()
    assert (generation.state, list(money(generation))) == (Status.LOST, ["hold", "release"])
    assert line.startswith("lost upstream")


def test_save_that_died_and_videos_that_nobody_saves_are_taken_up(places: Places) -> None:  # noqa: F811
    place, ago = places(film()), timezone.now() - LATE
    dead = finished(place, status=Status.STORING, next_check_at=ago, claim_id=factories.new_id())
    assert "tried again" in repaired()[0]
    assert saved(dead).state is Status.DONE

    waiting = finished(place, next_check_at=ago)
    (finding,) = repair.run(now=timezone.now())
    assert "1 orders" in str(finding)
    assert [task["args"][0] for task in queue.take_all()] == [str(waiting.id)]


def test_order_that_the_gateway_had_forgotten_is_saved_when_it_knows_it_again(places: Places) -> None:  # noqa: F811
    place = places(film())
    place.cost = 0.3
    now = timezone.now()
    generation = finished(place, status=Status.LOST, ended_at=now, output_url="", next_check_at=None)
    ledger.release(generation=generation, at=now)

    (line,) = map(str, repair.run(now=timezone.now(), periodic=True))

    assert line.startswith("finished upstream")
    assert saved(generation).state is Status.DONE
    assert money(generation) == {"hold": 400_000, "release": 400_000, "settle": 300_000}


def test_counter_below_its_ledger_keeps_no_order_from_being_closed(places: Places) -> None:  # noqa: F811
    places(film())
    generation = factories.make_generation(status=Status.FAILED, next_check_at=None, ended_at=timezone.now())
    Gateway.objects.filter(id=generation.gateway_id).update(is_sandbox=False)
    generation.refresh_from_db()
    ledger.hold(generation=generation, amount_micros=500_000, at=timezone.now())
    Budget.objects.update(held_micros=0)

    said = repaired()

    assert [line.split(":")[0] for line in said] == ["counter", "counter", "money set aside"]
    assert set(Budget.objects.values_list("held_micros", "spent_micros")) == {(0, 0)}


@pytest.mark.parametrize("periodic", [False, True])
def test_video_given_up_as_lost_is_saved_when_the_gateway_has_it_again(places: Places, periodic: bool) -> None:  # noqa: F811
    place = places(in_turn(*[says(410)] * 4, film()))
    generation = saved_to_the_end(finished(place, cost_micros=300_000))
    assert generation.state is Status.OUTPUT_LOST

    if periodic:
        (line,) = map(str, repair.run(now=timezone.now(), periodic=True))
    else:
        (line,) = repaired()

    assert line.startswith("finished upstream")
    assert saved(generation).state is Status.DONE
    assert money(generation) == {"hold": 400_000, "settle": 300_000}


@pytest.mark.parametrize("told", [0.4, 0.3, None])
def test_settled_cost_of_a_video_that_is_found_again_stays_and_another_one_is_noted(
    places: Places,  # noqa: F811
    told: float | None,
) -> None:
    """Row and books go on saying the same; nothing is settled twice."""
    place = places(in_turn(*[says(410)] * 4, film()))
    generation = saved_to_the_end(finished(place, cost_micros=300_000))
    assert generation.state is Status.OUTPUT_LOST
    place.cost = told

    repair.run(now=timezone.now())

    row = saved(generation)
    notes = list(row.events.filter(kind="cost_told_later").values_list("data", flat=True))
    assert (row.state, row.cost_micros) == (Status.DONE, 300_000)
    assert money(row) == {"hold": 400_000, "settle": 300_000}
    assert notes == ([{"settled_micros": 300_000, "cost_micros": 400_000}] if told == 0.4 else [])


@pytest.mark.parametrize(
    ("status", "cost", "closes"),
    [
        (Status.DONE, 380_000, {"settle": 380_000}),
        (Status.DONE, None, {"settle": 400_000}),
        (Status.OUTPUT_LOST, 380_000, {"settle": 380_000}),
        (Status.REJECTED, None, {"release": 500_000}),
        (Status.FAILED, None, {"release": 500_000}),
        (Status.FAILED, 90_000, {"settle": 90_000}),
        (Status.LOST, None, {"release": 500_000}),
    ],
)
def test_money_of_an_order_that_ended_is_closed(
    places: Places,  # noqa: F811
    status: Status,
    cost: int | None,
    closes: dict[str, int],
) -> None:
    places(film())
    generation = factories.make_generation(status=status, cost_micros=cost)
    ledger.hold(generation=generation, amount_micros=500_000, at=timezone.now())

    (line,) = repaired()

    assert line.startswith("money set aside")
    assert money(generation) == {"hold": 500_000} | closes


def test_counter_that_does_not_add_up_is_set_to_the_sum_of_the_ledger(places: Places) -> None:  # noqa: F811
    places(film())
    gateway = factories.make_gateway(is_sandbox=False)
    member = factories.make_member()
    run = factories.make_run(by=member, model=factories.make_model(gateway=gateway))
    for position, spent in enumerate((None, 70_000)):
        generation = factories.make_generation(
            run=run, position=position, status=Status.RUNNING if spent is None else Status.DONE
        )
        ledger.hold(generation=generation, amount_micros=500_000, at=timezone.now())
        if spent:
            ledger.settle(generation=generation, cost_micros=spent, at=timezone.now())
    Budget.objects.filter(user=None).update(held_micros=900_000)

    (line,) = repaired()

    assert "set aside 900000 -> 500000, spent 70000 -> 70000" in line
    assert {(budget.held_micros, budget.spent_micros) for budget in Budget.objects.all()} == {(500_000, 70_000)}


def done_video(place: Place) -> Video:
    generation = saved(finished(place))
    return Video.objects.get(generation=generation)


def test_file_that_is_gone_is_fetched_again_where_the_gateway_has_the_very_same(places: Places) -> None:  # noqa: F811
    video = done_video(places(film()))
    storage.delete(video.key)

    (line,) = repaired()

    assert line == f"file missing: video {video.id}: fetched again from the gateway"
    assert storage.size(video.key) == len(CLIP)


def test_file_that_is_gone_everywhere_is_marked_and_its_page_says_so_until_it_is_back(
    places: Places,  # noqa: F811
    settings: Any,
) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    place = places(in_turn(film(), film(factories.clip_bytes((64, 64)))))
    video = done_video(place)
    data = storage.local_path(video.key)
    assert data
    kept = data.read_bytes()
    storage.delete(video.key)
    client = Client()
    member = Membership.objects.get(team=video.team)
    client.force_login(member.user)

    assert "marked as gone" in repaired()[0]
    assert "The file of this video is gone" in client.get(f"/videos/{video.id}/").content.decode()
    assert "File gone" in client.get("/gallery/").content.decode()

    data.write_bytes(kept)
    assert [finding.done for finding in repair.run(now=timezone.now())] == ["it is back"]
    assert "The file of this video is gone" not in client.get(f"/videos/{video.id}/").content.decode()


def test_pictures_that_are_gone_are_drawn_again(places: Places) -> None:  # noqa: F811
    video = done_video(places(film()))
    storage.forget(video.poster_key, video.preview_key)

    assert "drawn again" in repaired()[0]
    assert storage.exists(video.poster_key)
    assert storage.exists(video.preview_key)


def test_file_without_a_row_is_set_aside_and_named(places: Places) -> None:  # noqa: F811
    done_video(places(film()))
    key = orphan(DAY, written=DAY)

    assert repaired() == [f"file without a row: {key}: set aside for 30 days, then deleted"]
    assert not storage.exists(key)
