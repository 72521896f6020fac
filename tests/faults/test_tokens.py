"""Every fault of the sandbox: where the order ends, what was paid, and what the person who ordered it reads.

The engine is driven by hand against a real sandbox; the card is the answer of the real view to a signed-in browser.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from django.utils import timezone

from playground.domain.money import set_aside_micros
from playground.domain.status import Status
from playground.gateway.types import Job
from playground.models import Generation
from playground.sandbox.faults import FAULTS, KEY_FAULTS
from playground.services import collect, engine, runs, saving
from playground.views.card_money import day_and_time
from tests.bench import Bench, bench, money, run_queue, sandbox  # noqa: F401  fixtures
from tests.support.card import read_card

pytestmark = pytest.mark.pure

FREE = "Not charged."
NOTHING_REPORTED = "No charge was reported; the money set aside is free again."
PAID = "Cost $0.04 in play money."
PRICE = 40_000
AGAIN, EDIT = "Try again - about $0.04", "Edit prompt"
S = Status


@dataclass(frozen=True)
class Outcome:
    """Ends in `status` with `kind`; the sandbox charged `charged` micros, one by one; the ledger closed with `closed`.

    The card shows `word`, the whole `sentence` and the two `buttons`; its menu is `menu`.
    """

    status: Status
    kind: str
    charged: tuple[int, ...]
    closed: str
    word: str
    sentence: str
    buttons: tuple[str, ...]
    menu: tuple[str, ...] = ("Details",)


UNCLEAR = Outcome(
    S.UNKNOWN,
    "",
    (),
    "",
    "Unclear",
    "It was sent, but no clear answer came. It may have cost $0.04 in play money."
    " It is not sent again by itself: an admin decides.",
    ("What happens next",),
    (),
)
READY = Outcome(
    S.DONE,
    "",
    (PRICE,),
    "settle",
    "Ready",
    PAID,
    ("One more - about $0.04", "Download"),
    ("Open", "Use these settings", "Details"),
)


def refused(kind: str, sentence: str, buttons: tuple[str, ...], menu: tuple[str, ...] = ("Details",)) -> Outcome:
    """Refused before anything was made."""
    word = "Refused" if kind == "balance" else "Failed"
    return Outcome(S.REJECTED, kind, (), "release", word, f"{sentence} {FREE}", buttons, menu)


def failed(kind: str, sentence: str, buttons: tuple[str, ...]) -> Outcome:
    """Failed while it ran: the sandbox took its charge back, but did not tell us."""
    return Outcome(S.FAILED, kind, (0,), "release", "Failed", f"{sentence} {NOTHING_REPORTED}", buttons)


def lost(what: str) -> Outcome:
    """Made and paid, and its file could not be saved. Who reads it here is the admin who has been told."""
    sentence = f"It was made, but {what}. {PAID}"
    return Outcome(S.OUTPUT_LOST, "", (PRICE,), "settle", "Lost", sentence, (AGAIN, EDIT))


EXPECTED = {
    "moderation": refused("moderation", "The provider refused this prompt.", (EDIT, "Try another model")),
    "bad-image": refused("image", "The model could not read the reference image.", ("Change image", EDIT)),
    "402": refused(
        "balance",
        "The sandbox plays an empty account. It goes on by itself in a minute; your prompt is kept.",
        (AGAIN, EDIT),
    ),
    "429": READY,
    "in-flight": READY,
    "key-reused": READY,
    "429-bare": READY,
    "500": UNCLEAR,
    "502": READY,
    "html": UNCLEAR,
    "slow-answer": READY,
    "drop": READY,
    "500-after": READY,
    "no-id": READY,
    "fail": failed("provider", "The provider broke off after 1 s.", (AGAIN, EDIT)),
    "refused-late": failed("moderation", "The provider refused this prompt.", (EDIT, "Try another model")),
    "missing-output": lost("the gateway gave no file"),
    "dearer": replace(READY, charged=(60_000,), sentence="Cost $0.06 in play money. The price was $0.04."),
    "expired": lost("the link to its file ended before we could save it"),
    "truncated": lost("its file broke off on the way, every time"),
    "cut-file": lost("its file is damaged"),
    "wrong-size": READY,
    "smaller": replace(READY, sentence=f"Asked for 720p, 2 s. Got 360p, 1.0 s. {PAID}"),
    "not-video": lost("what its link led to was no video"),
}
STILL_RUNNING = {"stuck", "slow"}
"""Their cards are read below, before and after the deadline."""


def order(bench: Bench, token: str):  # noqa: F811
    """Two seconds, so that a result of half the length can be told from the one that was asked for."""
    return bench.start(f"A lighthouse in the rain [[sandbox:{token}]]", seconds=2)


@pytest.fixture
def link_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tries come without their pauses, so the hour of a link and the minutes of patience are over with the last."""
    keep_link = collect._keep_link

    def keep(generation: Generation, job: Job) -> None:
        keep_link(generation, job)
        generation.output_expires_at = timezone.now()

    monkeypatch.setattr(collect, "_keep_link", keep)
    monkeypatch.setattr(saving, "PATIENCE", timedelta(0))


def test_every_fault_token_is_tested() -> None:
    assert set(EXPECTED) | STILL_RUNNING == set(FAULTS) | set(KEY_FAULTS)


