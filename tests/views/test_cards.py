"""Every state of a card says what happened and what is known of the money, and no more than that."""

import hashlib
import json
import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from playground.domain.status import Status
from playground.gateway.errors import OutputBad, OutputGone
from playground.media.boxes import BadVideo
from playground.models import Membership, Role
from playground.templatetags.lost_files import WORDS
from playground.views.card_money import day_and_time
from playground.views.cards import card_of
from playground.views.samples import _generation, _rows, _video

pytestmark = pytest.mark.pure

S = Status
NOW = timezone.now()
SENT = {"sent_at": NOW - timedelta(seconds=250), "submitted_at": NOW - timedelta(seconds=250)}
ENDED = SENT | {"ended_at": NOW - timedelta(seconds=210)}


def said(status, *, usual=None, **fields):
    return card_of(_generation(status, NOW, **fields), by=None, usual=usual, now=NOW)


@pytest.mark.parametrize(
    ("status", "fields", "word", "sentence"),
    [
        (S.REJECTED, {"error_kind": "moderation"}, "Failed", "The provider refused this prompt. Not charged."),
        (
            S.FAILED,
            {"error_kind": "moderation", **ENDED},
            "Failed",
            "The provider refused this prompt. No charge was reported; the money set aside is free again.",
        ),
        (
            S.FAILED,
            {"error_kind": "provider", **ENDED},
            "Failed",
            "The provider broke off after 40 s. No charge was reported; the money set aside is free again.",
        ),
        (
            S.REJECTED,
            {"error_kind": "image"},
            "Failed",
            "The model could not read the reference image. Not charged.",
        ),
        (S.CANCELLED, {}, "Cancelled", "Cancelled before it was sent. Not charged."),
        (
            S.OUTPUT_LOST,
            {"cost_micros": 840_000, **ENDED},
            "Lost",
            "It was made, but its file could not be fetched in time. Cost $0.84. An admin has been told.",
        ),
        (
            S.OUTPUT_LOST,
            {"error_code": "BadVideo", **ENDED},
            "Lost",
            "It was made, but its file is damaged. No cost reported; its price of $0.84 is counted."
            " An admin has been told.",
        ),
        (
            S.OUTPUT_LOST,
            {"error_code": "output_gone", "estimate_micros": None, **ENDED},
            "Lost",
            "It was made, but the link to its file ended before we could save it."
            " It may have been charged: this gateway named no cost. An admin has been told.",
        ),
        (
            S.UNKNOWN,
            {"sent_at": NOW},
            "Unclear",
            "It was sent, but no clear answer came. It may have cost $0.84."
            " It is not sent again by itself: an admin decides.",
        ),
    ],
)
def test_the_words_of_a_state_are_those_of_the_design(status, fields, word, sentence):
    card = said(status, **fields)
    assert (card.word, card.sentence) == (word, sentence)


def codes_of_files() -> set[str]:
    """Those that gateway/errors.py and media/boxes.py name for a finished file."""
    named = f"{OutputGone.__doc__} {OutputBad.__doc__} {BadVideo.__doc__}"
    return set(re.findall(r"\b(?:output_[a-z_]+|no_video|not_playable|over_limits)\b", named))


def test_each_fault_of_a_finished_file_has_words_of_its_own():
    codes = codes_of_files()
    assert {"output_gone", "output_empty", "not_playable"} <= codes
    assert codes <= set(WORDS)
    assert len(set(WORDS.values())) == len(WORDS)


def test_video_without_a_reported_cost_says_that_its_price_is_counted():
    row = _video(_generation(S.DONE, NOW))
    assert card_of(row, by=None, now=NOW).sentence == "No cost reported; its price of $0.84 is counted."
    row.gateway.is_sandbox = True
    assert "its price of $0.84 in play money is counted" in card_of(row, by=None, now=NOW).sentence


@pytest.mark.parametrize("status", [S.FAILED, S.CANCELLED, S.EXPIRED, S.LOST])
def test_a_sent_order_without_a_cost_is_never_called_free(status):
    sentence = said(status, error_kind="provider", **ENDED).sentence
    assert "Not charged" not in sentence
    assert "No charge was reported; the money set aside is free again." in sentence


