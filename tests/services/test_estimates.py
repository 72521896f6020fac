"""Prices: asked for once a minute, believed only when they are prices, never in the way."""

import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from PIL import Image

from playground.media import storage
from playground.models import Budget, Gateway, Reference, Run
from playground.services import catalogue, estimates, gateways, ledger, places, runs, uploads
from playground.services.estimates import QuoteState
from tests.bench import Bench, bench, sandbox  # noqa: F401  fixtures


@pytest.fixture(autouse=True)
def empty_cache(transactional_db: None) -> None:
    cache.clear()


class Odd(ThreadingHTTPServer):
    """A gateway that answers every price check alike, when it is let, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), OddHandler)
        self.status = 200
        self.answer: dict[str, Any] = {}
        self.in_turn: list[tuple[int, dict[str, Any]]] = []
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()


class OddHandler(BaseHTTPRequestHandler):
    server: Odd

    def answered(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.lock:
            self.server.asked.append(f"{self.command} {self.path}")
            self.server.bodies.append(sent)
            if self.server.in_turn:
                self.server.status, self.server.answer = self.server.in_turn.pop(0)
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        self.server.may_answer.wait(30)
        with self.server.lock:
            self.server.at_once -= 1
        body = json.dumps(self.server.answer).encode()
        try:
            self.send_response(self.server.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # who asked has gone

    do_POST = do_DELETE = answered

    def log_message(self, *args: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def odd(bench: Bench, settings: Any) -> Iterator[Odd]:  # noqa: F811
    with Odd() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        settings.SANDBOX_PORT = server.server_port
        yield server
        server.may_answer.set()
        server.shutdown()
        thread.join()


def wait_until(condition: Any, seconds: float = 20) -> None:
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.01)


def quote_in_thread(bench: Bench, **values: Any) -> Any:  # noqa: F811
    try:
        return estimates.quote(by=bench.membership, wanted=bench.wanted(**values))
    finally:
        connection.close()


def test_who_waits_for_a_price_holds_up_no_other_press(
    bench: Bench,  # noqa: F811
    odd: Odd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "WAIT_S", 0.01)
    odd.may_answer.clear()

    def pressed() -> None:
        with places.taken() as has_place:
            assert has_place
            quote_in_thread(bench)

    with ThreadPoolExecutor(1) as pool:
        press = pool.submit(pressed)
        wait_until(lambda: odd.at_once)
        with places.taken() as is_free:
            odd.may_answer.set()
        press.result()
    assert is_free


def dry_runs(bench: Bench) -> int:  # noqa: F811
    return sum("dryRun" in request["query"] for request in bench.sandbox.requests())


def test_price_comes_from_the_gateway_and_is_multiplied_by_the_count(bench: Bench) -> None:  # noqa: F811
    quote = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=5, count=3))

    assert quote.state is QuoteState.ESTIMATED
    assert (quote.unit_micros, quote.total_micros, quote.per_second_micros) == (100_000, 300_000, 20_000)
    assert quote.provider == "replicate"
    assert quote.is_play_money


def test_same_settings_ask_the_gateway_once(bench: Bench) -> None:  # noqa: F811
    before = dry_runs(bench)

    for count in (1, 2, 3):
        estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=4, count=count))

    assert dry_runs(bench) - before == 1


def test_ten_at_once_ask_the_gateway_once(bench: Bench) -> None:  # noqa: F811
    before = dry_runs(bench)
    wanted = bench.wanted(seconds=6)
    start = threading.Barrier(10)

    def ask(_: int) -> Any:
        try:
            start.wait()
            return estimates.quote(by=bench.membership, wanted=wanted).total_micros
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        prices = set(pool.map(ask, range(10)))

    assert len(prices) == 1
    assert dry_runs(bench) - before == 1


def test_price_check_makes_no_job(bench: Bench) -> None:  # noqa: F811
    before = len(bench.charges())

    estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=7))

    assert len(bench.charges()) == before


def test_cached_price_needs_no_gateway(bench: Bench) -> None:  # noqa: F811
    wanted = bench.wanted(seconds=8)
    assert estimates.cached_quote(by=bench.membership, wanted=wanted) is None
    estimates.quote(by=bench.membership, wanted=wanted)
    before = dry_runs(bench)

    assert estimates.cached_quote(by=bench.membership, wanted=wanted) is not None
    assert dry_runs(bench) == before


def test_image_only_model_without_an_image_names_the_field(bench: Bench) -> None:  # noqa: F811
    quote = estimates.quote(by=bench.membership, wanted=bench.wanted("p-video-avatar"))

    assert (quote.state, quote.field, quote.total_micros) == (QuoteState.NEEDS_INPUT, "reference", None)


def test_gateway_that_is_away_gives_no_price_and_no_error(bench: Bench, settings: Any) -> None:  # noqa: F811
    settings.SANDBOX_PORT = 1

    quote = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=9))

    assert quote.state is QuoteState.UNREACHABLE
    assert quote.total_micros is None


@pytest.mark.parametrize("id", ["video_7", 7])
def test_price_check_that_makes_an_order_is_stopped_and_was_the_last_one(
    bench: Bench,  # noqa: F811
    odd: Odd,
    id: object,
) -> None:
    odd.answer = {"id": id, "object": "video", "status": "queued"}

    first = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=2))
    cache.clear()
    other = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=3))

    assert odd.asked == ["POST /openai/v1/videos?dryRun=true", f"DELETE /openai/v1/videos/{id}"]
    for quote in (first, other):
        assert (quote.state, quote.gives_no_price, quote.total_micros) == (QuoteState.UNAVAILABLE, True, None)
    assert not Gateway.objects.get(is_default=True).has_dry_run


@pytest.mark.parametrize("answer", [{"task_id": "t-1", "status": "queued"}, {"data": {"id": "video_7"}}, {}])
def test_answer_without_a_mark_counts_for_all_of_a_gateway_that_never_gave_a_price(
    bench: Bench,  # noqa: F811
    odd: Odd,
    answer: dict[str, Any],
) -> None:
    """It may be an order's, under a name that nobody here reads."""
    odd.answer = answer
    quotes = [estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=seconds)) for seconds in range(1, 6)]

    assert len(odd.asked) == 1
    assert [quote.gives_no_price for quote in quotes] == [True, False, False, False, False]
    assert all(quote.state is QuoteState.UNAVAILABLE for quote in quotes)
    odd.answer = PRICE
    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=False):
        assert estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=5)).unit_micros


