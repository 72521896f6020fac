"""The button: what is made, what is refused, and that nothing is paid by accident."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import F
from django.utils import timezone
from PIL import Image

from playground import queue
from playground.domain.money import set_aside_micros
from playground.domain.status import Status
from playground.media import storage
from playground.models import (
    Budget,
    Gateway,
    Generation,
    LedgerEntry,
    Lifecycle,
    Notice,
    Reference,
    Role,
    Run,
    TeamModel,
    VideoModel,
)
from playground.models.base import new_id
from playground.services import agreed, estimates, ledger, room, runs, sent_with, stops, uploads
from tests.bench import Bench, bench, money, sandbox  # noqa: F401  fixtures


def test_run_makes_its_generations_money_and_queue_entries_together(bench: Bench) -> None:  # noqa: F811
    run = bench.start("Three boats", count=3)

    generations = list(run.generations.order_by("position"))
    assert [g.position for g in generations] == [0, 1, 2]
    assert len({g.idempotency_key for g in generations}) == 3
    assert LedgerEntry.objects.filter(kind="hold", generation__run=run).count() == 3
    assert run.quoted_total_micros == 3 * (generations[0].estimate_micros or 0)
    assert len(queue.take_all()) == 3


def test_order_tells_which_key_it_was_made_for(bench: Bench) -> None:  # noqa: F811
    """A restored backup knows of no try, and holds the key of today against this one."""
    generation = bench.start("A boat").generations.get()
    ordered = generation.events.get(kind="ordered")
    mark = sent_with.mark(generation.gateway)
    assert mark
    assert sent_with.key_of("ordered", ordered.data) == mark


def test_failure_while_writing_leaves_nothing_behind(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the queue is away")

    monkeypatch.setattr(queue, "enqueue", broken)
    with pytest.raises(RuntimeError):
        bench.start("Three boats", count=3)

    assert not Run.objects.exists()
    assert not LedgerEntry.objects.exists()


def test_higher_price_than_shown_sends_nothing(bench: Bench) -> None:  # noqa: F811
    with pytest.raises(runs.PriceMoved) as caught:
        bench.start("A boat", quoted_micros=1)

    assert caught.value.was_micros == 1
    assert caught.value.quote.total_micros
    assert not Run.objects.exists()


def test_lower_price_than_shown_goes_on_at_the_lower_price(bench: Bench) -> None:  # noqa: F811
    run = bench.start("A boat", quoted_micros=10**9)

    assert run.quoted_total_micros is not None
    assert run.quoted_total_micros < 10**9


def test_press_without_a_shown_price_is_refused(bench: Bench) -> None:  # noqa: F811
    wanted = bench.wanted()
    with pytest.raises(runs.PriceMoved):
        runs.start(by=bench.membership, wanted=wanted, prompt="A boat", token="t", quoted_micros=None)


def test_same_token_with_other_content_is_asked_about(bench: Bench) -> None:  # noqa: F811
    first = bench.start("A boat", token="one")
    with pytest.raises(runs.AlreadySent) as caught:
        bench.start("A ship", token="one")

    assert caught.value.run == first
    assert Run.objects.count() == 1


def test_twenty_presses_at_once_make_one_run(bench: Bench) -> None:  # noqa: F811
    wanted = bench.wanted()
    price = estimates.quote(by=bench.membership, wanted=wanted).total_micros

    def press(_: int) -> object:
        try:
            return runs.start(by=bench.membership, wanted=wanted, prompt="A boat", token="one", quoted_micros=price).id
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        ids = set(pool.map(press, range(20)))

    assert len(ids) == 1
    assert Generation.objects.count() == 1


def test_viewer_may_not_spend(bench: Bench) -> None:  # noqa: F811
    bench.membership.role = Role.VIEWER
    with pytest.raises(runs.NotAllowed):
        bench.start("A boat")


def test_retired_model_is_not_ordered(bench: Bench) -> None:  # noqa: F811
    VideoModel.objects.filter(slug="p-video").update(lifecycle=Lifecycle.RETIRED)
    with pytest.raises(runs.ModelGone):
        bench.start("A boat")


def test_model_that_the_team_switched_off_is_not_ordered(bench: Bench) -> None:  # noqa: F811
    TeamModel.objects.create(team=bench.team, model=bench.model(), enabled=False)
    with pytest.raises(runs.ModelGone):
        bench.start("A boat")

    assert not Run.objects.exists()


def test_one_more_of_an_earlier_gateways_model_is_not_ordered(bench: Bench) -> None:  # noqa: F811
    first = bench.start("A boat").generations.get()
    Gateway.objects.update(is_default=False)
    Gateway.objects.create(slug="custom-next", name="Next", base_url="http://localhost:1/v1", is_default=True)

    with pytest.raises(runs.ModelGone):
        runs.again(by=bench.membership, generation=first, token="again", quoted_micros=first.estimate_micros)

    assert Run.objects.count() == 1


def test_second_press_is_the_first_run_also_when_its_model_is_gone_by_then(bench: Bench) -> None:  # noqa: F811
    wanted = bench.wanted()
    first = bench.start("A boat", wanted=wanted, token="one")
    VideoModel.objects.update(lifecycle=Lifecycle.RETIRED)

    assert runs.start(by=bench.membership, wanted=wanted, prompt="A boat", token="one", quoted_micros=1) == first


def test_same_form_with_the_same_file_uploaded_again_is_the_same_press(bench: Bench) -> None:  # noqa: F811
    picture = BytesIO()
    Image.new("RGB", (640, 360), "teal").save(picture, "PNG")
    reference = uploads.store(by=bench.membership, stream=picture)
    first = bench.start("A boat", token="one", references=(reference,))
    copy = Reference.objects.get(id=reference.id)
    copy.id = new_id()
    copy.save(force_insert=True)

    assert bench.start("A boat", token="one", references=(copy,)) == first
    copy.sha256 = "0" * 64
    with pytest.raises(runs.AlreadySent):
        bench.start("A boat", token="one", references=(copy,))


@pytest.mark.parametrize("token", ["", "x" * 65, "a\0b", "a b", "tök"])
def test_token_that_no_form_of_ours_has_is_refused(bench: Bench, token: str) -> None:  # noqa: F811
    with pytest.raises(runs.BadToken):
        runs.start(by=bench.membership, wanted=bench.wanted(), prompt="A boat", token=token, quoted_micros=10**9)

    assert not Run.objects.exists()


def test_token_of_every_drawn_form_is_taken(bench: Bench) -> None:  # noqa: F811
    assert runs._TOKEN.fullmatch(runs.new_token())
    assert bench.start("A boat", token="x" * 64).submit_token == "x" * 64


def test_stop_counts_on_from_a_version_that_moved_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    generation = bench.start("A boat").generations.get()
    rows = Generation.objects.filter(id=generation.id)
    due = timezone.now()
    rows.update(status=Status.RUNNING, version=5, upstream_id="video_1", next_check_at=due)
    model = type(generation)
    loaded = model.from_db.__func__  # type: ignore[attr-defined]
    moves = []

    def read_then_moved(cls: Any, *args: Any) -> Any:
        row = loaded(cls, *args)
        moves.append(rows.update(version=F("version") + 1))
        return row

    monkeypatch.setattr(model, "from_db", classmethod(read_then_moved))
    assert stops.cancel(by=bench.membership, generation=generation)
    monkeypatch.undo()

    moved = rows.get()
    assert moved.version == 5 + len(moves) + 1
    assert moved.stop_requested_at


@pytest.mark.parametrize("free", [0, 2 * 1024**3 - 1])
def test_nothing_is_ordered_that_could_not_be_saved(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    free: int,
) -> None:
    monkeypatch.setattr(storage, "free_bytes", lambda: free)
    with pytest.raises(runs.StorageFull) as caught:
        bench.start("A boat")

    assert caught.value.free_bytes == free
    assert not Run.objects.exists()


def test_the_admins_are_told_once_a_day_that_an_order_found_no_room(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    monkeypatch.setattr(storage, "free_bytes", lambda: 1024)
    for prompt in ("A boat", "Another boat"):
        with pytest.raises(runs.StorageFull):
            bench.start(prompt)

    told = Notice.objects.get(kind="disk_low")
    assert told.user is None
    assert told.data["free_bytes"] == 1024
    assert told.data["needed_bytes"] >= room.LEAST_FREE_BYTES
    assert told.data["folder"] == str(settings.DATA_DIR)


def test_a_disk_that_takes_no_notice_either_still_refuses_in_words(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(storage, "free_bytes", lambda: 1024)
    monkeypatch.setattr(room.notices, "tell", full)
    with pytest.raises(runs.StorageFull):
        bench.start("A boat")


def test_nearly_full_large_disk_is_full(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    total = 1000 * 1024**3
    usage = type("Usage", (), {"total": total})()
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(storage, "free_bytes", lambda: total // 20 - 1)
    with pytest.raises(runs.StorageFull):
        bench.start("A boat")
    monkeypatch.setattr(storage, "free_bytes", lambda: total // 20)

    assert bench.start("A boat")


def test_remote_store_is_not_judged_by_the_disk_here(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Beyond the room for one file on its way there."""
    usage = type("Usage", (), {"total": 1000 * room.LEAST_FREE_BYTES})()
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(storage, "free_bytes", lambda: room.LEAST_FREE_BYTES)
    with pytest.raises(runs.StorageFull):
        bench.start("A boat")
    monkeypatch.setattr(storage, "local_path", lambda key: None)
    assert bench.start("A boat")
    monkeypatch.setattr(storage, "free_bytes", lambda: room.LEAST_FREE_BYTES - 1)
    with pytest.raises(runs.StorageFull):
        bench.start("Another boat")


