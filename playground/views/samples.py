"""Unsaved sample rows for the style page: one card per state and cause, and texts of every awkward kind."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from playground.domain.capabilities import Capabilities
from playground.domain.status import STOP_FAILED, Status
from playground.models import Gateway, Generation, Membership, Run, Team, Video, VideoModel
from playground.services.catalogue import Record
from playground.services.cheaper import Cheaper
from playground.services.estimates import Quote, QuoteState
from playground.services.limits import suggested
from playground.services.line import Line
from playground.templatetags.lost_files import WORDS as LOST_FILES
from playground.views.cards import Card, card_of
from playground.views.create_page import empty_account, per_second_micros
from playground.views.create_prices import Chip, PickerRow
from playground.views.generations import line_words
from playground.views.suggestions import Suggestion

S = Status
PROMPT = "A paper boat drifts down a rain-filled street at dusk, neon signs mirrored in the water"
TEXTS = {
    "shortest": "Fox",
    "a word of 500 letters": "x" * 500,
    "5,000 characters": ("A slow river under willows, fog lifting. " * 125)[:5000],
    "Arabic": "قارب ورقي ينجرف في شارع ممطر عند الغسق، وأضواء النيون تنعكس في الماء",
    "Japanese": "夕暮れの雨に濡れた通りを紙の船がゆっくりと流れていく。ネオンが水面に映る。",
    "emoji": "🦊🌊 a fox surfs 🏄‍♀️ at golden hour 🌅",
}


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    card: Card


def _generation(status: Status, now: datetime, prompt: str = PROMPT, **fields: Any) -> Generation:
    gateway = Gateway(name="Lumenfall", slug="lumenfall", has_cancel=True)
    model = VideoModel(
        gateway=gateway, slug="kling-v3", name="Kling 3", owner="kling", capabilities=Capabilities().to_json()
    )
    run = Run(gateway=gateway, model=model, prompt=prompt, settings={"size": "1920x1080", "seconds": 8, "count": 1})
    given: dict[str, Any] = {"estimate_micros": 840_000, "created_at": now - timedelta(minutes=6)}
    return Generation(run=run, team=Team(), gateway=gateway, model=model, status=status, **(given | fields))


def _video(generation: Generation, **fields: Any) -> Generation:
    given: dict[str, Any] = {"width": 1920, "height": 1080, "duration_ms": 8000, "prompt": generation.run.prompt}
    generation.video = Video(**(given | fields))
    return generation


def _rows(now: datetime) -> list[tuple[str, Generation]]:
    sent: dict[str, Any] = {"sent_at": now - timedelta(seconds=250), "submitted_at": now - timedelta(seconds=250)}
    due: dict[str, Any] = {"deadline_at": now + timedelta(minutes=26)}
    return [
        ("waiting", _generation(S.QUEUED, now)),
        ("waiting, busy", _generation(S.QUEUED, now, attempts=2, error_code="throttled")),
        ("sending", _generation(S.SUBMITTING, now)),
        ("sending, trouble", _generation(S.SUBMITTING, now, attempts=2, error_code="server_error", unclear_at=now)),
        ("queued at the provider", _generation(S.SUBMITTED, now, **sent, **due)),
        ("generating, late", _generation(S.RUNNING, now, **sent, **due)),
        ("generating, with progress", _generation(S.RUNNING, now, progress=42, **sent, **due)),
        ("generating, late, no price", _generation(S.RUNNING, now, estimate_micros=None, **sent, **due)),
        ("stopping", _generation(S.RUNNING, now, stop_requested_at=now, **sent, **due)),
        ("stop did not get through", _generation(S.RUNNING, now, error_code=STOP_FAILED, **sent, **due)),
        ("saving", _generation(S.STORING, now, **sent, **due)),
        *_held_up_in_saving(now, sent | due | {"completed_at": now, "collect_attempts": 6}),
        *_ended(now, sent | {"ended_at": now - timedelta(seconds=210)}),
    ]


def _held_up_in_saving(now: datetime, made: dict[str, Any]) -> list[tuple[str, Generation]]:
    """With a time and without one; with a cost, and without a price."""
    paid, unknown = made | {"cost_micros": 840_000}, made | {"estimate_micros": None}
    return [
        ("saving, trouble", _generation(S.COMPLETED, now, error_code="server_error", **paid)),
        ("saving, disk full", _generation(S.COMPLETED, now, error_code="disk_full", **paid)),
        ("saving, no price", _generation(S.COMPLETED, now, error_code="output_missing", **unknown)),
    ]


def _ended(now: datetime, ended: dict[str, Any]) -> list[tuple[str, Generation]]:
    return [
        ("ready", _video(_generation(S.DONE, now, cost_micros=840_000, **ended))),
        (
            "ready, not as asked",
            _video(_generation(S.DONE, now, cost_micros=900_000, **ended), width=1280, height=720, duration_ms=8042),
        ),
        (
            "arrived late",
            _video(_generation(S.DONE, now, cost_micros=840_000, is_late=True, stop_requested_at=now, **ended)),
        ),
        ("ready, gone", _generation(S.DONE, now, cost_micros=840_000, **ended)),
        ("refused: prompt", _generation(S.REJECTED, now, error_kind="moderation")),
        ("failed: prompt, while running", _generation(S.FAILED, now, error_kind="moderation", **ended)),
        ("refused: picture", _generation(S.REJECTED, now, error_kind="image")),
        ("refused: balance", _generation(S.REJECTED, now, error_kind="balance")),
        ("refused: key", _generation(S.REJECTED, now, error_kind="key")),
        ("refused: busy", _generation(S.REJECTED, now, error_kind="busy")),
        ("refused: other", _generation(S.REJECTED, now, error_kind="other", error_message="size is not supported")),
        ("closed", _generation(S.REJECTED, now, error_kind="never_ran")),
        ("closed, no price", _generation(S.REJECTED, now, error_kind="never_ran", estimate_micros=None)),
        ("failed: provider", _generation(S.FAILED, now, error_kind="provider", **ended)),
        ("failed: other, free", _generation(S.FAILED, now, error_kind="other", cost_micros=0, **ended)),
        ("cancelled, never sent", _generation(S.CANCELLED, now)),
        ("stopped", _generation(S.CANCELLED, now, **ended)),
        *_looked_for(now, ended),
        ("lost", _generation(S.LOST, now, **ended)),
        *_lost_files(now, ended),
        ("unclear", _generation(S.UNKNOWN, now, sent_at=now)),
    ]


def _looked_for(now: datetime, ended: dict[str, Any]) -> list[tuple[str, Generation]]:
    """Stopped and late, with money set aside and without; and a late one that is not looked for any more."""
    late: dict[str, Any] = {"deadline_at": now - timedelta(seconds=210), **ended}
    due: dict[str, Any] = late | {"next_check_at": now + timedelta(minutes=1)}
    return [
        ("stopped, looked for", _generation(S.CANCELLED, now, **due)),
        ("stopped, looked for, no price", _generation(S.CANCELLED, now, estimate_micros=None, **due)),
        ("late, looked for", _generation(S.EXPIRED, now, **due)),
        ("late, looked for, no price", _generation(S.EXPIRED, now, estimate_micros=None, **due)),
        ("late", _generation(S.EXPIRED, now, **late)),
    ]


def _lost_files(now: datetime, ended: dict[str, Any]) -> list[tuple[str, Generation]]:
    """Each cause once, with its cost; a cause without words, where no cost was reported; and one without a price."""
    costs: dict[str, Any] = {code: {"cost_micros": 840_000} for code in LOST_FILES} | {"server_error": {}}
    rows = [
        (f"output lost: {code}", _generation(S.OUTPUT_LOST, now, error_code=code, **ended, **cost))
        for code, cost in costs.items()
    ]
    unknown = _generation(S.OUTPUT_LOST, now, error_code="BadVideo", estimate_micros=None, **ended)
    return [*rows, ("output lost, no price", unknown)]


def card_samples(by: Membership | None) -> list[Sample]:
    now = timezone.now()
    other = Suggestion("wan-2.6", 630_000)
    samples = [Sample(name, card_of(row, by=None, usual=(60, 180), other=other, now=now)) for name, row in _rows(now)]
    for name, text in TEXTS.items():
        samples.append(Sample(name, card_of(_generation(S.FAILED, now, text), by=None, now=now)))
    return samples


Priced = tuple[str, Quote | None, dict[str, Any]]


def _limit_samples(by: Membership, fine: dict[str, Any], capped: dict[str, Any]) -> list[Priced]:
    """Prices that a limit is in the way of."""
    of_month: dict[str, Any] = {"month": timezone.now().date().replace(day=1), "time_zone": "Europe/Berlin"}
    tight: dict[str, Any] = {"left_micros": 1_200_000, "cap_micros": 50_000_000, **of_month}
    own: dict[str, Any] = {"left_micros": 900_000, "cap_micros": 10_000_000, "is_own_limit": True}
    four = Quote(QuoteState.ESTIMATED, **(fine | {"count": 4}), **tight)
    above = Quote(QuoteState.ESTIMATED, **fine, **capped, confirm_above_micros=500_000)
    return [
        ("over budget", four, {}),
        ("over budget, asked", four, {"problem": "asked"}),
        ("over one's own limit", Quote(QuoteState.ESTIMATED, **fine, **(tight | own)), {}),
        ("needs confirmation", above, {"problem": "needs_confirmation"}),
        ("spending paused", Quote(QuoteState.ESTIMATED, **fine, **capped, is_paused=True), {}),
        ("limits not set", Quote(QuoteState.ESTIMATED, **fine, lacks_limits=True), {"suggested": suggested(by.team)}),
    ]


def _empty_accounts(bare: dict[str, Any]) -> list[Priced]:
    """A real one, and the one that the sandbox plays."""
    of_sandbox = {"empty_account": empty_account(Gateway(is_sandbox=True))}
    return [
        ("account empty", Quote(QuoteState.ACCOUNT_EMPTY, **bare), {"empty_account": empty_account(Gateway())}),
        ("account empty, played", Quote(QuoteState.ACCOUNT_EMPTY, **bare, is_play_money=True), of_sandbox),
    ]


def _without_price(bare: dict[str, Any]) -> list[Priced]:
    needs = "This model needs a reference image. Add one to see the price."
    none = "This gateway gives no price for wan-2.6."
    return [
        ("checking", None, {}),
        ("needs input", Quote(QuoteState.NEEDS_INPUT, **bare, message=needs), {}),
        ("not available", Quote(QuoteState.UNAVAILABLE, **bare, message=none, gives_no_price=True), {}),
        ("no room, no price", Quote(QuoteState.UNAVAILABLE, **bare, message=none), {"problem": "storage_full"}),
        ("allowed without", Quote(QuoteState.UNAVAILABLE, **bare, message=none, may_go_unpriced=True), {}),
        *_empty_accounts(bare),
        ("unreachable", Quote(QuoteState.UNREACHABLE, **bare, message="The gateway does not answer."), {}),
    ]


def price_samples(by: Membership) -> list[dict[str, Any]]:
    """Contexts for create/_price.html, one per line of the table of states."""
    now = timezone.now()
    fine: dict[str, Any] = {"unit_micros": 840_000, "provider": "fal", "checked_at": now, "count": 1, "seconds": 8}
    capped: dict[str, Any] = {"left_micros": 41_200_000, "cap_micros": 50_000_000}
    less = cheaper_samples()
    full = line_words(Line(waiting=50, limit=50, is_own=True))
    quotes: list[Priced] = [
        (
            "fine",
            Quote(QuoteState.ESTIMATED, **fine, **capped),
            {"left_after": 40_150_000, "cheaper": less},
        ),
        ("play money", Quote(QuoteState.ESTIMATED, **fine, is_play_money=True), {}),
        ("tiny", Quote(QuoteState.ESTIMATED, **(fine | {"unit_micros": 3_000})), {}),
        ("moved", Quote(QuoteState.ESTIMATED, **fine), {"problem": "price_moved", "was_micros": 700_000}),
        ("sent already", Quote(QuoteState.ESTIMATED, **fine), {"problem": "already_sent"}),
        *_limit_samples(by, fine, capped),
        ("line full", Quote(QuoteState.ESTIMATED, **fine), {"problem": "line_full", "why": full}),
        *_without_price({"count": 1, "seconds": 8}),
    ]
    page = {"by": by}
    return [
        {
            "name": name,
            "page": page,
            "quote": quote,
            "quote_state": quote.state.value if quote else "checking",
            "per_second_micros": per_second_micros(quote),
        }
        | more
        for name, quote, more in quotes
    ]


def cheaper_samples() -> list[Cheaper]:
    """One of each kind that needs room, the greatest saving first."""
    return [
        Cheaper("model", "seedance-2.0", "Seedance 2.0 Lite", 240_000, 600_000),
        Cheaper("seconds", "4", "4 s", 420_000, 420_000),
        Cheaper("audio", "false", "silent", 560_000, 280_000),
    ]


def picker_samples() -> dict[str, Any]:
    """The context of create/_picker.html: a price, none yet, none at all, and one that always fails."""
    gateway, takes = Gateway(name="Lumenfall", slug="lumenfall"), Capabilities(image_to_video=True)
    rows = [
        ("Kling 3", {"price_note": "from $0.084 per second"}, None, "about $0.84 for these settings"),
        ("Wan 2.6", {"price_note": "from $0.10 per second"}, Record(7, 10, 60, 180), "about $0.50 for 5 s"),
        ("Sora 2", {"price_note": "from $0.10 per second", "lifecycle": "retiring"}, None, ""),
        ("x" * 60, {}, Record(0, 5), ""),
    ]
    models = [
        VideoModel(gateway=gateway, slug=name, name=name, owner="maker", capabilities=takes.to_json(), **fields)
        for name, fields, _record, _price in rows
    ]
    picker = [
        PickerRow(model, takes, record, chosen=model is models[0], price=price)
        for model, (_name, _fields, record, price) in zip(models, rows, strict=True)
    ]
    return {"model": models[0], "picker": picker}


def chip_samples() -> dict[str, list[Chip]]:
    return {
        "shape": [Chip(shape, shape, shape == "16:9") for shape in ("16:9", "9:16", "1:1", "21:9")],
        "quality": [Chip("720p", "720p", True), Chip("1080p", "1080p", disabled_because="with 16:9 only")],
        "seconds": [
            Chip("4", "4 s", micros=420_000, room=5),
            Chip("8", "8 s", True, micros=840_000, room=5),
            Chip("12", "12 s", room=5),
            Chip("20", "20 s"),
        ],
    }
