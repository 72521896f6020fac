"""The pages of a team in a real browser: axe in both themes, a phone, going to another team, an invitation taken."""

import pytest
from playwright.sync_api import expect

from playground.domain.status import Status
from playground.models import Invitation, Membership, Role, Run
from playground.services import invitations, members
from tests import factories
from tests.browser.conftest import PHONE
from tests.views.test_account import with_mail  # noqa: F401  a fixture
from tests.views.test_account_in_chromium import assert_fine, open_page  # noqa: F401  a fixture

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "A very long name of somebody with WordsThatNeverEndAndGoOnAndOnAndOnAndOnAndOnAndOn"
PAGES = {
    "members": ("admin", "/team/"),
    "members for others": ("viewer", "/team/"),
    "removing": ("admin", "remove"),
    "leaving": ("member", "/team/leave/"),
    "leaving as the last admin": ("admin", "/team/leave/"),
    "new team": ("admin", "/team/new/"),
    "invitations": ("admin", "/team/invitations/"),
    "settings": ("admin", "/team/settings/"),
    "audit": ("admin", "/team/audit/"),
    "audit empty": ("admin", "/team/audit/?kind=team_made"),
    "invitation": ("", "invite"),
    "invitation for a member": ("admin", "invite"),
    "invitation for somebody": ("stranger", "invite"),
    "invitation for another address": ("stranger", "invite-other"),
}


@pytest.fixture
def people(admin, member, viewer, stranger):
    """Some of everything that the pages show, long names included; the admin is in two teams."""
    factories.make_gateway(is_default=True)
    factories.make_model("one")
    member.user.name = LONG
    member.user.save()
    factories.make_member(user=admin.user, team=factories.make_team("Another team"))
    gone = factories.make_member(team=admin.team)
    members.remove(by=admin, member=gone)
    members.change(by=admin, member=viewer, role=Role.VIEWER, sees_spend=False)
    seats = {"invite": "", "invite-other": "somebody.else@example.com"}
    links = {
        name: invitations.invite(by=admin, role=Role.CREATOR, email=email, base_url="")[1]
        for name, email in seats.items()
    }
    revoked, _url = invitations.invite(by=admin, role=Role.VIEWER, base_url="")
    invitations.revoke(by=admin, invitation=revoked)
    return {
        "": None,
        "admin": admin,
        "member": member,
        "viewer": viewer,
        "stranger": stranger,
        **links,
        "remove": f"/team/members/{member.id}/remove/",
    }


@pytest.mark.parametrize("name", PAGES)
def test_page_is_fine(open_page, people, name):  # noqa: F811
    who, path = PAGES[name]
    assert_fine(open_page(people.get(path, path), who=people[who]))


def test_refusals_are_fine_and_hold_the_keyboard(open_page, people):  # noqa: F811
    page = open_page("/team/settings/", who=people["admin"])
    page.fill("#id_retention_days", "soon")
    page.click("text=Save the settings")
    expect(page.locator("#id_retention_days_error")).to_be_visible()
    expect(page.locator("#id_retention_days")).to_be_focused()
    expect(page.locator("#id_retention_days")).to_have_value("soon")
    assert_fine(page)


def two_teams() -> tuple[Membership, Membership]:
    factories.make_gateway(is_default=True)
    factories.make_model("one")
    factories.make_model("two")
    first = factories.make_member(team=factories.make_team("First team"))
    return first, factories.make_member(user=first.user, team=factories.make_team("Second team"))


@pytest.mark.parametrize("scripts", [True, False])
def test_another_team_on_create_keeps_what_is_typed(open_page, scripts):  # noqa: F811
    first, _second = two_teams()
    page = open_page("/create/", who=first, java_script_enabled=scripts)
    page.fill("#prompt", "A lighthouse in fog")
    page.click(".picker summary")
    page.check("[name=model][value=two]", force=True)
    page.locator(".team-chip > summary").click()
    page.get_by_role("button", name="Second team").click()
    expect(page.locator(".team-chip__name")).to_have_text("Second team")
    expect(page.locator("#prompt")).to_have_value("A lighthouse in fog")
    expect(page.locator("#create [name=team]")).to_have_value("second-team")
    expect(page.locator("[name=model][value=two]")).to_be_checked()
    assert not Run.objects.exists()


