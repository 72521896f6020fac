"""Moments of a video as people write them."""

import pytest

from playground.domain import moments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 3000),
        ("3.2", 3200),
        ("3,25", 3250),
        (" 0:03 ", 3000),
        ("0:03.2", 3200),
        ("1:02:03.5", 3_723_500),
        ("75", 75_000),
        ("", None),
        ("three", None),
        ("-1", None),
        ("0:", None),
        ("1:2:3:4", None),
        ("٣", None),
        ("3.2345", None),
        ("9" * 400, None),
    ],
)
def test_written_moments_are_read(text, expected):
    assert moments.parse(text) == expected


@pytest.mark.parametrize(
    ("milliseconds", "words", "address"),
    [(0, "0:00", "0"), (3000, "0:03", "3"), (3200, "0:03.2", "3.2"), (3_723_050, "1:02:03.05", "3723.05")],
)
def test_moment_is_shown_and_read_back(milliseconds, words, address):
    assert moments.written(milliseconds) == words
    assert moments.fragment(milliseconds) == address
    assert moments.parse(words) == moments.parse(address) == milliseconds
