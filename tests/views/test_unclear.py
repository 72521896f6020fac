"""Unclear orders: who sees them, what is told of each, and the three decisions."""

import re

import pytest
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from playground.domain.status import Status
from playground.media import storage
from playground.models import AuditEntry, Event, Gateway, Generation, Team
from playground.services import engine, few_of_one, ledger, lookups, pauses, restored
from playground.services import unclear as services
from playground.views import unclear as unclear_view
from tests import factories
from tests.bench import money
from tests.services.upstream import model_of_gateway, upstream

pytestmark = pytest.mark.pure

INDEX = "/unclear/"


def unclear(by, **fields) -> Generation:
    """An order that was sent once, without an answer, with its money set aside."""
    model = fields.pop("model", None) or factories.make_model()
    now = timezone.now()
    run = factories.make_run(by=by, model=model, prompt="A heron over the river", settings={"seed": 7})
    generation = factories.make_generation(run=run, status=Status.UNKNOWN, sent_at=now, unclear_at=now, **fields)
    ledger.hold(generation=generation, amount_micros=400_000, at=now)
    engine.note(generation.id, "sending", now=now, data={"try": 1})
    told = {
        "try": 1,
        "code": "server_error",
        "http_status": 502,
        "message": "Bad <b>gateway</b>",
        "request_id": "req_7",
    }
    engine.note(generation.id, "answer_unclear", now=now, data=told)
    entry = {"id": "req_9", "status": "processing", "cost_micros": 390_000, "error": "", "at": now.isoformat()}
    engine.note(generation.id, "answer_lost", now=now, data={"code": "log_unclear", "log": [entry]})
    return generation


def text_of(answer) -> str:
    return " ".join(answer.content.decode().split())


def press(browser, name: str, generation: Generation, **data):
    version = Generation.objects.values_list("version", flat=True).get(id=generation.id)
    return browser.post(reverse(f"unclear.{name}", args=[generation.id]), {"version": version} | data)


def state_of(generation: Generation) -> Status:
    return Generation.objects.get(id=generation.id).state


def test_page_tells_what_was_sent_what_came_back_and_what_is_set_aside(admin, browser_of):
    generation = unclear(admin)
    reference = factories.make_reference(by=admin, generation=generation)
    page = text_of(browser_of(admin).get(INDEX))
    for words in (
        "A heron over the river",
        "1280x720",
        "<dt>Seed</dt>",
        str(generation.id),
        generation.id.hex,
        "<code>server_error</code> Bad &lt;b&gt;gateway&lt;/b&gt;",
        "502",
        "req_7",
        "req_9",
        "$0.40",
        reverse("media.reference_thumb", args=[reference.id]),
        "It never ran, send it again - about $0.40",
        "It never ran, close it",
        "It ran, this is its id",
    ):
        assert words in page


def test_orders_beside_each_other_have_no_two_landmarks_of_one_name(admin, browser_of):
    unclear(admin)
    unclear(admin)
    names = re.findall(
        r"<(?:section|article|nav)[^>]* aria-label(?:ledby)?=\"([^\"]+)", text_of(browser_of(admin).get(INDEX))
    )
    assert len(names) >= 2
    assert len(names) == len(set(names))


def test_api_key_is_on_no_page_of_an_unclear_order(admin, browser_of, settings):
    settings.GATEWAY_BASE_URL, settings.GATEWAY_API_KEY = "http://127.0.0.1:9/v1", "lmnfl_a_key_that_must_not_be_seen"
    generation = unclear(admin, model=model_of_gateway())
    answer = press(browser_of(admin), "adopt", generation, upstream_id="video_1")
    assert answer.status_code == 409
    assert settings.GATEWAY_API_KEY not in answer.content.decode() + browser_of(admin).get(INDEX).content.decode()


def test_try_of_which_little_is_known_says_nothing_of_the_rest(admin):
    generation = unclear(admin)
    Event.objects.filter(generation=generation, kind__in=["answer_unclear", "answer_lost"]).delete()
    engine.note(generation.id, "sender_lost", now=timezone.now())
    engine.note(generation.id, "answer_lost", now=timezone.now())
    evidence = services.evidence_of([generation])[generation.id]
    tried = evidence.tries[0]
    assert (len(evidence.tries), evidence.log, evidence.log_error) == (1, None, "")
    assert (tried.code, tried.message, tried.http_status, tried.request_id) == ("sender_lost", "", None, "")


