"""One world for all tests of a file; what each of them does to it is undone."""

from collections.abc import Iterator

import pytest
from django.db import transaction

from tests.walls import world as worlds
from tests.walls.whole_urls import SWITCHED_ON
from tests.walls.world import World


@pytest.fixture(scope="module")
def one_world(django_db_setup, django_db_blocker) -> Iterator[World]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield worlds.make()
        transaction.set_rollback(True)


@pytest.fixture
def world(one_world, whole_installation) -> World:
    """The transaction of the test lies within that of the file."""
    return one_world


@pytest.fixture
def whole_installation(settings):
    """With everything switched on; pages are drawn without `collectstatic`."""
    settings.ROOT_URLCONF = "tests.walls.whole_urls"
    for name, value in SWITCHED_ON.items():
        setattr(settings, name, value)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
