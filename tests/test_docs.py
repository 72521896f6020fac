"""The documents, held against the code: variables, numbers, tables, states, links, commands and paths they name.

What a page says in a table or between back quotes is checked here, so a rename or a new variable that the pages do not
know of fails this file and not a reader.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import get_commands, load_command_class

from playground.domain.status import Status
from playground.management.commands.state_diagram import diagram
from playground.walls import table

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
DECISIONS = DOCS / "decisions"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
DECISION_PAGES = sorted(DECISIONS.glob("[0-9]*.md"))

# Read by our code, but not settings of ours: Django's, the shell's.
NOT_SETTINGS = {"DJANGO_SETTINGS_MODULE", "PYTHONPATH", "PATH"}
# Read by scripts before .env is; a line in .env would do nothing.
SHELL_ONLY = {"PYTHON", "SSL_CERT_FILE", "UV_DEFAULT_INDEX"}
# Set by the lanes for pytest, never by a person.
INTERNAL = {
    "PLAYGROUND_TEST_DATA",
    "PLAYGROUND_TEST_DATABASE_URL",
    "PLAYGROUND_TEST_INSTALLATION",
    "PLAYGROUND_TEST_SHARED",
    "PYTEST_XDIST_WORKER",
    "PLAYWRIGHT_BROWSERS_PATH",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def pages() -> list[object]:
    return [pytest.param(page, id=name_of(page)) for page in PAGES]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def fences(text: str) -> list[str]:
    return re.findall(r"^```[^\n]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def code_of(text: str) -> str:
    """Everything a page sets as code: blocks and what stands between back quotes."""
    return "\n".join([*fences(text), *re.findall(r"`([^`\n]+)`", without_fences(text))])


# --- environment variables -------------------------------------------------------------------------------------------


def environ_reads(path: Path) -> Iterator[str]:
    """Names that a Python file reads by `os.environ[...]`, `os.environ.get(...)` or `os.getenv(...)`."""
    for node in ast.walk(ast.parse(text_of(path))):
        key: ast.expr | None = None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is_environ(node.value):
            key = node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            on_environ = node.func.attr in {"get", "pop", "setdefault"} and _is_environ(node.func.value)
            key = node.args[0] if on_environ or node.func.attr == "getenv" else None
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value


def _is_environ(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "environ"


def settings_reads() -> dict[str, str | None]:
    """Name to its default as a person writes it in .env, for every `env.<type>("NAME", default)` of settings.py.

    None where there is no default or it is worked out.
    """
    found: dict[str, str | None] = {}
    for node in ast.walk(ast.parse(text_of(ROOT / "playground" / "settings.py"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        name = node.args[0]
        if not isinstance(node.func.value, ast.Name) or node.func.value.id != "env":
            continue
        if isinstance(name, ast.Constant) and isinstance(name.value, str) and name.value.isupper():
            default = node.args[1] if len(node.args) > 1 else None
            constant = isinstance(default, ast.Constant)
            value = str(default.value) if constant else None
            found.setdefault(name.value, value.lower() if value in {"True", "False"} else value)
    return found


def procfile_reads() -> dict[str, str | None]:
    return dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", text_of(ROOT / "Procfile")))


def script_reads() -> set[str]:
    """Names that the shell scripts take from outside: those with a fallback, `${NAME:-...}`."""
    scripts = [path for path in (ROOT / "scripts").iterdir() if path.is_file()]
    return {name for path in scripts for name in re.findall(r"\$\{([A-Z_]+):-", text_of(path))}


def settable() -> set[str]:
    """Every variable that belongs in .env."""
    package = {name for path in (ROOT / "playground").rglob("*.py") for name in environ_reads(path)}
    return (package | set(settings_reads()) | set(procfile_reads())) - NOT_SETTINGS


def documented() -> dict[str, str]:
    """Name to default, from the tables of docs/operations.md."""
    rows = re.findall(r"^\| `([A-Z][A-Z_]+)` \|([^|]*)\|", text_of(DOCS / "operations.md"), flags=re.MULTILINE)
    return {name: default.strip().strip("`") for name, default in rows}


def test_env_example_names_exactly_the_variables_the_code_reads() -> None:
    example = set(re.findall(r"^#? ?([A-Z][A-Z_]+)=", text_of(ROOT / ".env.example"), flags=re.MULTILINE))
    assert sorted(settable() - example) == [], "read by the code, missing in .env.example"
    assert sorted(example - settable()) == [], "in .env.example, read by nothing"


def test_operations_page_names_exactly_the_variables_the_code_reads() -> None:
    wanted = settable() | SHELL_ONLY
    assert script_reads() <= wanted | NOT_SETTINGS, "a script reads a variable that no list knows"
    assert sorted(wanted - set(documented())) == [], "read by the code, missing in docs/operations.md"
    assert sorted(set(documented()) - wanted) == [], "in docs/operations.md, read by nothing"


def test_defaults_on_the_operations_page_are_those_of_the_code() -> None:
    defaults = {name: value for name, value in (settings_reads() | procfile_reads()).items() if value}
    assert {name: documented().get(name) for name in defaults} == defaults


def test_variables_of_the_tests_are_explained_to_contributors() -> None:
    read = {name for path in (ROOT / "tests").rglob("*.py") for name in environ_reads(path)}
    ours = {name for name in read if name in {"TEST_DATABASE_URL", "CHROMIUM"} | INTERNAL}
    contributing = text_of(ROOT / "CONTRIBUTING.md")
    assert [name for name in sorted(ours - INTERNAL) if f"`{name}`" not in contributing] == []


# --- facts that have one home in the code ----------------------------------------------------------------------------


def test_state_diagram_is_current() -> None:
    page = text_of(DOCS / "architecture.md")
    found = re.search(r"<!-- states: begin.*?-->\n+```mermaid\n(.*?)\n```\n+<!-- states: end -->", page, re.DOTALL)
    assert found is not None, "docs/architecture.md has lost its markers"
    assert found[1] == diagram(), "paste the output of `manage.py state_diagram` between the markers"


def test_matrix_of_the_walls_is_current() -> None:
    page = text_of(DOCS / "security.md")
    found = re.search(r"<!-- walls: begin.*?-->\n+(.*?)\n+<!-- walls: end -->", page, re.DOTALL)
    assert found is not None, "docs/security.md has lost its markers"
    assert found[1] == table(), "paste the output of `manage.py walls` between the markers"


def test_every_state_is_explained_to_operators() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \|", text_of(DOCS / "operations.md"), flags=re.MULTILINE)
    assert set(rows) == {status.value for status in Status}


def test_version_is_the_newest_heading_of_the_changelog() -> None:
    headings = re.findall(r"^## (.+)$", text_of(ROOT / "CHANGELOG.md"), flags=re.MULTILINE)
    assert headings[0].split()[0] == settings.VERSION


def test_every_table_is_listed() -> None:
    section = text_of(DOCS / "architecture.md").partition("## The tables")[2].partition("\n## ")[0]
    listed = {name for row in re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE) for name in row.split(", ")}
    models = {model.__name__ for model in apps.get_app_config("playground").get_models()}
    assert sorted(models - listed) == [], "a table that docs/architecture.md does not list"
    assert sorted(listed - models - {"Table", "---"}) == [], "listed in docs/architecture.md, but no table"


def numbers() -> list[tuple[str, str, str]]:
    """(module, name, value) of every row such as | `timing.FLOOR_S` | 5.0 | in docs/architecture.md."""
    rows = re.findall(r"^\| `([a-z.]+)\.([A-Z_]+)` \| ([^|]+) \|", text_of(DOCS / "architecture.md"), re.MULTILINE)
    return [(module, name, value.strip()) for module, name, value in rows]


def test_numbers_are_those_of_the_code() -> None:
    assert len(numbers()) > 10, "docs/architecture.md has lost its table of numbers"
    wrong = []
    for module, name, told in numbers():
        value = getattr(importlib.import_module(f"playground.{module}"), name)
        true = f"{value.total_seconds():g}" if hasattr(value, "total_seconds") else f"{value:g}"
        if true != told.removesuffix(" s"):
            wrong.append(f"{module}.{name} is {true}, the page says {told}")
    assert not wrong, "\n".join(wrong)


# --- links, paths and commands ---------------------------------------------------------------------------------------


def links_of(page: Path) -> list[str]:
    text = re.sub(r"`[^`\n]*`", "", without_fences(text_of(page)))
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)


def anchors_of(page: Path) -> set[str]:
    """As GitHub makes them: lower case, punctuation dropped, spaces to hyphens."""
    headings = re.findall(r"^#+ (.+)$", without_fences(text_of(page)), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages())
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links_of(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors_of(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", pages())
def test_files_named_on_a_page_exist(page: Path) -> None:
    folders = "playground|scripts|tests|templates|static|docs|benchmarks"
    named = re.findall(rf"(?<![\w/.-])((?:{folders})/[\w./-]*\w/?)", code_of(text_of(page)))
    assert [path for path in sorted(set(named)) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", pages())
def test_scripts_named_on_a_page_can_be_run(page: Path) -> None:
    for script in set(re.findall(r"\./scripts/([a-z_-]+)", text_of(page))):
        path = ROOT / "scripts" / script
        assert path.is_file(), f"{name_of(page)} names ./scripts/{script}"
        assert path.stat().st_mode & 0o111, f"./scripts/{script} is not executable"


@pytest.mark.parametrize("page", pages())
def test_commands_named_on_a_page_exist_with_their_options(page: Path) -> None:
    known = get_commands()
    for line in code_of(text_of(page)).splitlines():
        found = re.search(r"manage\.py ([a-z_]+)(.*)", line)
        if not found:
            continue
        command, rest = found[1], found[2]
        assert command in known, f"{name_of(page)}: there is no `manage.py {command}`"
        application = known[command]
        assert isinstance(application, str)
        parser = load_command_class(application, command).create_parser("manage.py", command)
        options = {text for action in parser._actions for text in action.option_strings}
        told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest))
        assert told <= options, f"{name_of(page)}: `manage.py {command}` has no {', '.join(told - options)}"


def test_readme_shows_the_two_commands() -> None:
    blocks = "\n".join(fences(text_of(ROOT / "README.md")))
    assert "./scripts/up\n" in blocks
    assert "./scripts/test\n" in blocks


# --- manners ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", pages())
def test_no_page_names_a_place_on_somebodys_machine(page: Path) -> None:
    found = re.findall(r"(?<![\w.])/(?:work|root|home|Users)/\S*|[A-Z]:\\\S*", text_of(page))
    assert not found


@pytest.mark.parametrize("page", pages())
def test_pages_keep_their_voice_down(page: Path) -> None:
    prose = re.sub(r"`[^`\n]*`|!\[|<!--|<!DOCTYPE", "", without_fences(text_of(page)))
    assert "!" not in prose


def test_decisions_are_numbered_without_gaps_and_indexed() -> None:
    numbers_found = [int(page.name[:4]) for page in DECISION_PAGES]
    assert numbers_found == list(range(1, len(DECISION_PAGES) + 1))
    index = text_of(DECISIONS / "README.md")
    for page in DECISION_PAGES:
        title = text_of(page).splitlines()[0].removeprefix("# ")
        assert f"[{title}]({page.name})" in index, f"docs/decisions/README.md does not list {page.name}"


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in DECISION_PAGES])
def test_decisions_are_short_and_have_their_four_parts(page: Path) -> None:
    text = text_of(page)
    parts = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert parts == ["Status", "Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= 25
    assert text.startswith(f"# {int(page.name[:4])}. ")