def test_one_more_is_linked_and_keeps_the_settings(bench: Bench) -> None:  # noqa: F811
    first = bench.start("A boat", seconds=3, seed=7).generations.get()

    again = runs.again(
        by=bench.membership, generation=first, token="again", quoted_micros=first.estimate_micros
    ).generations.get()

    assert again.retry_of == first
    assert again.body == first.body
    assert again.idempotency_key != first.idempotency_key


def test_order_without_a_price_needs_leave_of_the_team_and_a_tick(
    bench: Bench,  # noqa: F811
) -> None:
    """A gateway that gives no price: refused, then refused without the tick, then sent with nothing set aside."""
    quote = estimates.Quote(estimates.QuoteState.UNAVAILABLE, 1, 5)
    for allowed, ticked in ((False, False), (False, True), (True, False)):
        with pytest.raises(runs.NotPriced):
            agreed.check_price(replace(quote, may_go_unpriced=allowed), None, accept_unpriced=ticked)

    agreed.check_price(replace(quote, may_go_unpriced=True), None, accept_unpriced=True)


def test_sandbox_money_is_in_the_ledger_but_not_in_a_budget(bench: Bench) -> None:  # noqa: F811
    generation = bench.drive(bench.start("A boat"))

    assert set(money(generation)) == {"hold", "settle"}
    assert not Budget.objects.exists()