MARKED_WITHOUT_PRICE = [
    {"estimated": True, "total_cost_micros": None, "currency": "USD"},
    {"estimated": True, "total_cost_micros": 70, "currency": "EUR"},
]


@pytest.mark.parametrize("answer", MARKED_WITHOUT_PRICE)
def test_marked_answer_without_a_price_is_no_order_and_leaves_all_else_its_prices(
    bench: Bench,  # noqa: F811
    odd: Odd,
    answer: dict[str, Any],
) -> None:
    odd.answer = answer
    first = estimates.quote(by=bench.membership, wanted=bench.wanted("wan-2.6"))
    odd.answer = {"estimated": False}  # what is not marked says no more than that, now that the flag is honoured
    second = estimates.quote(by=bench.membership, wanted=bench.wanted("p-video", seconds=1))
    odd.answer = PRICE
    third = estimates.quote(by=bench.membership, wanted=bench.wanted("p-video", seconds=2))

    assert (first.gives_no_price, second.gives_no_price, third.unit_micros) == (True, True, 5)
    assert len(odd.asked) == 3


@pytest.mark.parametrize("answer", [{"estimated": False}, {}, {"task_id": "t-1"}])
def test_unmarked_answer_for_one_model_makes_no_other_orderable_without_a_price(
    bench: Bench,  # noqa: F811
    odd: Odd,
    answer: dict[str, Any],
) -> None:
    """It is not asked for a while, which says nothing of what it costs."""
    bench.membership.team.allow_unpriced = True
    bench.membership.team.save()
    odd.answer = answer
    first = estimates.quote(by=bench.membership, wanted=bench.wanted("wan-2.6"))
    dear = bench.wanted("p-video")
    second = estimates.quote(by=bench.membership, wanted=dear)
    with pytest.raises(runs.NotPriced):
        runs.start(
            by=bench.membership,
            wanted=dear,
            prompt="A fox",
            token=runs.new_token(),
            quoted_micros=None,
            accept_unpriced=True,
            confirmed_unpriced=1,
        )

    assert (first.may_go_unpriced, second.may_go_unpriced, second.state) == (True, False, QuoteState.UNAVAILABLE)
    assert "gave no price that can be read" in second.message
    assert len(odd.asked) == 1
    assert not Run.objects.exists()


