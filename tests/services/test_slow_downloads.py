"""Videos over a slow line: each gets home, and none keeps a place for long from one that waits for it."""

import socket
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from playground.domain.status import Status
from playground.gateway import download
from playground.gateway.errors import TooSlow
from playground.models import Event, Generation
from playground.services import saving
from playground.templatetags.lost_files import WORDS
from tests import factories
from tests.gateway.fake import Behaviour
from tests.services.test_saving import CLIP, Place, finished, places, saved, saved_to_the_end  # noqa: F401

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.pure]
Places = Callable[[Behaviour], Place]


@pytest.fixture(autouse=True)
def _short_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "CRAWL_S", 0.15)


def comes_in(pieces: int) -> Behaviour:
    """All of it comes in so many pieces, five of which take such a minute."""
    step = -(-len(CLIP) // pieces)

    def behave(heard: object, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % len(CLIP))
        for at in range(0, len(CLIP), step):
            time.sleep(0.03)
            sock.sendall(CLIP[at : at + step])

    return behave


crawls = comes_in(45)
"""In nine minutes."""


def drips_its_head(heard: object, sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nX-Trace: ")
    for _ in range(200):
        time.sleep(0.02)
        sock.sendall(b"a")


def drips_between_pieces(heard: object, sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n5;")
    for _ in range(200):
        time.sleep(0.02)
        sock.sendall(b"a")


def others(*, begun: timedelta, waiting: int) -> None:
    """Every other place is held since `begun` from now, and so many more are due."""
    now = timezone.now()
    for _ in range(saving.AT_ONCE - 1):
        held = factories.make_generation(
            status=Status.STORING, claim_id=uuid4(), next_check_at=now + timedelta(hours=1), completed_at=now
        )
        Event.objects.create(generation=held, kind="saving_started", at=now + begun)
    for _ in range(waiting):
        factories.make_generation(status=Status.COMPLETED, next_check_at=now, completed_at=now)


def reasons(generation: Generation) -> list[str]:
    return [event.data["code"] for event in generation.events.filter(kind__in=("saving_failed", "output_lost"))]


@pytest.mark.parametrize("are_places_held", [False, True])
def test_video_over_a_slow_line_is_saved_while_no_other_waits(places: Places, are_places_held: bool) -> None:  # noqa: F811
    generation = finished(places(crawls))
    if are_places_held:
        others(begun=timedelta(minutes=-1), waiting=0)

    assert (saved(generation).state, reasons(generation)) == (Status.DONE, [])


@pytest.mark.parametrize("host", [crawls, drips_its_head, drips_between_pieces])
def test_video_that_crawls_gives_way_to_one_that_waits_and_says_why(places: Places, host: Behaviour) -> None:  # noqa: F811
    generation = finished(places(host))
    others(begun=timedelta(minutes=-1), waiting=1)

    assert (saved(generation).state, reasons(generation)) == (Status.COMPLETED, ["download_slow"])
    assert "download_slow" in WORDS


def test_video_that_is_here_within_five_minutes_keeps_its_place(places: Places) -> None:  # noqa: F811
    """What it has brought would be brought again: nobody who waits gains by that."""
    generation = finished(places(comes_in(14)))
    others(begun=timedelta(minutes=-1), waiting=1)

    assert (saved(generation).state, reasons(generation)) == (Status.DONE, [])


def test_giving_way_costs_no_video(places: Places) -> None:  # noqa: F811
    """However often it happened, and though its link is over by now as far as is known."""
    made_at = timezone.now() - timedelta(minutes=61)
    generation = finished(places(crawls), completed_at=made_at, collect_attempts=6)
    Event.objects.create(generation=generation, kind="completed", at=made_at)
    for number in range(6):
        data = {"code": "download_slow", "why": saving.why_of(TooSlow("slow")), "try": number}
        Event.objects.create(generation=generation, kind="saving_failed", at=made_at + timedelta(minutes=1), data=data)
    others(begun=timedelta(minutes=-1), waiting=1)

    assert saved(generation).state is Status.COMPLETED


@pytest.mark.parametrize("drips", [False, True])
def test_video_gives_way_once_unless_it_drips(
    places: Places,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    drips: bool,
) -> None:
    """Else two of four places would begin anew for ever on a slow line."""
    monkeypatch.setattr(download, "DRIP_BYTES", download.LEAST_BYTES if drips else 0)
    generation = finished(places(crawls))
    others(begun=timedelta(minutes=-1), waiting=1)
    for _ in range(2):
        saved(generation)

    assert reasons(generation) == ["download_slow"] * (2 if drips else 1)
    assert generation.state is (Status.COMPLETED if drips else Status.DONE)


@pytest.mark.parametrize("status", [404, 503])
def test_giving_way_is_no_fault_of_a_gateway_that_is_silent(places: Places, status: int) -> None:  # noqa: F811
    made_at = timezone.now() - timedelta(minutes=90)
    place = places(crawls)
    place.job_status = status
    generation = finished(place, completed_at=made_at, collect_attempts=6)
    Event.objects.create(generation=generation, kind="completed", at=made_at)
    for number in range(6):
        data = {"code": "not_found", "why": "unknown" if status == 404 else "way", "try": number}
        Event.objects.create(generation=generation, kind="saving_failed", at=made_at, data=data)
    others(begun=timedelta(minutes=-1), waiting=1)

    assert saved(generation).state is Status.COMPLETED
    assert reasons(generation)[-1] == "download_slow"


def test_free_place_is_taken_from_nobody(places: Places) -> None:  # noqa: F811
    generation = finished(places(crawls))
    others(begun=timedelta(minutes=-1), waiting=1)
    Generation.objects.filter(status=Status.STORING).order_by("-id")[0].delete()

    assert saved(generation).state is Status.DONE


def test_those_that_hold_their_place_longest_go_on_lest_all_fail_together(places: Places) -> None:  # noqa: F811
    generation = finished(places(crawls))
    others(begun=timedelta(minutes=1), waiting=1)

    assert saved(generation).state is Status.DONE


def test_half_of_the_places_are_never_kept_by_slow_ones() -> None:
    assert saving.KEPT_WHILE_SLOW * 2 == saving.AT_ONCE
    others(begun=timedelta(minutes=-1), waiting=1)
    now = timezone.now()
    last = factories.make_generation(status=Status.STORING, completed_at=now)
    Event.objects.create(generation=last, kind="saving_started", at=now)
    holding = Generation.objects.filter(status=Status.STORING)

    assert [saving.gives_way(row, drips=False, now=now) for row in holding].count(False) == saving.KEPT_WHILE_SLOW
