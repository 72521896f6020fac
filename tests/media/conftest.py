from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.media.clips import make_clip


@pytest.fixture
def media_store(settings, tmp_path) -> Path:
    """A media store of its own in a fresh folder; returns its root."""
    settings.DATA_DIR = tmp_path / "data"
    root = tmp_path / "data" / "media"
    local = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": root}}
    settings.STORAGES = {**settings.STORAGES, "media": local}
    settings.MEDIA_ACCEL_PREFIX = ""
    return root


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """Two seconds, 160 x 96, with sound, index in front."""
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture(scope="session")
def webm_clip(tmp_path_factory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.webm", codec="libvpx-vp9")


@pytest.fixture(autouse=True)
def connections_may_be_given_back(django_db_blocker: Any) -> Iterator[None]:
    """Serving closes the database connection before the first byte; nothing here reads from one."""
    with django_db_blocker.unblock():
        yield
