"""The child process: what it may not do, and what becomes of one that crashes, hangs, eats memory or lies."""

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from playground.media import decoding, images, parts, written
from playground.media.images import DecoderAway, ImageRefused
from playground.media.picture_limits import MEMORY_BYTES
from tests.support.hostile import MARK, SCRIPT, jpeg_with, noise, segment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def instead(monkeypatch):
    """Another program in the decoder's place; `out` and `thumb` are open as the numbers that it finds in `asked`."""

    def use(program: str) -> None:
        head = "import json, os, signal, sys, time\nasked = json.loads(sys.argv[1])\n"
        monkeypatch.setattr(decoding, "COMMAND", (sys.executable, "-c", head + program))

    return use


def tried(tmp_path) -> ImageRefused:
    """The refusal of a sound picture; nothing may be left of it."""
    with pytest.raises(ImageRefused) as refused:
        images.normalise(io.BytesIO(noise()), tmp_path / "out.jpg", thumb=tmp_path / "thumb.webp")
    assert list(tmp_path.iterdir()) == []
    assert list(parts.temporary_folder().glob("*.part")) == []
    return refused.value


BLAMED = {
    "os.abort()": "crashed",
    "os.kill(os.getpid(), signal.SIGSEGV)": "crashed",
    "os.kill(os.getpid(), signal.SIGKILL)": "crashed",
    "os.kill(os.getpid(), signal.SIGXCPU)": "too_slow",
    "print(json.dumps({'code': 'too_much_memory'}))": "too_much_memory",
}
OURS = {
    "sys.exit(3)": "fault: exit 3",
    "raise RuntimeError": "fault: exit 1",
    "print('hello')": "odd: no JSON",
    "print('[1]')": "odd: no answer",
    "print('{}')": "odd: no answer",
    "print(json.dumps({'code': 'what is this'}))": "odd: an unknown code",
    "print(json.dumps({'code': 'too_small'}))": "odd: facts are missing",
    "print('x' * 100_000)": "odd: too many words",
    "pass": "odd: no JSON",
}


@pytest.mark.parametrize("program", BLAMED)
def test_picture_that_ends_its_decoder_is_refused_in_words(program, instead, tmp_path, caplog):
    instead(program)
    refused = tried(tmp_path)
    assert not isinstance(refused, DecoderAway)
    assert refused.code == BLAMED[program]
    assert "choose another" in refused.message
    assert "decoder_ended_by_picture" in caplog.text


@pytest.mark.parametrize("program", OURS)
def test_decoder_that_does_not_work_is_our_fault(program, instead, tmp_path, caplog):
    instead(program)
    refused = tried(tmp_path)
    assert isinstance(refused, DecoderAway)
    assert str(refused.__cause__) == OURS[program]
    assert "decoder_failed" in caplog.text


@pytest.mark.parametrize("before", ["", "os.close(1); ", "print(1, flush=True); "])
def test_decoder_that_hangs_is_ended(before, instead, tmp_path, monkeypatch):
    ended = []
    kill = subprocess.Popen.kill

    def noted(child):
        kill(child)
        ended.append(child)

    monkeypatch.setattr(subprocess.Popen, "kill", noted)
    monkeypatch.setattr(decoding, "WALL_S", 0.5)
    instead(f"{before}time.sleep(60)")
    assert str(tried(tmp_path).__cause__) == "late"
    assert [child.returncode for child in ended] == [-signal.SIGKILL]


def test_decoder_that_cannot_be_started_is_our_fault(monkeypatch, tmp_path):
    monkeypatch.setattr(decoding, "COMMAND", ("/nowhere/python",))
    assert str(tried(tmp_path).__cause__) == "not_started: FileNotFoundError"


LIES = {
    "html in place of a picture": SCRIPT,
    "comment": jpeg_with(segment(0xFE, SCRIPT)),
    "exif": jpeg_with(segment(0xE1, b"Exif\0\0" + MARK)),
    "something behind it": noise() + MARK,
    "another picture behind it": noise() + noise(),
    "comment between scans": noise()[:-2] + segment(0xFE, MARK) + b"\xff\xd9",
    "words in its first segment": jpeg_with(segment(0xE0, MARK)),
    "half of it": noise()[:500],
    "nothing": b"",
    "another kind": noise("PNG"),
}