def bill(settings: Any) -> None:
    """The sandbox, named as a gateway that takes real money."""
    settings.GATEWAY_BASE_URL = f"http://127.0.0.1:{settings.SANDBOX_PORT}/openai/v1"
    settings.GATEWAY_API_KEY, settings.GATEWAY_DIALECT = "key", "lumenfall"
    Gateway.objects.update(is_sandbox=False)


def test_real_money_moves_the_months_counters(bench: Bench, settings: Any) -> None:  # noqa: F811
    bill(settings)
    generation = bench.start("A boat").generations.select_related("gateway", "team", "run").get()
    held = {(b.user_id, b.held_micros, b.spent_micros) for b in Budget.objects.all()}

    ledger.settle(generation=generation, cost_micros=77, at=generation.created_at)
    ledger.settle(generation=generation, cost_micros=77, at=generation.created_at)

    aside = set_aside_micros(generation.estimate_micros)
    assert held == {(None, aside, 0), (bench.user.id, aside, 0)}
    assert {(b.held_micros, b.spent_micros) for b in Budget.objects.all()} == {(0, 77)}


def test_month_without_room_sends_nothing_and_sets_nothing_aside(bench: Bench, settings: Any) -> None:  # noqa: F811
    bill(settings)
    month = ledger.month_of(bench.team, bench.team.created_at)
    Budget.objects.create(team=bench.team, month=month, cap_micros=1)

    with pytest.raises(runs.OverBudget):
        bench.start("A boat")

    assert not Run.objects.exists()
    assert Budget.objects.get().held_micros == 0


