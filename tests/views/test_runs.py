"""Runs: the table and one run."""

import ast
import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Notice
from playground.views.history import WORDS
from tests import factories

RUNS = "/runs/"


def text_of(answer) -> str:
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_no_runs_yet(member, stranger, browser_of):
    factories.make_generation(by=stranger)
    page = text_of(browser_of(member).get(RUNS))
    assert "No runs yet." in page


def test_row_counts_states_in_words_and_sums_the_known_costs(member, browser_of):
    run = factories.make_run(by=member, quoted_total_micros=1_600_000)
    factories.make_generation(run=run, cost_micros=400_000)
    factories.make_generation(run=run, cost_micros=380_000)
    factories.make_generation(run=run, status=Status.RUNNING)
    factories.make_generation(run=run, status=Status.UNKNOWN)
    page = text_of(browser_of(member).get(RUNS))
    for words in ("2 Ready", "1 Generating", "1 Unclear", "$1.60", "$0.78"):
        assert words in page


def test_cost_nobody_reported_is_not_zero(member, browser_of):
    factories.make_generation(by=member, status=Status.QUEUED)
    page = text_of(browser_of(member).get(RUNS))
    assert "not reported" in page
    assert "$0.00" not in page


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ([(Status.REJECTED, None)], "Not charged"),
        ([(Status.CANCELLED, None), (Status.REJECTED, None)], "Not charged"),
        ([(Status.FAILED, 0)], "Not charged"),
        ([(Status.REJECTED, None), (Status.FAILED, None)], "none reported"),
        ([(Status.CANCELLED, None), (Status.LOST, None)], "none reported"),
        ([(Status.FAILED, None), (Status.RUNNING, None)], "not reported"),
        ([(Status.DONE, None)], "not reported"),
        ([(Status.OUTPUT_LOST, None)], "not reported"),
        ([(Status.CANCELLED, 0), (Status.DONE, None)], "not reported"),
        ([(Status.DONE, 380_000), (Status.DONE, None)], "$0.38"),
        ([(Status.REJECTED, None), (Status.DONE, 380_000)], "$0.38"),
    ],
)
def test_run_is_called_not_charged_only_where_all_of_it_surely_was_not(member, browser_of, states, words):
    run = factories.make_run(by=member)
    for status, cost in states:
        factories.make_generation(run=run, status=status, cost_micros=cost)
    row = text_of(browser_of(member).get(RUNS))
    assert f'data-label="Cost" class="is-figure">{words}</td>' in row
    money = text_of(browser_of(member).get(f"{RUNS}{run.id}/"))
    assert f'Cost so far</span><span class="detail-money__figure">{words}</span>' in money


def test_pages_of_runs_have_no_repeat_and_no_gap(member, browser_of):
    model = factories.make_model()
    made = [str(factories.make_run(by=member, model=model).id) for _ in range(65)]
    client, seen, address = browser_of(member), [], RUNS
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r'href="/runs/([0-9a-f-]{36})/"', page)
        more = re.search(r'rel="next" href="([^"]+)"', page)
        address = more and more.group(1)
    assert seen == made[::-1]


def test_queries_do_not_grow_with_the_rows(member, browser_of):
    client, model = browser_of(member), factories.make_model()
    factories.make_generation(by=member, model=model)
    client.get(RUNS)
    with CaptureQueriesContext(connection) as few:
        client.get(RUNS)
    for _ in range(20):
        factories.make_video(by=member, model=model, files=False)
    with CaptureQueriesContext(connection) as many:
        client.get(RUNS)
    assert len(few) == len(many) <= 9


def test_run_page_shows_each_of_its_cards_and_what_was_asked(member, browser_of):
    run = factories.make_run(by=member, prompt="Two boats", settings={"seed": 7})
    rows = [factories.make_generation(run=run), factories.make_generation(run=run, status=Status.FAILED)]
    factories.make_event(rows[1], "failed")
    page = text_of(browser_of(member).get(reverse("runs.detail", args=[run.id])))
    for row in rows:
        assert f'id="job-{row.id}"' in page
    assert "<dt>Seed</dt><dd>7</dd>" in page
    assert "2: Failed at the provider" in page
    assert "data-active" not in page[page.index('id="live"') :][:400]


