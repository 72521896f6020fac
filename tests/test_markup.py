"""What templates and scripts may not hold: code in attributes, filters that need eval, text taken for markup."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
"""Not the one page of the sandbox, which is a program of its own and serves nobody but developers."""
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))
CODE = sorted((ROOT / "playground").rglob("*.py"))

BANNED = {
    "hx-on": r"\bhx-on\b",
    "js: values": r"""["'\s]js(on)?:\s*\{|["']js:|["']javascript:""",
    "a filter in a trigger": r'\bhx-trigger="[^"]*\[',
    "hx-eval of other kinds": r"\bhx-(vars|eval|request)\b",
    "an inline handler": r"""<[^>]*\son[a-z]+\s*=\s*["']""",
    "an inline style": r"""<[^>]*\sstyle\s*=|<style\b""",
    "an inline script": r"<script\b(?![^>]*\bsrc=)",
    "a script from elsewhere": r"""<(?:script|link)\b[^>]*(?:src|href)=["'](?:https?:)?//""",
    "autoescape off": r"\bautoescape\s+off\b",
}
MARKED_SAFE = {
    "templates/components/_field.html": "help texts of forms, which are ours",
    "playground/templatetags/playground.py": "format_html around numbers and times",
}
"""Where text is taken for markup, and why that is safe."""
UNSAFE_IN_SCRIPTS = r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|Function|srcdoc)\b\s*[(=]"


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def without_comments(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return re.sub(r"\{% comment %\}.*?\{% endcomment %\}|\{#.*?#\}|<!--.*?-->", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("what", BANNED)
def test_templates_hold_none_of_it(what):
    assert [name(path) for path in TEMPLATES if re.search(BANNED[what], without_comments(path))] == []


@pytest.mark.parametrize(
    ("what", "markup"),
    [
        ("hx-on", '<a hx-on:click="x()">'),
        ("js: values", "<a hx-vals='js:{a: b()}'>"),
        ("a filter in a trigger", '<a hx-trigger="click[ctrlKey]">'),
        ("an inline handler", '<a onclick="x()">'),
        ("an inline style", '<a style="color: red">'),
        ("an inline script", "<script>x()</script>"),
        ("a script from elsewhere", '<script src="https://cdn.example/x.js">'),
        ("autoescape off", "{% autoescape off %}"),
    ],
)
def test_it_would_be_found(what, markup):
    assert re.search(BANNED[what], markup)


def test_text_is_taken_for_markup_only_where_it_is_ours():
    marked = r"\|\s*(safe|safeseq)\b|\bmark_safe\b|\bSafeString\b|\bformat_html\b|\bhtml_safe\b"
    found = {name(path) for path in [*TEMPLATES, *CODE] if re.search(marked, without_comments(path))}
    assert found == set(MARKED_SAFE)


def test_scripts_write_text_and_no_markup():
    assert [name(path) for path in SCRIPTS if re.search(UNSAFE_IN_SCRIPTS, path.read_text(encoding="utf-8"))] == []


def test_vendored_scripts_are_those_that_were_pinned():
    vendor = ROOT / "static" / "vendor"
    pinned = json.loads((vendor / "manifest.json").read_text(encoding="utf-8"))
    there = {path.name: sha256(path.read_bytes()).hexdigest() for path in vendor.glob("*.js")}
    assert there == {file: entry["sha256"] for file, entry in pinned.items()}
