"""Saving finished videos from a place that misbehaves: each case ends as it should, and leaves nothing behind."""

import errno
import gzip
import os
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.template.loader import render_to_string
from django.utils import timezone

from playground import queue
from playground.domain.status import Status
from playground.gateway.errors import (
    AccountRefused,
    Deadline,
    NotFound,
    NotSent,
    OutputBad,
    OutputGone,
    TooSlow,
    Unclear,
)
from playground.media import probe, storage
from playground.models import Event, Generation, Membership, Notice, Run, Video
from playground.services import collect, ledger, orphan_files, saving
from playground.services.saving import Why
from playground.views.cards import card_of
from playground.views.history import history
from tests import factories
from tests.bench import money
from tests.gateway.fake import Behaviour, Fake, Heard, fake, in_turn, reply, says
from tests.support.small_disk import BLOCK, small_disk

pytestmark = pytest.mark.django_db(transaction=True)
CLIP = factories.clip_bytes()


def film(data: bytes = CLIP, **headers: str) -> Behaviour:
    return says(200, data, **({"Content_Type": "video/mp4"} | headers))


class Place:
    """A gateway and its media host in one. `media` answers for the file; the job is read at the gateway."""

    def __init__(self, media: Behaviour, server: Callable[[], Fake]) -> None:
        self.media, self.server, self.job_status, self.told = media, server, 200, {}
        self.cost: float | None = None

    def __call__(self, heard: Heard, sock: socket.socket) -> None:
        if heard.target.endswith(("/balance", "/models")):
            sock.sendall(
                reply(200, {"available": {"amount": "5", "currency": "usd"}, "billing_type": "prepaid", "data": []})
            )
        elif "/openai/v1/videos/" not in heard.target:
            self.media(heard, sock)
        elif self.job_status != 200:
            sock.sendall(reply(self.job_status, {"error": {"message": "no"}}))
        else:
            job = {"id": "up-1", "status": "completed", "output": {"url": self.link, **self.told}}
            if self.cost is not None:
                job["metadata"] = {"cost": self.cost}
            sock.sendall(reply(200, job))

    @property
    def link(self) -> str:
        return f"{self.server().origin}/media/v.mp4"


@pytest.fixture
def places(settings: Any, tmp_path: Path) -> Iterator[Callable[[Behaviour], Place]]:
    """Makes the place that the orders of this test were made at, with a media store and temporary files of its own."""
    local = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "media"}}
    settings.STORAGES = {**settings.STORAGES, "media": local}
    settings.DATA_DIR = tmp_path
    servers: list[Fake] = []
    opened = []

    def open_place(media: Behaviour) -> Place:
        place = Place(media, lambda: servers[-1])
        context = fake(place)
        servers.append(context.__enter__())
        opened.append(context)
        settings.SANDBOX_PORT = servers[-1].port
        return place

    yield open_place
    for context in opened:
        context.__exit__(None, None, None)


def finished(place: Place, *, by: Membership | None = None, **fields: Any) -> Generation:
    """An order whose file is at `place`, with its money set aside."""
    number = Generation.objects.count()
    generation = factories.make_generation(
        by=by,
        **{
            "status": Status.COMPLETED,
            "upstream_id": f"up-{number}",
            "output_url": place.link,
            "completed_at": timezone.now(),
            **fields,
        },
    )
    ledger.hold(generation=generation, amount_micros=400_000, at=timezone.now())
    return generation


def saved(generation: Generation) -> Generation:
    """After one try to save it."""
    collect.collect(generation.id)
    generation.refresh_from_db()
    return generation


def saved_to_the_end(generation: Generation, *, minutes: float = 1) -> Generation:
    """Tries of which each comes `minutes` after the one before."""
    for _ in range(20):
        if saved(generation).state is not Status.COMPLETED:
            break
        passed(generation, minutes=minutes)
    return generation


def passed(generation: Generation, *, minutes: float) -> None:
    """As if so much time had passed: what it remembers, and when its link ends, is earlier."""
    ago = timedelta(minutes=minutes)
    Generation.objects.filter(id=generation.id).update(
        completed_at=F("completed_at") - ago, output_expires_at=F("output_expires_at") - ago
    )
    generation.events.update(at=F("at") - ago)


