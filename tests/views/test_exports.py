"""Files for a spreadsheet: few of one person and some in all are on their way, and slow ones not for ever."""

import pytest
from django.http import StreamingHttpResponse

from playground.models import AuditEntry, Role
from playground.services import audit, few_of_one
from playground.views import exports
from playground.views.audit import BATCH
from tests.factories import make_member
from tests.views.test_audit import rows_of

pytestmark = pytest.mark.django_db
WHERE = ["/team/audit.csv", "/spend/export.csv"]


@pytest.fixture(autouse=True)
def long_ones(monkeypatch):
    """Every file is too long to be handed over whole."""
    monkeypatch.setattr(exports, "SMALL_BYTES", 0)
    yield
    assert exports._places.taken == 0
    assert not few_of_one._busy


@pytest.mark.parametrize("where", WHERE)
def test_few_of_one_person_are_on_their_way_and_another_gets_theirs(admin, browser_of, where):
    other = make_member(team=admin.team, role=Role.ADMIN)
    browser = browser_of(admin)
    fetched = [browser.get(where) for _ in range(exports.OF_ONE)]
    assert {answer.status_code for answer in fetched} == {200}
    refused = browser.get(where)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
    assert "Several files are on their way to you already. This one was not made." in refused.text
    theirs = browser_of(other).get(where)
    assert theirs.status_code == 200
    theirs.getvalue()
    for answer in fetched:
        answer.getvalue()
    again = browser.get(where)
    assert (again.status_code, again.getvalue()[:3]) == (200, b"\xef\xbb\xbf")


@pytest.mark.parametrize("where", WHERE)
def test_no_more_are_on_their_way_in_all_than_may(admin, browser_of, monkeypatch, where):
    monkeypatch.setattr(exports, "AT_ONCE", 1)
    other = make_member(team=admin.team, role=Role.ADMIN)
    first = browser_of(other).get(where)
    refused = browser_of(admin).get(where)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    assert "The server hands out as many files as it can at once." in refused.text
    first.getvalue()
    after = browser_of(admin).get(where)
    assert after.status_code == 200
    after.getvalue()


@pytest.mark.parametrize("where", WHERE)
def test_short_one_is_handed_over_whole_and_holds_nothing(admin, browser_of, monkeypatch, where):
    monkeypatch.setattr(exports, "SMALL_BYTES", 256 * 1024)
    answers = [browser_of(admin).get(where) for _ in range(exports.OF_ONE + 1)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert not any(isinstance(answer, StreamingHttpResponse) for answer in answers)


@pytest.mark.parametrize("where", WHERE)
def test_length_is_told_and_the_headers_alone_make_no_file(admin, browser_of, monkeypatch, where):
    answer = browser_of(admin).get(where)
    assert int(answer["Content-Length"]) == len(answer.getvalue()) > 0
    monkeypatch.setattr(exports, "_sent", lambda *_: pytest.fail("a file was made"))
    head = browser_of(admin).head(where)
    assert (head.status_code, head["Content-Type"]) == (200, "text/csv; charset=utf-8")


def test_one_that_takes_too_long_is_broken_off(admin, browser_of, monkeypatch):
    monkeypatch.setattr(exports, "LONGEST_S", 0.0)
    answer = browser_of(admin).get("/team/audit.csv")
    assert len(b"".join(answer.streaming_content)) < int(answer["Content-Length"])


def test_place_is_given_back_where_the_file_cannot_be_made(admin, browser_of, monkeypatch):
    def broken(**_given):
        raise RuntimeError

    monkeypatch.setattr(exports, "TemporaryFile", broken)
    with pytest.raises(RuntimeError):
        browser_of(admin).get("/team/audit.csv")


def test_refusal_is_read_where_it_was_pressed(admin, browser_of):
    """A link with `download` shows nothing of an answer that is no file."""
    assert "download>" not in browser_of(admin).get("/team/audit/").text


def test_many_entries_are_in_order(admin, browser_of):
    """Those of the team and of the whole installation, batch by batch, each once."""
    kinds = ["team_changed", "gateway_paused", "team_changed"]
    AuditEntry.objects.bulk_create(
        AuditEntry(team=None if kind == "gateway_paused" else admin.team, kind=kind, data={"name": f"n{number}"})
        for number in range(BATCH)
        for kind in kinds
    )
    browser = browser_of(admin)
    rows = rows_of(browser)[1:]
    assert [row[2] for row in rows] == kinds * BATCH
    own = [row for row in rows if row[2] == "team_changed"]
    assert [row[5] for row in own[::2]] == [f'{{"name": "n{number}"}}' for number in range(BATCH)]
    assert {row[5] for row in rows} - {row[5] for row in own} == {""}
    audit.record("team_changed", by=admin.user, team=admin.team)
    assert len(rows_of(browser)) == len(rows) + 2