def red_and_blue() -> BytesIO:
    """640 x 360, the left half red, the right half blue."""
    canvas = Image.new("RGB", (640, 360), "red")
    canvas.paste((0, 0, 255), (320, 0, 640, 360))
    file = BytesIO()
    canvas.save(file, "PNG")
    return file


def test_only_the_marked_part_of_the_picture_is_sent(bench: Bench) -> None:  # noqa: F811
    whole = uploads.store(by=bench.membership, stream=red_and_blue())

    run = bench.start("A flag", size="720x1280", references=(whole,), crop_at=100)
    video = bench.drive(run, until={Status.DONE}).video

    cut = run.generations.get().references.get()
    assert (cut.cut_from, cut.cut_x, cut.width, cut.height) == (whole, 438, 202, 360)
    with storage.open(video.poster_key) as file, Image.open(file) as poster:
        red, _green, blue = poster.convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert blue > 2 * red
    assert run.settings["crop_at"] == 100


def test_same_press_with_the_crop_moved_is_asked_about(bench: Bench) -> None:  # noqa: F811
    whole = uploads.store(by=bench.membership, stream=red_and_blue())
    shown: dict[str, Any] = {"size": "720x1280", "references": (whole,), "token": "one"}

    first = bench.start("A flag", crop_at=10, **shown)

    assert bench.start("A flag", crop_at=10, **shown) == first
    with pytest.raises(runs.AlreadySent):
        bench.start("A flag", crop_at=90, **shown)


def test_one_more_sends_the_same_part_again(bench: Bench) -> None:  # noqa: F811
    whole = uploads.store(by=bench.membership, stream=red_and_blue())
    old = bench.start("A flag", size="720x1280", references=(whole,), crop_at=100).generations.get()

    more = runs.again(by=bench.membership, generation=old, token="more", quoted_micros=old.estimate_micros)

    assert list(more.generations.get().references.all()) == list(old.references.all())
    assert more.settings["crop_at"] == 100


def test_picture_whose_file_is_gone_is_said_before_anything_is_paid(bench: Bench) -> None:  # noqa: F811
    whole = uploads.store(by=bench.membership, stream=red_and_blue())
    storage.delete(whole.key)

    with pytest.raises(uploads.ImageRefused):
        bench.start("A flag", size="720x1280", references=(whole,))

    assert not Run.objects.exists()


def test_provider_and_more_parameters_are_priced_sent_kept_and_repeated(bench: Bench) -> None:  # noqa: F811
    more: dict[str, Any] = {"route": "replicate", "parameters": (("cfg_scale", 0.5), ("mode", "pro"))}
    plain = bench.wanted("kling-v3")
    routed = replace(plain, **more)
    assert estimates._key(plain) != estimates._key(routed)

    run = bench.start("A flag", wanted=routed)
    done = bench.drive(run, until={Status.DONE})

    assert done.body["model"] == "replicate/kling-v3"
    assert (done.body["cfg_scale"], done.body["mode"]) == (0.5, "pro")
    assert done.provider == "Replicate"
    assert done.executed_model == "replicate/kling-v3"
    assert done.cost_micros == done.estimate_micros
    assert (run.settings["route"], run.settings["parameters"]) == ("replicate", {"cfg_scale": 0.5, "mode": "pro"})
    again = runs.again(by=bench.membership, generation=done, token="more", quoted_micros=done.estimate_micros)
    assert again.generations.get().body == done.body
    with pytest.raises(runs.AlreadySent):
        bench.start("A flag", wanted=replace(routed, parameters=()), token=run.submit_token)
