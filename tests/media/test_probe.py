import struct

import av
import pytest
from PIL import Image

from playground.media.boxes import BadVideo, check_mp4_boxes, container_of
from playground.media.probe import VideoLimits, probe
from playground.media.stills import poster, preview
from tests.media.clips import make_clip, turned


def written(tmp_path, data: bytes):
    path = tmp_path / "file.mp4"
    path.write_bytes(data)
    return path


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def test_a_whole_clip_is_measured(clip):
    check_mp4_boxes(clip)
    result = probe(clip)
    assert (result.width, result.height, result.duration_ms) == (160, 96, 2000)
    assert (result.has_audio, result.video_codec, result.fps) == (True, "h264", 12.0)
    assert result.content_type == "video/mp4"


def test_a_silent_clip_has_no_audio(tmp_path):
    assert probe(make_clip(tmp_path / "a.mp4", audio=False)).has_audio is False


def test_webm_with_vp9_and_opus_is_accepted(webm_clip):
    result = probe(webm_clip)
    assert (result.content_type, result.video_codec, result.has_audio) == ("video/webm", "vp9", True)
    assert (result.width, result.height) == (160, 96)


def test_odd_sizes_are_kept(tmp_path):
    path = make_clip(tmp_path / "odd.mp4", size=(161, 97))
    result = probe(path)
    assert (result.width, result.height) == (161, 97)
    assert preview(path, tmp_path / "preview.mp4") == (162, 96) or preview(path, tmp_path / "preview.mp4") == (160, 96)


@pytest.mark.parametrize("faststart", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.6, 0.99])
def test_a_cut_mp4_is_caught_by_its_boxes(share, faststart, tmp_path):
    data = make_clip(tmp_path / "whole.mp4", faststart=faststart).read_bytes()
    path = written(tmp_path, data[: int(len(data) * share)])
    with pytest.raises(BadVideo):
        check_mp4_boxes(path)
    with pytest.raises(BadVideo):
        probe(path)


def test_an_mp4_cut_between_its_boxes_is_caught_by_decoding(clip, tmp_path):
    """The last box made to end where the file ends: the boxes add up, the sound and picture are not all there."""
    data = bytearray(clip.read_bytes()[: int(clip.stat().st_size * 0.6)])
    start = data.index(b"mdat") - 4
    data[start : start + 4] = struct.pack(">I", len(data) - start)
    path = written(tmp_path, bytes(data))
    check_mp4_boxes(path)
    with pytest.raises(BadVideo):
        probe(path)


def test_a_cut_webm_is_caught_by_decoding(webm_clip, tmp_path):
    data = webm_clip.read_bytes()
    with pytest.raises(BadVideo):
        probe(written(tmp_path, data[: int(len(data) * 0.4)]))


def test_damaged_pictures_are_caught(clip, tmp_path):
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    for place in range(start + 50, len(data), 97):
        data[place] ^= 0xFF
    with pytest.raises(BadVideo):
        probe(written(tmp_path, bytes(data)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\0" * 4096, "begin with an ftyp"),
        (b"<!doctype html><title>Link expired</title>" * 50, "ftyp|claims"),
        (box(b"ftyp", b"isom"), "no moov"),
        (box(b"ftyp", b"isom") + box(b"moov"), "no mdat"),
        (box(b"moov") + box(b"ftyp") + box(b"mdat"), "begin with an ftyp"),
        (box(b"ftyp") + box(b"moov") + box(b"mdat") + b"abc", "stray"),
        (box(b"ftyp") + struct.pack(">I4s", 4, b"moov"), "claims 4 bytes"),
        (box(b"ftyp") + struct.pack(">I4sQ", 1, b"mdat", 2**63), "cut off"),
        (box(b"ftyp") + struct.pack(">I4sQ", 1, b"mdat", 8), "claims 8 bytes"),
        (box(b"ftyp") + struct.pack(">I4s", 1, b"mdat"), "inside its header"),
        (box(b"ftyp") + struct.pack(">I4s", 0xFFFFFFFF, b"mdat"), "cut off"),
        (box(b"ftyp") + box(b"free") * 20_000, "more than"),
    ],
)
def test_wrong_boxes_are_named(data, words, tmp_path):
    with pytest.raises(BadVideo, match=words):
        check_mp4_boxes(written(tmp_path, data))


