"""The media store in a bucket, against a server that speaks S3: what a folder does not have, and what may go wrong."""

import logging
import os
import threading
from datetime import datetime, timedelta
from email.message import Message
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest
import time_machine
from django.http import Http404
from django.test import RequestFactory

from playground.media import orphans, storage
from playground.media.serve import SIGNED_URL_SECONDS, serve_media
from playground.media.storage import StoreUnavailable
from tests.support.bucket import ACCESS_KEY, SECRET_KEY, TestBucket, marks
from tests.support.processes import free_port

pytestmark = marks

KEY = "videos/2025/11/019aa45c-0c88-7abc-8def-0123456789ab.mp4"
FILM = bytes(i * 7 % 251 for i in range(300_000))


@pytest.fixture(autouse=True)
def own_data(media_store):
    """Temporary files in a folder of the test's own; the bucket comes on top."""


@pytest.fixture
def stored(bucket: TestBucket) -> TestBucket:
    put(KEY, FILM)
    return bucket


def put(key: str, data: bytes) -> None:
    with storage.temporary() as path:
        path.write_bytes(data)
        storage.adopt(path, key)


def get(link: str, **headers: str) -> tuple[int, Message, bytes]:
    with urlopen(Request(link, headers=headers), timeout=10) as answer:
        return answer.status, answer.headers, answer.read()


def ask(method: str = "GET", key: str = KEY, name: str | None = None):
    request = getattr(RequestFactory(), method.lower())("/")
    modified = datetime.fromisoformat("2026-11-21T03:00:00+00:00")
    return serve_media(
        request, key, content_type="video/mp4", etag="0f" * 32, last_modified=modified, download_name=name
    )


# --- what is kept where ----------------------------------------------------------------------------------------------


def test_keys_are_the_names_in_the_bucket(stored):
    assert stored.keys() == [KEY]
    assert storage.local_path(KEY) is None


def test_a_folder_in_the_bucket_stands_before_every_key_and_is_never_seen(bucket, settings):
    bucket.use(settings, bucket.url.replace("?", "/team/playground?"))
    put(KEY, FILM)
    assert bucket.keys() == [f"team/playground/{KEY}"]
    assert list(orphans.old_keys(timedelta(seconds=-60))) == [KEY]
    assert get(storage.signed_url(KEY, 60))[2] == FILM


def test_each_kind_of_file_is_kept_with_its_type(bucket):
    for suffix, kind in {".mp4": "video/mp4", ".webm": "video/webm", ".webp": "image/webp"}.items():
        put(f"videos/a{suffix}", b"x")
        assert get(storage.signed_url(f"videos/a{suffix}", 60))[1]["Content-Type"] == kind


def test_a_large_file_goes_up_in_parts_and_comes_back_whole(bucket):
    data = os.urandom(1024 * 1024) * 20
    put(KEY, data)
    with storage.open(KEY) as file:
        assert file.read() == data
    assert any("uploadId" in line for line in bucket.requests())


def test_a_store_that_renames_is_not_trusted(bucket, monkeypatch):
    save = type(storage.store()).save
    monkeypatch.setattr(type(storage.store()), "save", lambda self, name, content: save(self, "other", content))
    with pytest.raises(OSError, match="another name"):
        put(KEY, FILM)
    assert bucket.keys() == []


def test_our_own_copy_stays_until_all_of_it_has_arrived(bucket, monkeypatch):
    monkeypatch.setattr(type(storage.store()), "size", lambda self, name: 7)
    with storage.temporary() as path:
        path.write_bytes(FILM)
        with pytest.raises(OSError, match="7 of the 300000 bytes"):
            storage.adopt(path, KEY)
        assert path.read_bytes() == FILM


def test_listing_asks_once_for_all_files_of_a_folder(bucket):
    for number in range(5):
        put(KEY.replace("/11/", f"/{number:02}/"), b"x")
    before = len(bucket.requests())
    assert len(list(orphans.old_keys(timedelta(seconds=-60)))) == 5
    asked = bucket.requests()[before:]
    assert len(asked) == len(storage.FOLDERS)
    assert all("list-type=2" in line for line in asked)


