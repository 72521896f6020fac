"""Backup and restore: proved while everything runs, whole or refused, and never a second order."""

import json
import os
import shutil
import sqlite3
import tarfile
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.usersessions.models import UserSession
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.core.cache.backends.db import DatabaseCache
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from playground.domain.status import Status
from playground.management.commands import prepare
from playground.media import storage
from playground.models import (
    AuditEntry,
    Gateway,
    Generation,
    Heartbeat,
    Membership,
    Notice,
    Role,
    Run,
    ShareLink,
    SignInLink,
    User,
    Video,
)
from playground.services import (
    archive,
    backup,
    collections,
    database_copy,
    exchange,
    housekeeping,
    invitations,
    people,
    restore,
    restored,
    videos,
)
from playground.services.archive import BadBackup
from playground.services.restore import Refused
from tests import factories
from tests.bench import Bench, bench, sandbox  # noqa: F401  fixtures
from tests.support import postgres
from tests.support.sharing import make_collection, make_link

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_data(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Media and temporary files of this test alone; what a restore moved aside goes with it."""
    local = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "data/media"}}
    settings.STORAGES = {**settings.STORAGES, "media": local}
    settings.DATA_DIR = tmp_path / "data"
    if programs := postgres.on_this_machine() or postgres.of_the_wheel():
        monkeypatch.setenv("PATH", f"{programs.folder}:{os.environ['PATH']}")
    yield
    if connection.vendor == "sqlite":
        for left in database_copy.place().parent.glob("before-restore-*"):
            shutil.rmtree(left)
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'before\\_restore\\_%'")
        for (schema,) in cursor.fetchall():
            cursor.execute(f'DROP SCHEMA "{schema}" CASCADE')


@pytest.fixture
def member() -> Membership:
    return factories.make_member()


def written(target: Path, **options: Any) -> backup.Written:
    return backup.write(target, now=options.pop("now", timezone.now()), **options)


def put_back(source: Path) -> restore.Restored:
    return restore.restore(source, now=timezone.now(), force=True)


def bytes_of(key: str) -> bytes:
    with storage.open(key) as file:
        return file.read()


def text_of(database: Path) -> bytes:
    """All that can be read out of a backup's database: SQLite's file as it is, a dump as a restore would write it."""
    if database.suffix == ".sqlite3":
        return database.read_bytes()
    script = database.with_suffix(".sql")
    database_copy._run_pg("pg_restore", [f"--file={script}", str(database)], connect=False)
    return script.read_bytes()


@pytest.mark.parametrize("name", ["backup", "backup.tar"])
def test_backup_brings_back_rows_and_files_and_what_was_there_is_kept_aside(
    member: Membership, tmp_path: Path, name: str
) -> None:
    video = factories.make_video(by=member)
    data = bytes_of(video.key)
    done = written(tmp_path / name)
    later = factories.make_video(by=member)
    storage.delete(video.key)

    back = put_back(tmp_path / name)

    assert done.is_whole
    assert list(Video.objects.values_list("id", flat=True)) == [video.id]
    assert bytes_of(video.key) == data
    assert not storage.exists(later.key)
    assert any((Path(place) / later.key).exists() for place in back.moved_to)
    assert not list(storage.temporary_folder().iterdir())


def test_backup_taken_while_others_write_twenty_times_a_second_is_whole(member: Membership, tmp_path: Path) -> None:
    stop, made = threading.Event(), threading.Semaphore(0)

    def write() -> None:
        try:
            while not stop.wait(0.05):
                factories.make_video(by=member)
                made.release()
        finally:
            connections.close_all()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = []
        for number in range(3):
            for _ in range(7):
                assert made.acquire(timeout=30)
            counts.append(written(tmp_path / f"backup-{number}").manifest)
    finally:
        stop.set()
        writer.join()

    for number, manifest in enumerate(counts):
        assert manifest.missing == manifest.damaged == []
        assert len([key for key in manifest.media if key.startswith("videos/")]) >= 7 * (number + 1)
    put_back(tmp_path / "backup-2")
    assert all(storage.exists(key) for key in Video.objects.values_list("key", flat=True))


def test_copying_the_database_file_alone_loses_what_is_still_in_the_log_beside_it(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "live.sqlite3")) as live:
        live.execute("PRAGMA journal_mode=WAL")
        live.execute("CREATE TABLE paid (n INTEGER)")
        live.executemany("INSERT INTO paid VALUES (?)", [(n,) for n in range(100)])
        live.commit()
        shutil.copyfile(tmp_path / "live.sqlite3", tmp_path / "copied.sqlite3")
        with closing(sqlite3.connect(tmp_path / "backup.sqlite3")) as good:
            live.backup(good)

    def rows(name: str) -> int:
        with closing(sqlite3.connect(tmp_path / name)) as found:
            return int(found.execute("SELECT count(*) FROM paid").fetchone()[0])

    assert rows("backup.sqlite3") == 100
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        rows("copied.sqlite3")


def test_video_that_is_deleted_between_database_and_media_is_in_neither(
    member: Membership, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, kept = factories.make_video(by=member), factories.make_video(by=member)
    copy_to, rounds = database_copy.copy_to, []

    def copy_then_delete(target: Path, **more: Any) -> Any:
        named = copy_to(target, **more)
        rounds.append(len(named))
        if len(rounds) == 1:
            videos.trash(by=member, videos=[gone])
            videos.purge(by=member, videos=[gone])
        return named

    monkeypatch.setattr(database_copy, "copy_to", copy_then_delete)
    done = written(tmp_path / "backup")

    assert rounds == [6, 3]
    assert done.is_whole
    put_back(tmp_path / "backup")
    assert list(Video.objects.all()) == [kept]


def test_what_was_missing_or_damaged_before_is_named_and_the_command_ends_with_3(
    member: Membership, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing, damaged = factories.make_video(by=member), factories.make_video(by=member)
    storage.delete(missing.key)
    path = storage.local_path(damaged.key)
    assert path
    path.write_bytes(path.read_bytes()[:-1] + b"!")

    with pytest.raises(SystemExit) as ended:
        call_command("backup", str(tmp_path / "backup"))

    said = capsys.readouterr().out
    assert ended.value.code == 3
    assert f"Was missing before: {missing.key}" in said
    assert f"Was damaged before: {damaged.key}" in said
    assert backup.verify(tmp_path / "backup").missing == [missing.key]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_backup_with_a_flipped_bit_is_refused_and_nothing_is_changed(member: Membership, tmp_path: Path) -> None:
    video = factories.make_video(by=member)
    written(tmp_path / "backup")
    name = database_copy.FILE_NAMES[connection.vendor]
    for broken in (f"media/{video.key}", name, archive.KEYS):
        copy = tmp_path / f"broken-{broken.replace('/', '-')}"
        shutil.copytree(tmp_path / "backup", copy)
        flip(copy / broken)

        with pytest.raises(BadBackup, match=broken):
            put_back(copy)

    assert list(Video.objects.all()) == [video]
    assert storage.exists(video.key)


def test_backup_that_lacks_a_file_or_was_cut_off_or_names_a_strange_place_is_refused(
    member: Membership, tmp_path: Path
) -> None:
    video = factories.make_video(by=member)
    written(tmp_path / "backup")
    whole = tmp_path / "backup.tar"
    written(whole)
    (tmp_path / "cut.tar").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (tmp_path / "words.tar").write_bytes(b"not a tar file")
    lacking = shutil.copytree(tmp_path / "backup", tmp_path / "lacking")
    (lacking / "media" / video.key).unlink()
    strange = shutil.copytree(tmp_path / "backup", tmp_path / "strange")
    told = json.loads((strange / archive.MANIFEST).read_text())
    told["files"].append({"name": "media/../../../etc/cron.d/x", "size": 0, "sha256": ""})
    (strange / archive.MANIFEST).write_text(json.dumps(told))

    for name in ("cut.tar", "words.tar", "lacking", "strange", "absent"):
        with pytest.raises(BadBackup):
            backup.verify(tmp_path / name)


def test_installation_with_people_in_it_is_not_restored_over_without_force(member: Membership, tmp_path: Path) -> None:
    call_command("backup", str(tmp_path / "backup"))

    with pytest.raises(CommandError, match="--force"):
        call_command("restore", str(tmp_path / "backup"))
    Heartbeat.objects.create(name="worker", at=timezone.now())
    with pytest.raises(CommandError, match="alive"):
        call_command("restore", str(tmp_path / "backup"), "--force")
    call_command("restore", str(tmp_path / "backup"), "--check")

    assert User.objects.get() == member.user
    assert not AuditEntry.objects.filter(kind="restored").exists()


def test_target_that_is_there_already_is_not_written_over(member: Membership, tmp_path: Path) -> None:
    (tmp_path / "backup.tar").write_bytes(b"an earlier one")

    with pytest.raises(CommandError, match="there already"):
        call_command("backup", str(tmp_path / "backup.tar"))

    assert (tmp_path / "backup.tar").read_bytes() == b"an earlier one"


def test_backup_of_a_newer_version_is_refused(member: Membership, tmp_path: Path) -> None:
    written(tmp_path / "backup")
    path = tmp_path / "backup" / archive.MANIFEST
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"migrations": [*told["migrations"], "9999_of_tomorrow"]}))

    with pytest.raises(Refused, match="9999_of_tomorrow"):
        put_back(tmp_path / "backup")


def test_keys_are_in_it_for_its_owner_alone_and_never_written_over_those_in_use(
    member: Membership, tmp_path: Path, settings: Any
) -> None:
    written(tmp_path / "backup")
    keys = tmp_path / "backup" / archive.KEYS
    assert keys.read_text().startswith(f"SECRET_KEY={django_settings.SECRET_KEY}\n")
    assert keys.stat().st_mode & 0o077 == (tmp_path / "backup").stat().st_mode & 0o077 == 0
    assert put_back(tmp_path / "backup").keys is None

    old, settings.SECRET_KEY = settings.SECRET_KEY, "another key of at least thirty-two characters"
    kept = put_back(tmp_path / "backup").keys

    assert kept
    assert f"SECRET_KEY={old}" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0
    written(tmp_path / "without.tar", with_keys=False)
    with tarfile.open(tmp_path / "without.tar") as file:
        assert archive.KEYS not in file.getnames()


def test_sessions_and_one_time_links_of_an_earlier_versions_backup_are_not_good_again(
    member: Membership, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_copy, "LEFT_OUT", ())
    Client().force_login(member.user)
    people.signin_link(email=member.user.email, base_url="http://localhost")
    Membership.objects.filter(id=member.id).update(role=Role.ADMIN)
    invitations.invite(by=member, role=Role.CREATOR, base_url="http://localhost")
    assert (Session.objects.count(), SignInLink.objects.count()) == (1, 1)
    written(tmp_path / "backup")
    session = Session.objects.get().session_key.encode()
    assert session in text_of(tmp_path / "backup" / database_copy.FILE_NAMES[database_copy.engine()])

    put_back(tmp_path / "backup")

    assert (Session.objects.count(), SignInLink.objects.count()) == (0, 0)
    assert not invitations.open_ones().exists()
    assert AuditEntry.objects.latest("id").kind == "restored"
    assert Notice.objects.get(kind="restored").team == member.team
    assert restored.settle(now=timezone.now()) is None


def test_backup_holds_nothing_that_signs_its_reader_in(member: Membership, tmp_path: Path) -> None:
    call_command("createcachetable")
    browser = Client(HTTP_USER_AGENT="canary-browser")
    browser.force_login(member.user)
    session = browser.session
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA secure_delete = OFF")  # deleted rows stay in free pages, as SQLite has it
    ended = "a" * 31
    for number in range(200):
        Session.objects.create(session_key=f"{ended}{number}", session_data="x" * 3000, expire_date=timezone.now())
    Session.objects.filter(session_key__startswith=ended).delete()
    session["typed"] = "canary-prompt" * 100
    session.save()
    told = {"ip": "127.0.0.1", "user_agent": "canary-browser"}
    UserSession.objects.update_or_create(user=member.user, session_key=session.session_key, defaults=told)
    people.signin_link(email=member.user.email, base_url="http://localhost")
    EmailConfirmation.objects.create(
        email_address=EmailAddress.objects.create(user=member.user, email="new@example.test"), key="canary-confirmation"
    )
    DatabaseCache(django_settings.CACHES["default"]["LOCATION"], {}).set("canary-cache", "canary-cached")
    counts = [model.objects.count() for model in (Session, UserSession, SignInLink, EmailConfirmation)]

    written(tmp_path / "backup", with_keys=False)

    text = text_of(tmp_path / "backup" / database_copy.FILE_NAMES[database_copy.engine()])
    assert member.user.email.encode() in text
    for secret in (
        session.session_key,
        Session.objects.get().session_data[:60],
        SignInLink.objects.get().token_hash,
        "canary-browser",
        "canary-confirmation",
        "canary-cache",
        ended,
    ):
        assert secret.encode() not in text, secret
    assert [model.objects.count() for model in (Session, UserSession, SignInLink, EmailConfirmation)] == counts
    put_back(tmp_path / "backup")
    assert browser.get("/gallery/").status_code == 302


def test_share_links_of_a_backup_have_ended_since_somebody_may_have_revoked_them(
    member: Membership, tmp_path: Path
) -> None:
    collection = make_collection(by=member)
    link, _token = make_link(by=member, video=factories.make_video(by=member, files=False))
    of_deleted, _token = make_link(by=member, collection=collection)
    collections.delete(by=member, collection=collection)
    written(tmp_path / "backup")

    put_back(tmp_path / "backup")

    collections.restore(by=member, collection=collection)
    assert not ShareLink.objects.open().exists()
    assert ShareLink.objects.get(id=link.id).revoked_by is None
    assert ShareLink.objects.get(id=of_deleted.id).revoked_at
    assert AuditEntry.objects.filter(kind="restored").latest("id").data["links"] == 1
    assert Notice.objects.get(kind="restored").data["links"] == 1


class Died(BaseException):
    """As a killed process: nothing after it runs."""


def dies(*arguments: Any, **more: Any) -> None:
    raise Died


def test_restore_that_died_before_its_journal_is_undone_at_the_next_start(
    member: Membership, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "backup")
    later = factories.make_video(by=member)
    with monkeypatch.context() as dying:
        dying.setattr(exchange, "write", dies)
        with pytest.raises(Died):
            put_back(tmp_path / "backup")

    monkeypatch.setattr(prepare, "call_command", dies)  # it comes before the migrations
    with pytest.raises(Died):
        call_command("prepare")

    assert list(Video.objects.all()) == [later]
    assert storage.exists(later.key)
    assert not any(Path(stage).exists() for stage in restore._stages())
    assert restore.recover() == ""


@pytest.mark.parametrize("by_start", [True, False])
@pytest.mark.parametrize("left_at", ["between", "after"])
def test_restore_that_died_half_way_is_finished_by_the_next_start_or_restore(
    member: Membership, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_at: str, by_start: bool
) -> None:
    video = factories.make_video(by=member)
    written(tmp_path / "backup")
    later = factories.make_video(by=member)
    with monkeypatch.context() as dying:
        if left_at == "after":
            dying.setattr(exchange, "end", dies)  # all is in place, and nobody knows
        elif connection.vendor == "sqlite":
            replace = os.replace
            dying.setattr(os, "replace", lambda a, b: dies() if str(a).endswith(".sqlite3") else replace(a, b))
        else:
            dying.setattr(database_copy, "place_dump", dies)
        with pytest.raises(Died):
            put_back(tmp_path / "backup")
    with pytest.raises(Refused, match="broken off"):
        restore.check(tmp_path / "backup", force=True)

    told = restore.recover() if by_start else ""
    if not by_start:
        put_back(tmp_path / "backup")

    assert told.startswith("A restore that was broken off is finished") is by_start
    assert list(Video.objects.all()) == [video]
    assert storage.exists(video.key)
    assert not storage.exists(later.key)
    assert restored.settle(now=timezone.now()) is None or by_start
    assert not any(Path(stage).exists() for stage in restore._stages())
    assert restore.recover() == ""


# --- a restored backup never orders again ----------------------------------------------------------------------------


def work(bench: Bench, run: Run, *, until: set[Status]) -> list[Generation]:  # noqa: F811
    for _ in range(200):
        rows = list(run.generations.order_by("position"))
        if {row.state for row in rows} <= until:
            return rows
        bench.step()
    raise AssertionError([row.status for row in run.generations.all()])


def test_orders_sent_after_the_backup_are_found_again_by_their_keys_and_charged_once(
    bench: Bench,  # noqa: F811
    tmp_path: Path,
) -> None:
    run = bench.start("A kite over a field", count=2)
    before = len(bench.charges())
    written(tmp_path / "backup")
    first = {row.id: row.upstream_id for row in work(bench, run, until={Status.DONE})}

    back = put_back(tmp_path / "backup")
    rows = work(bench, run, until={Status.DONE})

    assert back.settled
    assert back.settled.maybe_sent == 2
    assert {row.id: row.upstream_id for row in rows} == first
    assert len(bench.charges()) == before + 2


def test_orders_sent_after_the_backup_are_parked_where_keys_are_not_honoured(
    bench: Bench,  # noqa: F811
    tmp_path: Path,
) -> None:
    Gateway.objects.update(honours_idempotency_key=False, has_request_log=False)
    run = bench.start("A kite over a field", count=2)
    written(tmp_path / "backup")
    work(bench, run, until={Status.DONE})
    charged = len(bench.charges())

    put_back(tmp_path / "backup")
    rows = work(bench, run, until={Status.UNKNOWN})

    assert len(rows) == 2
    assert len(bench.charges()) == charged


def test_orders_of_a_backup_older_than_a_key_is_trusted_are_parked(bench: Bench, tmp_path: Path) -> None:  # noqa: F811
    run = bench.start("A kite over a field")
    old = timezone.now() - timedelta(seconds=Gateway.objects.get().key_trusted_seconds + 1)
    written(tmp_path / "backup", now=old)
    charged = len(bench.charges())

    put_back(tmp_path / "backup")

    assert work(bench, run, until={Status.UNKNOWN})
    assert len(bench.charges()) == charged


def test_database_of_a_backup_that_was_put_in_place_by_hand_is_made_safe_when_a_worker_starts(
    bench: Bench,  # noqa: F811
    tmp_path: Path,
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("a dump of PostgreSQL is no file that can be put in place")
    run = bench.start("A kite over a field")
    written(tmp_path / "backup")
    work(bench, run, until={Status.DONE})
    charged = len(bench.charges())
    connections.close_all()
    for ending in ("-wal", "-shm"):
        Path(f"{database_copy.place()}{ending}").unlink(missing_ok=True)
    shutil.copyfile(tmp_path / "backup" / "database.sqlite3", database_copy.place())

    housekeeping.at_start()

    assert [row.state for row in work(bench, run, until={Status.DONE})] == [Status.DONE]
    assert len(bench.charges()) == charged