@pytest.mark.parametrize("token", sorted(EXPECTED))
@pytest.mark.usefixtures("link_ends_at_once")
def test_fault_ends_as_it_should_is_paid_at_most_once_and_the_card_says_so(bench: Bench, token: str) -> None:  # noqa: F811
    expected = EXPECTED[token]
    generation = bench.drive(order(bench, token))
    tries = generation.attempts

    bench.step()  # whatever is looked at afterwards changes nothing

    generation.refresh_from_db()
    assert (generation.state, generation.error_kind, generation.attempts) == (expected.status, expected.kind, tries)
    assert tuple(charge["micros"] for charge in bench.charges(generation)) == expected.charged
    assert hasattr(generation, "video") == (expected.status is Status.DONE)
    ledger = money(generation)
    assert ledger.pop("hold") == set_aside_micros(generation.estimate_micros or 0)
    assert list(ledger) == ([expected.closed] if expected.closed else [])
    assert ledger.get("settle", 0) == (generation.cost_micros or 0) == sum(expected.charged)

    # The length of a failed attempt is measured; the words are not about how fast this machine is.
    Generation.objects.filter(id=generation.id).update(ended_at=generation.started_at or generation.submitted_at)
    seen = read_card(bench.user, generation)
    assert (seen.word, seen.sentence) == (expected.word, expected.sentence)
    assert (tuple(seen.buttons), tuple(seen.menu)) == (expected.buttons, expected.menu)
    assert not seen.stripe
    if AGAIN in expected.buttons:
        assert seen.hidden["quoted_micros"] == str(PRICE)
        assert seen.hidden["token"]


@pytest.mark.parametrize("token", sorted(STILL_RUNNING))
def test_job_that_takes_long_stays_running_and_offers_a_stop_with_what_it_may_cost(bench: Bench, token: str) -> None:  # noqa: F811
    run = order(bench, token)
    bench.drive(run, until={Status.RUNNING, Status.SUBMITTED})

    bench.step()
    bench.step()

    generation = run.generations.get()
    assert generation.is_active
    assert generation.last_checked_at is not None
    seen = read_card(bench.user, generation)
    assert seen.word in {"Generating", "Queued at the provider"}
    assert "Not charged" not in seen.sentence
    assert seen.stripe or generation.progress is not None
    assert seen.buttons == ["Stop - may still cost $0.04", "Details"]


def test_stuck_job_past_its_deadline_is_late_its_money_stays_aside_and_nothing_is_said_to_be_free(bench: Bench) -> None:  # noqa: F811
    run = order(bench, "stuck")
    bench.drive(run, until={Status.RUNNING})
    run.generations.update(deadline_at=run.created_at)

    generation = bench.drive(run)

    assert generation.state is Status.EXPIRED
    assert generation.next_check_at is not None
    assert list(money(generation)) == ["hold"]
    seen = read_card(bench.user, generation)
    assert generation.ended_at is not None
    at = f"{timezone.localtime(generation.deadline_at):%H:%M}"
    assert seen.word == "Late"
    until = day_and_time(generation.ended_at + engine.LATE_FOR)
    aside = f"No charge reported yet. Its money stays set aside while it is looked for, until {until}."
    hope = "It cannot be stopped any more. If it still comes, it is kept; trying again costs besides."
    assert seen.sentence == f"Nothing came by {at}. {aside} {hope}"
    assert seen.buttons == [AGAIN, EDIT]


@pytest.mark.parametrize(
    ("token", "word", "sentence"),
    [
        ("429", "Waiting to send", f"The gateway is busy, trying again. {FREE}"),
        ("500", "Sending", "The gateway had trouble, trying again. It may have cost $0.04 in play money."),
        ("502", "Sending", "The gateway had trouble, trying again. It may have cost $0.04 in play money."),
    ],
)
def test_card_of_an_order_that_is_tried_again_says_why(bench: Bench, token: str, word: str, sentence: str) -> None:  # noqa: F811
    run = order(bench, token)
    before = run.generations.get().version

    run_queue()

    generation = run.generations.get()
    seen = read_card(bench.user, generation)
    assert (seen.word, seen.sentence) == (word, sentence)
    # Sent, and then what became of it: an open page hears of both.
    assert generation.version == before + 2


def test_gateway_without_keys_gets_an_unclear_order_once_and_it_is_found_in_the_log(bench: Bench) -> None:  # noqa: F811
    bench.model().gateway.__class__.objects.update(honours_idempotency_key=False)
    run = bench.start("[[sandbox:drop]] mist")
    before = len(bench.charges())

    generation = bench.drive(run)

    assert generation.state is Status.DONE
    assert (generation.attempts, len(bench.charges()) - before) == (1, 1)
    assert generation.events.filter(kind="found_in_log").exists()


def test_gateway_without_keys_and_log_gets_an_unclear_order_once_only(bench: Bench) -> None:  # noqa: F811
    bench.model().gateway.__class__.objects.update(honours_idempotency_key=False, has_request_log=False)
    run = bench.start("[[sandbox:drop]] fog")

    generation = bench.drive(run)

    assert generation.state is Status.UNKNOWN
    assert generation.attempts == 1


def test_same_press_twice_is_one_run(bench: Bench) -> None:  # noqa: F811
    token = runs.new_token()

    first = bench.start("Two birds", token=token)
    second = bench.start("Two birds", token=token)

    assert first == second
    assert first.generations.count() == 1