def test_page_is_for_admins_of_the_team_alone(member, viewer, admin, stranger, browser_of):
    generation = unclear(admin)
    for person in (member, viewer):
        assert browser_of(person).get(INDEX).status_code == 404
    assert "heron" not in text_of(browser_of(stranger).get(INDEX))
    for person in (member, viewer, stranger):
        for name in ("send", "close", "adopt"):
            assert press(browser_of(person), name, generation, upstream_id="x").status_code == 404
    assert browser_of().get(INDEX).status_code == 302
    assert state_of(generation) is Status.UNKNOWN


def test_deciding_needs_a_post_and_the_team_of_the_page(admin, browser_of):
    generation = unclear(admin)
    assert browser_of(admin).get(reverse("unclear.close", args=[generation.id])).status_code == 405
    assert press(browser_of(admin), "close", generation, team="another").status_code == 404
    assert state_of(generation) is Status.UNKNOWN


def test_page_without_unclear_orders_says_so(admin, browser_of):
    assert "Nothing is unclear." in text_of(browser_of(admin).get(INDEX))


def test_closing_gives_the_money_back_once_and_pressing_again_is_the_same(admin, browser_of):
    generation, browser = unclear(admin), browser_of(admin)
    for _ in range(2):
        answer = press(browser, "close", generation)
        assert (answer.status_code, answer.headers["Location"]) == (302, INDEX)
    row = Generation.objects.get(id=generation.id)
    assert (row.state, row.error_kind) == (Status.REJECTED, "never_ran")
    assert money(row) == {"hold": 400_000, "release": 400_000}
    entry = AuditEntry.objects.get()
    assert (entry.kind, entry.by, entry.data) == ("unclear_closed", admin.user, {"generation": str(row.id)})
    card = text_of(browser_of(admin).get(reverse("runs.detail", args=[row.run_id])))
    assert "An admin looked into it: it never ran. Its money is free again." in card


def test_sending_again_keeps_key_and_money_and_goes_into_the_queue_once(admin, browser_of):
    generation, browser = unclear(admin, attempts=6, error_code="server_error"), browser_of(admin)
    for _ in range(2):
        assert press(browser, "send", generation).status_code == 302
    row = Generation.objects.get(id=generation.id)
    assert (row.state, row.attempts, row.unclear_at, row.idempotency_key) == (Status.QUEUED, 0, None, str(row.id))
    assert list(money(row)) == ["hold"]
    assert AuditEntry.objects.get().kind == "unclear_sent_again"


def test_press_on_a_page_from_before_it_was_sent_again_decides_nothing(admin, browser_of):
    generation, browser = unclear(admin), browser_of(admin)
    shown = generation.version
    press(browser, "send", generation)
    Generation.objects.update(status=Status.UNKNOWN, version=F("version") + 2)  # sent, and unclear anew
    for name in ("send", "close"):
        answer = press(browser, name, generation, version=shown)
        assert answer.status_code == 409
        assert "It has changed since this page was shown. Nothing was done" in text_of(answer)
    assert press(browser, "close", generation, version="x").status_code == 409
    assert state_of(generation) is Status.UNKNOWN
    assert list(money(generation)) == ["hold"]


def test_order_that_an_admin_had_sent_again_is_not_called_free_when_it_ends_unsent(admin, browser_of):
    generation, browser = unclear(admin), browser_of(admin)
    press(browser, "send", generation)
    browser.post(reverse("generations.cancel", args=[generation.id]))
    row = Generation.objects.get(id=generation.id)
    assert (row.state, list(money(row))) == (Status.CANCELLED, ["hold", "release"])
    card = text_of(browser.get(reverse("runs.detail", args=[row.run_id])))
    assert "An admin looked into it: it never ran. It was not sent again, and its money is free." in card
    assert "Not charged" not in card


