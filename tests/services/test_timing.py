"""When a row is looked at again."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from benchmarks import lag
from playground.domain import waits
from playground.domain.status import Status
from playground.models import Generation, VideoModel
from playground.services import catalogue, history, pace, timing
from tests.factories import make_generation, make_member, make_model, make_run

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
NOW = timezone.now()


@pytest.fixture(autouse=True)
def nothing_known_before() -> None:
    history.forget()
    pace.load()


@pytest.fixture
def model() -> VideoModel:
    return make_model()


def of_age(seconds: float, model: VideoModel, **fields: object) -> Generation:
    """An unsaved order in work."""
    sent = NOW - timedelta(seconds=seconds)
    return Generation(
        model=model, gateway=model.gateway, status=Status.RUNNING, created_at=sent, submitted_at=sent, **fields
    )


def watched() -> dict[str, object]:
    return {"viewed_at": NOW - timedelta(seconds=3)}


def unwatched() -> dict[str, object]:
    return {"viewed_at": NOW - timedelta(hours=1)}


def with_history(model: VideoModel, seconds: list[float], *, unseen_s: float = 1.0) -> None:
    run = make_run(by=make_member(), model=model)
    for position, took in enumerate(seconds):
        end = NOW - timedelta(minutes=5)
        make_generation(
            run=run,
            position=position,
            submitted_at=end - timedelta(seconds=took),
            last_checked_at=end - timedelta(seconds=unseen_s),
            completed_at=end,
            ended_at=end,
        )


def usual(count: int = 60, median: float = 90.0) -> list[float]:
    source = random.Random(3)
    return [median * source.lognormvariate(0, 0.3) for _ in range(count)]


def interval(row: Generation, **options: object) -> float:
    return timing.interval_s(row, now=NOW, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("age", [1, 60, 90, 150, 1000])
def test_intervals_stay_between_floor_and_ceiling(model: VideoModel, age: float) -> None:
    with_history(model, usual())
    for _ in range(20):
        assert timing.FLOOR_S <= interval(of_age(age, model, **unwatched())) <= timing.CEILING_S
        assert timing.WATCHED_S <= interval(of_age(age, model, **watched())) <= timing.WATCHED_CEILING_S


def test_order_is_asked_for_most_often_when_its_model_usually_ends(model: VideoModel) -> None:
    with_history(model, usual())
    early, likely = interval(of_age(25, model, **unwatched())), interval(of_age(95, model, **unwatched()))
    assert early > 15
    assert likely < 7


def test_the_models_own_history_counts_and_not_that_of_another(model: VideoModel) -> None:
    with_history(model, usual(median=600))
    other = make_model(gateway=model.gateway)
    with_history(other, usual(median=30))
    assert interval(of_age(30, model, **unwatched())) > 3 * interval(of_age(30, other, **unwatched()))


def test_without_history_a_watched_order_is_asked_for_every_second_and_others_by_age(model: VideoModel) -> None:
    assert interval(of_age(200, model, **watched())) == pytest.approx(1.0, abs=0.06)
    assert interval(of_age(40, model, **unwatched())) == pytest.approx(5.0, abs=0.3)
    assert interval(of_age(200, model, **unwatched())) == pytest.approx(10.0, abs=0.6)


def test_half_of_what_is_left_by_progress_that_moves(model: VideoModel) -> None:
    with_history(model, usual())
    moving = of_age(60, model, progress=40, **unwatched())
    assert interval(moving, progress=80) == pytest.approx(7.5, abs=0.5)
    standing = of_age(25, model, progress=80, **unwatched())
    assert interval(standing, progress=80) > 15


def test_end_seen_long_after_the_question_before_it_is_not_learnt_from(model: VideoModel) -> None:
    """As after an outage of an hour: the order did not take the hour."""
    with_history(model, [3600.0] * 40, unseen_s=3000.0)
    assert history.curve(model.id) == ()
    assert catalogue.usual_seconds(model.id) is None


def test_words_and_intervals_rest_on_the_same_rows(model: VideoModel) -> None:
    with_history(model, [90.0] * 30)
    assert catalogue.usual_seconds(model.id) == (90, 90)
    assert min(history.curve(model.id)) == pytest.approx(90.0)


def test_failures_count_as_ends_but_not_as_how_long_a_video_takes(model: VideoModel) -> None:
    run, end = make_run(by=make_member(), model=model), NOW - timedelta(minutes=5)
    for position in range(25):
        make_generation(
            run=run,
            position=position,
            status=Status.FAILED,
            submitted_at=end - timedelta(seconds=4),
            last_checked_at=end - timedelta(seconds=1),
            ended_at=end,
        )
    assert max(history.curve(model.id)) == pytest.approx(4.0)
    assert catalogue.usual_seconds(model.id) is None


def test_history_is_read_once_a_minute(model: VideoModel, django_assert_num_queries: object) -> None:
    with_history(model, usual())
    with django_assert_num_queries(1):  # type: ignore[operator]
        for _ in range(50):
            interval(of_age(90, model, **unwatched()))


def test_order_that_was_asked_to_stop_is_asked_for_as_if_watched(model: VideoModel) -> None:
    row = of_age(200, model, stop_requested_at=NOW - timedelta(seconds=2), **unwatched())
    assert interval(row) < 1.1


def test_coarse_steps_are_never_sooner() -> None:
    for seconds in (0.95, 1.0, 4.99, 5.0, 5.01, 19.7, 20.0):
        assert seconds <= timing.coarse(seconds) < seconds + 0.5
    assert timing.coarse(20.0) == 20.0


@pytest.mark.parametrize("draw", [lag.lognormal, lag.two_humps])
def test_finish_is_seen_within_three_seconds_at_no_more_questions_than_every_two(
    model: VideoModel, draw: Callable[[random.Random], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated: 19 of 20 orders of drawn durations, watched, by a history of others of the same kind."""
    jitter, source = random.Random(2), random.Random(1002)
    monkeypatch.setattr(timing.random, "uniform", jitter.uniform)
    history.put(model.id, waits.curve([draw(source) for _ in range(lag.HISTORY)]))
    ours = lag.simulate(draw, lag.by_the_rule(model, watched=True), jobs=500, seed=2, tells=False)
    every_two = lag.simulate(draw, lag.fixed(2), jobs=500, seed=2, tells=False)
    assert ours.p95_s < lag.LAG_BAR_S
    assert ours.questions <= every_two.questions
