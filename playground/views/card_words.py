"""Sentences of a card that need some thought: why it failed, what is in the way, how the result differs."""

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from playground.domain.capabilities import nearest_shape, parse_size, quality_of, shape_of
from playground.domain.status import Status
from playground.models import Generation, Video
from playground.services import saving as saving_rules
from playground.services.outcomes import GONE_FOR
from playground.services.pauses import why
from playground.templatetags.lost_files import lost_file
from playground.templatetags.playground import clock
from playground.views.card_money import charge, is_by_word, may_cost, may_have_cost, time_of_day, time_today_or_day

S = Status
LONG_PAUSE = timedelta(seconds=30)
SAME_LENGTH = timedelta(milliseconds=500)
"""Encoders round to whole frames and audio packets: a smaller difference is none."""
MESSAGE_CHARS = 80
"""Of a gateway's own words on a card: what it cost stands behind them. History has them whole."""
ANSWER_COMES_WITHIN = timedelta(seconds=5)
"""A gateway that takes longer to take an order is waited for in words."""

ON_THE_WAY = frozenset({"server_error", "timeout", "connection_lost", "not_json", "unexpected_status", "throttled"})
OURS = frozenset({"disk_full", "media_store"})
"""Our codes of faults on the way to the file, tried as long as its link lasts, and of those here, a day longer."""


def lost(generation: Generation, *, to_admin: bool) -> str:
    """Made and not saved, or not known any more: what was wrong, what it cost, and who knows of it besides."""
    what = _("The gateway no longer knows this video.")
    if generation.state is S.OUTPUT_LOST:
        what = lost_file(generation.error_code)
    words = f"{what} {charge(generation)}"
    return words if to_admin else f"{words} {_('An admin has been told.')}"


def held_up(generation: Generation) -> str:
    """Whose pause a waiting order waits for, and for how long; "" when none holds it."""
    until = time_of_day(generation.deadline_at)
    if reason := generation.gateway.paused_reason:
        words = _("The gateway is paused: %(reason)s. It waits until %(time)s.")
        words %= {"reason": why(reason), "time": until}
    elif not generation.gateway.is_sandbox and generation.team.spending_paused_at:
        words = _("An admin has paused all spending. It waits until %(time)s.") % {"time": until}
    else:
        return ""
    return words if is_by_word(generation) else f"{words} {_('Not charged.')}"


def unclear(generation: Generation) -> str:
    """Of an order that waits for an admin."""
    what = f"{_('It was sent, but no clear answer came.')} {may_have_cost(generation)}"
    return f"{what} {_('It is not sent again by itself: an admin decides.')}"


def awaited(late: bool) -> str:
    """While a first try is on the wire: nothing, until its answer takes its time."""
    return _("Waiting for the gateway's answer.") if late else ""


def trying_again(generation: Generation) -> str:
    """While an order is tried again: what was in the way of the last try, and what is known of the money. Else ""."""
    if generation.state is S.QUEUED and generation.attempts:
        money = _("Not charged.") if generation.unclear_at is None else charge(generation)
        money = "" if is_by_word(generation) else money
    elif generation.state is S.SUBMITTING and (generation.unclear_at or generation.attempts > 1):
        # On the wire again: of a clear earlier try nothing is owed, of this one nothing is known.
        money = may_have_cost(generation) if generation.unclear_at else ""
    else:
        return ""
    return " ".join(part for part in (_in_the_way(generation), _next_try(generation), money) if part)


def _next_try(generation: Generation) -> str:
    """When the same order goes out again, if that is not soon."""
    at = generation.next_check_at
    waits = generation.state is S.SUBMITTING and generation.claim_id is None and generation.error_code != "looked_for"
    if not waits or at is None or at - timezone.now() < LONG_PAUSE:
        return ""
    return _("Next try at %(time)s.") % {"time": time_of_day(at)}


def _in_the_way(generation: Generation) -> str:
    """By our own code of the last error (gateway/errors.py)."""
    match generation.error_code:
        case "throttled" | "busy":
            return _("The gateway is busy, trying again.")
        case "unreachable" | "timeout_connect" | "name_lookup":
            return _("The gateway cannot be reached, trying again.")
        case "not_configured":
            return _("The key of the gateway is not set, trying again.")
        case "in_flight":
            return _("The gateway is still taking it, asking again.")
        case "bad_request" | "reference_unreadable":
            return _("It could not be put together, trying again.")
        case "looked_for":
            return _("No clear answer came. We look for it in the gateway's log.")
        case "":
            return _("No answer came, trying again.")
        case _:
            return _("The gateway had trouble, trying again.")


