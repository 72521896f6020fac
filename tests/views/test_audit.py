"""Who did what, in words and as a file; and that every kind that is recorded has words."""

import ast
import csv
from io import StringIO
from pathlib import Path

import pytest

from playground.models import AuditEntry, Role
from playground.services import audit, invitations, members, teams
from playground.views.audit_words import KINDS, sentence
from tests import factories

SOURCE = Path(__file__).resolve().parents[2] / "playground"
BY_NAME = {
    "services/limits.py": {"limits_accepted", "limits_changed"},
    "services/budget_requests.py": {"budget_request_granted", "budget_request_declined"},
    "services/unclear.py": {"unclear_sent_again", "unclear_closed", "unclear_adopted"},
    "services/members.py": {"member_removed", "member_left"},
    "services/sharing.py": {"link_made", "link_changed", "link_revoked", "link_restored"},
}
"""Where the kind is no constant of the call: what it may be there."""


def recorded() -> dict[str, set[str]]:
    """The kinds that each file records, read off the calls of `audit.record`; None among them for one by a name."""
    found: dict[str, set[str]] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "audit.record":
                name = str(file.relative_to(SOURCE))
                found.setdefault(name, set()).update(_kinds(node.args[0], name))
    return found


def _kinds(node: ast.expr, file: str) -> set[str]:
    if isinstance(node, ast.Constant):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return _kinds(node.body, file) | _kinds(node.orelse, file)
    assert file in BY_NAME, f"{file} records a kind by a name: say in BY_NAME which"
    return BY_NAME[file]


def test_every_kind_that_is_recorded_has_words_and_no_other():
    kinds = set().union(*recorded().values())
    assert kinds - KINDS.keys() == set()
    assert KINDS.keys() - kinds == set()


@pytest.mark.parametrize("kind", KINDS)
def test_words_hold_for_an_entry_without_data(kind):
    assert sentence(AuditEntry(kind=kind, data={}))


def test_page_says_who_did_what_and_what_it_changed(member, admin, browser_of):
    members.change(by=admin, member=member, role=Role.VIEWER, sees_spend=True)
    page = browser_of(admin).get("/team/audit/").content.decode()
    assert admin.user.display_name in page
    assert f"Changed what {member.user.display_name} may do" in page
    assert "Role: Creator → Viewer" in page


def test_invitation_says_whether_who_takes_it_sees_spend(admin, browser_of):
    for number, sees_spend in enumerate((True, False)):
        email = f"invited{number}@example.com"
        invitations.invite(by=admin, role=Role.CREATOR, email=email, sees_spend=sees_spend, base_url="")
    shown = {line.entry.data["email"]: line.details for line in browser_of(admin).get("/team/audit/").context["lines"]}
    assert shown == {"invited0@example.com": ["Sees spend: yes"], "invited1@example.com": ["Sees spend: no"]}


def test_invitations_that_ended_with_another_deed_are_told(member, admin, browser_of):
    def invite(email: str, role: Role = Role.VIEWER) -> str:
        return invitations.invite(by=admin, role=role, email=email, base_url="")[1].rstrip("/").rpartition("/")[2]

    taken, _needless = invite("new@example.com", Role.CREATOR), invite("new@example.com")
    invite(member.user.email)
    invitations.accept(token=taken, user=factories.make_user("new@example.com"))
    members.change(by=admin, member=member, role=Role.VIEWER, sees_spend=True)
    shown = {line.entry.kind: line.details for line in browser_of(admin).get("/team/audit/").context["lines"]}
    assert "Invitations ended: 1" in shown["invitation_accepted"]
    assert "Invitations ended: 1" in shown["member_changed"]


def test_filters_are_in_the_address_and_in_the_file(member, admin, browser_of):
    other = factories.make_member(team=admin.team, role=Role.ADMIN)
    members.change(by=admin, member=member, role=Role.VIEWER, sees_spend=True)
    teams.settle(by=other, values={"link_days": 9})
    browser = browser_of(admin)
    by_person = f"?by={other.user_id}"
    for query, there, gone in (
        (by_person, "link is good for: 7 → 9", "may do</span>"),
        ("?kind=member_changed", "may do</span>", "link is good for: 7"),
        ("?by=program", "Nothing matches.", "may do</span>"),
    ):
        page = browser.get(f"/team/audit/{query}").content.decode()
        assert there in page
        assert gone not in page
    assert len(rows_of(browser, by_person)) == 2


def rows_of(browser, query: str = "") -> list[list[str]]:
    answer = browser.get(f"/team/audit.csv{query}")
    assert answer.status_code == 200
    text = answer.getvalue().decode("utf-8-sig")
    return list(csv.reader(StringIO(text)))


def test_pages_follow_one_another_without_gap_or_repeat(admin, browser_of):
    for number in range(120):
        audit.record("team_changed", by=admin.user, team=admin.team, data={"link_days": {"was": 0, "is": number}})
    browser, seen, query = browser_of(admin), [], ""
    for _page in range(3):
        answer = browser.get(f"/team/audit/{query}")
        seen += [line.entry.data["link_days"]["is"] for line in answer.context["lines"]]
        query = f"?{answer.context['more']}"
    assert seen == list(reversed(range(120)))
    assert len(rows_of(browser)) == 121


def test_other_teams_are_not_told_of(admin, stranger, browser_of):
    audit.record("team_changed", by=stranger.user, team=stranger.team, data={"name": {"was": "Secret", "is": "B"}})
    data = {"gateway": "x", "name": "Sandbox", "reason": "auth", "done": "Secret"}
    audit.record("gateway_resumed", by=stranger.user, team=None, data=data)
    audit.record("repaired", by=None, team=None, data={"thing": "Secret", "kind": "k", "done": "Secret"})
    browser = browser_of(admin)
    pages = [browser.get("/team/audit/").content.decode(), str(rows_of(browser))]
    pages.append(browser.get(f"/team/audit/?by={stranger.user_id}").content.decode())
    for page in pages:
        assert "Secret" not in page
        assert stranger.user.display_name not in page
    assert "The gateway Sandbox goes on" in pages[0]
    assert "An admin" in pages[0]
    assert "goes on</span>" not in pages[2]


def test_cells_are_no_formulas_and_the_name_is_ours(admin, browser_of):
    user = factories.make_user(name="=HYPERLINK(1)")
    audit.record("team_made", by=user, team=admin.team, data={"name": "x"})
    row = rows_of(browser_of(admin))[1]
    assert row[1] == "'=HYPERLINK(1)"
    answer = browser_of(admin).get("/team/audit.csv")
    assert answer["Content-Disposition"].startswith(f'attachment; filename="audit-{admin.team.slug}-20')
    assert "no-store" in answer["Cache-Control"]


def test_odd_addresses_show_the_first_page(admin, browser_of):
    for query in ("?before=x", "?before=-1", "?before=" + "9" * 30, "?by=nobody", "?kind=%3Cb%3E", "?by=%00"):
        assert browser_of(admin).get(f"/team/audit/{query}").status_code in {200, 404}


def test_person_who_is_no_longer_here_keeps_the_name(admin, browser_of):
    user = factories.make_user(name="Anna")
    audit.record("team_made", by=user, team=admin.team)
    user.delete()
    assert "Anna" in browser_of(admin).get("/team/audit/").content.decode()