def test_an_order_and_its_repetition_lead_to_one_another(member, browser_of):
    first = factories.make_generation(by=member, status=Status.FAILED)
    second = factories.make_generation(by=member, retry_of=first)
    paths = [f"{RUNS}{generation.run_id}/" for generation in (first, second)]
    pages = [text_of(browser_of(member).get(path)) for path in paths]
    assert re.search(rf'Ordered again: <a href="{paths[1]}">', pages[0])
    assert re.search(rf'<a href="{paths[0]}">repeats an earlier run</a>', pages[1])
    assert "repeats an earlier run" not in pages[0]
    assert "Ordered again" not in pages[1]


def test_run_page_asks_on_while_something_is_being_made(member, browser_of):
    row = factories.make_generation(by=member, status=Status.RUNNING)
    page = text_of(browser_of(member).get(reverse("runs.detail", args=[row.run_id])))
    live = page[page.index('id="live"') :][:400]
    assert f"{row.id}:" in live
    assert "data-active" in live


def test_parent_that_is_private_to_another_is_not_linked(member, admin, browser_of):
    secret = factories.make_video(by=admin, files=False, visibility="private")
    run = factories.make_run(by=admin, parent_video=secret)
    factories.make_generation(run=run)
    assert str(secret.id) not in text_of(browser_of(member).get(reverse("runs.detail", args=[run.id])))
    assert str(secret.id) in text_of(browser_of(admin).get(reverse("runs.detail", args=[run.id])))


@pytest.mark.parametrize(("status", "shown"), [("unknown", True), ("failed", False)])
def test_only_an_unclear_order_has_the_section_that_its_card_leads_to(member, browser_of, status, shown):
    generation = factories.make_generation(by=member, status=status, sent_at=timezone.now())
    page = browser_of(member).get(reverse("runs.detail", args=[generation.run_id])).content.decode()
    assert ('id="unclear"' in page) is shown
    assert ("money that is set aside for it stays so. The admins were told" in page) is shown


def written_kinds(tree):
    """Every kind of event in a module: literals of Move, note, Event and claim, one of two of them, the default of an
    argument named `event`, and pairs of a status and a kind.
    """
    for node in ast.walk(tree):
        found = []
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            place = {"Move": 3, "note": 1}.get(called.split(".")[-1])
            found = [node.args[place]] if place is not None and len(node.args) > place else []
            found += [word.value for word in node.keywords if word.arg == "event"]
            found += [word.value for word in node.keywords if word.arg == "kind" and called.startswith("Event")]
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and ast.unparse(node.elts[0]).startswith("Status."):
            found = [node.elts[1]]
        elif isinstance(node, ast.FunctionDef):
            named = node.args.kwonlyargs
            found = [value for word, value in zip(named, node.args.kw_defaults, strict=True) if word.arg == "event"]
        found += [side for item in found if isinstance(item, ast.IfExp) for side in (item.body, item.orelse)]
        yield from (item.value for item in found if isinstance(item, ast.Constant) and isinstance(item.value, str))


def test_every_event_that_the_services_write_has_words_and_no_words_stand_for_nothing():
    files = (settings.BASE_DIR / "playground" / "services").glob("*.py")
    written = {kind for file in files for kind in written_kinds(ast.parse(file.read_text()))}
    assert {"ordered", "put_back", "handed_out", "given_up", "stopped", "output_lost"} <= written
    assert written | {"approved", "approval_taken_back"} == set(WORDS)


def ids_in(page: str) -> list[tuple[str, str]]:
    found = re.search(r'<section id="ids".*?</section>', page)
    return re.findall(r"<dt>([^<]+)</dt><dd[^>]*>([^<]+)</dd>", found.group()) if found else []


def test_run_shows_the_ids_that_the_gateways_support_asks_for(member, browser_of):
    run = factories.make_run(by=member)
    factories.make_generation(run=run, upstream_id="video_<1>", request_id="req-1")
    factories.make_generation(run=run, status=Status.OUTPUT_LOST, upstream_id="video_2")
    factories.make_generation(run=run, status=Status.QUEUED, upstream_id=None)
    ids = ids_in(text_of(browser_of(member).get(f"{RUNS}{run.id}/")))
    assert ids == [("1: Id", "video_&lt;1&gt;"), ("1: Request id", "req-1"), ("2: Id", "video_2")]