def test_switched_off_price_checks_stay_off_at_a_restart_but_not_for_another_address(
    bench: Bench,  # noqa: F811
    odd: Odd,
    settings: Any,
) -> None:
    gateways.ensure_default()
    gateways.give_up_dry_runs(catalogue.default_gateway())

    assert not gateways.ensure_default().has_dry_run
    assert not gateways.ensure_default().has_dry_run
    settings.SANDBOX_PORT = bench.sandbox.port
    assert gateways.ensure_default().has_dry_run


def test_check_of_other_settings_that_waited_does_not_ask_a_gateway_switched_off_meanwhile(
    bench: Bench,  # noqa: F811
    odd: Odd,
) -> None:
    wanted = bench.wanted(seconds=2)
    assert wanted.model.gateway.has_dry_run
    gateways.give_up_dry_runs(catalogue.default_gateway())

    quote = estimates.quote(by=bench.membership, wanted=wanted)

    assert (quote.gives_no_price, odd.asked) == (True, [])


def test_client_trusts_a_gateway_with_what_its_row_says(bench: Bench) -> None:  # noqa: F811
    Gateway.objects.update(has_dry_run=False, honours_idempotency_key=False, has_cancel=False)

    config = gateways.config_of(catalogue.default_gateway())

    assert not any((config.dry_run, config.honours_idempotency_key, config.cancel))


def test_same_question_of_another_process_is_waited_for(bench: Bench, odd: Odd) -> None:  # noqa: F811
    wanted = bench.wanted(seconds=2)
    key = estimates._key(wanted)
    cache.add(f"{key}:asking", 1, 60)
    with ThreadPoolExecutor(1) as pool:
        mine = pool.submit(quote_in_thread, bench, seconds=2)
        cache.set(key, {"state": "estimated", "unit_micros": 7, "checked_at": timezone.now().timestamp()}, 60)

        assert mine.result().unit_micros == 7
    assert odd.asked == []


def test_two_price_checks_at_once_are_the_most(bench: Bench, odd: Odd) -> None:  # noqa: F811
    odd.answer = {"estimated": True, "total_cost_micros": 5, "currency": "USD"}
    odd.may_answer.clear()
    with ThreadPoolExecutor(5) as pool:
        quotes = [pool.submit(quote_in_thread, bench, seconds=seconds) for seconds in (2, 3, 4, 5, 6)]
        wait_until(lambda: len(odd.asked) == 2)
        odd.may_answer.set()

        assert {quote.result().unit_micros for quote in quotes} == {5}
    assert (len(odd.asked), odd.most_at_once) == (5, 2)


def test_slots_taken_by_other_processes_are_not_overrun(
    bench: Bench,  # noqa: F811
    odd: Odd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(estimates, "WAIT_S", 1.2)
    for slot in estimates.SLOTS:
        cache.add(slot, 1, 60)

    quote = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=2))

    assert (quote.state, odd.asked) == (QuoteState.UNREACHABLE, [])


