"""Starting and repeating: what the buttons that order do.

One transaction makes the run, its generations, the money set aside, their first events and the queue entries; so either
all of it is there or nothing. The same token with the same content is the same press, however often it arrives.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from playground import queue
from playground.domain import money
from playground.domain.status import Status
from playground.models import (
    Event,
    Generation,
    GenerationReference,
    Membership,
    Reference,
    Run,
    Team,
    Video,
    VideoRequest,
    Visibility,
)
from playground.services import (
    agreed,
    backlog,
    budget_levels,
    budgets,
    engine,
    hooks,
    ledger,
    line,
    offers,
    room,
    sent_with,
    uploads,
    video_requests,
)
from playground.services.estimates import Quote, Wanted
from playground.services.line import LineFull
from playground.services.run_errors import (
    AlreadySent,
    AnsweredMeanwhile,
    BadToken,
    ModelGone,
    NeedsConfirmation,
    NotAllowed,
    NotPriced,
    OfPrice,
    OverBudget,
    PriceMoved,
    SpendingClosed,
    StorageFull,
)
from playground.services.sweep import HANDED_OVER, SUBMIT_TIMEOUT_S
from playground.services.wanted import wanted_of

__all__ = [
    "AlreadySent",
    "AnsweredMeanwhile",
    "BadToken",
    "LineFull",
    "ModelGone",
    "NeedsConfirmation",
    "NotAllowed",
    "NotPriced",
    "OfPrice",
    "OverBudget",
    "PriceMoved",
    "SpendingClosed",
    "StorageFull",
    "again",
    "new_token",
    "start",
    "wanted_of",
]

_TOKEN = re.compile(r"[\x21-\x7e]{1,64}")


def new_token() -> str:
    """The submit token of one drawn form: what makes two presses of it one."""
    return secrets.token_urlsafe(24)


def start(
    *,
    by: Membership,
    wanted: Wanted,
    prompt: str,
    token: str,
    quoted_micros: int | None,
    accept_unpriced: bool = False,
    confirmed_micros: int | None = None,
    confirmed_unpriced: int | None = None,
    parent_video: Video | None = None,
    retry_of: Generation | None = None,
    visibility: str = Visibility.TEAM,
    answers: VideoRequest | None = None,
) -> Run:
    """Order `wanted`, all of it or nothing. The same token with the same content gives the first run again, unpaid.

    `quoted_micros` is the total on the button, `confirmed_micros` what was confirmed once more (without a price so many
    videos: `confirmed_unpriced`). What answers a request is always the team's. Raises what `run_errors` has, LineFull
    and ImageRefused: then nothing was sent.
    """
    _check_press(by, token)
    visibility = Visibility.TEAM if answers else visibility
    body_hash = _hash(wanted, prompt, visibility)
    if earlier := _earlier(by, token, body_hash):
        return earlier
    _check_offered(by, wanted)
    room.check(by=by)

    def quoted() -> Quote:
        quote = agreed.priced(by, wanted, quoted_micros, accept_unpriced)
        agreed.check_limits(quote, confirmed_micros, confirmed_unpriced)
        return quote

    fields = {"prompt": prompt, "submit_token": token, "body_hash": body_hash, "parent_video": parent_video}
    return _ordered(by, wanted, quoted, fields | {"visibility": visibility}, retry_of=retry_of, answers=answers)


def _ordered(by: Membership, wanted: Wanted, quoted: Callable[[], Quote], fields: dict[str, Any], **why: Any) -> Run:
    """`fields` of the run; `why`: `retry_of` and `answers`."""
    pictures = list[Reference]()
    try:
        line.check(by=by, count=wanted.count)
        quote = quoted()
        pictures += [uploads.cut(by=by, reference=picture, crop=crop) for picture, crop in wanted.crops()]
        run = _drawn(by, wanted, quote, **fields)
        _write(run, by=by, wanted=wanted, pictures=pictures, quote=quote, now=timezone.now(), **why)
    except (OfPrice, LineFull, AnsweredMeanwhile, IntegrityError) as error:
        # The same press may have come twice, and the other one ordered while this one waited for its price.
        if earlier := _earlier(by, fields["submit_token"], fields["body_hash"]):
            return earlier
        _look_into(error, by=by, pictures=pictures)
        raise
    return run


def _look_into(error: Exception, *, by: Membership, pictures: list[Reference]) -> None:
    """Raises what the page can show where a picture went meanwhile; tells the admins of a limit that is in the way."""
    if isinstance(error, IntegrityError):
        uploads.check_kept(pictures)
    elif isinstance(error, OverBudget):
        aside = money.set_aside_micros(error.quote.unit_micros or 0)
        budget_levels.no_room(by=by, video_micros=aside, at=timezone.now())


def _check_press(by: Membership, token: str) -> None:
    if not by.may_create:
        raise NotAllowed
    if not _TOKEN.fullmatch(token):
        raise BadToken


def _drawn(by: Membership, wanted: Wanted, quote: Quote, **values: Any) -> Run:
    """The run's row, not yet written; `values` are prompt, submit_token, body_hash, parent_video and visibility."""
    return Run(
        team_id=by.team_id,
        created_by_id=by.user_id,
        gateway_id=wanted.model.gateway_id,
        model=wanted.model,
        **values,
        settings=wanted.settings(),
        quoted_total_micros=quote.total_micros,
    )