@pytest.mark.parametrize("trouble", ["gateway", "disk", "team"])
def test_nothing_is_sent_again_while_it_cannot_be_paid_or_saved(admin, browser_of, monkeypatch, trouble):
    generation = unclear(admin)
    if trouble == "gateway":
        pauses.pause(generation.gateway, reason=pauses.BALANCE, now=timezone.now())
    elif trouble == "disk":
        monkeypatch.setattr(storage, "free_bytes", lambda: 1024)
    else:
        Team.objects.update(spending_paused_at=timezone.now())
    answer = press(browser_of(admin), "send", generation)
    assert answer.status_code == 409
    said = re.search(r'class="field__error"[^>]*>([^<]+)<', answer.content.decode())
    assert said is not None
    assert "Nothing was sent" in said.group(1)
    assert state_of(generation) is Status.UNKNOWN


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"is_sandbox": False, "has_request_log": True}, "the daily comparison with its list shows it"),
        ({"is_sandbox": False, "has_request_log": False}, "only its own bill shows it"),
    ],
)
def test_page_says_where_a_charge_would_show_after_closing(admin, browser_of, fields, words):
    unclear(admin, model=factories.make_model(gateway=factories.make_gateway(**fields)))
    assert words in text_of(browser_of(admin).get(INDEX))


def test_second_admin_with_another_decision_is_told_how_it_stands(admin, browser_of):
    other = factories.make_member(team=admin.team, role="admin")
    generation = unclear(admin)
    press(browser_of(other), "close", generation)
    answer = press(browser_of(admin), "send", generation)
    assert answer.status_code == 409
    assert f"{other.user.display_name} has closed it already." in text_of(answer)
    assert state_of(generation) is Status.REJECTED
    assert AuditEntry.objects.count() == 1


def test_answer_that_came_after_all_wins_over_a_decision(admin, browser_of):
    generation = unclear(admin)
    later = timezone.now()
    Generation.objects.update(status=Status.RUNNING, upstream_id="x", next_check_at=later, deadline_at=later)
    answer = press(browser_of(admin), "close", generation)
    assert answer.status_code == 409
    assert "its answer came after all" in text_of(answer)
    assert list(money(generation)) == ["hold"]


def test_id_that_the_gateway_knows_takes_the_order_up(admin, browser_of, settings):
    with upstream(settings, poll=lambda id: (200, {"id": id, "status": "in_progress"})):
        generation = unclear(admin, model=model_of_gateway())
        assert press(browser_of(admin), "adopt", generation, upstream_id=" video_5 ").status_code == 302
    row = Generation.objects.get(id=generation.id)
    assert (row.state, row.upstream_id, row.error_code) == (Status.SUBMITTED, "video_5", "")
    assert list(money(row)) == ["hold"]
    assert AuditEntry.objects.get().data["upstream_id"] == "video_5"


@pytest.mark.parametrize(
    ("pasted", "answer", "said"),
    [
        ("", (200, {}), "Paste the id"),
        ("x" * 256, (200, {}), "Paste the id"),
        ("req_9", (200, {"id": "taken", "status": "queued"}), "belongs to another order"),
        ("video_1", (404, {}), "knows no video with this id"),
        ("x" * 255, (404, {}), "knows no video with this id"),
        ("taken", (200, {"id": "taken", "status": "queued"}), "belongs to another order"),
        ("video_1", (200, {"id": "video_1", "status": "queued", "created_at": 1_700_000_000}), "before this order"),
    ],
)
def test_id_that_cannot_be_its_own_is_refused_in_place(admin, browser_of, settings, pasted, answer, said):
    with upstream(settings, poll=lambda _id: answer):
        generation = unclear(admin, model=model_of_gateway())
        factories.make_generation(run=generation.run, upstream_id="taken")
        page = press(browser_of(admin), "adopt", generation, upstream_id=pasted)
    assert page.status_code == 422
    assert said in text_of(page)
    if pasted:  # the field is what the answer's address leads to, and has the words right below it
        field = page.text.index(f'id="id-{generation.id}"')
        assert page.text.index(f"adopt/#id-{generation.id}") < field < page.text.index(f'id="error-{generation.id}"')
    assert state_of(generation) is Status.UNKNOWN
    assert not AuditEntry.objects.exists()


def test_id_that_the_log_has_for_another_order_is_refused(admin, browser_of, settings):
    entries = {"data": [{"id": "video_1", "trace_id": "0af7651916cd43dd8448eb211c80319c", "status": "processing"}]}
    with upstream(settings, poll=lambda _id: (200, {"id": "video_1", "status": "queued"}), log=(200, entries)):
        generation = unclear(admin, model=model_of_gateway())
        page = press(browser_of(admin), "adopt", generation, upstream_id="video_1")
    assert page.status_code == 422
    assert "made the video with this id for another order" in text_of(page)
    assert state_of(generation) is Status.UNKNOWN