def test_long_words_of_a_gateway_leave_room_for_what_it_cost():
    sentence = said(S.REJECTED, error_kind="other", error_message="Invalid value. " * 30, **ENDED).sentence
    assert sentence.endswith("Not charged.")
    assert len(sentence) < 130


def test_a_reported_cost_of_zero_is_called_free():
    assert said(S.FAILED, error_kind="provider", cost_micros=0, **ENDED).sentence.endswith("Not charged.")


@pytest.mark.parametrize("status", [S.CANCELLED, S.EXPIRED])
def test_a_stopped_order_at_no_cost_that_may_still_come_is_free_so_far(status):
    sentence = said(status, cost_micros=0, next_check_at=NOW, **ENDED).sentence
    assert "Not charged so far." in sentence
    assert "$" not in sentence


def test_a_result_that_differs_says_what_was_asked_and_what_came():
    row = _video(_generation(S.DONE, NOW, cost_micros=900_000), width=1280, height=720, duration_ms=8042)
    sentence = card_of(row, by=None, now=NOW).sentence
    assert sentence == "Asked for 1080p, 8 s. Got 720p, 8.0 s. Cost $0.90. The price was $0.84."


def test_a_late_result_says_that_it_was_kept():
    row = _video(_generation(S.DONE, NOW, cost_micros=840_000, is_late=True, stop_requested_at=NOW))
    assert card_of(row, by=None, now=NOW).sentence == "Arrived after you stopped it. Cost $0.84. Kept."


def test_running_over_the_usual_time_changes_the_stamp_so_that_the_page_hears_of_it():
    deadline = {"deadline_at": NOW + timedelta(minutes=26)}
    in_time = said(S.RUNNING, usual=(60, 600), **SENT, **deadline)
    late = said(S.RUNNING, usual=(60, 180), **SENT, **deadline)
    assert in_time.sentence == "Usually 1 to 10 min."
    assert late.sentence.startswith("It takes longer than usual (1 to 3 min). We keep asking until ")
    assert in_time.stamp != late.stamp


@pytest.mark.parametrize(("name", "row"), _rows(NOW), ids=lambda value: value if isinstance(value, str) else "")
def test_no_card_has_more_than_two_buttons_and_no_button_spends_without_a_price(name, row):
    card = card_of(row, by=None, now=NOW)
    assert len(card.actions) <= 2
    for action in [*card.actions, *card.menu]:
        if "quoted_micros" in action.fields:
            assert action.label.endswith(" - about $0.84")
        if action.label.startswith(("Try again", "One more")) and not action.post:
            assert action.url.startswith("/create/?from=")


def test_without_a_known_price_try_again_opens_create():
    card = said(S.FAILED, error_kind="provider", estimate_micros=None, **ENDED)
    assert card.actions[0].label == "Try again"
    assert not card.actions[0].post


def test_vendored_files_are_those_of_the_manifest():
    folder = settings.BASE_DIR / "static" / "vendor"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {path.name for path in folder.glob("*.js")} == set(manifest)
    for name, facts in manifest.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == facts["sha256"]
        assert (folder / facts["licence_file"]).is_file()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"attempts": 6, "sent_at": NOW, "error_code": "busy"},
            "The gateway took no order in time.",
        ),
        (
            {"attempts": 1, "sent_at": NOW, "error_code": "not_configured"},
            "The key of the gateway is not set.",
        ),
        ({"error_code": "paused"}, "The gateway was paused for too long."),
        ({"error_code": "spending_paused"}, "All spending was paused for too long."),
        ({}, "It waited too long for its turn."),
    ],
)
def test_an_order_that_the_deadline_ended_before_it_was_taken_is_called_not_sent(fields, sentence):
    card = said(S.CANCELLED, ended_at=NOW, error_kind="busy", **fields)
    assert (card.word, card.sentence) == ("Not sent", f"Not sent. {sentence} Not charged.")