@pytest.mark.parametrize("name", LIES)
def test_what_a_decoder_wrote_is_looked_at(name, instead, tmp_path, tmp_path_factory):
    lie, thumb = tmp_path_factory.mktemp("lies") / "lie", tmp_path_factory.mktemp("lies") / "thumb"
    lie.write_bytes(LIES[name])
    thumb.write_bytes(noise("WEBP"))
    instead(
        f"os.write(asked['out'], open({str(lie)!r}, 'rb').read())\n"
        f"os.write(asked['thumb'], open({str(thumb)!r}, 'rb').read())\n"
        "print(json.dumps({'code': '', 'width': 200, 'height': 150, 'kind': 'JPEG'}))"
    )
    assert tried(tmp_path).code == "crashed"


@pytest.mark.parametrize("told", ["'width': 150, 'height': 200", "'width': 200"])
def test_decoder_that_tells_another_size_is_not_believed(told, instead, tmp_path):
    plain = Image.new("RGB", (200, 150))
    plain.save(buffer := io.BytesIO(), "JPEG")
    assert len(buffer.getvalue()) < 10_000
    instead(f"os.write(asked['out'], {buffer.getvalue()!r})\nprint(json.dumps({{'code': '', {told}}}))")
    assert tried(tmp_path).code == "crashed"


@pytest.mark.parametrize("thumb", [b"", SCRIPT, noise("JPEG"), noise("WEBP") + MARK, noise("WEBP")[:100]])
def test_thumbnail_is_looked_at_too(thumb, tmp_path):
    path = tmp_path / "thumb.webp"
    path.write_bytes(noise("WEBP"))
    written.check_webp(path)
    path.write_bytes(thumb)
    with pytest.raises(written.NotPlain):
        written.check_webp(path)


def test_no_secret_and_no_other_file_reaches_the_decoder(instead, tmp_path, monkeypatch):
    monkeypatch.setenv("LUMENFALL_API_KEY", "lmnfl_CANARY")
    secret = (tmp_path / "secret").open("w+")
    os.set_inheritable(secret.fileno(), False)
    instead(
        "found = {'environment': sorted(os.environ), 'open': sorted(int(n) for n in os.listdir('/proc/self/fd'))}\n"
        "given = [asked['out'], asked['thumb']]\n"
        "own = [0, 1, 2, *given]\n"
        "sys.exit(3 if set(found['environment']) - {'LC_ALL', 'LD_LIBRARY_PATH'} else\n"
        "         4 if len(set(found['open']) - set(own)) > 1 else 5)"  # listdir's own
    )
    with secret, pytest.raises(DecoderAway) as refused:
        images.normalise(io.BytesIO(noise()), tmp_path / "out.jpg", thumb=tmp_path / "thumb.webp")
    assert str(refused.value.__cause__) == "fault: exit 5"


CONFINED = f"""
import resource, socket, subprocess, sys
from playground.media import decoder
if sys.argv[1] == "limits alone":
    decoder.keep_few_calls = lambda: False
has_few_calls = decoder.confine()
tries = {{
    "file": lambda: open("/etc/hostname"),
    "socket": lambda: socket.socket(),
    "program": lambda: subprocess.run(["/bin/true"]),
    "memory": lambda: bytearray({MEMORY_BYTES} + 2**20),
}}
for name, deed in tries.items():
    try:
        deed()
    except (OSError, MemoryError):
        continue
    sys.exit(name + " was had")
if not has_few_calls:
    assert resource.getrlimit(resource.RLIMIT_CPU) == (2, 3)
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
while True:
    pass
"""


@pytest.mark.parametrize("walls", ["all of them", "limits alone"])
def test_decoder_can_open_nothing_start_nothing_and_use_no_more_than_its_share(walls):
    """And its processor time ends. The limits hold by themselves too, for systems without a filter of calls."""
    asked = [sys.executable, "-c", CONFINED, walls]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (-signal.SIGXCPU, "")


def test_picture_waits_for_the_one_before_and_is_told_to_come_again(monkeypatch, tmp_path):
    monkeypatch.setattr(decoding, "WAIT_S", 0.01)
    with decoding._turn():
        refused = tried(tmp_path)
    assert "Many pictures" in refused.message
    assert images.normalise(io.BytesIO(noise()), tmp_path / "out.jpg").width == 200


def test_a_turn_is_given_back_by_each_picture_whatever_became_of_it(instead, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "COMMAND", ("/nowhere/python",))
        for _ in range(3):
            tried(tmp_path)
    with pytest.raises(ImageRefused):
        images.normalise(io.BytesIO(b"no picture"), tmp_path / "out.jpg")
    assert images.normalise(io.BytesIO(noise()), tmp_path / "out.jpg").width == 200


def test_threads_decode_side_by_side_without_a_leftover(tmp_path):
    made = []

    def one(number: int) -> None:
        made.append(images.normalise(io.BytesIO(noise()), tmp_path / f"{number}.jpg").sha256)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