def test_video_of_another_unclear_order_is_refused_where_the_log_has_ids_of_its_own(admin, browser_of, settings):
    """As at Lumenfall, whose log names the request and whose answer the video."""
    log = {"data": []}
    with upstream(settings, poll=lambda _id: (200, {"id": "video_1", "status": "queued"}), log=(200, log)):
        model = model_of_gateway()
        generation, other = unclear(admin, model=model), unclear(admin, model=model)
        now = timezone.now().isoformat()
        log["data"].append({"id": "req_1", "trace_id": other.id.hex, "status": "processing", "created_at": now})
        pages = [press(browser_of(admin), "adopt", one, upstream_id="video_1") for one in (generation, other)]
    assert [page.status_code for page in pages] == [422, 302]


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_id_of_the_log_that_leads_to_no_video_hides_no_other_orders(admin, browser_of, settings, status):
    """The log names a refused try of this order too, under an id that cannot be asked for."""
    log = {"data": []}

    def poll(id):
        if id == "req_own":
            return status, {"error": {"code": "invalid_id", "message": "no video has it"}}
        return 200, {"id": "video_1", "status": "queued"}

    with upstream(settings, poll=poll, log=(200, log)):
        model = model_of_gateway()
        generation, other = unclear(admin, model=model), unclear(admin, model=model)
        entry = {"status": "processing", "created_at": timezone.now().isoformat()}
        log["data"] = [
            entry | {"id": "req_own", "trace_id": generation.id.hex},
            entry | {"id": "req_other", "trace_id": other.id.hex},
        ]
        pages = [press(browser_of(admin), "adopt", one, upstream_id="video_1") for one in (generation, other)]
    assert [page.status_code for page in pages] == [422, 302]
    assert state_of(generation) is Status.UNKNOWN


@pytest.mark.parametrize("log", [(500, {"error": {"message": "oops"}}), (200, {"data": "no list"})])
def test_log_that_cannot_be_read_lets_no_id_be_taken_and_is_said(admin, browser_of, settings, log):
    with upstream(settings, poll=lambda id: (200, {"id": id, "status": "queued"}), log=log):
        generation = unclear(admin, model=model_of_gateway())
        page = press(browser_of(admin), "adopt", generation, upstream_id="video_1")
        assert page.status_code == 422
        assert "Its log could not be read to its end, so nobody can tell whose video this is." in text_of(page)
        assert 'value="video_1"' in text_of(page)
        assert 'name="insists"' in text_of(page)
        assert state_of(generation) is Status.UNKNOWN
        known = press(browser_of(admin), "adopt", generation, upstream_id="video_1", insists="1")
    assert known.status_code == 302


def test_id_that_the_log_names_first_is_taken_however_long_the_log_goes_on(admin, browser_of, settings, monkeypatch):
    monkeypatch.setattr(lookups, "MAX_PAGES", 1)
    entries = {"data": [], "next_page_url": ""}
    with upstream(settings, poll=lambda id: (200, {"id": id, "status": "queued"}), log=(200, entries)) as gateway:
        generation, other = (unclear(admin, model=model_of_gateway()) for _ in range(2))
        entries["next_page_url"] = f"{gateway.origin}/v1/requests?p=2"
        at = timezone.now().isoformat()
        entries["data"] = [
            {"id": "video_own", "status": "processing", "created_at": at, "trace_id": generation.id.hex},
            {"id": "video_other", "status": "processing", "created_at": at, "trace_id": other.id.hex},
        ]
        browser = browser_of(admin)
        pages = [press(browser, "adopt", generation, upstream_id=id) for id in ("video_other", "video_own")]
    assert [page.status_code for page in pages] == [422, 302]
    assert 'name="insists"' not in text_of(pages[0])


