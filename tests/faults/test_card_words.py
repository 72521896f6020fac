"""What a person reads on the card after every fault of the sandbox: the word, the sentence, the money, the buttons.

The engine is driven by hand against a real sandbox; the card is the answer of the real view to a signed-in browser.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Generation
from playground.sandbox.faults import FAULTS
from tests.bench import Bench, bench, run_queue, sandbox  # noqa: F401  fixtures

pytestmark = pytest.mark.pure

FREE = "Not charged."
NOTHING_REPORTED = "No charge reported yet."
PAID = "Cost $0.04 in play money."


@dataclass(frozen=True)
class Words:
    """`word`, the whole `sentence`, and the two `buttons`; `menu` begins with these lines."""

    word: str
    sentence: str
    buttons: tuple[str, ...]
    menu: tuple[str, ...] = ("Details",)


AGAIN, EDIT = "Try again - about $0.04", "Edit prompt"
UNCLEAR = Words(
    "Unclear",
    "It was sent, but the answer got lost. It may have cost $0.04. We check and never send it twice.",
    ("What happens next",),
    (),
)
LOST = Words(
    "Lost",
    f"It was made, but the provider's file ended before we could save it. {PAID} An admin has been told.",
    (AGAIN, EDIT),
)


def ready(sentence: str = PAID) -> Words:
    return Words("Ready", sentence, ("One more - about $0.04", "Download"), ("Open", "Use these settings", "Details"))


EXPECTED = {
    "moderation": Words("Failed", f"The provider refused this prompt. {FREE}", (EDIT, "Try another model")),
    "bad-image": Words("Failed", f"The model could not read the reference image. {FREE}", ("Change image", EDIT)),
    "402": Words(
        "Refused",
        f"The gateway account is out of credit. An admin can top it up; your prompt is kept. {FREE}",
        (EDIT, "Details"),
        (),
    ),
    "429": ready(),
    "429-bare": ready(),
    "500": UNCLEAR,
    "502": ready(),
    "html": UNCLEAR,
    "slow-answer": ready(),
    "drop": ready(),
    "500-after": ready(),
    "no-id": ready(),
    "fail": Words("Failed", f"The provider broke off after 1 s. {NOTHING_REPORTED}", (AGAIN, EDIT)),
    "refused-late": Words(
        "Failed", f"The provider refused this prompt. {NOTHING_REPORTED}", (EDIT, "Try another model")
    ),
    "missing-output": LOST,
    "dearer": ready("Cost $0.06 in play money. The price was $0.04."),
    "expired": LOST,
    "truncated": LOST,
    "cut-file": LOST,
    "wrong-size": LOST,
    "smaller": ready(f"Asked for 720p, 2 s. Got 360p, 1.0 s. {PAID}"),
    "not-video": LOST,
}
STILL_RUNNING = {"stuck", "slow"}
"""Their cards are read below, before and after the deadline."""


@dataclass
class Seen:
    """A card as a person sees it."""

    word: str = ""
    sentence: str = ""
    buttons: list[str] = field(default_factory=list)
    menu: list[str] = field(default_factory=list)
    stripe: bool = False
    hidden: dict[str, str] = field(default_factory=dict)


class CardReader(HTMLParser):
    """Reads the text of a card by the class names of its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.into, self.in_state, self.in_menu = Seen(), "", False, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        names = values.get("class", "").split()
        self.in_state = "job__state" in names or (self.in_state and tag != "div")
        self.in_menu = self.in_menu or "job__menu" in names
        self.seen.stripe = self.seen.stripe or "stripe" in names
        if "job__word" in names:
            self.into = "word"
        elif self.in_state and tag == "span" and "hx-ignore" in values:
            self.into = "sentence"
        elif "btn--small" in names and not self.in_menu:
            self.into = "buttons"
        elif "menu__item" in names and "is-narrow" not in names:
            self.into = "menu"
        if values.get("type") == "hidden":
            self.seen.hidden[values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self.into = ""

    def handle_data(self, data: str) -> None:
        if self.into in ("buttons", "menu"):
            getattr(self.seen, self.into).append(data.strip())
        elif self.into:
            setattr(self.seen, self.into, data.strip())


def card(bench: Bench, generation: Generation) -> Seen:  # noqa: F811
    """The card of `generation` as the browser of the person who ordered it gets it."""
    browser = Client(headers={"HX-Request": "true"})
    browser.force_login(bench.user)
    answer = browser.get(reverse("generations.card", args=[generation.id]))
    assert answer.status_code == 200
    reader = CardReader()
    reader.feed(answer.text)
    return reader.seen


def order(bench: Bench, token: str):  # noqa: F811
    """Two seconds, so that a result of half the length can be told from the one that was asked for."""
    return bench.start(f"A lighthouse in the rain [[sandbox:{token}]]", seconds=2)


def test_words_of_every_fault_token_are_held() -> None:
    assert set(EXPECTED) | STILL_RUNNING == set(FAULTS)


@pytest.mark.parametrize("token", sorted(EXPECTED))
def test_card_says_what_happened_what_it_cost_and_what_next(bench: Bench, token: str) -> None:  # noqa: F811
    expected = EXPECTED[token]
    generation = bench.drive(order(bench, token))
    # The length of a failed attempt is measured; the words are not about how fast this machine is.
    Generation.objects.filter(id=generation.id).update(ended_at=generation.started_at or generation.submitted_at)

    seen = card(bench, generation)

    assert (seen.word, seen.sentence) == (expected.word, expected.sentence)
    assert (tuple(seen.buttons), tuple(seen.menu)) == (expected.buttons, expected.menu)
    assert not seen.stripe


@pytest.mark.parametrize("token", sorted(EXPECTED))
def test_not_charged_stands_only_where_the_order_was_refused(token: str) -> None:
    says_free = FREE in EXPECTED[token].sentence
    assert says_free == (FAULTS[token].when == "order" and token in {"moderation", "bad-image", "402"})


def test_words_of_money_agree_with_the_charge_log(bench: Bench) -> None:  # noqa: F811
    """Refused: no charge at the gateway. Failed while running: the gateway took it back, but has not told us."""
    refused = bench.drive(order(bench, "moderation"))
    failed = bench.drive(order(bench, "fail"))
    made = bench.drive(order(bench, "429"))

    assert bench.charges(refused) == []
    assert [charge["micros"] for charge in bench.charges(failed)] == [0]
    assert failed.cost_micros is None
    assert [charge["micros"] for charge in bench.charges(made)] == [made.cost_micros] == [40_000]


@pytest.mark.parametrize("token", sorted(STILL_RUNNING))
def test_running_card_moves_and_offers_a_stop_with_what_it_may_cost(bench: Bench, token: str) -> None:  # noqa: F811
    run = order(bench, token)
    generation = bench.drive(run, until={Status.RUNNING, Status.SUBMITTED})

    seen = card(bench, generation)

    assert seen.word in {"Generating", "Queued at the provider"}
    assert "Not charged" not in seen.sentence
    assert seen.stripe or generation.progress is not None
    assert seen.buttons == ["Stop - may still cost $0.04", "Details"]


@pytest.mark.parametrize(
    ("token", "word", "sentence"),
    [
        ("429", "Waiting to send", f"The gateway is busy, trying again. {FREE}"),
        ("500", "Sending", f"The gateway had trouble, trying again. {NOTHING_REPORTED}"),
        ("502", "Sending", f"The gateway had trouble, trying again. {NOTHING_REPORTED}"),
    ],
)
def test_card_of_an_order_that_is_tried_again_says_why(bench: Bench, token: str, word: str, sentence: str) -> None:  # noqa: F811
    run = order(bench, token)
    before = run.generations.get().version

    run_queue()

    generation = run.generations.get()
    seen = card(bench, generation)
    assert (seen.word, seen.sentence) == (word, sentence)
    # Sent, and then what became of it: an open page hears of both.
    assert generation.version == before + 2


def test_stuck_job_past_its_deadline_is_late_and_nothing_is_said_to_be_free(bench: Bench) -> None:  # noqa: F811
    run = order(bench, "stuck")
    bench.drive(run, until={Status.RUNNING})
    run.generations.update(deadline_at=run.created_at)
    generation = bench.drive(run)

    seen = card(bench, generation)

    at = f"{timezone.localtime(generation.deadline_at):%H:%M}"
    assert seen.word == "Late"
    assert seen.sentence == f"Nothing came by {at}. {NOTHING_REPORTED} If it still comes, it is kept."
    assert seen.buttons == [AGAIN, EDIT]


def test_button_of_a_failed_card_carries_the_price_that_it_sends(bench: Bench) -> None:  # noqa: F811
    seen = card(bench, bench.drive(order(bench, "fail")))

    assert seen.buttons[0] == AGAIN
    assert seen.hidden["quoted_micros"] == "40000"
    assert seen.hidden["token"]
