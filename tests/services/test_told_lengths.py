"""The length that a gateway tells of a file: one that is wrong loses no whole file, and no file cut short is shown."""

import io
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import lru_cache
from uuid import uuid4

import av
import numpy as np
import pytest
from django.utils import timezone

from playground.domain.status import Status
from playground.gateway.errors import OutputLength
from playground.media import storage
from playground.models import Event, Generation, Run, Video
from playground.services import saving
from tests import factories
from tests.gateway.fake import Behaviour, in_turn, says
from tests.services.test_saving import (  # noqa: F401
    CLIP,
    Place,
    film,
    finished,
    passed,
    places,
    saved,
    saved_to_the_end,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.pure]
Places = Callable[[Behaviour], Place]
SECONDS = 8


@lru_cache(maxsize=1)
def fragmented() -> bytes:
    """An MP4 of SECONDS, in pieces of one second: cut between two it is decoded to its end without a fault."""
    out, options = io.BytesIO(), {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with av.open(out, "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.gop_size = 24
        for number in range(24 * SECONDS):
            picture = np.full((96, 160, 3), number % 255, dtype="uint8")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def first_seconds(count: int) -> bytes:
    ends = [at + size for at, kind, size in boxes(fragmented()) if kind == b"mdat"]
    return fragmented()[: ends[count - 1]]


def boxes(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        yield at, data[at + 4 : at + 8], size
        at += size


def told(place: Place, size: int, *, seconds: int | None) -> Generation:
    """An order of so many seconds, of whose file the gateway tells so many bytes."""
    place.told = {"size_bytes": size}
    generation = finished(place, output_size_bytes=size, output_expires_at=timezone.now() + timedelta(hours=1))
    run = Run.objects.get(id=generation.run_id)
    Run.objects.filter(id=run.id).update(settings=run.settings | {"seconds": seconds})
    return generation


def codes(generation: Generation) -> list[str]:
    failed = Event.objects.filter(generation=generation, kind__in=("saving_failed", "output_lost")).order_by("id")
    return [event.data["code"] for event in failed]


@pytest.mark.parametrize("part", [2, 7])
@pytest.mark.parametrize("without_length", [False, True])
def test_file_cut_short_is_never_shown(places: Places, part: int, without_length: bool) -> None:  # noqa: F811
    """The gateway tells the truth; a cache at its host holds but a part, and gives it as if it were all."""
    cut = first_seconds(part)
    place = places(closes_at_the_end(cut) if without_length else film(cut))
    generation = saved_to_the_end(told(place, len(fragmented()), seconds=SECONDS))

    assert generation.state is Status.OUTPUT_LOST
    assert set(codes(generation)) == {"output_length"}
    assert not Video.objects.exists()


def closes_at_the_end(data: bytes) -> Behaviour:
    """It tells no length of its own, as one that makes its answer on the way."""

    def behave(heard: object, sock: object) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nConnection: close\r\n\r\n" + data)

    return behave


def test_file_cut_short_is_set_aside_once_its_length_does_not_change_any_more(places: Places) -> None:  # noqa: F811
    cut = first_seconds(3)
    generation = saved_to_the_end(told(places(film(cut)), len(fragmented()), seconds=SECONDS))

    kept = generation.events.get(kind="output_lost").data["kept"]
    with storage.open(kept) as file:
        assert file.read() == cut


@pytest.mark.parametrize("file", [CLIP, fragmented()], ids=["clip", "fragments"])
@pytest.mark.parametrize("without_length", [False, True])
@pytest.mark.parametrize("difference", [-100, 100])
def test_wrong_length_does_not_lose_a_whole_file(
    places: Places,  # noqa: F811
    difference: int,
    without_length: bool,
    file: bytes,
) -> None:
    place = places(closes_at_the_end(file) if without_length else film(file))
    seconds = 1 if file is CLIP else SECONDS
    generation = told(place, len(file) + difference, seconds=seconds)
    tries = 1
    while saved(generation).state is Status.COMPLETED:
        tries += 1
        passed(generation, minutes=1)

    assert generation.state is Status.DONE
    assert tries == 4


def test_file_that_grows_is_waited_for(places: Places) -> None:  # noqa: F811
    """An upload under way: no length of it is the last one."""
    parts = [first_seconds(count) for count in (1, 2, 3, 3)]
    place = places(in_turn(*map(film, parts), film(fragmented())))
    generation = saved_to_the_end(told(place, len(fragmented()), seconds=SECONDS))

    assert generation.state is Status.DONE
    assert Video.objects.get().size_bytes == len(fragmented())


def test_file_that_was_longer_once_must_not_come_shorter_then(places: Places) -> None:  # noqa: F811
    whole, cut = fragmented(), first_seconds(4)
    place = places(in_turn(film(whole + b"\0\0\0\x08free"), film(cut)))
    generation = told(place, len(whole), seconds=SECONDS)
    for _ in range(2):
        saved(generation)

    assert codes(generation) == ["output_length"] * 2
    assert saved_to_the_end(generation).state is Status.OUTPUT_LOST


@pytest.mark.parametrize("seconds", [1, SECONDS])
@pytest.mark.parametrize("told_again", [False, True])
def test_longer_file_of_another_video_is_not_taken_at_once(
    places: Places,  # noqa: F811
    told_again: bool,
    seconds: int,
) -> None:
    """A cache mixed two up for a moment: what comes then is of the length that was told, and is taken."""
    assert len(CLIP) > len(fragmented())
    place = places(in_turn(film(CLIP), film(CLIP), film(fragmented())) if told_again else film(CLIP))
    generation = told(place, len(fragmented()), seconds=seconds)
    for _ in range(4):
        saved(generation)

    assert generation.state is (Status.DONE if told_again else Status.COMPLETED)


def in_pieces(data: bytes) -> Behaviour:
    """Without a length of its own, in many pieces: how long it is tells only its end."""

    def behave(heard: object, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nConnection: close\r\n\r\n")
        for at in range(0, len(data), 2048):
            sock.sendall(data[at : at + 2048])
            time.sleep(0.001)

    return behave


def test_longer_file_that_comes_in_pieces_is_taken_by_its_whole_length(places: Places) -> None:  # noqa: F811
    generation = told(places(in_pieces(CLIP)), len(CLIP) // 2, seconds=1)

    assert saved_to_the_end(generation).state is Status.DONE
    came = {event.data["came"] for event in generation.events.filter(kind="saving_failed")}
    assert came == {len(CLIP)}


@pytest.mark.parametrize(("seconds", "state"), [(SECONDS, Status.DONE), (1, Status.OUTPUT_LOST)])
def test_longer_files_whose_length_differs_each_time_are_taken_by_their_seconds(
    places: Places,  # noqa: F811
    seconds: int,
    state: Status,
) -> None:
    """A host that puts it together on the way."""
    whole = fragmented()
    grown = [whole + (8 + more).to_bytes(4) + b"free" + bytes(more) for more in range(40)]
    generation = told(places(in_turn(*map(film, grown))), len(whole) - 100, seconds=seconds)

    assert saved_to_the_end(generation).state is state


def test_longer_file_of_other_seconds_is_taken_when_no_other_comes(places: Places) -> None:  # noqa: F811
    """A model made another length, and its gateway counts bytes badly: a paid video is not lost by that."""
    generation = told(places(film(CLIP)), len(CLIP) - 100, seconds=SECONDS)

    assert saved_to_the_end(generation).state is Status.DONE
    assert len(codes(generation)) >= 3


@pytest.mark.parametrize("status", [404, 503])
def test_wrong_length_is_learnt_while_the_gateway_cannot_be_asked(places: Places, status: int) -> None:  # noqa: F811
    place = places(film(CLIP))
    generation = told(place, len(CLIP) + 100, seconds=1)
    place.job_status = status

    assert saved_to_the_end(generation).state is Status.DONE
    assert "output_length" not in codes(generation)[1:]  # from the second try on it was asked


def test_shorter_file_is_not_shown_where_no_length_in_seconds_was_ordered(places: Places) -> None:  # noqa: F811
    place = places(film(first_seconds(5)))

    assert saved_to_the_end(told(place, len(fragmented()), seconds=None)).state is Status.OUTPUT_LOST


def test_try_that_ends_when_its_time_is_over_is_not_the_last_while_another_length_may_be_taken() -> None:
    """It began before the length was refuted, and took long."""
    generation = factories.make_generation(
        status=Status.STORING, claim_id=uuid4(), upstream_id="up-1", completed_at=timezone.now()
    )
    first_at = timezone.now() - saving.PATIENCE - timedelta(seconds=5)
    for number in range(4):
        data = {"code": "output_length", "why": "bad", "told": 900, "came": 800}
        Event.objects.create(
            generation=generation, kind="saving_failed", at=first_at + timedelta(seconds=number), data=data
        )
    saving.failed(generation, OutputLength("short", told_bytes=900, came_bytes=800))
    generation.refresh_from_db()

    assert generation.state is Status.COMPLETED


def test_page_in_place_of_a_file_says_nothing_about_its_length(places: Places) -> None:  # noqa: F811
    """It is longer than the film, and gone when it is looked at."""
    place = places(in_turn(says(200, b"<html>" * 9000, Content_Type="text/plain"), film(first_seconds(4))))
    generation = told(place, len(fragmented()), seconds=SECONDS)

    assert saved_to_the_end(generation).state is Status.OUTPUT_LOST