def test_time_in_line_and_at_a_silent_gateway_is_one_time(
    bench: Bench,  # noqa: F811
    odd: Odd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The gateway gets what is left of the page's time, not a time of its own."""
    odd.may_answer.clear()
    limits = []
    client_for = gateways.client_for
    monkeypatch.setattr(
        gateways, "client_for", lambda gateway, **more: limits.append(more["limits"]) or client_for(gateway, **more)
    )
    monkeypatch.setattr(estimates, "WAIT_S", 2.0)

    quote = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=2))

    assert quote.state is QuoteState.UNREACHABLE
    assert [limit.estimate.total < 2.0 for limit in limits] == [True]


PRICE: dict[str, Any] = {"estimated": True, "total_cost_micros": 5, "currency": "USD"}
NO: dict[str, Any] = {"error": {"message": "no", "code": "no"}}


class Clock:
    """The clock of prices, moved by hand."""

    def __init__(self) -> None:
        self.moment = timezone.now()

    def now(self) -> datetime:
        return self.moment

    def pass_by(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(estimates, "timezone", clock)
    return clock


@pytest.mark.parametrize(
    ("status", "answer", "state"),
    [
        (400, NO, QuoteState.UNAVAILABLE),
        (401, NO, QuoteState.UNAVAILABLE),
        (402, NO, QuoteState.ACCOUNT_EMPTY),
        (200, PRICE, QuoteState.ESTIMATED),
    ],
)
def test_whatever_the_gateway_says_stands_for_a_minute(
    bench: Bench,  # noqa: F811
    odd: Odd,
    clock: Clock,
    status: int,
    answer: dict[str, Any],
    state: QuoteState,
) -> None:
    odd.status, odd.answer = status, answer
    asked = []
    for seconds in (0, 30, 29, 2):
        clock.pass_by(seconds)
        assert estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=2)).state is state
        asked.append(len(odd.asked))

    assert asked == [1, 1, 1, 2]


def test_one_that_does_not_answer_is_asked_again_after_a_growing_pause(
    bench: Bench,  # noqa: F811
    clock: Clock,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.SANDBOX_PORT = 1
    asked = []
    real = estimates._dry_run
    monkeypatch.setattr(estimates, "_dry_run", lambda *args, **more: asked.append(1) or real(*args, **more))
    wanted = bench.wanted(seconds=2)
    for number, pause in enumerate((5, 10, 20, 40, 60, 60), start=1):
        assert estimates.quote(by=bench.membership, wanted=wanted).state is QuoteState.UNREACHABLE
        clock.pass_by(pause - 1)
        assert estimates.quote(by=bench.membership, wanted=wanted).state is QuoteState.UNREACHABLE
        assert len(asked) == number
        clock.pass_by(2)

    settings.SANDBOX_PORT = bench.sandbox.port
    assert estimates.quote(by=bench.membership, wanted=wanted).state is QuoteState.ESTIMATED


def test_pause_of_one_that_answered_meanwhile_starts_anew(bench: Bench, odd: Odd, clock: Clock) -> None:  # noqa: F811
    wanted = bench.wanted(seconds=2)
    for status, wait in ((501, 6), (501, 11), (200, 61), (501, 6), (501, 0)):
        odd.status, odd.answer = status, PRICE
        before = len(odd.asked)
        estimates.quote(by=bench.membership, wanted=wanted)
        assert len(odd.asked) > before
        clock.pass_by(wait)


@pytest.mark.parametrize("status", [409, 502])
def test_gateway_that_never_gave_a_price_is_asked_once_for_all_settings_while_it_does_not_answer_clearly(
    bench: Bench,  # noqa: F811
    odd: Odd,
    clock: Clock,
    status: int,
) -> None:
    """What it was asked may have been an order."""
    odd.status = status
    for asked, pause in enumerate((5, 10, 20), start=1):
        for seconds in (2, 3, 4):
            quote = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=seconds))
            assert (quote.state, quote.may_go_unpriced) == (QuoteState.UNREACHABLE, False)
        assert len(odd.asked) == asked
        clock.pass_by(pause + 1)

    odd.status, odd.answer = 200, PRICE
    for seconds in (2, 3):
        quote = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=seconds))
        assert quote.state is QuoteState.ESTIMATED


