"""The walls of docs/architecture.md, checked: who may import whom, and how long a file or function may grow."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

PACKAGE = Path(__file__).resolve().parents[1] / "playground"

# Layer -> layers of ours that it may import. A layer may always import itself. "base" is what Django loads first
# (settings, version, logs, ...) and what belongs to no layer.
ALLOWED: dict[str, set[str]] = {
    "domain": set(),
    "gateway": {"domain"},
    "sandbox": {"domain"},
    "media": {"domain"},
    "queue": set(),
    "models": {"domain"},
    "services": {"domain", "models", "gateway", "media", "queue"},
    "tasks": {"domain", "models", "services"},
    "forms": {"domain", "models", "services"},
    "htmx": set(),
    "templatetags": {"domain", "models"},
    "views": {"domain", "models", "services", "forms", "htmx", "templatetags"},
    "supervisor": set(),
    "management": {"domain", "models", "services", "supervisor", "queue", "tasks", "gateway"},
    "urls": {"views"},
    "migrations": {"domain", "models", "db"},
    "db": set(),
    "front": set(),
}
# Single files that may do what their layer may not.
EXCEPTIONS: dict[str, set[str]] = {
    "views/media.py": {"media"},
    "views/exports.py": {"media"},
    "views/share_media.py": {"media"},
    "management/commands/sandbox.py": {"sandbox"},
}
# Libraries that only these files (or folders, with a closing slash) may import.
GUARDED: dict[str, tuple[str, ...]] = {
    "httpx": ("gateway/",),
    "aiohttp": ("gateway/",),
    "cryptography": ("services/sealing.py",),
    "django_q": ("queue.py", "management/commands/worker.py"),
    "boto3": ("media/bucket.py",),
    "botocore": ("media/bucket.py",),
    "storages": ("media/bucket.py",),
}
DJANGO_FREE = ("domain", "gateway", "supervisor", "front")
FILE_LINES = 300
FUNCTION_LINES = 40
VIEW_LINES = 25


def modules() -> list[str]:
    return sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


def layer_of(name: str) -> str:
    """`services/runs.py` or `services.runs` -> services; what is no layer -> base."""
    first = name.replace("/", ".").removesuffix(".py").split(".")[0]
    return first if first in ALLOWED else "base"


@cache
def parse(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"), module)


@cache
def imports(module: str) -> list[tuple[int, str]]:
    """(line, absolute dotted name) of every import, inside functions too; `from a import b` gives a.b."""
    return list(_imports(module))


def _imports(module: str) -> Iterator[tuple[int, str]]:
    package = ["playground", *module.removesuffix(".py").split("/")[:-1]]
    for node in ast.walk(parse(module)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = [*above, *([node.module] if node.module else [])]
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def wrong_arrows(module: str) -> list[str]:
    layer = layer_of(module)
    if layer == "base":
        return []
    allowed = ALLOWED[layer] | EXCEPTIONS.get(module, set()) | {layer}
    found = []
    for line, name in imports(module):
        if not name.startswith("playground."):
            continue
        target = layer_of(name.removeprefix("playground."))
        if target not in allowed | {"base"}:
            may = ", ".join(sorted(allowed)) or "nothing of ours"
            found.append(f"playground/{module}:{line} imports {name}; {layer} may import {may}")
    return found


def fail_with(found: list[str]) -> None:
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_imports_follow_the_arrows() -> None:
    fail_with([arrow for module in modules() for arrow in wrong_arrows(module)])


@pytest.mark.parametrize("library", GUARDED)
def test_guarded_libraries_stay_behind_their_wall(library: str) -> None:
    fail_with(
        [
            f"playground/{module}:{line} imports {name}; only {', '.join(GUARDED[library])} may"
            for module in modules()
            if not module.startswith(GUARDED[library])
            for line, name in imports(module)
            if name.split(".")[0] == library
        ]
    )


def test_layers_without_django_import_none_of_it() -> None:
    fail_with(
        [
            f"playground/{module}:{line} imports {name}; {layer_of(module)} knows nothing of Django"
            for module in modules()
            if layer_of(module) in DJANGO_FREE and module != "supervisor/__main__.py"  # whose task is to load settings
            for line, name in imports(module)
            if name.split(".")[0] == "django"
        ]
    )


def test_nobody_imports_the_sandbox() -> None:
    fail_with(
        [
            f"playground/{module}:{line} imports {name}; the sandbox is reached over HTTP only"
            for module in modules()
            if layer_of(module) != "sandbox" and module != "management/commands/sandbox.py"
            for line, name in imports(module)
            if name.startswith("playground.sandbox")
        ]
    )


def test_files_stay_short() -> None:
    lengths = {module: len((PACKAGE / module).read_text(encoding="utf-8").splitlines()) for module in modules()}
    fail_with(
        [
            f"playground/{module} has {lines} lines; split it (limit {FILE_LINES})"
            for module, lines in lengths.items()
            if lines > FILE_LINES and layer_of(module) != "migrations"
        ]
    )


def test_functions_stay_short() -> None:
    found = []
    for module in modules():
        for node in ast.walk(parse(module)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                limit = VIEW_LINES if _is_view(module, node) else FUNCTION_LINES
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > limit:
                    found.append(f"playground/{module}:{node.lineno} {node.name}: {lines} lines; limit {limit}")
    fail_with(found)


def _is_view(module: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = [*node.args.posonlyargs, *node.args.args]
    return module.startswith("views/") and bool(arguments) and arguments[0].arg == "request"
