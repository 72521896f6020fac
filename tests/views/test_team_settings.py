"""What a team has settled for itself, changed by its admins on one page."""

import pytest

from playground.models import AuditEntry, Team

pytestmark = pytest.mark.pure

ADDRESS = "/team/settings/"


def form_of(team: Team, **changed: str) -> dict[str, str]:
    """As the page sends it: each field, and beside it what it was drawn with."""
    drawn = {"name": team.name, "link_days": "7", "link_allows_download": "on"}
    shown = {f"initial-{name}": value for name, value in drawn.items()} | {"initial-retention_days": ""}
    return {**drawn, "retention_days": "", **shown, **changed}


def test_page_shows_what_is_settled(admin, browser_of):
    page = browser_of(admin).get(ADDRESS).content.decode()
    assert f'value="{admin.team.name}"' in page
    assert "Approved ones, those in a collection and those with an open link stay" in page


def test_what_was_changed_is_set_and_on_record(admin, browser_of):
    slug = admin.team.slug
    form = form_of(admin.team, name="New name", retention_days="90", link_shows_prompt="on", link_allows_download="")
    assert browser_of(admin).post(ADDRESS, form).status_code == 303
    team = Team.objects.get(id=admin.team_id)
    assert (team.name, team.slug, team.retention_days) == ("New name", slug, 90)
    assert (team.link_shows_prompt, team.link_allows_download) == (True, False)
    assert set(AuditEntry.objects.get().data) == {"name", "retention_days", "link_shows_prompt", "link_allows_download"}


def test_what_somebody_else_set_meanwhile_stays(admin, browser_of):
    Team.objects.filter(id=admin.team_id).update(link_days=30, link_takes_marks=True)
    browser_of(admin).post(ADDRESS, form_of(admin.team, name="New name"))
    team = Team.objects.get(id=admin.team_id)
    assert (team.name, team.link_days, team.link_takes_marks) == ("New name", 30, True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "x" * 81),
        ("retention_days", "0"),
        ("retention_days", "3651"),
        ("retention_days", "soon"),
        ("link_days", "0"),
        ("link_days", "366"),
        ("link_days", ""),
    ],
)
def test_wrong_input_is_named_beside_its_field_and_nothing_is_set(admin, browser_of, field, value):
    answer = browser_of(admin).post(ADDRESS, form_of(admin.team, **{field: value, "link_takes_marks": "on"}))
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert not AuditEntry.objects.exists()


def test_page_posts_no_field_that_is_not_its_own(admin, browser_of):
    browser_of(admin).post(ADDRESS, form_of(admin.team, monthly_cap_micros="1", slug="mine", name="New"))
    team = Team.objects.get(id=admin.team_id)
    assert (team.monthly_cap_micros, team.slug) == (None, admin.team.slug)


def test_refusal_says_what_to_write(admin, browser_of):
    for value in ("0", "3651", "soon"):
        page = browser_of(admin).post(ADDRESS, form_of(admin.team, retention_days=value)).content.decode()
        assert "Write a whole number from 1 to 3650, or nothing." in page, value