def test_few_questions_of_one_person_about_ids_are_on_their_way_at_a_time(admin, browser_of, settings):
    """A gateway may take half a minute to answer, and each press holds a thread of the web server for as long."""
    person, asked = admin.user_id, list[str]()

    def poll(id):
        asked.append(id)
        return 404, {}

    with upstream(settings, poll=poll):
        generation, browser = unclear(admin, model=model_of_gateway()), browser_of(admin)
        with (
            few_of_one.turn(person, "adopt", unclear_view.OF_ONE),
            few_of_one.turn(person, "adopt", unclear_view.OF_ONE),
        ):
            page = press(browser, "adopt", generation, upstream_id="video_1")
        assert (page.status_code, asked) == (409, [])
        assert "Your questions before this one are still on their way." in text_of(page)
        assert press(browser, "adopt", generation, upstream_id="video_1").status_code == 422
    assert asked == ["video_1"]
    assert not few_of_one._busy


def test_log_that_a_gateway_does_not_keep_after_all_is_no_hindrance(admin, browser_of, settings):
    with upstream(settings, poll=lambda id: (200, {"id": id, "status": "queued"}), log=(404, {})):
        generation = unclear(admin, model=model_of_gateway())
        page = press(browser_of(admin), "adopt", generation, upstream_id="video_1")
    assert page.status_code == 302
    assert state_of(generation) is Status.SUBMITTED


INSIST = "It is this order's all the same"


@pytest.mark.parametrize(
    ("told", "differs"),
    [
        ({"seconds": "4", "size": "1280x720", "model": "sora-2"}, ""),
        ({"seconds": 4.04, "size": "1280X704"}, ""),
        ({"seconds": "4s", "size": "720p"}, ""),
        ({"seconds": "12"}, "12 for 4"),
        ({"size": "720*1280"}, "720*1280 for 1280x720"),
        ({"model": "kling-v3", "size": "1080p"}, "kling-v3 for sora-2, 1080p for 1280x720"),
    ],
)
def test_without_a_log_what_differs_is_asked_about_once_more(admin, browser_of, settings, told, differs):
    told = {"id": "video_1", "status": "queued"} | told
    with upstream(settings, poll=lambda _id: (200, told)):
        generation, browser = unclear(admin, model=model_of_gateway(has_request_log=False)), browser_of(admin)
        Generation.objects.update(body={"model": "sora-2", "seconds": 4, "size": "1280x720"})
        page = press(browser, "adopt", generation, upstream_id="video_1")
        if differs:
            assert page.status_code == 422
            assert f"The gateway says of this video: {differs}." in text_of(page)
            assert INSIST in text_of(page)
            assert state_of(generation) is Status.UNKNOWN
            page = press(browser, "adopt", generation, upstream_id="video_1", insists="1")
    assert page.status_code == 302
    assert state_of(generation) is Status.SUBMITTED


def test_what_a_log_knows_to_be_its_own_may_differ_from_what_was_ordered(admin, browser_of, settings):
    log = {"data": []}
    with upstream(settings, poll=lambda id: (200, {"id": id, "status": "queued", "size": "720x1280"}), log=(200, log)):
        generation = unclear(admin, model=model_of_gateway())
        Generation.objects.update(body={"size": "1280x720"})
        log["data"].append(logged("video_1", generation))
        assert press(browser_of(admin), "adopt", generation, upstream_id="video_1").status_code == 302


@pytest.mark.parametrize("log", [(200, {"data": []}), (404, {})], ids=["without it", "no log after all"])
def test_what_a_log_says_nothing_of_is_held_against_the_order(admin, browser_of, settings, log):
    with upstream(settings, poll=lambda id: (200, {"id": id, "status": "queued", "size": "720x1280"}), log=log):
        generation = unclear(admin, model=model_of_gateway())
        Generation.objects.update(body={"size": "1280x720"})
        page = press(browser_of(admin), "adopt", generation, upstream_id="video_1")
    assert page.status_code == 422
    assert INSIST in text_of(page)
    assert state_of(generation) is Status.UNKNOWN


def test_video_of_a_closed_order_is_not_taken_where_the_log_has_ids_of_its_own(admin, browser_of, settings):
    log = {"data": []}
    with upstream(settings, poll=lambda _id: (200, {"id": "video_1", "status": "queued"}), log=(200, log)):
        model = model_of_gateway()
        generation, other = unclear(admin, model=model), unclear(admin, model=model)
        log["data"].append(logged("req_1", other))
        press(browser_of(admin), "close", other)
        page = press(browser_of(admin), "adopt", generation, upstream_id="video_1")
    assert page.status_code == 422
    assert "for another order" in text_of(page)


