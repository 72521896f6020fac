import pytest

from playground.domain.status import (
    ACTIVE,
    ENDED,
    PARKED,
    STEPS,
    TRANSITIONS,
    IllegalMove,
    Status,
    Step,
    check,
    step_of,
)


def test_every_status_is_active_ended_or_parked_and_only_one_of_them() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert set(Status) == ACTIVE | ENDED | PARKED
    assert not ACTIVE & ENDED
    assert not PARKED & (ACTIVE | ENDED)


def test_every_status_can_be_reached_and_every_active_one_left() -> None:
    reached = {Status.QUEUED}
    while new := {target for source in reached for target in TRANSITIONS[source]} - reached:
        reached |= new
    assert reached == set(Status)
    assert all(TRANSITIONS[status] for status in ACTIVE)


def test_done_is_the_end_and_no_order_is_sent_after_it() -> None:
    for end in (Status.DONE, Status.FAILED):
        assert TRANSITIONS[end] == frozenset()
    assert {source for source in Status if Status.SUBMITTING in TRANSITIONS[source]} == {Status.QUEUED}


def test_late_answer_and_late_success_are_the_only_ways_out_of_an_end() -> None:
    """An answer that was on its way while it was cancelled, or an admin said that it never ran, still counts."""
    success = {Status.CANCELLED, Status.EXPIRED, Status.LOST, Status.OUTPUT_LOST}
    answer = {Status.CANCELLED, Status.REJECTED}
    assert {s for s in ENDED if Status.COMPLETED in TRANSITIONS[s]} == success
    assert {s for s in ENDED if Status.SUBMITTED in TRANSITIONS[s]} == answer
    assert set().union(*(TRANSITIONS[end] for end in ENDED)) == {Status.COMPLETED, Status.SUBMITTED}


def test_illegal_move_is_refused() -> None:
    check(Status.QUEUED, Status.SUBMITTING)
    with pytest.raises(IllegalMove, match="done -> queued"):
        check(Status.DONE, Status.QUEUED)


def test_people_see_three_steps_for_active_statuses_only() -> None:
    assert set(STEPS) == ACTIVE
    assert {step_of(status) for status in (Status.QUEUED, Status.SUBMITTING)} == {Step.SENDING}
    assert {step_of(status) for status in (Status.SUBMITTED, Status.RUNNING)} == {Step.GENERATING}
    assert {step_of(status) for status in (Status.COMPLETED, Status.STORING)} == {Step.SAVING}
    assert {step_of(status) for status in ENDED | PARKED} == {Step.ENDED}
