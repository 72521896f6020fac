"""`manage.py prepare`: what must be done before the processes start. The Procfile's release line; safe to repeat."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.files.storage import FileSystemStorage, storages
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from playground.services import restore
from playground.services.database_copy import CannotCopy
from playground.services.housekeeping import try_store


class Command(BaseCommand):
    help = "Makes the data folders, migrates, tries a remote media store, collects static files when they have changed."

    def handle(self, *args: object, **options: object) -> None:
        done = stamp()
        done.unlink(missing_ok=True)
        for folder in (settings.DATA_DIR, settings.MEDIA_ROOT, Path(settings.FILE_UPLOAD_TEMP_DIR)):
            Path(folder).mkdir(mode=0o750, parents=True, exist_ok=True)
        try:
            if told := restore.recover():
                self.stdout.write(told)
        except (restore.Refused, CannotCopy, OSError) as error:
            raise CommandError(f"A restore was broken off and cannot be finished: {error}") from None
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        try:
            try_store()
        except OSError as error:
            raise CommandError(f"MEDIA_STORAGE_URL: {error}") from None
        collect_static()
        done.write_text(static_state())


def stamp() -> Path:
    return Path(settings.DATA_DIR) / "prepared.stamp"


def is_prepared() -> bool:
    """Whether all of it was done to the end for these very files, and the database has it still.

    Never for media in a remote store, which is to be tried at each start.
    """
    try:
        if stamp().read_text() != static_state() or not Path(settings.STATIC_ROOT).is_dir():
            return False
        if storages["media"].__class__ is not FileSystemStorage:
            return False
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return False
        return settings.CACHES["default"]["LOCATION"] in connection.introspection.table_names()
    except (OSError, DatabaseError):
        return False
    finally:
        connection.close()


def collect_static() -> bool:
    """Collects unless the last time was from the very same files. Returns whether it was done."""
    stamp = settings.DATA_DIR / "static.stamp"
    state = static_state()
    if settings.STATIC_ROOT.is_dir() and stamp.is_file() and stamp.read_text() == state:
        return False
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(state)
    return True


def static_state() -> str:
    """A hash over the version, the storage, and path, size and time of every static file."""
    digest = hashlib.sha256(f"{settings.VERSION} {settings.STORAGES['staticfiles']}".encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            facts = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
