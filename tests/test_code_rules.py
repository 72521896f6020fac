"""Rules for this code alone, read from its syntax tree; docs/decisions/0035 says which rule is checked where."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

PACKAGE = Path(__file__).resolve().parents[1] / "playground"
NARROW = {"visible_to", "shown_to", "fillable_by", "managed_by", "decided_by", "seen_by"}
"""What leaves the rows that somebody may see."""
OF_ONES_OWN = {"team", "team_id", "user", "user_id", "link", "memberships__team_id"}
BY_ID = {"id", "pk", "id__in", "pk__in"}
MAY_FETCH = {
    "views/audit_words.py": "names of people, of ids in the team's own entries",
    "views/collections.py": "a video that was just looked up as visible, with more of its columns",
    "views/generations.py": "which team the cards of a page are of; its rows are narrowed before they are read",
    "views/spend_reconcile.py": "gateways that the team's own orders went to",
    "views/unclear.py": "narrowed in the next line",
}
UNLOGGED = {"prompt", "api_key", "token", "secret", "password", "email", "url", "ip", "address", "cookie", "note"}


def modules(folder: str = "") -> list[str]:
    return sorted(str(path.relative_to(PACKAGE)) for path in (PACKAGE / folder).rglob("*.py"))


def calls(text: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))


def fetched_for_anybody(text: str) -> list[str]:
    """Where rows are fetched by id from all there are, as `Model.objects.get(id=id)` does."""
    found = []
    for call in calls(text):
        given = {word.arg for word in call.keywords}
        inside = list(ast.walk(call))
        names = {node.attr for node in inside if isinstance(node, ast.Attribute)}
        model = call.args[0] if call.args and getattr(call.func, "id", "") == "get_object_or_404" else None
        is_all = isinstance(model, ast.Name) and model.id[:1].isupper()
        if getattr(call.func, "attr", "") == "exclude" or not given & BY_ID or not (is_all or "objects" in names):
            continue
        own = {word.arg for node in inside if isinstance(node, ast.Call) for word in node.keywords} & OF_ONES_OWN
        if not own and not names & NARROW:
            found.append(ast.unparse(call))
    return found


def logged_names(text: str) -> set[str]:
    """Names of the values that are handed to `log.info` and its like."""
    return {
        str(word.arg)
        for call in calls(text)
        if isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") in ("log", "logger")
        for word in call.keywords
    }


@pytest.mark.parametrize("module", modules("views"))
def test_views_fetch_by_id_only_what_the_asker_may_see(module: str) -> None:
    found = fetched_for_anybody((PACKAGE / module).read_text())
    assert bool(found) == (module in MAY_FETCH), found


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("Video.objects.get(id=id)", True),
        ("get_object_or_404(Video, id=id)", True),
        ("get_object_or_404(Video.objects.select_related('team'), pk=id)", True),
        ("Video.objects.kept().filter(id__in=ids).first()", True),
        ("get_object_or_404(Video.objects.visible_to(by), id=id)", False),
        ("Video.objects.filter(id=id, team_id=by.team_id)", False),
        ("Video.objects.filter(team_id=by.team_id).filter(id=id)", False),
        ("Video.objects.filter(generation_id=id)", False),
    ],
)
def test_row_fetched_for_anybody_would_be_found(line: str, is_found: bool) -> None:
    assert bool(fetched_for_anybody(line)) == is_found


def test_no_log_line_names_what_is_private() -> None:
    found = {
        module: names for module in modules() if (names := logged_names((PACKAGE / module).read_text()) & UNLOGGED)
    }
    assert found == {}


def test_log_line_that_names_it_would_be_found() -> None:
    assert logged_names("log.info('asked', prompt=text, user=by.id)") & UNLOGGED == {"prompt"}