@pytest.mark.parametrize(
    ("status", "fields", "sentence"),
    [
        (S.QUEUED, {"attempts": 0}, ""),
        (S.SUBMITTING, {"attempts": 1}, ""),
        (S.SUBMITTING, {"attempts": 1, "sent_at": NOW - timedelta(seconds=5)}, ""),
        (S.SUBMITTING, {"attempts": 1, "sent_at": NOW - timedelta(seconds=6)}, "Waiting for the gateway's answer."),
        (S.QUEUED, {"attempts": 1, "error_code": "throttled"}, "The gateway is busy, trying again. Not charged."),
        (
            S.QUEUED,
            {"attempts": 1, "error_code": "unreachable"},
            "The gateway cannot be reached, trying again. Not charged.",
        ),
        (S.SUBMITTING, {"attempts": 2, "error_code": "throttled"}, "The gateway is busy, trying again."),
        (
            S.SUBMITTING,
            {"attempts": 2, "error_code": "server_error", "unclear_at": NOW},
            "The gateway had trouble, trying again. It may have cost $0.84.",
        ),
        (
            S.SUBMITTING,
            {"attempts": 1, "error_code": "looked_for", "unclear_at": NOW},
            "No clear answer came. We look for it in the gateway's log. It may have cost $0.84.",
        ),
        (S.SUBMITTING, {"attempts": 2, "unclear_at": NOW}, "No answer came, trying again. It may have cost $0.84."),
        (
            S.QUEUED,
            {"attempts": 2, "error_code": "throttled", "unclear_at": NOW},
            "The gateway is busy, trying again. No charge reported yet.",
        ),
    ],
)
def test_an_order_that_is_tried_again_says_why_and_is_called_free_only_where_no_try_was_unclear(
    status, fields, sentence
):
    assert said(status, **fields).sentence == sentence


LOOKED_FOR = ENDED | {"next_check_at": NOW + timedelta(minutes=1), "deadline_at": NOW - timedelta(seconds=210)}


def until(moment) -> str:
    """With its day, since it is another one than today."""
    return f"{timezone.localtime(moment):%H:%M}"


@pytest.mark.parametrize("status", [S.CANCELLED, S.EXPIRED])
def test_order_that_is_looked_for_says_until_when_and_of_money_only_what_was_set_aside(status):
    ends = until(ENDED["ended_at"] + timedelta(hours=24))
    priced = said(status, **LOOKED_FOR).sentence
    assert re.search(rf"Its money stays set aside while it is looked for, until \d+ \w+ {ends}\.", priced)
    unpriced = said(status, estimate_micros=None, **LOOKED_FOR).sentence
    assert re.search(rf"No charge reported yet\. It is looked for until \d+ \w+ {ends}\.", unpriced)
    assert "set aside" not in unpriced


def test_order_that_is_looked_for_longer_than_planned_names_no_time_that_is_over():
    long_ago = LOOKED_FOR | {"ended_at": NOW - timedelta(days=2)}
    assert "Its money stays set aside while it is looked for. " in said(S.EXPIRED, **long_ago).sentence
    assert "It is looked for. " in said(S.EXPIRED, estimate_micros=None, **long_ago).sentence


def test_late_order_says_that_it_cannot_be_stopped_and_that_trying_again_costs_besides():
    card = said(S.EXPIRED, **LOOKED_FOR)
    words = "It cannot be stopped any more. If it still comes, it is kept; trying again costs besides."
    assert card.sentence.endswith(words)
    assert not any(action.label.startswith("Stop") for action in [*card.actions, *card.menu])
    assert "cannot be stopped" not in said(S.EXPIRED, **(LOOKED_FOR | {"next_check_at": None})).sentence


def test_card_without_a_price_says_while_it_runs_and_is_saved_that_it_may_cost():
    deadline = {"estimate_micros": None, "deadline_at": NOW + timedelta(minutes=26)}
    may = "It may cost something."
    assert said(S.RUNNING, usual=(60, 600), **SENT, **deadline).sentence == f"Usually 1 to 10 min. {may}"
    assert said(S.RUNNING, usual=(10, 15), **SENT, **deadline).sentence.endswith(f". {may}")
    assert said(S.STORING, **SENT, **deadline).sentence.endswith(f"fetched and checked. {may}")
    tried = said(S.COMPLETED, collect_attempts=2, error_code="output_missing", **SENT, **deadline)
    assert tried.sentence == f"It is made, but its file could not be fetched yet. Trying again. {may}"
    for status in (S.RUNNING, S.STORING):
        assert may not in said(status, **SENT).sentence
    assert may not in said(S.STORING, cost_micros=40_000, **SENT, **deadline).sentence