def logged(id, generation):
    now = timezone.now().isoformat()
    return {"id": id, "trace_id": generation.id.hex, "status": "processing", "created_at": now}


def test_link_leads_to_an_order_also_beyond_those_that_are_listed(admin, browser_of, monkeypatch):
    monkeypatch.setattr(unclear_view, "AT_MOST", 2)
    model = factories.make_model()
    rows = [unclear(admin, model=model) for _ in range(3)]
    shown = browser_of(admin).get(INDEX).text
    (hidden,) = (row for row in rows if f'id="order-{row.id}"' not in shown)

    assert f'id="order-{hidden.id}"' in browser_of(admin).get(f"{INDEX}?order={hidden.id}").text
    page = press(browser_of(admin), "adopt", hidden, upstream_id="")
    assert (page.status_code, f'id="order-{hidden.id}"' in page.text) == (422, True)


@pytest.mark.parametrize("pasted", ["taken", "video_1"])
def test_no_tick_makes_an_id_its_own_that_is_anothers_or_unknown(admin, browser_of, settings, pasted):
    answer = (200, {"id": "taken", "status": "queued", "size": "720x1280"}) if pasted == "taken" else (404, {})
    with upstream(settings, poll=lambda _id: answer):
        generation = unclear(admin, model=model_of_gateway(has_request_log=False))
        factories.make_generation(run=generation.run, upstream_id="taken")
        Generation.objects.update(body={"size": "1280x720"})
        page = press(browser_of(admin), "adopt", generation, upstream_id=pasted, insists="1")
    assert page.status_code == 422
    assert INSIST not in text_of(page)
    assert state_of(generation) is Status.UNKNOWN


@pytest.mark.parametrize("code", ["key_forgotten", "server_error"])
def test_page_says_why_an_order_that_was_sent_again_did_not_go_out(admin, browser_of, code):
    unclear(admin, error_code=code)
    page = text_of(browser_of(admin).get(INDEX))
    assert ("It waited until the gateway may have forgotten its key, so it was not sent" in page) is (
        code == "key_forgotten"
    )


def test_page_says_that_an_order_from_a_backup_may_have_been_sent_since(admin, browser_of):
    words = "This order comes from a backup. It may have been sent again after the backup was made, and run then."
    generation = unclear(admin)
    before = text_of(browser_of(admin).get(INDEX))
    now = timezone.now()
    restored.mark(at=now)
    settled = restored.settle(now=now)
    after = text_of(browser_of(admin).get(INDEX))

    assert words not in before
    assert words in after
    assert settled is not None
    assert settled.maybe_sent == 1
    assert state_of(generation) is Status.UNKNOWN
    restored_at = generation.events.filter(kind="restored").values_list("data__backup_at", flat=True)
    assert list(restored_at) == [now.isoformat()]


def test_gateway_that_cannot_be_asked_leaves_the_order_as_it_is(admin, browser_of, settings):
    with upstream(settings):
        generation = unclear(admin, model=model_of_gateway())
    page = press(browser_of(admin), "adopt", generation, upstream_id="video_1")
    assert page.status_code == 409
    assert "could not be asked" in text_of(page)
    assert 'value="video_1"' in text_of(page)


def test_order_of_a_gateway_without_keys_warns_that_sending_again_may_cost_twice(admin, browser_of):
    generation = unclear(admin)
    Gateway.objects.filter(id=generation.gateway_id).update(honours_idempotency_key=False)
    assert "it is charged twice" in text_of(browser_of(admin).get(INDEX))


def test_runs_and_run_page_lead_admins_to_the_order_and_tell_others_what_happens_next(admin, member, browser_of):
    generation = unclear(admin)
    target = f"{INDEX}?order={generation.id}#order-{generation.id}"
    detail = reverse("runs.detail", args=[generation.run_id])
    assert target in text_of(browser_of(admin).get("/runs/"))
    assert target in text_of(browser_of(admin).get(detail))
    theirs = text_of(browser_of(member).get(detail))
    assert target not in theirs
    assert "It is not sent again by itself" in theirs


def test_queries_do_not_grow_with_the_orders(admin, browser_of, django_assert_max_num_queries):
    for _ in range(6):
        unclear(admin)
    browser = browser_of(admin)
    browser.get(INDEX)
    with django_assert_max_num_queries(14):
        browser.get(INDEX)