def test_gateway_that_gave_a_price_once_is_asked_for_other_settings_after_trouble(
    bench: Bench,  # noqa: F811
    odd: Odd,
    clock: Clock,
) -> None:
    odd.answer = PRICE
    estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=1))
    odd.status = 502
    for seconds in (2, 3, 2):
        assert (
            estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=seconds)).state is QuoteState.UNREACHABLE
        )

    assert len(odd.asked) == 3


def test_answer_of_before_says_how_old_it_is(bench: Bench, odd: Odd, clock: Clock) -> None:  # noqa: F811
    odd.status, odd.answer = 400, NO
    fresh = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=2))
    clock.pass_by(12)
    again = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=2))

    assert again.message == f"{fresh.message} Checked 12 s ago."
    assert again.checked_at == fresh.checked_at


def picture_of(bench: Bench, size: tuple[int, int], colour: str = "teal") -> Reference:  # noqa: F811
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "PNG")
    return uploads.store(by=bench.membership, stream=data)


def test_price_is_asked_with_the_picture_only_where_it_is_needed(bench: Bench, odd: Odd, clock: Clock) -> None:  # noqa: F811
    picture = picture_of(bench, (64, 36))
    odd.in_turn = [(422, NO), (200, PRICE)]
    estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=2, references=(picture,)))
    assert [body.startswith(b"{") for body in odd.bodies] == [True, False]

    estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=3, references=(picture,)))
    estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=4))
    assert [body.startswith(b"{") for body in odd.bodies[2:]] == [False, True]


def test_setting_that_is_refused_with_and_without_the_picture_says_nothing_about_the_model(
    bench: Bench,  # noqa: F811
    odd: Odd,
) -> None:
    picture = picture_of(bench, (64, 36))
    odd.in_turn = [(422, NO), (422, NO), (200, PRICE)]
    for seconds in (2, 3):
        estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=seconds, references=(picture,)))

    assert [body.startswith(b"{") for body in odd.bodies] == [True, False, True]


def test_price_is_asked_with_the_part_of_the_picture_that_is_sent(bench: Bench, odd: Odd) -> None:  # noqa: F811
    picture = picture_of(bench, (160, 160))
    wanted = bench.wanted(size="1280x720", seconds=2, references=(picture,))
    odd.in_turn = [(422, NO), (200, PRICE)]
    estimates.quote(by=bench.membership, wanted=wanted)
    assert list(Reference.objects.all()) == [picture]

    ((_, crop),) = wanted.crops()
    sent = uploads.cut(by=bench.membership, reference=picture, crop=crop)
    with storage.open(sent.key) as file:
        assert file.read() in odd.bodies[1]


def test_picture_that_is_refused_does_not_speak_for_another_of_its_size(bench: Bench, odd: Odd) -> None:  # noqa: F811
    odd.in_turn = [(422, NO), (422, NO)]
    red, blue = (bench.wanted(seconds=2, references=(picture_of(bench, (64, 36), it),)) for it in ("red", "blue"))
    assert estimates.quote(by=bench.membership, wanted=red).state is QuoteState.UNAVAILABLE
    odd.status, odd.answer = 200, PRICE

    assert estimates.quote(by=bench.membership, wanted=blue).state is QuoteState.ESTIMATED
    assert len(odd.asked) == 3
    assert estimates.quote(by=bench.membership, wanted=red).state is QuoteState.UNAVAILABLE
    assert len(odd.asked) == 3


@pytest.mark.parametrize("size", [(64, 36), (160, 160)])
def test_picture_whose_file_is_gone_is_named_and_not_the_gateway(
    bench: Bench,  # noqa: F811
    odd: Odd,
    size: tuple[int, int],
) -> None:
    picture = picture_of(bench, size)
    storage.delete(picture.key)
    odd.status, odd.answer = 422, NO

    quote = estimates.quote(by=bench.membership, wanted=bench.wanted(size="1280x720", references=(picture,)))

    assert (quote.state, quote.field) == (QuoteState.NEEDS_INPUT, "reference")
    assert "The picture is gone" in quote.message