def nothing_is_left() -> bool:
    stored = [key for folder in storage.FOLDERS for key, _ in storage.entries(folder)]
    return not stored and not list(storage.temporary_folder().iterdir()) and not Video.objects.exists()


def test_file_is_checked_synced_and_renamed_before_its_row_is_committed(
    places: Callable[[Behaviour], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    generation = finished(places(film()))

    def spy(owner: object, name: str, word: str) -> None:
        original = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *a, **k: (original(*a, **k), steps.append(word))[0])

    spy(collect, "_downloaded", "length")
    spy(probe, "check_mp4_boxes", "boxes")
    spy(probe, "_decode_all", "decoded")
    spy(os, "fsync", "synced")
    spy(Path, "replace", "renamed")
    spy(Video, "save", "row")

    assert saved(generation).state is Status.DONE
    file = steps[: steps.index("row")]
    assert list(dict.fromkeys(file)) == ["length", "boxes", "decoded", "synced", "renamed"]
    assert file[-3:] == ["synced", "renamed", "synced"]


def cut_in_the_middle(heard: Heard, sock: socket.socket) -> None:
    sock.sendall(reply(200, CLIP, Content_Type="video/mp4")[: -len(CLIP) // 2])
    sock.shutdown(socket.SHUT_RDWR)


def chunks_that_stop(heard: Heard, sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n")
    sock.sendall(b"%x\r\n" % 1000 + CLIP[:1000] + b"\r\n")
    sock.shutdown(socket.SHUT_RDWR)


def closes_without_a_length(heard: Heard, sock: socket.socket) -> None:
    sock.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nConnection: close\r\n\r\n" + CLIP[: len(CLIP) * 6 // 10]
    )
    sock.shutdown(socket.SHUT_RDWR)


def redirects(to: str) -> Behaviour:
    return says(302, b"", Location=to)


@pytest.mark.parametrize(
    ("media", "code", "why"),
    [
        (cut_in_the_middle, "download_broken", Why.WAY),
        (chunks_that_stop, "download_broken", Why.WAY),
        (closes_without_a_length, "BadVideo", Why.BAD),
        (film(CLIP[: len(CLIP) * 6 // 10]), "BadVideo", Why.BAD),
        (film(b"<!doctype html><title>Sorry</title>" * 99), "no_video", Why.BAD),
        (says(200, b"<html>", Content_Type="text/html"), "output_type", Why.BAD),
        (film(b""), "output_empty", Why.BAD),
        (film(gzip.compress(b"0" * 10_000_000), Content_Encoding="gzip"), "output_encoded", Why.BAD),
        (redirects("/again"), "output_redirects", Why.BAD),
        (redirects("https://169.254.169.254/latest"), "output_place", Why.BAD),
        (redirects("http://media.example/v.mp4"), "output_place", Why.BAD),
        (says(503), "server_error", Why.WAY),
    ],
    ids=lambda value: getattr(value, "__name__", str(value))[:30],
)
def test_bad_file_is_a_failed_try_and_leaves_nothing(
    places: Callable[[Behaviour], Place], media: Behaviour, code: str, why: Why
) -> None:
    generation = saved(finished(places(media)))

    event = Event.objects.get(generation=generation, kind="saving_failed")
    assert generation.state is Status.COMPLETED
    assert (event.data["code"], event.data["why"]) == (code, why.value)
    assert nothing_is_left()


def test_file_that_is_never_a_video_is_lost_after_five_tries_and_its_cost_stands(
    places: Callable[[Behaviour], Place],
) -> None:
    generation = saved_to_the_end(finished(places(film(CLIP[: len(CLIP) * 6 // 10])), cost_micros=380_000))

    assert generation.state is Status.OUTPUT_LOST
    assert generation.events.filter(kind="saving_started").count() == saving.MAX_TRIES[Why.BAD] == 5
    assert money(generation) == {"hold": 400_000, "settle": 380_000}
    assert nothing_is_left()


def refused_for_good(place: Place, **fields: Any) -> Generation:
    generation = saved_to_the_end(finished(place, estimate_micros=320_000, **fields))
    assert generation.state is Status.OUTPUT_LOST
    return generation


def words_of_notice(generation: Generation) -> str:
    notice = Notice.objects.get(team=generation.team, kind="output_lost")
    words = render_to_string("notices/kinds/output_lost.html", {"notice": notice, "row": {"shows_run": True}})
    return " ".join(words.split())


@pytest.mark.parametrize(
    ("data", "limit", "code", "ending"),
    [
        (CLIP, "max_side", "over_limits", ".mp4"),
        (CLIP, "max_seconds", "over_limits", ".mp4"),
        (CLIP[: len(CLIP) * 6 // 10], "", "BadVideo", ".mp4"),
        (b"RIFF....AVI " * 99, "", "no_video", ".bin"),
    ],
    ids=["large", "long", "damaged", "other"],
)
def test_paid_file_that_our_checks_refuse_is_set_aside_and_found_by_its_order(
    places: Callable[[Behaviour], Place],
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    limit: str,
    code: str,
    ending: str,
) -> None:
    if limit:
        strict = probe.VideoLimits(**{limit: 0.5})  # type: ignore[arg-type]
        monkeypatch.setattr(collect.probe, "probe", partial(probe.probe, limits=strict))
    generation = refused_for_good(places(film(data)))

    place = f"orphans/refused/{generation.id}{ending}"
    with storage.open(place) as file:
        assert file.read() == data
    event = generation.events.get(kind="output_lost")
    assert (event.data["code"], event.data["kept"]) == (code, place)
    kept = f"kept for {orphan_files.REFUSED_KEPT.days} days"
    told = next(str(entry.words) for entry in history([generation]) if kept in str(entry.words))
    assert told.endswith(place)
    words = words_of_notice(generation)
    assert kept in words
    assert place in words
    assert "its price of $0.32 in play money is counted." in words
    assert f'href="/runs/{generation.run_id}/#ids"' in words
    assert nothing_is_left()


def test_file_that_never_came_whole_is_not_set_aside(places: Callable[[Behaviour], Place]) -> None:
    generation = refused_for_good(places(says(200, b"<html>", Content_Type="text/html")))

    assert not list(storage.entries("orphans"))
    assert "kept" not in generation.events.get(kind="output_lost").data
    words = words_of_notice(generation)
    assert "what its link led to was no video." in words
    assert "kept" not in words


def test_full_disk_keeps_no_refused_file_and_the_video_is_lost_all_the_same(
    places: Callable[[Behaviour], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage, "adopt", full)
    generation = refused_for_good(places(film(CLIP[: len(CLIP) * 6 // 10])))

    assert "kept" not in generation.events.get(kind="output_lost").data
    assert money(generation) == {"hold": 400_000, "settle": 320_000}


@pytest.mark.parametrize("trouble", [says(404), says(200, "<html>One moment</html>")], ids=["gone", "page"])
def test_trouble_of_a_minute_at_the_media_host_costs_no_video(
    places: Callable[[Behaviour], Place], trouble: Behaviour
) -> None:
    place = places(in_turn(*[trouble] * 6, film()))
    generation = finished(place, output_expires_at=timezone.now() + timedelta(hours=1))
    for _ in range(6):
        assert saved(generation).state is Status.COMPLETED
        passed(generation, minutes=0.3)
    words = card_of(generation, by=None).sentence

    assert saved(generation).state is Status.DONE
    assert words.startswith("It is made, but its file could not be fetched yet. Trying again")


def test_link_that_is_gone_is_tried_until_the_end_that_the_gateway_names(places: Callable[[Behaviour], Place]) -> None:
    generation = finished(places(says(410)), output_expires_at=timezone.now() + timedelta(minutes=30))
    tries = 0
    while saved(generation).state is Status.COMPLETED:
        tries += 1
        passed(generation, minutes=5)

    assert (generation.state, tries) == (Status.OUTPUT_LOST, 6)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_link_that_is_gone_is_asked_for_anew_three_times_and_the_admins_are_told(
    places: Callable[[Behaviour], Place], status: int
) -> None:
    place = places(says(status))
    generation = saved_to_the_end(finished(place, cost_micros=380_000))

    reads = [heard for heard in place.server().heard if "/openai/v1/videos/" in heard.target]
    notice = Notice.objects.get(team=generation.team, kind="output_lost")
    words = render_to_string("notices/kinds/output_lost.html", {"notice": notice, "row": {"shows_run": True}})
    assert (generation.state, len(reads)) == (Status.OUTPUT_LOST, 3)
    assert "Cost $0.38 in play money." in words
    assert f"/runs/{generation.run_id}/" in words
    assert nothing_is_left()


def test_fresh_link_saves_what_an_old_one_no_longer_gives(places: Callable[[Behaviour], Place]) -> None:
    place = places(in_turn(says(410), says(410), film()))
    generation = saved_to_the_end(finished(place))

    assert generation.state is Status.DONE
    assert generation.events.filter(kind="saving_failed").count() == 2


def test_gateway_that_forgot_the_order_does_not_keep_a_good_link_from_being_used(
    places: Callable[[Behaviour], Place],
) -> None:
    place = places(film())
    place.job_status = 404

    assert saved(finished(place, collect_attempts=1)).state is Status.DONE


def test_link_that_is_gone_waits_for_a_gateway_that_cannot_be_asked(places: Callable[[Behaviour], Place]) -> None:
    place = places(says(410))
    place.job_status = 503
    generation = finished(place)
    for _ in range(saving.MAX_TRIES[Why.GONE] + 4):
        saved(generation)
        passed(generation, minutes=1)

    assert generation.state is Status.COMPLETED


def test_trouble_on_the_way_is_tried_for_as_long_as_the_link_lasts(places: Callable[[Behaviour], Place]) -> None:
    generation = finished(places(says(503)), output_expires_at=timezone.now() + timedelta(minutes=50))
    for _ in range(7):
        saved(generation)
    assert generation.state is Status.COMPLETED

    Generation.objects.update(output_expires_at=timezone.now() - timedelta(seconds=1))
    assert saved(generation).state is Status.OUTPUT_LOST


def cut_at(received: int) -> Behaviour:
    def cuts(heard: Heard, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 9999\r\n\r\n" + CLIP[:received])
        sock.shutdown(socket.SHUT_RDWR)

    return cuts


def test_file_that_always_breaks_off_at_the_same_byte_is_lost_after_five_tries(
    places: Callable[[Behaviour], Place],
) -> None:
    generation = saved_to_the_end(finished(places(cut_at(700))))

    failed = generation.events.filter(kind__in=["saving_failed", "output_lost"]).order_by("id")
    assert [event.data["why"] for event in failed] == ["way"] * 4 + ["bad"]
    assert generation.state is Status.OUTPUT_LOST


@pytest.mark.parametrize("cuts", [[700, 700, 700, 700, 701, 700], [0] * 6], ids=["elsewhere", "nothing"])
def test_file_that_breaks_off_otherwise_is_tried_on(places: Callable[[Behaviour], Place], cuts: list[int]) -> None:
    generation = finished(places(in_turn(*map(cut_at, cuts))))
    for _ in cuts:
        saved(generation)

    assert generation.state is Status.COMPLETED


def test_hour_of_full_disk_uses_up_no_try_of_the_link(
    places: Callable[[Behaviour], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = finished(places(in_turn(says(410), film())))
    with monkeypatch.context() as full:
        full.setattr(storage, "free_bytes", lambda: collect.SPARE_BYTES - 1)
        for _ in range(30):
            saved(generation)
    assert generation.error_code == "disk_full"
    assert generation.next_check_at is not None
    assert generation.next_check_at <= timezone.now() + timedelta(minutes=5)
    assert Notice.objects.filter(kind="disk_full").count() == 1

    assert saved_to_the_end(generation).state is Status.DONE


def test_room_is_asked_for_by_the_size_the_gateway_told(
    places: Callable[[Behaviour], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = places(film())
    monkeypatch.setattr(storage, "free_bytes", lambda: collect.SPARE_BYTES + len(CLIP))

    assert saved(finished(place, output_size_bytes=len(CLIP) + 1)).error_code == "disk_full"
    assert "/media/v.mp4" not in [heard.target for heard in place.server().heard]
    assert saved(finished(place, output_size_bytes=len(CLIP))).state is Status.DONE


def test_those_are_saved_first_whose_link_ends_first_and_at_most_four(places: Callable[[Behaviour], Place]) -> None:
    place, by, now = places(film()), factories.make_member(), timezone.now()
    minutes = [50, 5, None, 40, 10, 30, 20]
    made = [
        finished(
            place,
            by=by,
            next_check_at=now - timedelta(seconds=index),
            output_expires_at=now + timedelta(minutes=ends) if ends else None,
        )
        for index, ends in enumerate(minutes)
    ]

    assert saving.hand_over(now=now) == 4
    assert saving.hand_over(now=now) == 0
    handed = [task["args"][0] for task in queue.take_all() if task["func"].endswith("collect")]
    assert handed == [str(made[minutes.index(ends)].id) for ends in (5, 10, 20, 30)]

    Generation.objects.filter(id__in=handed[:3]).update(status=Status.STORING)
    assert saving.hand_over(now=now) == 1


def test_crashed_save_leaves_a_file_that_the_next_start_removes_and_a_living_one_keeps_its_own(
    places: Callable[[Behaviour], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = finished(places(film()))
    seen: list[list[Path]] = []
    adopt = storage.adopt

    def start_another_worker_then_adopt(path: Path, key: str) -> None:
        seen.append(storage.clear_abandoned())
        adopt(path, key)

    monkeypatch.setattr(storage, "adopt", start_another_worker_then_adopt)
    left = storage.temporary_folder() / "left.mp4.part"
    left.write_bytes(b"half a film")

    assert saved(generation).state is Status.DONE
    assert seen == [[left], [], []]


@pytest.mark.parametrize(
    ("told", "price", "cost"),
    [(380_000, 400_000, 380_000), (None, 400_000, 400_000), (0, 400_000, 0), (None, None, None)],
)
def test_video_costs_what_the_gateway_told_else_its_price_else_nobody_knows(
    told: int | None, price: int | None, cost: int | None
) -> None:
    assert saving.cost_of(Generation(cost_micros=told, estimate_micros=price)) == cost


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OutputGone("gone"), Why.GONE),
        (NotFound("gone"), Why.UNKNOWN),
        (Deadline("slow"), Why.BAD),
        (OutputBad("bad"), Why.BAD),
        (Unclear("broken"), Why.WAY),
        (TooSlow("gave way"), Why.OURS),
        (NotSent("away"), Why.OURS),
        (AccountRefused("key", reason="key"), Why.OURS),
        (OSError(28, "full"), Why.OURS),
        (ZeroDivisionError(), Why.BAD),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_cause_decides_how_long_it_is_tried(error: Exception, why: Why) -> None:
    assert saving.why_of(error) is why


WHOLE = -(-len(CLIP) // BLOCK) * BLOCK


@pytest.mark.parametrize(
    ("where", "leave"),
    [("tmp", BLOCK), ("tmp", WHOLE), ("tmp", WHOLE + BLOCK), ("media", BLOCK)],
    ids=["file", "poster", "preview", "media"],
)
def test_disk_that_fills_up_in_the_middle_shows_no_partial_file_and_all_is_saved_once_there_is_room(
    places: Callable[[Behaviour], Place],
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    leave: int,
) -> None:
    monkeypatch.setattr(collect, "SPARE_BYTES", 0)
    generation = finished(places(film()))
    with small_disk(tmp_path / where) as disk:
        disk.fill(leave=leave)

        assert saved(generation).state is Status.COMPLETED
        assert generation.error_code == "disk_full"
        assert nothing_is_left_but(disk.filler)

        disk.free()
        assert saved_to_the_end(generation).state is Status.DONE
        assert storage.size(Video.objects.get().key) == len(CLIP)


def nothing_is_left_but(filler: Path) -> bool:
    left = {path for folder in (storage.temporary_folder(), storage.local_path("videos")) for path in files(folder)}
    return left <= {filler}


def files(folder: Path | None) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder else []


def test_full_database_loses_nothing_and_the_video_is_saved_once_there_is_room(
    places: Callable[[Behaviour], Place],
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("how PostgreSQL's disk fills up is its own affair; the error it gives is the same to us")
    generation = finished(places(film()))
    Run.objects.update(prompt="A long walk along the sea. " * 10_000)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")
    try:
        saved(generation)
        assert generation.state is Status.COMPLETED
        assert not Video.objects.exists()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA max_page_count = 4294967294")

    assert saved_to_the_end(generation).state is Status.DONE
    assert storage.exists(Video.objects.get().key)
    assert list(money(generation)) == ["hold", "settle"]
