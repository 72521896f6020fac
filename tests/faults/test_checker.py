"""The checker of the bench names what it is shown: each finding that no broken engine makes, made by hand."""

from pathlib import Path
from typing import Any

import pytest

from playground.domain.status import Status
from playground.media import storage
from playground.models import Event, Generation, Run
from tests import factories
from tests.faults.stage import checker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folders(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty ones: other tests leave files behind."""
    settings.DATA_DIR = tmp_path
    media = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path / "media")}}
    settings.STORAGES = {**settings.STORAGES, "media": media}
    monkeypatch.setattr(checker, "LEFT_WITHIN_S", 0.0)


def found() -> dict[str, int]:
    problems: dict[str, int] = checker.check(charges=[], acks=[])["problems"]
    return problems


def stored(key: str) -> None:
    with storage.temporary() as path:
        path.write_bytes(b"bytes")
        storage.adopt(path, key)


def test_file_without_a_row_and_a_temporary_file_are_named() -> None:
    assert found() == {}
    stored("videos/2026/11/of-nobody.mp4")
    assert found() == {"file without a row": 1}
    (storage.temporary_folder() / "left.upload").write_bytes(b"")
    assert found() == {"file without a row": 1, "temporary file left": 1}


def test_what_a_dead_process_left_is_cleaned_as_by_a_worker_that_starts() -> None:
    (storage.temporary_folder() / "of-the-dead.part").write_bytes(b"")
    assert found() == {}


def ended(status: Status, prompt: str) -> Generation:
    generation = factories.make_generation(status=status)
    Run.objects.filter(id=generation.run_id).update(prompt=prompt)
    return generation


def test_bad_file_that_is_shown_and_one_that_is_lost_though_good_are_named() -> None:
    ended(Status.DONE, "Boats [[sandbox:not-video]]")
    assert found()["bad file shown"] == 1
    ended(Status.OUTPUT_LOST, "Boats [[sandbox:truncated]]")
    assert "lost" not in found()
    ended(Status.OUTPUT_LOST, "Boats at dawn")
    assert found()["lost"] == 1


def test_key_that_was_sent_with_another_body_is_named() -> None:
    generation = ended(Status.UNKNOWN, "Boats [[sandbox:key-reused]]")
    Event.objects.create(generation=generation, kind="answer_unclear", data={"http_status": 409})
    assert "key with another body" not in found()
    Event.objects.create(generation=generation, kind="answer_unclear", data={"http_status": 422})
    assert found()["key with another body"] == 1
