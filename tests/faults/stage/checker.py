"""Compares what the gateway charged with what we wrote down: rows, ledger, counters, events, files, and promises.

The gateway's own charge log is the witness. Every order of the bench has a prompt of its own, so a charge is found by
the prompt's hash even where the gateway ignores keys or a broken engine makes them up.
"""

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

Charge = dict[str, Any]
FREE_ENDS = ("rejected", "cancelled")
KEPT_ENDS = ("done", "output_lost")
"""The gateway made it, so what was charged is settled, whether or not its file could be had."""
BAD_FILES = ("missing-output", "expired", "truncated", "cut-file", "not-video")


ORPHANS = "files set aside"
LEFT_WITHIN_S = 5.0
"""A process that was frozen and woke up may still be about to drop its temporary file."""


class Findings:
    """Kind of fault to what was seen of it, at most ten of each kind."""

    def __init__(self) -> None:
        self.seen: dict[str, list[str]] = defaultdict(list)
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, what: object) -> None:
        self.counts[kind] += 1
        if len(self.seen[kind]) < 10:
            self.seen[kind].append(str(what))


def check(*, charges: Sequence[Charge], acks: Iterable[str]) -> dict[str, Any]:
    """{"problems": {kind: count}, "examples": {kind: [...]}, "figures": {...}}; no problem, no key."""
    from playground.models import Generation

    found = Findings()
    generations = list(Generation.objects.select_related("run", "gateway", "video").order_by("id"))
    by_prompt: dict[str, list[Charge]] = defaultdict(list)
    for charge in charges:
        by_prompt[charge["prompt_sha256"]].append(charge)
    money = _entries()
    for generation in generations:
        own = by_prompt.pop(hashlib.sha256(generation.run.prompt.encode()).hexdigest(), [])
        _check_charges(found, generation, own)
        _check_end(found, generation, own, money.get(generation.id, {}))
        _check_events(found, generation)
    for own in by_prompt.values():
        found.add("charge without an order", own)
    _check_files(found)
    orphans = _check_leftovers(found)
    _check_counters(found)
    _check_promises(found, acks)
    figures = Counter(generation.status for generation in generations)
    return {
        "problems": dict(found.counts),
        "examples": dict(found.seen),
        "figures": {"orders": len(generations), "charges": len(charges), ORPHANS: orphans, **figures},
    }


def _entries() -> dict[Any, dict[str, int]]:
    from playground.models import LedgerEntry

    money: dict[Any, dict[str, int]] = defaultdict(dict)
    for generation_id, kind, amount in LedgerEntry.objects.values_list("generation_id", "kind", "amount_micros"):
        money[generation_id][kind] = amount
    return money


def _say(generation: Any, **more: object) -> str:
    events = " ".join(f"{event.kind}{event.data or ''}" for event in generation.events.all())
    return f"{generation.id} {generation.status} {generation.run.prompt!r} {more} [{events}]"


def _check_charges(found: Findings, generation: Any, own: list[Charge]) -> None:
    if len(own) > 1:
        found.add("charged twice", _say(generation, charges=len(own)))
    elif own and generation.upstream_id and own[0]["job_id"] != generation.upstream_id:
        found.add("charge of another order", _say(generation, charge=own[0]))
    if generation.status in ("done", "output_lost", "failed") and not own:
        found.add("charge of another order", _say(generation))


def _check_end(found: Findings, generation: Any, own: list[Charge], money: dict[str, int]) -> None:
    """What became of it, and of its money."""
    status, is_open = generation.status, not (money.keys() & {"settle", "release"})
    if generation.is_active:
        found.add("stuck", _say(generation, next_check_at=generation.next_check_at))
    elif status in FREE_ENDS and own:
        found.add("charged and told free", _say(generation))
    elif status in ("lost", "expired") or (status == "output_lost" and not _has_bad_file(generation)):
        found.add("lost", _say(generation))
    elif status == "failed" and own and own[0]["state"] != "released":
        found.add("lost", _say(generation, charge=own[0]["state"]))
    if "hold" not in money:
        found.add("no money set aside", _say(generation))
    is_ended = not generation.is_active and status != "unknown"
    if is_ended and is_open:
        found.add("money left set aside", _say(generation, money=money))
    if not is_ended and not is_open:
        found.add("money closed too early", _say(generation, money=money))
    if status in KEPT_ENDS and own and money.get("settle") != own[0]["micros"]:
        found.add("cost differs", _say(generation, money=money, charged=own[0]["micros"]))
    if status == "done" and _has_bad_file(generation):
        found.add("bad file shown", _say(generation))


