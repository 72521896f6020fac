"""Names that people choose, put into headers and tables: no header line is added by them, and no formula runs."""

import csv
import io
import re

import pytest

from playground.models import EntryKind, Role, Team, User, Video
from tests import factories
from tests.views.test_references import picture, send

pytestmark = [pytest.mark.django_db, pytest.mark.pure]

LONG = "x" * 300
NAMES = [
    "a\r\nSet-Cookie: stolen=1",
    'a"; filename="evil.exe',
    "a\\..\\..\\evil",
    "../../etc/passwd",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "  =1+1",
    "日本語のなまえ",
    "Ünï ćödé",
    "\u202egnp.exe",
    "=",
    LONG,
]
FORMULA = re.compile(r"[\s\ufeff]*[=+\-@\t\r]")


def lines_of(answer) -> list[str]:
    return answer.serialize_headers().decode("latin-1").split("\r\n")


@pytest.mark.parametrize("name", NAMES)
def test_download_has_a_name_of_ours_in_one_header_line(name, browser_of, member):
    video = factories.make_video(by=member)
    Video.objects.filter(id=video.id).update(title=name[:200], prompt=name)
    answer = browser_of(member).get(f"/media/videos/{video.id}/download/")
    said = answer.headers["Content-Disposition"]
    assert re.fullmatch(r'attachment; filename="[a-z0-9.-]{1,150}"', said)
    assert not [line for line in lines_of(answer) if line.lower().startswith("set-cookie: stolen")]


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_of_the_export_is_a_formula_and_the_file_is_named_by_us(name, browser_of, member):
    admin = factories.make_member(team=member.team, role=Role.ADMIN)
    User.objects.filter(id=member.user_id).update(name=name[:100])
    Team.objects.filter(id=member.team_id).update(name=name[:60])
    gateway = factories.make_gateway(is_sandbox=False, name=name[:60])
    generation = factories.make_generation(by=member, model=factories.make_model(name[:100], gateway=gateway))
    factories.make_entry(generation, EntryKind.HOLD, 1_000_000)
    answer = browser_of(admin).get("/spend/export.csv")
    rows = list(csv.reader(io.StringIO(answer.getvalue().decode("utf-8-sig"), newline="")))
    assert len(rows) == 2
    assert {len(row) for row in rows} == {len(rows[0])}
    assert [cell for row in rows for cell in row if FORMULA.match(cell)] == []
    assert re.fullmatch(r'attachment; filename="[a-z0-9.-]+"', answer.headers["Content-Disposition"])


@pytest.mark.parametrize("name", NAMES)
def test_name_of_an_uploaded_file_goes_nowhere(name, browser_of, member):
    factories.make_model("kling-v3", gateway=factories.make_gateway(slug="sandbox", is_default=True))
    file = picture()
    file._name = name  # as some client may send it, past what Django's own class would take away
    answer = send(browser_of(member), file)
    assert answer.status_code == 200
    assert name not in answer.text or name == "="
    assert not [line for line in lines_of(answer) if "stolen" in line]
