"""What every test stands on: throw-away data, no network but this machine, and a real Chromium on request."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import django
import hypothesis
import pytest
from django.conf import settings

from tests.environment import isolated
from tests.lanes import PLACES, found

if TYPE_CHECKING:
    from tests.support.bucket import BucketServer, TestBucket

# Before Django reads its settings: no test may touch the data of an installation in var/ or know its gateway and keys.
# A lane names the folder; a run by hand makes one and removes it. Workers of pytest-xdist inherit the name.
# Neither pyproject.toml nor the environment that workers inherit names a settings module, else pytest-django would read
# the settings before this line, and all workers would share one folder.
_BY_HAND = "PLAYGROUND_TEST_DATA" not in os.environ
_DATA = Path(os.environ.setdefault("PLAYGROUND_TEST_DATA", tempfile.mkdtemp(prefix="playground-") if _BY_HAND else ""))
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "one")
_FOLDER = _DATA / _WORKER
os.environ |= isolated(_FOLDER)
django.setup()
del os.environ["DJANGO_SETTINGS_MODULE"]
assert _FOLDER == settings.DATA_DIR, settings.DATA_DIR


# A busy machine is no counter-example. For a long search:
# ./scripts/test sqlite -- --hypothesis-profile=long --timeout=0 -k fuzz
hypothesis.settings.register_profile("playground", deadline=None, max_examples=40, stateful_step_count=25)
hypothesis.settings.register_profile("long", deadline=None, max_examples=2000, stateful_step_count=50)
hypothesis.settings.load_profile("playground")


def pytest_configure(config: pytest.Config) -> None:
    # For the whole suite, however it is started: no connection leaves this machine.
    config.option.allow_hosts = "127.0.0.0/8,::1,localhost"
    config.option.allow_unix_socket = True


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> None:
    """Signing in costs nothing in tests: the real hasher is slow on purpose, and every account would pay for it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session", autouse=True)
def no_thread_for_prices_ahead() -> Iterator[None]:
    """No thread works the lists off behind a test's back, nor behind that of a server that outlives its test."""
    from playground.services import ahead

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "start", lambda: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def rights_of_django_are_not_made_again() -> None:
    """After each test that commits Django would write permissions and content types anew, which nothing here reads."""
    from django.contrib.contenttypes.management import create_contenttypes
    from django.db.models.signals import post_migrate

    assert post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    assert post_migrate.disconnect(create_contenttypes)


@pytest.fixture(scope="session", autouse=True)
def short_pauses() -> Iterator[None]:
    """A call that fails is tried again at once: nobody waits for a gateway that a test has broken on purpose."""
    from playground.gateway import calls

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls, "BACKOFF_S", tuple(pause / 20 for pause in calls.BACKOFF_S))
        yield


@pytest.fixture(autouse=True)
def no_prices_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages leave their lists: `ahead.work_off()` works them off."""
    from playground.services import ahead

    monkeypatch.setattr(ahead, "_lists", {})


LONGEST = {
    "test_worker_kills.py",
    "test_kills.py",
    "test_surroundings.py",
    "test_up.py",
    "test_on_postgresql.py",
    "test_bucket.py",
    "test_media_in_a_bucket.py",
}
"""Begun last, one of them alone would make its lane longer by a minute."""
FOLDER_MARKS = {
    "sandbox": "contract",
    "faults": "engine",
    "services": "engine",
    "gateway": "pure",
    "domain": "pure",
    "media": "pure",
    "forms": "pure",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole folders belong to a lane; see tests/lanes.py. What takes longest begins first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in FOLDER_MARKS:
            item.add_marker(FOLDER_MARKS[folder])
    for mark, places in PLACES.items():
        read = set(found(places))
        for item in items:
            if item.get_closest_marker(mark) and not read.intersection((item.path, *item.path.parents)):
                raise pytest.UsageError(
                    f"{item.nodeid} is marked {mark}, but its lane does not read it (tests/lanes.py)"
                )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """See tests/support/scheduling.py. None leaves it to pytest-xdist."""
    from tests.support.scheduling import Together

    return Together(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_collection_finish() -> None:
    """What is there now stays to the end: the garbage collector need not look through it again and again.

    Not where browsers wait: there is nothing to gain, and sockets that a server of tests left lying come to light late.
    """
    if "CHROMIUM" in os.environ:
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _BY_HAND and _WORKER == "one":
        shutil.rmtree(_DATA, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """A test database of its own for each worker; for SQLite a file, since memory has other locks than a disk."""
    from django.db import connections

    database = connections["default"].settings_dict
    if "sqlite" in database["ENGINE"]:
        database["TEST"]["NAME"] = str(_FOLDER / "test.sqlite3")
        return
    from tests.support.postgres import migrated

    database["TEST"]["NAME"] = f"test_{database['NAME']}_{_WORKER}"
    # Django would migrate it in each worker, which takes seconds.
    database["TEST"]["TEMPLATE"] = migrated(os.environ["DATABASE_URL"], _DATA)
    database["TEST"]["MIGRATE"] = False


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_keepdb: bool, django_db_modify_db_settings: None) -> bool:
    """In a lane SQLite's test database is a copy of one that is migrated already, which saves each worker 4 s."""
    from django.db import connection

    from tests.support.installation import prepared_data

    if connection.vendor != "sqlite" or "PLAYGROUND_TEST_SHARED" not in os.environ:
        return django_db_keepdb
    shutil.copyfile(prepared_data() / "playground.sqlite3", connection.settings_dict["TEST"]["NAME"])
    return True


@pytest.fixture(scope="session")
def bucket_server() -> Iterator["BucketServer"]:
    """A server that speaks S3. One for each worker of pytest-xdist; see tests/support/scheduling.py."""
    from tests.support.bucket import start_bucket

    with start_bucket() as server:
        yield server


@pytest.fixture
def bucket(settings: object, bucket_server: "BucketServer") -> Iterator["TestBucket"]:
    """A fresh bucket, which is the media store for the length of the test."""
    from tests.support.bucket import TestBucket

    made = TestBucket.new(bucket_server).use(settings)
    yield made
    made.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """A running Chromium (playwright's `Browser`). Fails, rather than skips, where there is none."""
    from playwright.sync_api import sync_playwright

    from tests.support.chromium import ARGUMENTS, find_chromium

    # Playwright's loop makes Django think that the test is asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), headless=True, args=ARGUMENTS)
        yield browser
        browser.close()
