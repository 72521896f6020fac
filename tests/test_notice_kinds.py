"""Whatever the code tells has its words."""

import ast
from pathlib import Path

import pytest
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parent.parent


def told() -> set[str]:
    """The first argument of every call of `tell`; one that is no literal fails."""
    kinds = set()
    for path in sorted((ROOT / "playground").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "tell":
                first = node.args[0]
                assert isinstance(first, ast.Constant), f"{path}:{node.lineno}: the kind is not written out"
                kinds.add(str(first.value))
    return kinds


@pytest.mark.pure
@pytest.mark.parametrize("kind", sorted(told()))
def test_every_kind_that_is_told_has_its_words(kind: str) -> None:
    assert get_template(f"notices/kinds/{kind}.html")