def saving(generation: Generation) -> str:
    """While it is fetched: what is in the way, if anything, until when it is tried, and what is known of the money."""
    money = charge(generation, silent=True) or may_cost(generation)
    what = _("It is made. Our own copy is being fetched and checked.")
    if generation.collect_attempts and generation.error_code != "saver_lost":
        what = _trying_to_save(generation)
    return f"{what} {money}".strip()


def _trying_to_save(generation: Generation) -> str:
    ends_at, is_full = _tried_until(generation), generation.error_code == "disk_full"
    if ends_at is None and is_full:
        return _("It is made, but the disk here is full. An admin has been told; trying again.")
    if ends_at is None:
        return _("It is made, but its file could not be fetched yet. Trying again.")
    words = _("It is made, but its file could not be fetched yet. Trying again until %(time)s.")
    if is_full:
        words = _("It is made, but the disk here is full. An admin has been told; trying again until %(time)s.")
    return words % {"time": time_today_or_day(ends_at)}


def _tried_until(generation: Generation) -> datetime | None:
    """When it is given up, where the last fault alone tells that (services/saving.py); None once that is over."""
    made_at, expires_at = generation.completed_at, generation.output_expires_at
    if made_at is None:
        return None
    link_ends_at = expires_at or made_at + saving_rules.LINK_LASTS
    match generation.error_code:
        case code if code in OURS:
            ends_at = min(link_ends_at + saving_rules.KEEP_TRYING, made_at + GONE_FOR)
        case code if code in ON_THE_WAY:
            ends_at = min(link_ends_at, made_at + saving_rules.LINK_MOST)
        case "output_gone" if expires_at and expires_at <= made_at + saving_rules.KEEP_TRYING:
            ends_at = expires_at
        case _:
            return None
    return ends_at if ends_at > timezone.now() else None


def still_awaited(generation: Generation, words: str) -> str:
    """`words` while the gateway is still asked whether it was made after all, else nothing."""
    return words if generation.next_check_at is not None else ""


def expired(generation: Generation) -> str:
    """Past its time; while it is looked for also what trying again means, for the first may still come."""
    what = _("Nothing came by %(time)s.") % {"time": time_of_day(generation.deadline_at)}
    late_words = _("It cannot be stopped any more. If it still comes, it is kept; trying again costs besides.")
    return f"{what} {charge(generation)} {still_awaited(generation, late_words)}"


def not_sent(generation: Generation) -> tuple[str, str]:
    """Word and sentence of an order that ended before it was taken."""
    if generation.error_kind == "never_ran":
        word = N_("Cancelled") if generation.stop_requested_at else N_("Not sent")
        if not generation.estimate_micros:
            return word, _("An admin looked into it: it never ran. It was not sent again.")
        return word, _("An admin looked into it: it never ran. It was not sent again, and its money is free.")
    if generation.stop_requested_at is not None or not generation.ended_at:
        return N_("Cancelled"), _("Cancelled before it was sent. Not charged.")
    if generation.error_kind == "not_configured" or generation.error_code == "not_configured":
        return N_("Not sent"), _("Not sent. The key of the gateway is not set. Not charged.")
    if generation.error_code == "paused":
        return N_("Not sent"), _("Not sent. The gateway was paused for too long. Not charged.")
    if generation.error_code == "spending_paused":
        return N_("Not sent"), _("Not sent. All spending was paused for too long. Not charged.")
    if generation.attempts:
        return N_("Not sent"), _("Not sent. The gateway took no order in time. Not charged.")
    return N_("Not sent"), _("Not sent. It waited too long for its turn. Not charged.")


def _closed(generation: Generation) -> str:
    """By an admin's word. Where nothing was set aside no money is free again, and where a charge would show is said."""
    if generation.error_code or generation.error_message:
        return _refused_anew(generation)
    if generation.estimate_micros:
        return _("An admin looked into it: it never ran. Its money is free again.")
    if generation.gateway.is_sandbox:
        return _("An admin looked into it: it never ran.")
    shows = _("Should the gateway charge for it all the same, only its bill shows it.")
    if generation.gateway.has_request_log:
        shows = _("Should the gateway charge for it all the same, the daily comparison shows it.")
    return f"{_('An admin looked into it: it never ran.')} {shows}"