def test_late_card_of_a_gateway_that_cannot_stop_says_so():
    row = _generation(S.RUNNING, NOW, estimate_micros=None, deadline_at=NOW + timedelta(minutes=26), **SENT)
    row.gateway.has_cancel = False
    late = card_of(row, by=None, usual=(5, 36), now=NOW).sentence
    assert late.startswith("It takes longer than usual (5 to 36 s). We keep asking until ")
    assert late.endswith(". It may cost something. This gateway cannot stop it.")


MADE = SENT | {"completed_at": NOW, "collect_attempts": 6, "cost_micros": 840_000}


@pytest.mark.parametrize(
    ("code", "lasts", "until_h"),
    [
        ("server_error", None, 1),
        ("server_error", 3, 3),
        ("timeout", 1000, 7 * 24),
        ("output_gone", 3, 3),
        ("media_store", 3, 27),
        ("disk_full", None, 25),
    ],
)
def test_saving_says_until_when_it_is_tried_where_that_is_known(code, lasts, until_h):
    ends = {"output_expires_at": NOW + timedelta(hours=lasts)} if lasts else {}
    sentence = said(S.COMPLETED, error_code=code, **ends, **MADE).sentence
    local = timezone.localtime(NOW + timedelta(hours=until_h))
    assert re.search(rf"[Tt]rying again until ([0-9]+ [A-Z][a-z]+ )?{local:%H:%M}\. Cost \$0\.84\.$", sentence)
    is_today = local.date() == timezone.localtime(NOW).date()
    assert is_today or f"until {local.day} " in sentence


@pytest.mark.parametrize(("days", "until_days"), [(10, 11), (13.5, 14), (40, 14)])
def test_full_disk_is_waited_for_until_a_day_after_a_long_link_and_two_weeks_at_most(days, until_days):
    made = MADE | {"completed_at": NOW}
    sentence = said(S.COMPLETED, error_code="disk_full", output_expires_at=NOW + timedelta(days=days), **made).sentence
    assert f"until {day_and_time(NOW + timedelta(days=until_days))}." in sentence


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("output_missing", {}),
        ("output_gone", {}),
        ("output_gone", {"output_expires_at": NOW + timedelta(hours=40)}),
        ("not_found", {}),
        ("output_type", {}),
        ("server_error", {"completed_at": NOW - timedelta(hours=2)}),
    ],
)
def test_saving_names_no_time_that_is_not_known_or_over(code, more):
    assert "until" not in said(S.COMPLETED, error_code=code, **(MADE | more)).sentence


@pytest.mark.parametrize(("has_log", "where"), [(True, "the daily comparison"), (False, "only its bill")])
def test_closed_order_for_which_nothing_was_set_aside_is_not_called_free(has_log, where):
    row = _generation(S.REJECTED, NOW, error_kind="never_ran", estimate_micros=None)
    row.gateway.has_request_log = has_log
    card = card_of(row, by=None, now=NOW)
    words = "An admin looked into it: it never ran. Should the gateway charge for it all the same, "
    assert (card.word, card.sentence) == ("Closed", f"{words}{where} shows it.")
    assert said(S.REJECTED, error_kind="never_ran").sentence.endswith("Its money is free again.")
    unsent = said(S.CANCELLED, error_kind="never_ran", estimate_micros=None, ended_at=NOW).sentence
    assert "free" not in unsent


@pytest.mark.parametrize("status", [S.LOST, S.OUTPUT_LOST])
def test_admin_is_not_told_that_an_admin_has_been_told(status):
    row = _generation(status, NOW, **ENDED)
    to_admin = card_of(row, by=Membership(role=Role.ADMIN), now=NOW)
    assert "An admin has been told." not in to_admin.sentence
    assert any(action.url.endswith("#ids") for action in to_admin.menu)
    assert card_of(row, by=Membership(role=Role.CREATOR), now=NOW).sentence.endswith("An admin has been told.")