def test_question_with_the_picture_gets_no_more_time_than_is_left(
    bench: Bench,  # noqa: F811
    odd: Odd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture = picture_of(bench, (64, 36))
    limits = []
    client_for = gateways.client_for
    monkeypatch.setattr(
        gateways, "client_for", lambda gateway, **more: limits.append(more["limits"]) or client_for(gateway, **more)
    )
    odd.in_turn = [(422, NO), (200, PRICE)]
    estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=2, references=(picture,)))
    first, second = (limit.estimate.total for limit in limits)
    assert second < first <= estimates.WAIT_S


@pytest.mark.parametrize("status", [400, 401, 422])
def test_refused_key_or_settings_are_no_leave_to_go_without_a_price(bench: Bench, odd: Odd, status: int) -> None:  # noqa: F811
    bench.team.allow_unpriced = True
    bench.team.save()
    odd.status, odd.answer = status, {"error": {"message": "no", "code": "no"}}

    quote = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=2))

    assert quote.state is QuoteState.UNAVAILABLE
    assert (quote.gives_no_price, quote.may_go_unpriced) == (False, False)


@pytest.mark.parametrize("allowed", [True, False])
def test_gateway_without_prices_is_used_without_one_where_the_team_allows_it(bench: Bench, allowed: bool) -> None:  # noqa: F811
    bench.team.allow_unpriced = allowed
    bench.team.save()
    Gateway.objects.update(has_dry_run=False)
    before = dry_runs(bench)

    quote = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=2))

    assert (quote.gives_no_price, quote.may_go_unpriced) == (True, allowed)
    assert dry_runs(bench) == before


@pytest.mark.parametrize(("team", "own", "left", "cap"), [(900, 500, 400, 500), (300, 500, 200, 300), (None, 5, 0, 5)])
def test_left_is_the_tighter_of_the_teams_and_ones_own(
    bench: Bench,  # noqa: F811
    team: int | None,
    own: int,
    left: int,
    cap: int,
) -> None:
    Gateway.objects.update(is_sandbox=False)
    month = ledger.month_of(bench.team, timezone.now())
    Budget.objects.create(team=bench.team, month=month, cap_micros=team, held_micros=40, spent_micros=60)
    Budget.objects.create(team=bench.team, user=bench.user, month=month, cap_micros=own, spent_micros=100)

    quote = estimates.quote(by=bench.membership, wanted=bench.wanted(seconds=2))

    assert (quote.left_micros, quote.cap_micros) == (left, cap)


def test_address_named_like_the_sandbox_is_a_gateway_that_bills(bench: Bench, settings: Any) -> None:  # noqa: F811
    settings.GATEWAY_API_KEY = "key"
    for url in ("http://sandbox", "http://lumenfall"):
        settings.GATEWAY_BASE_URL = url
        gateway = gateways.ensure_default()

        assert gateway.slug.startswith("custom-")
        assert not gateway.is_sandbox


def test_addresses_that_differ_at_their_end_alone_are_two_gateways(bench: Bench, settings: Any) -> None:  # noqa: F811
    """Else what was ordered at the first would be asked after, and sent again, at the second."""
    settings.GATEWAY_API_KEY, path = "key", f"http://localhost:9/v1/{'0' * 32}"
    made = {}
    for end in ("test/v1", "prod/v1", "prod-v1", "test/v1"):
        settings.GATEWAY_BASE_URL = f"{path}/{end}"
        made.setdefault(end, gateways.ensure_default())
        assert gateways.ensure_default() == made[end]
        assert gateways.config_of(made[end]).base_url == settings.GATEWAY_BASE_URL

    assert len({(gateway.id, gateway.slug) for gateway in made.values()}) == 3
    with pytest.raises(gateways.GatewayNotConfigured):
        gateways.config_of(made["prod/v1"])