def _refused_anew(generation: Generation) -> str:
    """Sent again by an admin, and then refused: what the gateway said, whose word the first try rests on, the money."""
    words = _("An admin had it sent again, since its first try never ran.")
    if generation.estimate_micros:
        words = _("An admin had it sent again, since its first try never ran; its money is free again.")
    return f"{_reported(generation)} {words}"


def failure(generation: Generation) -> tuple[str, str]:
    """Word and sentence of an order that was refused or broke off, by its cause."""
    refused = generation.state is S.REJECTED
    match generation.error_kind:
        case "moderation":
            what = _("The provider refused this prompt.")
        case "image":
            what = _("The model could not read the reference image.")
        case "balance":
            what = _("The gateway account is out of credit. An admin can top it up; your prompt is kept.")
            if generation.gateway.is_sandbox:
                what = _("The sandbox plays an empty account. It goes on by itself in a minute; your prompt is kept.")
        case "key":
            what = _("The gateway did not accept the key. An admin can put it right; your prompt is kept.")
        case "busy":
            what = _("The gateway had no room for it.")
        case "never_ran":
            word = N_("Refused") if generation.error_code or generation.error_message else N_("Closed")
            return word, _closed(generation)
        case "provider":
            what = _broke_off(generation)
        case _:
            what = _reported(generation)
    word = (
        N_("Failed") if not refused or generation.error_kind in {"moderation", "image", "provider"} else N_("Refused")
    )
    return word, f"{what} {charge(generation)}"


def _broke_off(generation: Generation) -> str:
    start = generation.started_at or generation.submitted_at
    if start is None or generation.ended_at is None:
        return _("The provider could not make it.")
    seconds = max(1, round((generation.ended_at - start).total_seconds()))
    if seconds < 120:
        return _("The provider broke off after %(n)d s.") % {"n": seconds}
    return _("The provider broke off after %(time)s.") % {"time": clock(seconds)}


def _reported(generation: Generation) -> str:
    message = Truncator(generation.error_message.strip().rstrip(".")).chars(MESSAGE_CHARS)
    told = {"message": message if message.endswith("…") else f"{message}."}
    if generation.state is S.REJECTED:
        return _("The gateway refused it: %(message)s") % told if message else _("It was refused.")
    return _("The provider gave up: %(message)s") % told if message else _broke_off(generation)


def differences(generation: Generation, video: Video) -> str:
    """`Asked for 1080p, 8 s. Got 720p, 8.0 s.` when shape, quality or length differ, else empty."""
    settings = generation.run.settings
    size, seconds = str(settings.get("size", "")), settings.get("seconds")
    asked_pair = parse_size(size)
    asked, got = [], []
    if asked_pair and shape_of(size) != nearest_shape(video.width, video.height):
        asked.append(shape_of(size))
        got.append(video.shape)
    if asked_pair and quality_of(size) != video.quality:
        asked.append(quality_of(size))
        got.append(video.quality)
    length_differs = seconds is not None and abs(video.seconds - float(seconds)) > SAME_LENGTH.total_seconds()
    if not asked and not length_differs:
        return ""
    if seconds is not None:
        asked.append(_("%(n)s s") % {"n": seconds})
        got.append(_("%(n)s s") % {"n": f"{video.seconds:.1f}"})
    return _("Asked for %(asked)s. Got %(got)s.") % {"asked": ", ".join(asked), "got": ", ".join(got)}


def usual_words(usual: tuple[int, int]) -> str:
    """`Usually 1 to 3 min.` or `Usually 10 to 15 s.`"""
    return _("Usually %(time)s.") % {"time": _range(usual)}


def _range(usual: tuple[int, int]) -> str:
    low, high = usual
    if high < 90:
        return _("%(n)d s") % {"n": high} if low == high else _("%(low)d to %(high)d s") % {"low": low, "high": high}
    first, last = max(1, low // 60), -(-high // 60)
    if first == last:
        return _("%(n)d min") % {"n": last}
    return _("%(low)d to %(high)d min") % {"low": first, "high": last}


def under_way(generation: Generation, usual: tuple[int, int] | None, late: bool) -> str:
    """While it is made: how long that takes, that it takes longer, and of one without a price that it may cost."""
    parts = [usual_words(usual)] if usual and not late else []
    if late:
        if usual:
            parts.append(_("It takes longer than usual (%(time)s).") % {"time": _range(usual)})
        parts.append(_("We keep asking until %(time)s.") % {"time": time_of_day(generation.deadline_at)})
    parts.append(may_cost(generation))
    if late and not generation.gateway.has_cancel:
        parts.append(_("This gateway cannot stop it."))
    return " ".join(part for part in parts if part)