def _check_offered(by: Membership, wanted: Wanted) -> None:
    model = wanted.model
    uploads.check_count(wanted.references)
    if not offers.is_offered(by=by, model=model):
        raise ModelGone(model)


def _hash(wanted: Wanted, prompt: str, visibility: str) -> str:
    """Of what was asked and for whom. Images count by their bytes: without scripts a file comes with each press."""
    content = wanted.body(prompt) | {
        "count": wanted.count,
        "references": [(picture.sha256, crop.box) for picture, crop in wanted.crops()],
    }
    if visibility != Visibility.TEAM:
        content["visibility"] = visibility
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _earlier(by: Membership, token: str, body_hash: str) -> Run | None:
    run = Run.objects.filter(team_id=by.team_id, submit_token=token).first()
    if run is not None and run.body_hash != body_hash:
        raise AlreadySent(run)
    return run


def _write(
    run: Run,
    *,
    by: Membership,
    wanted: Wanted,
    pictures: list[Reference],
    quote: Quote,
    retry_of: Generation | None,
    answers: VideoRequest | None,
    now: datetime,
) -> None:
    # fault: before-insert
    with transaction.atomic():
        team, gateway = line.join(by=by, count=wanted.count), wanted.model.gateway
        _check_open(team, by, wanted, quote)
        at_once = backlog.may_go_at_once(run.gateway_id, now=now)
        run.save(force_insert=True)
        for position in range(wanted.count):
            generation = Generation.objects.create(
                run=run,
                team=team,
                gateway=gateway,
                model=wanted.model,
                position=position,
                retry_of=retry_of,
                **hooks.fields_of(wanted.body(run.prompt), gateway=gateway),
                estimate_micros=quote.unit_micros,
                next_check_at=now + HANDED_OVER if at_once else now,
                deadline_at=now + engine.DEADLINE,
                created_at=now,
            )
            _attach(generation, pictures)
            # fault: inserted
            _set_aside(generation, quote, now=now)
            # fault: held
            _note_order(generation, now=now)
            if at_once:
                queue.enqueue("submit", str(generation.id), timeout_s=SUBMIT_TIMEOUT_S)
            # fault: enqueued
        _answer(answers, by=by, run=run, now=now)
    # fault: ordered


def _check_open(team: Team, by: Membership, wanted: Wanted, quote: Quote) -> None:
    """With the team's row locked: spending is not paused, and a gateway of its own is neither removed nor left."""
    gateway = wanted.model.gateway
    if gateway.team_id:
        _check_offered(by, wanted)
    if not gateway.is_sandbox and not budgets.is_open(team):
        raise SpendingClosed(quote)


def _answer(request: VideoRequest | None, *, by: Membership, run: Run, now: datetime) -> None:
    if request and not video_requests.made(by=by, request=request, run=run, now=now):
        raise AnsweredMeanwhile


def _set_aside(generation: Generation, quote: Quote, *, now: datetime) -> None:
    try:
        ledger.hold(generation=generation, amount_micros=money.set_aside_micros(quote.unit_micros or 0), at=now)
    except ledger.OverBudget as error:
        raise OverBudget(quote) from error


def _note_order(generation: Generation, *, now: datetime) -> None:
    data, by_id = {"key": sent_with.mark(generation.gateway)}, generation.run.created_by_id
    Event.objects.create(generation=generation, kind="ordered", to_status=Status.QUEUED, by_id=by_id, at=now, data=data)


def _attach(generation: Generation, pictures: list[Reference]) -> None:
    GenerationReference.objects.bulk_create(
        GenerationReference(generation=generation, reference=reference, position=index)
        for index, reference in enumerate(pictures)
    )


def again(*, by: Membership, generation: Generation, token: str, quoted_micros: int | None) -> Run:
    """One more with the same settings, linked to the old one. Raises as `start`."""
    parent = generation.run.parent_video
    return start(
        by=by,
        wanted=wanted_of(generation),
        prompt=generation.run.prompt,
        token=token,
        quoted_micros=quoted_micros,
        parent_video=parent,
        retry_of=generation,
        visibility=generation.run.visibility,
    )
