"""The media store in an S3 bucket: django-storages' backend, with what this product needs on top.

Loaded only when MEDIA_STORAGE_URL is set, through Django's STORAGES. Where it differs from the backend it builds on:
one client serves all threads of a process, since a client of its own for each of 64 threads costs seconds and memory;
waiting is bounded; reading gives a whole local file or an error, nothing half-way; whatever goes wrong on the way is a
StoreUnavailable with a line that holds no address and no key; and a listing tells when files were written.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from tempfile import TemporaryFile
from typing import Any, cast
from uuid import uuid4

from boto3.exceptions import Boto3Error  # noqa: TID251
from botocore.config import Config  # noqa: TID251
from botocore.exceptions import BotoCoreError, ClientError  # noqa: TID251
from django.core.files import File
from django.core.files.base import ContentFile
from storages.backends.s3 import S3Storage  # noqa: TID251

from playground.media.parts import temporary_folder
from playground.media.storage import StoreUnavailable

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
TRIES = 3
CONNECTIONS = 32
CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".png": "image/png",
}
"""Of the endings that keys have. The signed link names the type too; this is for other readers of the bucket."""


def client_config(addressing_style: str) -> Config:
    """Checksums only where S3 asks for them: many other stores do not know the newer ones."""
    return Config(
        s3={"addressing_style": addressing_style},
        signature_version="s3v4",
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": TRIES},
        max_pool_connections=CONNECTIONS,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


@contextmanager
def plain_errors(key: str) -> Iterator[None]:
    """FileNotFoundError for a missing file, StoreUnavailable for everything else."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in ("404", "NoSuchKey", "NotFound"):
            raise FileNotFoundError(key) from None
        raise StoreUnavailable(f"it answered {code or 'an error'} to {error.operation_name}") from None
    except (BotoCoreError, Boto3Error) as error:
        raise StoreUnavailable(f"it was not reached ({type(error).__name__})") from None


class BucketStorage(S3Storage):  # type: ignore[misc]  # the library has no types
    """Keys are names below the bucket's folder. A save replaces what was there."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("client_config", client_config(settings.get("addressing_style", "path")))
        super().__init__(**settings)
        self._lock = threading.Lock()
        self._made: tuple[int, Any, Any] | None = None

    def _ready(self) -> tuple[int, Any, Any]:
        """Process id, connection and bucket; made anew in a forked process, which must not share open sockets."""
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                connection = self._create_session().resource(
                    "s3", region_name=self.region_name, endpoint_url=self.endpoint_url, config=self.client_config
                )
                self._made = os.getpid(), connection, connection.Bucket(self.bucket_name)
            return self._made

    @property
    def connection(self) -> Any:
        return self._ready()[1]

    @property
    def bucket(self) -> Any:
        return self._ready()[2]

    def get_object_parameters(self, name: str) -> dict[str, Any]:
        kind = CONTENT_TYPES.get(os.path.splitext(name)[1])
        return {**super().get_object_parameters(name), **({"ContentType": kind} if kind else {})}

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        """The whole file, fetched into a nameless temporary one."""
        local = TemporaryFile(dir=temporary_folder())  # noqa: SIM115  handed on open
        try:
            with plain_errors(name):
                self.bucket.Object(self._normalize_name(name)).download_fileobj(local, Config=self.transfer_config)
        except OSError:
            local.close()
            raise
        local.seek(0)
        return File(local, name)

    def _save(self, name: str, content: Any) -> str:
        with plain_errors(name):
            return cast(str, super()._save(name, content))

    def delete(self, name: str) -> None:
        """Without a word for a file that is gone already, which is also what S3 answers; a missing bucket is said."""
        with plain_errors(name):
            self.bucket.Object(self._normalize_name(name)).delete()

    def exists(self, name: str) -> bool:
        with plain_errors(name):
            return cast(bool, super().exists(name))

    def size(self, name: str) -> int:
        with plain_errors(name):
            return cast(int, super().size(name))

    def url(self, name: str, *arguments: Any, **more: Any) -> str:
        with plain_errors(name):
            return cast(str, super().url(name, *arguments, **more))

    def rename(self, name: str, other: str) -> None:
        """The bytes stay in the bucket. Cut off in between, the file has both names."""
        source = {"Bucket": self.bucket_name, "Key": self._normalize_name(name)}
        with plain_errors(name):
            self.bucket.Object(self._normalize_name(other)).copy(source, Config=self.transfer_config)
        self.delete(name)

    def try_out(self) -> None:
        """Write, read, list and remove a small file. Raises StoreUnavailable with the step that was refused."""
        name, said = f"tmp/{uuid4()}", b"video playground"
        self.save(name, ContentFile(said))
        with self.open(name) as file:
            if file.read() != said:
                raise StoreUnavailable("it gave back other bytes than were written")
        if name not in (listed for listed, _ in self.entries("tmp")):
            raise StoreUnavailable("it does not list what was written")
        self.delete(name)

    def entries(self, folder: str) -> Iterator[tuple[str, datetime]]:
        """Every key below `folder` with the time it was written: one request for each thousand."""
        prefix = self._normalize_name(folder) + "/"
        start = len(f"{self.location}/") if self.location else 0
        pages = self.connection.meta.client.get_paginator("list_objects_v2")
        with plain_errors(folder):
            for page in pages.paginate(Bucket=self.bucket_name, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    yield entry["Key"][start:], entry["LastModified"]