def test_ids_of_one_video_are_not_numbered_and_of_none_nothing_is_said(member, browser_of):
    one, none = (factories.make_run(by=member) for _ in range(2))
    factories.make_generation(run=one, upstream_id="video_1")
    factories.make_generation(run=none, status=Status.QUEUED, upstream_id=None)
    client = browser_of(member)
    assert ids_in(text_of(client.get(f"{RUNS}{one.id}/"))) == [("Id", "video_1")]
    assert 'id="ids"' not in text_of(client.get(f"{RUNS}{none.id}/"))


@pytest.mark.parametrize("kind", ["output_lost", "order_lost"])
def test_notice_of_a_lost_video_leads_to_its_ids(member, browser_of, kind):
    row = factories.make_generation(by=member, status=Status.LOST, upstream_id="video_1")
    notice = Notice(kind=kind, data={"run": str(row.run_id), "model": "kling", "code": "output_gone"})
    words = render_to_string(f"notices/kinds/{kind}.html", {"notice": notice, "row": {"shows_run": True}})
    address, mark = re.search(r'href="([^"#]+)(#[^"]*)"', words).groups()
    assert mark == "#ids"
    assert ids_in(text_of(browser_of(member).get(address))) == [("Id", "video_1")]
    assert "the ids on the run's page" in words.replace("&#x27;", "'")


def test_lost_video_without_price_and_cost_is_not_called_free_on_card_run_page_and_notice(member, browser_of):
    words = "It may have been charged: this gateway named no cost."
    row = factories.make_generation(by=member, status=Status.OUTPUT_LOST, estimate_micros=None, error_code="BadVideo")
    page = text_of(browser_of(member).get(f"/runs/{row.run_id}/"))
    card, panel = page.split('aria-label="Money and actions"')
    assert words in card
    assert words in panel
    told = {"run": str(row.run_id), "code": "BadVideo", "cost_micros": None, "estimate_micros": None}
    notice = render_to_string("notices/kinds/output_lost.html", {"notice": Notice(kind="output_lost", data=told)})
    assert words in notice
    assert "charge" not in f"{page} {notice}".replace(words, "")


def looks_in(page: str) -> str:
    found = re.search(r'<h2 id="looks-title">Needs a look</h2>(.*?)</section>', page)
    return found.group(1) if found else ""


def test_admin_is_told_of_unclear_orders_and_lost_videos(admin, stranger, browser_of):
    for prompt, status in (("whale", Status.UNKNOWN), ("heron", Status.OUTPUT_LOST), ("otter", Status.FAILED)):
        run = factories.make_run(by=admin, prompt=prompt)
        factories.make_generation(run=run, status=status, ended_at=timezone.now(), cost_micros=840_000)
    factories.make_generation(run=factories.make_run(by=stranger, prompt="newt"), status=Status.UNKNOWN)
    told = looks_in(text_of(browser_of(admin).get(RUNS)))
    assert "whale" in told
    assert "It was sent, but no clear answer came." in told
    assert "heron" in told
    assert "An admin has been told." not in told
    assert "otter" not in told
    assert "newt" not in told


def test_lost_video_of_three_weeks_ago_needs_no_look_but_an_unclear_order_does(admin, browser_of):
    long_ago = timezone.now() - timedelta(days=21)
    for prompt, status in (("whale", Status.UNKNOWN), ("heron", Status.OUTPUT_LOST)):
        run = factories.make_run(by=admin, prompt=prompt)
        factories.make_generation(run=run, status=status, ended_at=long_ago, created_at=long_ago)
    told = looks_in(text_of(browser_of(admin).get(RUNS)))
    assert "whale" in told
    assert "heron" not in told


def test_who_is_no_admin_is_not_asked_to_look(member, browser_of):
    factories.make_generation(by=member, status=Status.UNKNOWN)
    assert "Needs a look" not in text_of(browser_of(member).get(RUNS))
