"""Every fault of the sandbox: where the order ends, what happened to the money, and that nothing was paid twice."""

from dataclasses import dataclass

import pytest

from playground.domain.money import set_aside_micros
from playground.domain.status import Status
from playground.sandbox.faults import FAULTS
from playground.services import runs
from tests.bench import Bench, bench, money, sandbox  # noqa: F401  fixtures


@dataclass(frozen=True)
class Outcome:
    """Ends in `status` with `kind`; the sandbox charged `charges` times; the ledger closed with `closed`."""

    status: Status
    kind: str = ""
    charges: int = 1
    closed: str = "settle"


S = Status
EXPECTED = {
    "moderation": Outcome(S.REJECTED, "moderation", 0, "release"),
    "bad-image": Outcome(S.REJECTED, "image", 0, "release"),
    "402": Outcome(S.REJECTED, "balance", 0, "release"),
    "429": Outcome(S.DONE),
    "429-bare": Outcome(S.DONE),
    "500": Outcome(S.UNKNOWN, "", 0, ""),
    "502": Outcome(S.DONE),
    "html": Outcome(S.UNKNOWN, "", 0, ""),
    "slow-answer": Outcome(S.DONE),
    "drop": Outcome(S.DONE),
    "500-after": Outcome(S.DONE),
    "no-id": Outcome(S.DONE),
    "fail": Outcome(S.FAILED, "provider", 1, "release"),
    "refused-late": Outcome(S.FAILED, "moderation", 1, "release"),
    "missing-output": Outcome(S.OUTPUT_LOST),
    "dearer": Outcome(S.DONE),
    "expired": Outcome(S.OUTPUT_LOST),
    "truncated": Outcome(S.OUTPUT_LOST),
    "cut-file": Outcome(S.OUTPUT_LOST),
    "wrong-size": Outcome(S.OUTPUT_LOST),
    "smaller": Outcome(S.DONE),
    "not-video": Outcome(S.OUTPUT_LOST),
}
NEED_TIME = {"stuck", "slow"}
"""Tested with a clock below."""


def test_every_fault_token_is_tested() -> None:
    assert set(EXPECTED) | NEED_TIME == set(FAULTS)


@pytest.mark.parametrize("token", sorted(EXPECTED))
def test_fault_ends_as_it_should_and_is_paid_at_most_once(bench: Bench, token: str) -> None:  # noqa: F811
    expected = EXPECTED[token]
    run = bench.start(f"A lighthouse in the rain [[sandbox:{token}]]")

    generation = bench.drive(run)

    assert (generation.state, generation.error_kind) == (expected.status, expected.kind)
    assert len(bench.charges(generation)) == expected.charges
    ledger = money(generation)
    assert ledger.pop("hold") == set_aside_micros(generation.estimate_micros or 0)
    assert list(ledger) == ([expected.closed] if expected.closed else [])
    assert hasattr(generation, "video") == (expected.status is Status.DONE)


def test_dearer_job_is_settled_at_what_the_gateway_says(bench: Bench) -> None:  # noqa: F811
    generation = bench.drive(bench.start("[[sandbox:dearer]] dunes"))

    assert generation.estimate_micros
    assert generation.cost_micros == generation.estimate_micros * 3 // 2
    assert money(generation) == {"hold": set_aside_micros(generation.estimate_micros), "settle": generation.cost_micros}


def test_smaller_file_is_kept_with_its_real_measures(bench: Bench) -> None:  # noqa: F811
    run = bench.start("[[sandbox:smaller]] dunes", seconds=2, size="1280x720")

    video = bench.drive(run).video

    assert (video.width, video.height) == (640, 360)
    assert 800 <= video.duration_ms <= 1300


def test_stuck_job_is_given_up_at_its_deadline_and_its_money_stays_aside(bench: Bench) -> None:  # noqa: F811
    run = bench.start("[[sandbox:stuck]] fog")
    bench.drive(run, until={Status.RUNNING})

    run.generations.update(deadline_at=run.created_at)
    generation = bench.drive(run)

    assert generation.state is Status.EXPIRED
    assert generation.next_check_at is not None
    assert list(money(generation)) == ["hold"]


def test_slow_job_is_asked_again_and_stays_running(bench: Bench) -> None:  # noqa: F811
    run = bench.start("[[sandbox:slow]] fog")
    generation = bench.drive(run, until={Status.RUNNING, Status.SUBMITTED})

    bench.step()
    bench.step()

    generation.refresh_from_db()
    assert generation.is_active
    assert generation.last_checked_at is not None


def test_unclear_order_is_never_sent_again_by_itself(bench: Bench) -> None:  # noqa: F811
    run = bench.start("[[sandbox:500]] fog")
    generation = bench.drive(run)
    sent = generation.attempts

    for _ in range(3):
        bench.step()

    generation.refresh_from_db()
    assert generation.state is Status.UNKNOWN
    assert generation.attempts == sent
    assert list(money(generation)) == ["hold"]


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