def test_boxes_that_add_up_but_hold_nothing_are_not_a_video(tmp_path):
    with pytest.raises(BadVideo):
        probe(written(tmp_path, box(b"ftyp", b"isom\0\0\2\0isom") + box(b"moov") + box(b"mdat")))


@pytest.mark.parametrize(
    "data", [b"", b"#EXTM3U\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd\n", b"RIFF1234AVI LIST"]
)
def test_other_containers_are_never_opened(data, tmp_path, monkeypatch):
    monkeypatch.setattr(av, "open", lambda *args, **kwargs: pytest.fail("it was opened"))
    with pytest.raises(BadVideo):
        probe(written(tmp_path, data))


def test_matroska_that_is_not_webm_is_refused(webm_clip, tmp_path):
    with pytest.raises(BadVideo, match="neither"):
        container_of(written(tmp_path, webm_clip.read_bytes().replace(b"webm", b"mkv ", 1)))


def test_sound_alone_is_not_a_video(tmp_path):
    with pytest.raises(BadVideo, match="no video track"):
        probe(make_clip(tmp_path / "sound.mp4", video=False))


def test_a_codec_browsers_do_not_play_is_refused(tmp_path):
    with pytest.raises(BadVideo, match="mpeg4") as refused:
        probe(make_clip(tmp_path / "old.mp4", codec="mpeg4"))
    assert refused.value.code == "not_playable"


def test_length_size_and_time_are_limited(clip):
    with pytest.raises(BadVideo, match="longer than 1 s"):
        probe(clip, limits=VideoLimits(max_seconds=1))
    with pytest.raises(BadVideo, match="a side is the limit"):
        probe(clip, limits=VideoLimits(max_side=100))
    with pytest.raises(BadVideo, match="took longer"):
        probe(clip, limits=VideoLimits(work_seconds=-1))


def test_what_the_tick_raises_ends_the_work(clip):
    class Stop(Exception):
        pass

    def tick():
        raise Stop

    with pytest.raises(Stop):
        probe(clip, tick=tick)


def test_a_turned_video_is_measured_and_drawn_upright(clip, tmp_path):
    path = turned(clip, tmp_path / "turned.mp4")
    result = probe(path)
    assert (result.width, result.height) == (96, 160)
    assert poster(path, tmp_path / "turned.webp") == (96, 160)
    assert preview(path, tmp_path / "preview.mp4") == (96, 160)
    poster(clip, tmp_path / "plain.webp")
    with Image.open(tmp_path / "turned.webp") as got, Image.open(tmp_path / "plain.webp") as plain:
        wanted = plain.convert("RGB").transpose(Image.Transpose.ROTATE_270)
        for place in ((5, 5), (90, 5), (5, 150), (90, 150)):
            pairs = zip(got.convert("RGB").getpixel(place), wanted.getpixel(place), strict=True)
            assert all(abs(a - b) < 20 for a, b in pairs)


def test_the_poster_is_not_black_when_the_video_fades_in(tmp_path):
    path = make_clip(tmp_path / "fade.mp4", seconds=4, black_until=1.5, audio=False)
    poster(path, tmp_path / "poster.webp")
    with Image.open(tmp_path / "poster.webp") as picture:
        assert picture.format == "WEBP"
        assert max(picture.convert("L").getextrema()) > 150


def test_an_all_black_video_still_has_a_poster(tmp_path):
    path = make_clip(tmp_path / "black.mp4", seconds=1, black_until=9)
    assert poster(path, tmp_path / "poster.webp") == (160, 96)


def test_a_webm_has_poster_and_preview(webm_clip, tmp_path):
    assert poster(webm_clip, tmp_path / "poster.webp") == (160, 96)
    assert preview(webm_clip, tmp_path / "preview.mp4") == (160, 96)


def test_the_preview_is_small_silent_short_and_starts_at_once(tmp_path):
    path = make_clip(tmp_path / "noise.mp4", seconds=5, size=(640, 360), rate=24, noise=True)
    assert preview(path, tmp_path / "preview.mp4") == (320, 180)
    made = tmp_path / "preview.mp4"
    assert made.stat().st_size < 300_000
    result = probe(made)
    assert (result.has_audio, result.duration_ms, result.fps) == (False, 4000, 12.0)
    data = made.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(made)) as container:
        assert "Baseline" in container.streams.video[0].codec_context.profile
