"""MEDIA_STORAGE_URL: what it may say, what it turns on, and that no mistake in it shows the secret."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from playground import object_storage
from playground.object_storage import bucket_of
from tests.support.bucket import ACCESS_KEY, SECRET_KEY, TestBucket

ROOT = Path(__file__).resolve().parents[1]
SECRET = "hunter2hunter2"
GOOD = f"s3://key:{SECRET}@s3.example.com/videos?region=eu-central-1"
BROKEN = [
    ("s3://s3.example.com", "path must be the name of a bucket"),
    (f"s3://key:{SECRET}@s3.example.com/", "the name of a bucket"),
    (f"s3://key:{SECRET}@s3.example.com/Videos", "the name of a bucket"),
    (f"s3://key:{SECRET}@s3.example.com/videos/../other", "folder"),
    (f"s3://key:{SECRET}/with/slash@s3.example.com/videos", "%2F"),
    (f"s3://key:12/{SECRET}@s3.example.com/videos", "bucket|%2F"),
    (f"s3://key:{SECRET}@s3.example.com:port/videos", "address"),
    (f"s3://key:{SECRET}@s3.example.com:0/videos", "address"),
    (f"s3://key:{SECRET}@[::1/videos", "address"),
    (f"https://key:{SECRET}@s3.example.com/videos", "address"),
    (f"{SECRET}", "address"),
    (f"s3://{SECRET}@s3.example.com/videos", "key and secret, or neither"),
    (f"s3://:{SECRET}@s3.example.com/videos", "key and secret, or neither"),
    (f"s3://key:{SECRET}@s3.example.com/videos?regoin={SECRET}", "region, scheme, style"),
    (f"s3://key:{SECRET}@s3.example.com/videos?scheme={SECRET}!", "scheme must"),
    (f"s3://key:{SECRET}@s3.example.com/videos?region=", "region must"),
]


def of(value: str, page_scheme: str = "http"):
    return bucket_of(value, page_scheme=page_scheme)


def run(*command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = (
        os.environ | {"PLAYGROUND_DATA": str(folder), "DATABASE_URL": f"sqlite:///{folder / 'db'}"} | variables
    )
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_nothing_means_a_folder():
    assert of("") is None


def test_every_part_is_read_and_signs_in_the_secret_are_unescaped():
    bucket = of("s3://a%2Bkey:a%2Fse%2Bcret%40x@[::1]:9000/videos/team/one/?region=auto&scheme=http&style=virtual")
    assert (bucket.access_key, bucket.secret_key) == ("a+key", "a/se+cret@x")
    assert (bucket.name, bucket.folder, bucket.host) == ("videos", "team/one", "[::1]:9000")
    assert (bucket.endpoint, bucket.origin) == ("http://[::1]:9000", "http://videos.[::1]:9000")
    assert bucket.storage()["OPTIONS"]["addressing_style"] == "virtual"


def test_defaults_are_https_and_the_name_in_the_path():
    bucket = of(GOOD, "https")
    assert bucket.origin == "https://s3.example.com"
    assert (bucket.style, bucket.folder, bucket.region) == ("path", "", "eu-central-1")


def test_without_keys_the_library_looks_for_them_itself():
    assert (
        not {"access_key", "secret_key", "security_token"}
        & of("s3://s3.example.com/videos").storage()["OPTIONS"].keys()
    )


@pytest.mark.parametrize(("value", "words"), BROKEN)
def test_a_mistake_is_one_line_that_names_the_variable_and_no_secret(value: str, words: str):
    with pytest.raises(ValueError, match=words) as raised:
        of(value)
    said = str(raised.value)
    assert said.startswith("MEDIA_STORAGE_URL: ")
    assert "\n" not in said
    assert SECRET not in said


def test_http_behind_an_https_page_is_refused():
    assert of(GOOD + "&scheme=http") is not None
    with pytest.raises(ValueError, match="scheme=http cannot go with an https PUBLIC_URL"):
        of(GOOD + "&scheme=http", "https")


def test_missing_packages_are_said_with_the_way_to_get_them(monkeypatch):
    monkeypatch.setattr(object_storage, "PACKAGES", ("boto3", "not_installed_anywhere"))
    with pytest.raises(ValueError, match=r"not installed: start with ./scripts/up, or install requirements-s3.txt"):
        of(GOOD)


def test_secret_is_in_no_text_form_of_the_bucket():
    assert SECRET not in f"{of(GOOD)!r} {of(GOOD)}"


SHOW = """
import sys
import playground.wsgi
from django.conf import settings
from playground.media import storage
print(type(storage.store()).__name__, "boto3" in sys.modules, "storages" in sys.modules)
allowed = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
print(allowed["media-src"], allowed["img-src"])
"""


@pytest.mark.contract
def test_a_start_without_a_bucket_loads_no_s3_library(tmp_path: Path):
    done = run("-c", SHOW, folder=tmp_path, MEDIA_STORAGE_URL="")
    assert done.stdout.splitlines() == [
        "FileSystemStorage False False",
        """["'self'", 'blob:'] ["'self'", 'data:', 'blob:']""",
    ], done.stderr


@pytest.mark.contract
def test_a_start_with_a_bucket_uses_it_and_lets_pages_load_from_it(tmp_path: Path):
    done = run("-c", SHOW, folder=tmp_path, MEDIA_STORAGE_URL=GOOD)
    assert done.stdout.splitlines() == [
        "BucketStorage True True",
        """["'self'", 'blob:', 'https://s3.example.com'] ["'self'", 'data:', 'blob:', 'https://s3.example.com']""",
    ], done.stderr


@pytest.mark.contract
@pytest.mark.parametrize("value", [GOOD, BROKEN[4][0]])
def test_check_shows_no_secret_whether_the_value_is_good_or_not(tmp_path: Path, value: str):
    done = run("manage.py", "check", "--deploy", folder=tmp_path, MEDIA_STORAGE_URL=value, LOG_LEVEL="DEBUG")
    assert SECRET not in done.stdout + done.stderr
    assert done.returncode == (0 if value == GOOD else 1)


TRY = "import django; django.setup(); from playground.media import storage; storage.try_out(); print('tried')"


@pytest.mark.contract
def test_a_working_store_is_tried_and_no_log_line_holds_a_key_or_a_signature(tmp_path: Path, bucket: TestBucket):
    more = {"MEDIA_STORAGE_URL": bucket.url, "LOG_LEVEL": "DEBUG", "DJANGO_SETTINGS_MODULE": "playground.settings"}
    done = run("-c", TRY, folder=tmp_path, **more)
    said = done.stdout + done.stderr
    assert "tried" in done.stdout, said
    assert not any(word in said for word in (ACCESS_KEY, SECRET_KEY, "Signature", "AWS4-HMAC"))


@pytest.mark.contract
def test_a_store_without_the_bucket_stops_the_start_with_one_line(tmp_path: Path, bucket: TestBucket):
    url = bucket.url.replace(bucket.name, "not-made")
    done = run("manage.py", "prepare", folder=tmp_path, MEDIA_STORAGE_URL=url)
    assert done.returncode == 1
    assert done.stderr == (
        "CommandError: MEDIA_STORAGE_URL: The media store cannot be used: it answered NoSuchBucket to PutObject.\n"
    )