def test_all_threads_share_one_client_and_a_forked_process_makes_its_own(bucket):
    found, together = [], threading.Barrier(4)

    def find() -> None:
        together.wait()
        found.append(storage.store().connection)

    threads = [threading.Thread(target=find) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"own" if storage.store().connection is not found[0] else b"shared")
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        assert answer.read() == b"own"


# --- the way out -----------------------------------------------------------------------------------------------------


def test_a_view_sends_the_browser_to_a_link_that_nobody_keeps(stored):
    answer = ask()
    assert answer.status_code == 302
    assert answer["Cache-Control"] == "private, no-store"
    link = urlsplit(answer["Location"])
    assert (f"{link.scheme}://{link.netloc}", link.path) == (stored.server.origin, f"/{stored.name}/{KEY}")
    assert parse_qs(link.query)["X-Amz-Expires"] == [str(SIGNED_URL_SECONDS)]
    status, headers, body = get(answer["Location"])
    assert (status, headers["Content-Type"], headers["Content-Disposition"]) == (200, "video/mp4", "inline")
    assert body == FILM


def test_a_part_of_the_file_can_be_asked_for(stored):
    status, headers, body = get(ask()["Location"], Range="bytes=100-199")
    assert (status, headers["Content-Range"], body) == (206, "bytes 100-199/300000", FILM[100:200])


def test_a_download_has_its_name(stored):
    headers = get(ask(name="a harbour – dawn.mp4")["Location"])[1]
    assert headers["Content-Disposition"].startswith('attachment; filename="a harbour _ dawn.mp4"')
    assert "filename*=UTF-8''a%20harbour%20%E2%80%93%20dawn.mp4" in headers["Content-Disposition"]


def test_a_link_runs_out(stored):
    with time_machine.travel(datetime.now().astimezone() - timedelta(seconds=SIGNED_URL_SECONDS + 5)):
        old = ask()["Location"]
    with pytest.raises(HTTPError) as refused:
        get(old)
    refused.value.close()
    assert refused.value.code == 403
    assert get(ask()["Location"])[0] == 200


def test_head_is_answered_from_here_and_missing_files_are_404(stored):
    answer = ask("HEAD")
    assert (answer.status_code, answer["Content-Length"]) == (200, "300000")
    with pytest.raises(Http404):
        ask("HEAD", "videos/missing.mp4")


# --- what may go wrong -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["away", "no bucket"])
def broken(request, bucket: TestBucket, settings) -> str:
    """A store that nothing listens for, or that does not know the bucket; returns the words it is described by."""
    url = bucket.url.replace(f":{bucket.server.port}/", f":{free_port()}/")
    missing = bucket.url.replace(bucket.name, "not-made")
    bucket.use(settings, {"away": url, "no bucket": missing}[request.param])
    return {"away": "was not reached", "no bucket": "answered NoSuchBucket"}[request.param]


@pytest.mark.parametrize("verb", ["adopt", "open", "list", "try_out"])
def test_a_store_that_cannot_be_used_is_one_error_without_keys(broken, verb):
    verbs = {
        "adopt": lambda: put(KEY, FILM),
        "open": lambda: storage.open(KEY),
        "list": lambda: list(orphans.old_keys(timedelta(0))),
        "try_out": storage.try_out,
    }
    with pytest.raises(StoreUnavailable, match=broken) as raised:
        verbs[verb]()
    assert not any(word in str(raised.value) for word in (ACCESS_KEY, SECRET_KEY, "X-Amz", "127.0.0.1"))
    assert "\n" not in str(raised.value)


def test_what_cannot_be_removed_is_logged_and_left(broken, caplog):
    with caplog.at_level(logging.WARNING):
        storage.forget(KEY)
    assert "media file left behind" in caplog.text
    assert broken in caplog.text