def _has_bad_file(generation: Any) -> bool:
    return any(f":{fault}]]" in generation.run.prompt for fault in BAD_FILES)


def _check_events(found: Findings, generation: Any) -> None:
    """The history is a chain from the order to the present status; no key was sent with another body."""
    if any(event.data.get("http_status") == 422 for event in generation.events.all()):
        found.add("key with another body", _say(generation))
    at = ""
    for event in generation.events.order_by("id"):
        if event.to_status:
            if event.from_status != at:
                found.add("history broken", _say(generation))
                return
            at = event.to_status
    if at != generation.status:
        found.add("history broken", _say(generation))


def _check_files(found: Findings) -> None:
    """Every finished video is there, byte for byte as it was checked, with its pictures."""
    from playground.media import storage
    from playground.models import Generation, Video

    for video in Video.objects.all():
        for key in (video.key, video.poster_key, video.preview_key):
            if not storage.exists(key):
                found.add("file missing", key)
                break
        else:
            with storage.open(video.key) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != video.sha256:
                    found.add("file damaged", video.key)
    for generation in Generation.objects.filter(status="done", video=None):
        found.add("file missing", _say(generation))


def _check_leftovers(found: Findings) -> int:
    """After the cleaning of a worker's start and the hourly search for files without a row nothing is left over.

    Returns how many files the search has set aside: those of processes that died between storing one and its row.
    """
    from django.utils import timezone

    from playground.media import storage
    from playground.services import housekeeping, orphan_files

    housekeeping.at_start()
    ends_at = time.monotonic() + LEFT_WITHIN_S
    while (left := list(storage.temporary_folder().iterdir())) and time.monotonic() < ends_at:
        time.sleep(0.1)
    for path in left:
        found.add("temporary file left", path.name)
    orphans = orphan_files.set_aside(now=timezone.now())
    stored = {key for folder in storage.FOLDERS for key, _ in storage.entries(folder)}
    for key in sorted(stored - orphan_files.named(stored)):
        found.add("file without a row", key)
    return len(orphans)


def _check_counters(found: Findings) -> None:
    """Each counter says what its ledger entries say, and no cap was passed by any of them."""
    from playground.models import Budget, LedgerEntry

    for budget in Budget.objects.all():
        rows = LedgerEntry.objects.filter(team_id=budget.team_id, month=budget.month, gateway__is_sandbox=False)
        if budget.user_id:
            rows = rows.filter(user_id=budget.user_id)
        held: dict[Any, int] = {}
        spent = most = 0
        for entry in rows.order_by("id"):
            if entry.kind == "hold":
                held[entry.generation_id] = entry.amount_micros
            else:
                held.pop(entry.generation_id, None)
                spent += entry.amount_micros if entry.kind == "settle" else 0
            most = max(most, spent + sum(held.values()))
        if (budget.held_micros, budget.spent_micros) != (sum(held.values()), spent):
            found.add("counter differs", f"{budget}: {budget.held_micros} {budget.spent_micros}, {held} {spent}")
        if budget.cap_micros is not None and most > budget.cap_micros:
            found.add("over the cap", f"{budget}: {most} of {budget.cap_micros}")


def _check_promises(found: Findings, acks: Iterable[str]) -> None:
    """Every order that somebody was told of is there, once for each form."""
    from playground.models import Run

    runs = {run.submit_token: str(run.id) for run in Run.objects.all()}
    for line in acks:
        token, run, *_ = line.split()
        if run != "-" and runs.get(token) != run:
            found.add("promised and gone", line)
