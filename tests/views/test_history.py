"""The history of a run: what comes again and again is one line with its count."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Event, Generation
from playground.templatetags.lost_files import OF_ONE_TRY, WORDS
from playground.views.history import Entry, history
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.pure]
BEGAN = timezone.now() - timedelta(days=7)


def happened(generation: Generation, *kinds: str, at: datetime = BEGAN, apart_s: float = 240) -> None:
    Event.objects.bulk_create(
        Event(generation=generation, kind=kind, at=at + timedelta(seconds=apart_s * n), data={"try": n})
        for n, kind in enumerate(kinds)
    )


def counts(entries: list[Entry]) -> list[tuple[str, int, int]]:
    return [(str(entry.words).split(";")[0], entry.position, entry.count) for entry in entries]


def test_week_of_tries_is_a_few_lines_with_their_counts_and_times(member: Any, browser_of: Any) -> None:
    row = factories.make_generation(by=member, status=Status.COMPLETED, next_check_at=timezone.now())
    happened(row, "completed", *["saving_started", "saving_failed"] * 2520, apart_s=120)
    page = browser_of(member).get(f"/runs/{row.run_id}/")

    made, started, failed = history([row])
    assert (made.count, started.count, failed.count) == (1, 2520, 2520)
    assert (failed.at, failed.last_at) == (BEGAN + timedelta(minutes=4), BEGAN + timedelta(minutes=10080))
    assert len(page.content) < 60_000
    assert page.content.decode().count("2520 times, last <time datetime=") == 2


def test_one_try_that_failed_is_told_line_by_line(member: Any) -> None:
    row = factories.make_generation(by=member)
    happened(row, "saving_started", "saving_failed", "saving_started", "stored")

    assert [count for _, _, count in counts(history([row]))] == [1, 1, 1, 1]


def test_lines_of_several_videos_are_folded_each_by_itself(member: Any) -> None:
    run = factories.make_run(by=member)
    first, second = (factories.make_generation(run=run, position=position) for position in (0, 1))
    happened(first, "ordered", *["not_found"] * 4)
    happened(second, "ordered", *["not_found"] * 3, "lost", at=BEGAN + timedelta(seconds=1))

    assert counts(history([first, second])) == [
        ("Ordered", 1, 1),
        ("Ordered", 2, 1),
        ("The gateway does not know it just now", 1, 4),
        ("The gateway does not know it just now", 2, 3),
        ("The gateway no longer knows it", 2, 1),
    ]


def test_lines_of_other_words_or_another_person_stay_apart(member: Any) -> None:
    row = factories.make_generation(by=member)
    other = factories.make_member(team=member.team)
    for by in (member.user, other.user, None):
        Event.objects.create(generation=row, kind="stop_requested", by=by, at=BEGAN)

    assert [entry.count for entry in history([row])] == [1, 1, 1]


ANSWER = {"code": "server_error", "http_status": 502, "message": "Bad <b>gateway</b>", "request_id": "req_7"}


@pytest.mark.parametrize("kind", ["refused", "answer_unclear", "put_back"])
def test_history_tells_what_the_gateway_answered_to_whoever_may_see_the_run(
    kind: str, viewer: Any, browser_of: Any
) -> None:
    row = factories.make_generation(by=factories.make_member(team=viewer.team))
    factories.make_event(row, kind, data=ANSWER)
    page = browser_of(viewer).get(f"/runs/{row.run_id}/").content.decode()
    said = page.split('class="history__list"')[1].split("</ol>")[0]
    assert '<span class="history__answer user-text" dir="auto" translate="no" hx-ignore>' in said
    for words in ("502", "server_error", "Bad &lt;b&gt;gateway&lt;/b&gt;", "req_7"):
        assert words in said
    assert "<b>" not in said


def test_history_tells_why_the_provider_failed_and_why_a_video_was_not_saved(member: Any) -> None:
    failed = factories.make_generation(
        by=member, status=Status.FAILED, error_code="nsfw", error_message="Not in this land.", next_check_at=None
    )
    factories.make_event(failed, "failed", data={"kind": "moderation", "code": "nsfw"})
    factories.make_event(failed, "saving_failed", data={"code": "output_missing", "why": "gone"})
    factories.make_event(failed, "saving_failed", data={"code": "OperationalError", "why": "ours"})
    told = [(str(entry.words), entry.code, entry.answer) for entry in history([failed])]
    assert told == [
        ("Failed at the provider", "nsfw", "Not in this land."),
        ("Saving did not work: the gateway gave no file; tried again", "", ""),
        ("Saving did not work; tried again", "OperationalError", ""),
    ]


def test_one_failed_try_is_not_told_in_the_words_of_a_loss(member: Any) -> None:
    row = factories.make_generation(by=member, status=Status.COMPLETED, next_check_at=timezone.now())
    assert OF_ONE_TRY.keys() == WORDS.keys()
    for code in OF_ONE_TRY:
        factories.make_event(row, "saving_failed", data={"code": code})
    lines = [str(entry.words) for entry in history([row])]
    assert len(set(lines)) == len(OF_ONE_TRY)
    for line in lines:
        assert not re.search("every time|again and again|for too long|never|before we could|It was made", line)


def test_lines_with_the_same_answer_are_one_with_every_request_id(member: Any) -> None:
    row = factories.make_generation(by=member)
    for number in range(40):
        factories.make_event(row, "answer_unclear", data=ANSWER | {"request_id": f"req_{number}"})
    factories.make_event(row, "answer_unclear", data=ANSWER | {"http_status": 500})
    first, last = history([row])
    assert (first.count, last.count) == (40, 1)
    assert first.request_ids == tuple(f"req_{number}" for number in (*range(10), *range(30, 40)))


def test_event_of_an_earlier_version_without_an_answer_has_none(member: Any, browser_of: Any) -> None:
    row = factories.make_generation(by=member)
    for kind in ("refused", "answer_unclear", "put_back", "failed", "saving_failed", "ordered"):
        factories.make_event(row, kind)
    assert not any(entry.has_answer for entry in history([row]))
    assert "history__answer" not in browser_of(member).get(f"/runs/{row.run_id}/").content.decode()


@pytest.mark.parametrize(
    ("estimate", "money"), [(400_000, "its money given back"), (None, "nothing was set aside for it")]
)
def test_order_that_an_admin_closed_gives_back_only_money_that_was_set_aside(
    member: Any, estimate: int | None, money: str
) -> None:
    row = factories.make_generation(by=member, estimate_micros=estimate)
    factories.make_event(row, "closed_by_admin")
    [line] = history([row])
    assert str(line.words) == f"It never ran, an admin says: closed, {money}"
