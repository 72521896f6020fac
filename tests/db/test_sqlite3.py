"""The fair queue of writers. On PostgreSQL there is none and nothing to test."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import OperationalError, connection, transaction

from playground.db.sqlite3.base import DatabaseWrapper
from playground.models import Team

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("sqlite" not in os.environ.get("DATABASE_URL", ""), reason="the lock file belongs to SQLite"),
]


def lock_is_free() -> bool:
    descriptor = os.open(Path(f"{connection.settings_dict['NAME']}.lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_lock_is_held_during_a_transaction_and_free_afterwards() -> None:
    with transaction.atomic():
        Team.objects.create(name="A", slug="a")
        assert not lock_is_free()
    assert lock_is_free()


def test_lock_is_free_after_a_rollback() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        raise RuntimeError
    assert lock_is_free()


def test_lock_is_held_until_the_outer_transaction_ends() -> None:
    with transaction.atomic():
        with transaction.atomic():
            Team.objects.create(name="A", slug="a")
        assert not lock_is_free()
    assert lock_is_free()


def test_pragmas_are_the_durable_ones() -> None:
    with connection.cursor() as cursor:
        values = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert values == {"journal_mode": "wal", "synchronous": 2}


def test_second_writer_waits_for_the_first_and_then_writes() -> None:
    entered, leave, done = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with transaction.atomic():
            Team.objects.create(name="A", slug="a")
            entered.set()
            leave.wait(10)
        connection.close()

    def second() -> None:
        entered.wait(10)
        with transaction.atomic():
            Team.objects.create(name="B", slug="b")
        done.set()
        connection.close()

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    entered.wait(10)
    assert not done.wait(0.3)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert set(Team.objects.values_list("slug", flat=True)) == {"a", "b"}


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()}


@pytest.mark.parametrize("made_before", [False, True])
def test_files_of_the_database_are_readable_to_its_user_and_group_only(tmp_path: Path, made_before: bool) -> None:
    name = tmp_path / "rows.sqlite3"
    if made_before:
        name.touch()
        name.chmod(0o644)
    other = DatabaseWrapper(connection.settings_dict | {"NAME": str(name)}, alias="other")
    before = os.umask(0o027)  # as every process of ours has it
    try:
        with other.cursor() as cursor:
            cursor.execute("CREATE TABLE t (x)")
        with transaction_of(other), other.cursor() as cursor:
            cursor.execute("INSERT INTO t VALUES (1)")
        names = {"", "-wal", "-shm", ".lock"}
        assert modes(tmp_path) == {f"rows.sqlite3{ending}": "0o640" for ending in names}
    finally:
        os.umask(before)
        other.close()


@contextmanager
def transaction_of(wrapper: DatabaseWrapper) -> Iterator[None]:
    wrapper.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    yield
    wrapper.commit()
    wrapper.set_autocommit(True)


def test_a_place_that_is_not_there_is_a_fault_of_the_database(tmp_path: Path) -> None:
    other = DatabaseWrapper(connection.settings_dict | {"NAME": str(tmp_path / "no" / "rows.sqlite3")}, alias="other")
    with pytest.raises(OperationalError):
        other.ensure_connection()
