"""The fault points themselves: comments, each with a name of its own, enough of them, none that is only almost one."""

import re

import pytest

from tests.faults.stage import points, rounds

pytestmark = pytest.mark.pure


def test_each_point_has_a_name_of_its_own() -> None:
    names = [point for point, _ in points.in_code()]
    assert len(names) >= 16
    assert sorted(names) == sorted(set(names))


def test_nothing_in_production_looks_like_a_point_and_is_none() -> None:
    files = (points.ROOT / "playground").rglob("*.py")
    almost = sum(len(re.findall(r"#\s*fault\b", file.read_text(), re.IGNORECASE)) for file in files)
    assert almost == len(points.in_code())


def test_points_that_the_bench_names_exist() -> None:
    names = {point for point, _ in points.in_code()}
    assert {*rounds.WEB, *rounds.FREEZABLE} <= names


def test_marked_code_calls_the_bench_and_keeps_its_line_numbers() -> None:
    source = "def f():\n    a = 1\n    # fault: half-way\n    return a\n"
    marked = points.MARK.sub(points.CALL, source)
    assert marked.splitlines()[2].strip().endswith('.hit("half-way")')
    assert marked.count("\n") == source.count("\n")
