"""The page of a team: who sees what of it, who changes it, how one leaves, and how one goes to another team."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from playground.models import AuditEntry, Membership, Role, Run, Team, User
from playground.services import invitations, members
from tests import factories

pytestmark = pytest.mark.pure

OF_ADMINS = ["team.new", "team_invitations.index", "team_settings.index", "audit.index", "audit.export"]


def change(browser, member, **values):
    return browser.post(reverse("members.change", args=[member.id]), {"role": member.role, **values})


def test_members_see_names_and_roles_but_no_addresses(member, admin, viewer, browser_of):
    for reader in (member, viewer):
        page = browser_of(reader).get("/team/").content.decode()
        assert admin.user.display_name in page
        assert "Admin" in page
        assert "@example.com" not in page
        assert "/team/members/" not in page


TABS = [
    "team.index",
    "team_invitations.index",
    "team_settings.index",
    "team_models.index",
    "team_gateways.index",
    "share_links.index",
    "audit.index",
]


@pytest.mark.parametrize("name", [*TABS, "team_gateways.add"])
def test_every_page_of_a_team_stands_in_the_same_frame(admin, browser_of, name):
    page = browser_of(admin).get(reverse(name)).content.decode()
    tabs = re.search(r'<nav class="tabs team__tabs".*?</nav>', page, re.DOTALL).group()
    assert re.findall('href="(.*?)"', tabs) == [reverse(tab) for tab in TABS]
    here = "team_gateways.index" if name == "team_gateways.add" else name
    assert re.findall('href="([^"]*)" aria-current="page"', tabs) == [reverse(here)]
    assert re.findall("<h1.*?>(.*?)</h1>", page) == [admin.team.name]


def test_leaving_stands_under_the_tab_of_the_members(member, browser_of):
    page = browser_of(member).get("/team/leave/").content.decode()
    assert '<a href="/team/" aria-current="page">' in page


def test_tabs_and_account_menu_lead_nowhere_that_is_missing(member, admin, viewer, browser_of):
    Membership.objects.filter(id=viewer.id).update(sees_spend=False)
    for reader in (member, admin, viewer):
        browser = browser_of(reader)
        page = browser.get("/team/").content.decode()
        tabs = re.search(r'<nav class="tabs team__tabs".*?</nav>', page, re.DOTALL).group()
        menu = re.search(r'<div class="menu__list menu__list--account".*?</details>', page, re.DOTALL).group()
        for address in re.findall('href="(.*?)"', tabs + menu):
            assert browser.get(address).status_code == 200, f"{address} for {reader.role}"


def test_admin_sees_addresses_limits_and_forms(member, admin, browser_of):
    page = browser_of(admin).get("/team/").content.decode()
    assert member.user.email in page
    assert reverse("members.change", args=[member.id]) in page
    assert reverse("members.remove", args=[member.id]) in page
    assert reverse("members.remove", args=[admin.id]) not in page, "oneself leaves, which has a page of its own"


@pytest.mark.parametrize("name", OF_ADMINS)
def test_pages_of_admins_are_missing_for_the_others(member, viewer, browser_of, name):
    for reader in (member, viewer):
        assert browser_of(reader).get(reverse(name)).status_code == 404
    assert browser_of().get(reverse(name)).status_code == 302


def test_verbs_of_admins_are_missing_for_everybody_else(member, admin, viewer, stranger, browser_of):
    for other in (member, viewer, stranger):
        browser = browser_of(other)
        assert change(browser, admin, role="viewer").status_code == 404
        assert browser.get(reverse("members.remove", args=[admin.id])).status_code == 404
        assert browser.post(reverse("members.remove", args=[admin.id])).status_code == 404
    admin.refresh_from_db()
    assert admin.is_admin


def test_admin_gives_another_role_which_counts_at_the_next_request(member, admin, browser_of):
    theirs = browser_of(member)
    assert theirs.get("/team/audit/").status_code == 404
    assert change(browser_of(admin), member, role="admin", sees_spend="on").status_code == 303
    assert theirs.get("/team/audit/").status_code == 200
    assert change(browser_of(admin), member, role="viewer").status_code == 303
    assert theirs.get("/team/audit/").status_code == 404
    member.refresh_from_db()
    assert member.sees_spend is False


def test_last_admin_is_told_beside_their_line(member, admin, browser_of):
    answer = change(browser_of(admin), admin, role="creator")
    assert answer.status_code == 409
    assert "is the only admin" in answer.content.decode()
    assert f'id="role-{admin.id}-error"' in answer.content.decode()
    page = browser_of(admin).get("/team/leave/").content.decode()
    assert "You are the only admin" in page
    assert browser_of(admin).post("/team/leave/").status_code == 409


def test_role_that_is_none_is_refused_beside_the_line(member, admin, browser_of):
    answer = change(browser_of(admin), member, role="owner")
    assert answer.status_code == 422
    assert f'id="role-{member.id}-error"' in answer.content.decode()


def test_removal_says_what_happens_first(member, admin, browser_of):
    factories.make_video(by=member, files=False)
    page = browser_of(admin).get(reverse("members.remove", args=[member.id])).content.decode()
    assert "1 video of theirs stays, with their name." in page
    assert Membership.objects.filter(id=member.id).exists()


def test_removal_names_every_mailbox_that_is_still_invited(member, admin, browser_of):
    """One of them may be another of theirs, of which nobody here knows."""
    elsewhere = factories.make_member(role=Role.ADMIN)
    for by, email in ((admin, "zoe@a.example"), (admin, member.user.email), (elsewhere, "elsewhere@a.example")):
        invitations.invite(by=by, role=Role.ADMIN, email=email, base_url="http://x")
    page = browser_of(admin).get(reverse("members.remove", args=[member.id])).content.decode()
    assert "zoe@a.example (Admin)" in page
    assert f"{member.user.email} (Admin)" not in page
    assert "elsewhere@a.example" not in page


def test_removed_member_is_out_at_the_next_request(member, admin, browser_of):
    video = factories.make_video(by=member)
    address, poll = reverse("media.video", args=[video.id]), reverse("generations.cards")
    theirs, theirs_htmx = browser_of(member), browser_of(member, htmx=True)
    assert theirs.get(address, headers={"Range": "bytes=0-9"}).status_code == 206
    answer = browser_of(admin).post(reverse("members.remove", args=[member.id]))
    assert answer.status_code == 303
    ranged = theirs.get(address, headers={"Range": "bytes=10-19"})
    assert (ranged.status_code, ranged.url) == (302, f"/account/login/?next={address}")
    asked = theirs_htmx.get(poll)
    assert asked.status_code == 401
    assert "/account/login/" in asked["HX-Redirect"]
    theirs.force_login(member.user)
    assert theirs.get(address).status_code == 403, "in no team any more"


def test_removed_member_of_two_teams_finds_the_videos_missing(member, admin, browser_of):
    factories.make_member(user=member.user)
    address = reverse("media.video", args=[factories.make_video(by=member).id])
    members.remove(by=admin, member=member)
    assert browser_of(member).get(address).status_code == 404


def test_person_who_was_switched_off_is_out_at_the_next_request(member, browser_of):
    theirs, theirs_htmx = browser_of(member), browser_of(member, htmx=True)
    assert theirs.get("/gallery/").status_code == 200
    User.objects.filter(id=member.user_id).update(is_active=False)
    assert theirs.get("/gallery/").status_code == 302
    assert theirs_htmx.get(reverse("generations.cards")).status_code == 401


def test_who_was_removed_can_be_invited_again_from_where_it_is_said(member, admin, browser_of):
    Membership.objects.filter(id=member.id).update(sees_spend=False)
    browser = browser_of(admin)
    said = browser.post(reverse("members.remove", args=[member.id])).url
    page = browser.get(said).content.decode()
    assert "Invite again" in page
    assert f'value="{member.user.email}"' in page
    notice = page.partition("Invite again")[0]
    assert 'name="role" value="creator"' in notice
    assert 'name="sees_spend"' not in notice
    assert browser_of(admin).get("/team/?removed=999999").status_code == 200
    factories.make_member(team=admin.team, user=member.user)
    assert "Invite again" not in browser.get(said).content.decode()


def test_removal_of_another_team_is_not_told(member, admin, stranger, browser_of):
    members.remove(by=admin, member=member)
    entry = AuditEntry.objects.get(kind="member_removed")
    assert member.user.email not in browser_of(stranger).get(f"/team/?removed={entry.id}").content.decode()


def test_second_removal_changes_nothing_and_is_told(member, admin, browser_of):
    address = reverse("members.remove", args=[member.id])
    assert browser_of(admin).post(address).status_code == 303
    assert browser_of(admin).post(address).status_code == 404
    assert AuditEntry.objects.filter(kind="member_removed").count() == 1


def test_member_leaves(member, admin, browser_of):
    browser = browser_of(member)
    assert "Leave" in browser.get("/team/leave/").content.decode()
    assert browser.post("/team/leave/").url == "/gallery/"
    assert browser.get("/gallery/").status_code == 403
    assert not Membership.objects.filter(id=member.id).exists()


@pytest.mark.parametrize(("count", "words"), [(0, ""), (1, "1 of them is for you alone"), (2, "2 of them are for you")])
def test_who_leaves_reads_before_what_becomes_of_videos_for_them_alone(member, browser_of, count, words):
    factories.make_video(by=member, files=False)
    factories.make_video(by=factories.make_member(team=member.team), files=False, visibility="private")
    for _ in range(count):
        factories.make_video(by=member, files=False, visibility="private")
    page = " ".join(browser_of(member).get("/team/leave/").text.split())
    assert words in page
    assert ("Unless you are back within 30 days" in page) == bool(count)
    assert ("30 days later" in page) == bool(count)


def test_form_of_one_team_leaves_no_other(member, browser_of):
    elsewhere = factories.make_member(user=member.user)
    browser = browser_of(member)
    browser.get(f"/team/?team={elsewhere.team.slug}")
    browser.post("/team/leave/")
    assert list(member.user.memberships.all()) == [elsewhere]


def test_admin_makes_a_team_and_is_in_it(admin, browser_of):
    browser = browser_of(admin)
    assert browser.post("/team/new/", {"name": " "}).status_code == 422
    assert browser.post("/team/new/", {"name": "Second"}).status_code == 303
    made = Team.objects.get(name="Second")
    assert browser.session["team"] == made.slug
    assert "Second" in browser.get("/team/").content.decode()


def test_person_in_one_team_has_no_switch(member, browser_of):
    assert "team-chip" not in browser_of(member).get("/gallery/").content.decode()


@pytest.mark.parametrize("address", ["/gallery/", "/runs/", "/trash/", "/spend/", "/team/"])
def test_name_of_another_team_leads_to_the_same_list(member, browser_of, address):
    elsewhere = factories.make_member(user=member.user)
    browser = browser_of(member)
    page = browser.get(f"{address}?team={member.team.slug}").content.decode()
    assert f'href="{address}?team={elsewhere.team.slug}"' in page
    assert elsewhere.team.name in browser.get(f"{address}?team={elsewhere.team.slug}").content.decode()
    assert browser.session["team"] == elsewhere.team.slug


def test_way_from_a_page_that_is_not_there_for_this_role_leads_where_it_is(admin, browser_of):
    elsewhere = factories.make_member(user=admin.user)
    browser = browser_of(admin)
    assert f'href="/team/?team={elsewhere.team.slug}"' in browser.get("/team/audit/").content.decode()
    video = factories.make_video(by=admin, files=False)
    page = browser.get(reverse("videos.detail", args=[video.id])).content.decode()
    assert f'href="/gallery/?team={elsewhere.team.slug}"' in page


def typed(model) -> dict[str, str]:
    return {"prompt": "A lighthouse in fog", "model": model.slug, "size": "720x1280", "seconds": "8", "seed": "7"}


@pytest.mark.parametrize("htmx", [False, True])
def test_going_to_another_team_on_create_brings_along_what_was_typed(member, browser_of, htmx):
    factories.make_gateway(is_default=True)
    model = factories.make_model("one")
    factories.make_model("two")
    elsewhere = factories.make_member(user=member.user)
    browser = browser_of(member, htmx=htmx)
    answer = browser.post("/create/", typed(model) | {"to_team": elsewhere.team.slug, "token": "t" * 20})
    assert (answer.headers["HX-Redirect"] if htmx else answer.url) == "/create/"
    page = browser.get("/create/").content.decode()
    assert f'name="team" value="{elsewhere.team.slug}"' in page
    assert "A lighthouse in fog" in page
    assert 'value="7"' in page
    assert not Run.objects.exists(), "nothing was ordered"


def test_nobody_goes_to_a_team_they_are_not_in(member, stranger, browser_of):
    browser = browser_of(member)
    answer = browser.post("/create/", {"prompt": "x", "to_team": stranger.team.slug})
    assert answer.status_code == 404
    assert "team" not in browser.session


def test_picture_stays_in_its_team_and_that_is_said(member, browser_of):
    factories.make_gateway(is_default=True)
    model = factories.make_model("one")
    elsewhere = factories.make_member(user=member.user)
    picture = factories.make_reference(by=member)
    browser = browser_of(member)
    browser.post("/create/", typed(model) | {"to_team": elsewhere.team.slug, "reference_id": str(picture.id)})
    page = browser.get("/create/").content.decode()
    assert "The picture stays in the other team" in page
    assert str(picture.id) not in page


def test_team_page_stays_quick_with_many_members(admin, browser_of, django_assert_max_num_queries):
    for _number in range(30):
        factories.make_member(team=admin.team)
    browser = browser_of(admin)
    with django_assert_max_num_queries(20):
        assert "32 members" in browser.get("/team/").content.decode()


def test_last_sign_in_is_said(member, admin, browser_of):
    User.objects.filter(id=member.user_id).update(last_login=timezone.now() - timedelta(minutes=5))
    assert "5 min ago" in browser_of(admin).get("/team/").content.decode()


def test_name_that_looks_like_markup_stays_text(member, admin, browser_of):
    User.objects.filter(id=member.user_id).update(name="<b hx-get=/x>Bold</b>")
    page = browser_of(admin).get("/team/").content.decode()
    assert "<b hx-get" not in page
    assert "&lt;b hx-get=/x&gt;Bold" in page


def test_admins_stand_first(member, admin, viewer, browser_of):
    page = browser_of(viewer).get("/team/").content.decode()
    positions = [page.index(f"{one.user.display_name}</span>") for one in (admin, member)]
    assert positions == sorted(positions)
