"""A hundred hostile files through the page: taken only where the limits allow, and nothing kept of them but pixels."""

import re
import struct
from io import BytesIO
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from playground.media import decoding, storage
from playground.models import Reference
from tests.support.hostile import CORPUS, MARK, SCRIPT, Hostile

pytestmark = pytest.mark.pure

MOST_KIB = 200 * 1024


@pytest.fixture
def told(monkeypatch):
    """What the decoder said, with the memory that it took."""
    answers = []
    decode = decoding.decode

    def noted(*args, **kwargs):
        answers.append(decode(*args, **kwargs))
        return answers[-1]

    monkeypatch.setattr(decoding, "decode", noted)
    return answers


@pytest.fixture
def send(member, browser_of, settings, tmp_path):
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    browser = browser_of(member)

    def post(hostile: Hostile, data: bytes):
        file = SimpleUploadedFile(hostile.name, data, content_type=hostile.content_type)
        return browser.post("/references/", {"reference": file, "team": member.team.slug})

    yield post
    assert list(settings.FILE_UPLOAD_TEMP_DIR.iterdir()) == []
    assert not [*Path(settings.MEDIA_ROOT).rglob("*.part"), *Path(settings.DATA_DIR).glob("tmp/*")]


def segments(data: bytes) -> set[int]:
    """The markers of a JPEG up to its first scan."""
    at, found = 2, set[int]()
    while data[at + 1] != 0xDA:
        found.add(data[at + 1])
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return found


def check_stored(reference: Reference) -> None:
    with storage.open(reference.key) as file:
        data = file.read()
    with storage.open(reference.thumb_key) as file:
        thumb = file.read()
    assert segments(data) <= {0xE0, 0xDB, 0xC0, 0xC2, 0xC4}  # no APP1 and up, no comment
    with Image.open(BytesIO(data)) as picture, Image.open(BytesIO(thumb)) as small:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (reference.width, reference.height))
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert small.format == "WEBP"
        assert not {"exif", "xmp", "icc_profile"} & set(small.info)
    for bytes_of in (data, thumb):
        assert MARK not in bytes_of
        assert SCRIPT not in bytes_of
    for key in (reference.key, reference.thumb_key, reference.original_key):
        assert re.fullmatch(
            r"references/\d{4}/\d\d/" + str(reference.id) + r"(?:-(thumb|original))?\.(jpg|png|webp)", key
        )
        assert storage.local_path(key).stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", CORPUS)
def test_hostile_file_is_taken_only_where_the_limits_allow_it(name, send, told):
    hostile = CORPUS[name]

    answer = send(hostile, hostile.make())

    assert answer.status_code in ({True: (200,), False: (422,), None: (200, 422)}[hostile.taken])
    assert all(one.get("peak_kib", 0) <= MOST_KIB for one in told)
    if answer.status_code == 200:
        check_stored(Reference.objects.get())
    else:
        words = re.search(r'id="reference-error" role="alert">([^<]+)<', answer.content.decode())
        assert words
        assert words[1].endswith(".")
        assert not Reference.objects.exists()


def test_corpus_is_large_enough():
    assert len(CORPUS) >= 60
