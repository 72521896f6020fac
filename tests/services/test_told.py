"""Whether a video that a gateway tells of can be the one that was ordered."""

import pytest

from playground.gateway.types import Job, JobState
from playground.services.told import differences

pytestmark = pytest.mark.pure
ORDERED = {"model": "sora-2", "size": "1280x720", "seconds": 5, "prompt": "A fox"}

SAME = [
    {},
    {"model": "sora-2", "size": "1280x720", "seconds": "5"},
    {"model": "Sora-2"},
    {"model": "openai/sora-2"},
    {"model": "sora-2-2025-12-08"},
    {"model": "sora-2-20251208"},
    {"model": "sora-2:latest"},
    {"size": "1280X720"},
    {"size": " 1280 * 720 "},
    {"size": "1280×720"},
    {"size": "1280x704"},
    {"size": "1248x736"},
    {"size": "720p"},
    {"size": "720P"},
    {"size": "16:9"},
    {"seconds": "4.5"},
    {"seconds": "5.5"},
    {"seconds": "5.04"},
    {"seconds": "5s"},
    {"seconds": "5 sec"},
    {"seconds": "5 seconds"},
]
UNREADABLE = [
    {"size": "auto"},
    {"size": "landscape"},
    {"size": "hd"},
    {"size": "1280"},
    {"size": "0x0"},
    {"size": "99999x1"},
    {"seconds": "short"},
    {"seconds": "PT12S"},
    {"seconds": "0:12"},
    {"seconds": "-12"},
    {"seconds": "٣"},
]
ANOTHER = [
    ({"model": "kling-v3"}, ["kling-v3 for sora-2"]),
    ({"model": "sora-2-pro"}, ["sora-2-pro for sora-2"]),
    ({"model": "sora-20"}, ["sora-20 for sora-2"]),
    ({"model": "sora"}, ["sora for sora-2"]),
    ({"size": "720x1280"}, ["720x1280 for 1280x720"]),
    ({"size": "1920x1080"}, ["1920x1080 for 1280x720"]),
    ({"size": "1280x768"}, ["1280x768 for 1280x720"]),
    ({"size": "1080p"}, ["1080p for 1280x720"]),
    ({"size": "9:16"}, ["9:16 for 1280x720"]),
    ({"seconds": "4.4"}, ["4.4 for 5"]),
    ({"seconds": "5.6"}, ["5.6 for 5"]),
    ({"seconds": "10sec"}, ["10sec for 5"]),
    ({"model": "veo", "size": "1:1", "seconds": "8"}, ["veo for sora-2", "1:1 for 1280x720", "8 for 5"]),
]


def of(told: dict[str, str], ordered: dict[str, object] = ORDERED) -> list[str]:
    return differences(ordered, Job("video_1", JobState.RUNNING, **told))  # type: ignore[arg-type]


@pytest.mark.parametrize("told", SAME)
def test_same_thing_in_other_words_or_rounded_is_no_difference(told: dict[str, str]) -> None:
    assert of(told) == []


@pytest.mark.parametrize("told", UNREADABLE)
def test_what_cannot_be_read_says_nothing(told: dict[str, str]) -> None:
    assert of(told) == []


@pytest.mark.parametrize(("told", "words"), ANOTHER)
def test_each_thing_that_was_not_ordered_is_named(told: dict[str, str], words: list[str]) -> None:
    assert of(told) == words


@pytest.mark.parametrize("ordered", [{}, {"model": "", "size": None, "seconds": "auto"}, {"size": "16:9"}])
def test_what_was_not_ordered_in_readable_words_is_not_compared(ordered: dict[str, object]) -> None:
    assert of({"model": "", "size": "1080p", "seconds": "12"}, ordered) == []


def test_plain_name_is_told_of_an_order_that_named_its_version() -> None:
    assert of({"model": "sora-2"}, {"model": "sora-2-2025-12-08"}) == []
