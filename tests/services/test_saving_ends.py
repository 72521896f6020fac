"""Each video that cannot be saved is lost at last, and none is while it may still come."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from playground.domain.status import Status
from playground.media import storage
from playground.models import Budget, Event, Gateway, Generation, LedgerEntry
from playground.services import budgets, clocks, repair
from playground.templatetags.lost_files import lost_file
from tests.gateway.fake import Behaviour, reply, says
from tests.services.test_saving import Place, film, finished, passed, places, saved, saved_to_the_end  # noqa: F401

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.pure]
Places = Callable[[Behaviour], Place]


class Signing(Place):
    """Signs a new link at each answer, good for an hour from then, as presigned links are."""

    def __call__(self, heard, sock):
        if "/openai/v1/videos/" not in heard.target:
            return super().__call__(heard, sock)
        until = int((timezone.now() + timedelta(hours=1)).timestamp())
        job = {"id": "up-1", "status": "completed", "expires_at": until, "output": {"url": self.link}}
        return sock.sendall(reply(200, job))


def tried(generation: Generation, *, hours: int, every: int = 1) -> Status:
    """Where it is when it was tried `every` hour or so, for so many hours."""
    for _ in range(0, hours, every):
        if saved(generation).state is not Status.COMPLETED:
            break
        passed(generation, minutes=every * 60)
    return generation.state


@pytest.mark.parametrize(
    ("kind", "ends_in"), [(Signing, timedelta(hours=1)), (Place, timedelta(days=3650))], ids=["moving", "far"]
)
def test_gone_file_is_lost_after_a_day_whatever_end_of_its_link_is_told(places: Places, kind: type, ends_in):  # noqa: F811
    place = places(says(404, b"gone"))
    place.__class__ = kind
    generation = finished(place, output_expires_at=timezone.now() + ends_in)

    assert tried(generation, hours=20) is Status.COMPLETED
    assert tried(generation, hours=8) is Status.OUTPUT_LOST


def test_host_in_trouble_is_waited_for_no_longer_than_a_week(places: Places):  # noqa: F811
    place = places(says(503, b"later"))
    generation = finished(place, output_expires_at=timezone.now() + timedelta(days=3650))
    for _ in range(6):
        assert saved(generation).state is Status.COMPLETED
        passed(generation, minutes=24 * 60)
    passed(generation, minutes=24 * 60)

    assert saved(generation).state is Status.OUTPUT_LOST


def test_lost_video_is_looked_for_a_day_after_its_first_loss_and_no_longer(places: Places):  # noqa: F811
    place = places(says(200, b"<html>no video</html>" * 100, Content_Type="video/mp4"))
    generation = finished(place)
    assert saved_to_the_end(generation).state is Status.OUTPUT_LOST
    taken_up = []
    for hours in (8, 16, 24, 32):
        passed(generation, minutes=8 * 60)
        ended_at: datetime = Generation.objects.get(id=generation.id).ended_at
        Generation.objects.filter(id=generation.id).update(ended_at=ended_at - timedelta(hours=8))
        repair.run(now=timezone.now(), periodic=True)
        generation.refresh_from_db()
        taken_up.append((hours, generation.state is Status.COMPLETED))
        if generation.state is Status.COMPLETED:
            assert saved_to_the_end(generation).state is Status.OUTPUT_LOST

    assert taken_up == [(8, True), (16, True), (24, False), (32, False)]


@pytest.mark.parametrize(
    ("account", "at_first", "after_an_hour"),
    [("another", Status.COMPLETED, Status.COMPLETED), ("same", Status.COMPLETED, Status.OUTPUT_LOST)],
)
def test_gateway_that_knows_no_order_any_more_ends_no_finished_one_at_once(
    places: Places,  # noqa: F811
    account: str,
    at_first: Status,
    after_an_hour: Status,
):
    """Without a link its file is asked for by its id."""
    place = places(film())
    generation = finished(place, output_url="")
    if account == "another":
        Event.objects.create(generation=generation, kind="sending", data={"key": "of another account"})
    place.job_status = 404
    for _ in range(5):
        saved(generation)
        passed(generation, minutes=0.7)
    assert generation.state is at_first
    passed(generation, minutes=60)

    assert saved(generation).state is after_an_hour
    assert LedgerEntry.objects.filter(generation=generation, kind="settle").exists() == (account == "same")


@pytest.mark.parametrize("told", [1, 2**52])
def test_length_that_the_gateway_tells_does_not_lose_a_whole_file(places: Places, told: int):  # noqa: F811
    place = places(film())
    generation = finished(place, output_size_bytes=told)
    place.told = {"size_bytes": told}

    assert saved_to_the_end(generation).state is Status.DONE
    assert "disk_full" not in str([event.data for event in generation.events.all()])


@pytest.mark.parametrize("kind", ["application/mp4", "text/plain", ""])
def test_file_is_taken_for_what_is_in_it_where_its_host_names_no_type_of_video(places: Places, kind: str):  # noqa: F811
    place = places(film(Content_Type=kind))

    assert saved(finished(place)).state is Status.DONE


def taken_out_of_the_environment(generation: Generation) -> None:
    """Its gateway is one of before, whose address and key nobody has set any more."""
    Gateway.objects.filter(id=generation.gateway_id).update(
        is_sandbox=False, slug="custom-earlier", base_url="https://earlier.example/v1"
    )
    month = budgets.month_of(generation.team, timezone.now())
    for user in (None, generation.run.created_by):
        Budget.objects.create(team=generation.team, user=user, month=month, held_micros=9_000_000)


@pytest.mark.parametrize(
    "link_for", [None, timedelta(minutes=30), timedelta(days=30)], ids=["none", "half-hour", "30-d"]
)
def test_finished_order_of_an_earlier_gateway_waits_for_two_weeks(places: Places, link_for):  # noqa: F811
    generation = finished(places(film()), output_expires_at=link_for and timezone.now() + link_for)
    passed(generation, minutes=600)
    taken_out_of_the_environment(generation)

    assert tried(generation, hours=14 * 24, every=8) is Status.COMPLETED
    assert saved(generation).state is Status.OUTPUT_LOST
    assert lost_file(generation.error_code).endswith("the key of the gateway was missing for too long to save it.")


def test_finished_order_is_saved_once_its_gateway_is_set_up_again(places: Places):  # noqa: F811
    generation = finished(places(film()))
    gateway = Gateway.objects.get(id=generation.gateway_id)
    taken_out_of_the_environment(generation)
    assert tried(generation, hours=96, every=8) is Status.COMPLETED
    gateway.save()

    assert saved(generation).state is Status.DONE


def test_full_disk_is_waited_for_as_long_as_a_long_link_lasts_and_two_weeks_at_most(
    places: Places,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
):
    generation = finished(places(film()), output_expires_at=timezone.now() + timedelta(days=3650))
    monkeypatch.setattr(storage, "free_bytes", lambda: 0)

    assert tried(generation, hours=14 * 24, every=8) is Status.COMPLETED
    assert saved(generation).state is Status.OUTPUT_LOST


def test_tries_become_rare_after_a_day_and_none_waits_longer_than_a_clock_may_be_wrong(places: Places):  # noqa: F811
    place = places(says(503, b"later"))
    generation = finished(place, output_expires_at=timezone.now() + timedelta(days=30))
    waits = []
    for hours in (0, *[1] * 20, 2, 2):
        passed(generation, minutes=hours * 60)
        begun_at = timezone.now()
        saved(generation)
        waits.append(round((generation.next_check_at - begun_at).total_seconds()))

    assert waits[:5] == [1, 2, 5, 15, 60]
    assert (waits[20], waits[22]) == (240, 1800)
    assert max(waits) <= clocks.LONGEST[Status.COMPLETED].total_seconds()