def test_switch_works_by_keyboard_and_leads_to_the_same_list(open_page):  # noqa: F811
    first, second = two_teams()
    factories.make_video(by=second, files=False)
    page = open_page("/gallery/", who=first)
    page.locator(".team-chip > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator(".team-chip > summary")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/gallery/?team=second-team")
    expect(page.locator(".tile")).to_have_count(1)


TABS = """(row) => {
  const here = row.querySelector("[aria-current]").getBoundingClientRect();
  return {
    lines: new Set([...row.children].map((tab) => tab.offsetTop)).size,
    in_view: here.left >= 0 && here.right <= document.documentElement.clientWidth,
  };
}"""
HEADER = """(header) => [...header.querySelectorAll("a, summary")]
  .filter((one) => one.offsetParent && getComputedStyle(one).position !== "fixed" && !one.closest(".places"))
  .every((one) => one.getBoundingClientRect().right <= innerWidth && one.getBoundingClientRect().width >= 36)"""


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("path", ["/team/", "/team/models/", "/team/audit/"])
def test_tabs_of_a_phone_are_one_row_with_the_current_one_in_view(open_page, people, path, scripts):  # noqa: F811
    page = open_page(path, who=people["admin"], java_script_enabled=scripts, **PHONE)
    assert page.locator(".team__tabs").evaluate(TABS) == {"lines": 1, "in_view": True}


def test_header_of_a_phone_names_the_team_where_there_are_several(open_page, people):  # noqa: F811
    admin = people["admin"]
    admin.team.name = f"استوديو {LONG}"
    admin.team.save()
    factories.make_generation(by=admin, status=Status.RUNNING)
    page = open_page(f"/team/?team={admin.team.slug}", who=admin, **PHONE)
    name = page.locator(".team-chip__name")
    expect(name).to_be_visible()
    assert name.bounding_box()["width"] > 80
    assert page.locator(".header__in").evaluate(HEADER)
    expect(page.get_by_role("link", name="1 running")).to_be_visible()
    assert page.locator("h1").evaluate("(name) => getComputedStyle(name).textAlign") == "left"
    assert_fine(page)


def test_invited_person_joins_in_a_browser_of_their_own(open_page, people, browser_of):  # noqa: F811
    admins = open_page("/team/invitations/", who=people["admin"])
    admins.select_option("#id_role", "viewer")
    admins.click("text=Make the link")
    link = admins.locator("#invitation-link").input_value()
    path = "/invite/" + link.partition("/invite/")[2]
    theirs = open_page(path)
    expect(theirs.locator("h1")).to_contain_text(people["admin"].team.name)
    theirs.fill("#id_name", "Newcomer")
    theirs.fill("#id_email", "new@example.com")
    theirs.fill("#id_password", "short")
    theirs.click("text=Make the account and join")
    expect(theirs.locator("#id_password_error")).to_be_visible()
    expect(theirs.locator("#id_password")).to_be_focused()
    expect(theirs.locator("#id_email")).to_have_value("new@example.com")
    theirs.fill("#id_password", factories.PASSWORD)
    theirs.click("text=Make the account and join")
    expect(theirs.locator("#toasts")).to_contain_text("You are in")
    assert theirs.url.endswith("/gallery/")
    admins.goto("/team/")
    expect(admins.locator(".team__members")).to_contain_text("Newcomer")
    row = admins.locator("tr", has_text="Newcomer")
    row.get_by_text("Remove").click()
    admins.get_by_role("button", name="Remove from the team").click()
    expect(admins.locator(".team__removed")).to_contain_text("Invite again")
    theirs.goto("/gallery/")
    assert "/account/login/" in theirs.url
    assert Invitation.objects.filter(accepted_by__email="new@example.com").exists()
