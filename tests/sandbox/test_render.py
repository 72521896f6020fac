"""The renderer: the asked size and length, playable tracks, the index first, the same clip for the same prompt."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from playground.sandbox.caption import can_draw, caption_text, draw_words
from playground.sandbox.render import FPS, Clip, render
from playground.sandbox.scene import SCENES, read_scene
from tests.sandbox.test_faults import boxes


def frames(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as clip:
        return [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]


@pytest.mark.parametrize(("width", "height"), [(640, 360), (360, 640), (360, 360), (840, 360)])
@pytest.mark.parametrize("audio", [True, False])
def test_clip_has_the_asked_shape_length_and_tracks(tmp_path: Path, width: int, height: int, audio: bool) -> None:
    size = render(Clip("A quiet lake", width, height, 2, audio=audio), str(tmp_path))
    data = (tmp_path / "video.mp4").read_bytes()
    assert size == len(data)
    names = [name for name, _ in boxes(data)]
    assert names.index("moov") < names.index("mdat")
    with av.open(str(tmp_path / "video.mp4")) as clip:
        video = clip.streams.video[0]
        assert (video.width, video.height, video.frames) == (width, height, 2 * FPS)
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert float(clip.duration or 0) / 1e6 == pytest.approx(2, abs=0.05)
        assert [stream.codec_context.name for stream in clip.streams.audio] == (["aac"] if audio else [])
    with Image.open(tmp_path / "video.webp") as thumbnail:
        assert thumbnail.format == "WEBP"
    with Image.open(tmp_path / "video.jpg") as sheet:
        assert sheet.width == 800


@pytest.mark.parametrize("kind", sorted(SCENES))
def test_every_scene_moves_and_none_is_blank(tmp_path: Path, kind: str) -> None:
    word = SCENES[kind][0]
    assert read_scene(word).kind == kind
    render(Clip(f"{word} in the rain", 320, 180, 1, audio=False), str(tmp_path))
    seen = frames(tmp_path / "video.mp4")
    middle = [frame[60:170].astype(int) for frame in seen]
    assert middle[0].std() > 8
    assert np.abs(middle[-1] - middle[0]).mean() > 0.5


@pytest.mark.parametrize("count", [264, 265])
@pytest.mark.parametrize("has_picture", [True, False])
def test_pictures_of_a_long_clip_stand_twice_as_long_and_it_is_as_long_as_asked(
    tmp_path: Path, count: int, has_picture: bool
) -> None:
    Image.new("RGB", (64, 36), (0, 160, 0)).save(tmp_path / "ref.png")
    reference = str(tmp_path / "ref.png") if has_picture else None
    render(Clip("Hills", 160, 90, count / FPS, reference=reference), str(tmp_path))
    with av.open(str(tmp_path / "video.mp4")) as clip:
        video, sound = clip.streams.video[0], clip.streams.audio[0]
        assert float(video.duration * video.time_base) == pytest.approx(count / FPS, abs=0.001)
        assert float(sound.duration * sound.time_base) == pytest.approx(count / FPS, abs=0.03)
        shown = [round(frame.time * FPS) for frame in clip.decode(video)]
    assert shown == list(range(0, count, 2))


def test_bar_at_the_foot_tells_the_time(tmp_path: Path) -> None:
    render(Clip("Hills", 640, 360, 2, audio=False), str(tmp_path))
    for number, frame in enumerate(frames(tmp_path / "video.mp4")):
        if number % 12 == 0:
            width = int((frame[-2, :, 1] > 128).sum())
            assert width == pytest.approx(640 * number / 48, abs=12)


def test_reference_fills_the_picture_and_moves(tmp_path: Path) -> None:
    picture = Image.new("RGB", (400, 300), (0, 160, 0))
    picture.paste((200, 0, 0), (180, 0, 220, 300))
    picture.save(tmp_path / "ref.png")
    render(Clip("x", 320, 180, 1, audio=False, reference=str(tmp_path / "ref.png")), str(tmp_path))
    seen = frames(tmp_path / "video.mp4")
    first, last = seen[0][120].astype(int), seen[-1][120].astype(int)
    assert abs(first[5, 1] - 160) < 30
    red = [np.flatnonzero(row[:, 0] > row[:, 1]) for row in (first, last)]
    assert len(red[1]) > len(red[0]) > 0, "the picture comes nearer"


def test_reference_is_turned_upright(tmp_path: Path) -> None:
    picture = Image.new("RGB", (320, 180), (0, 0, 200))
    picture.paste((200, 0, 0), (0, 0, 160, 180))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    picture.save(tmp_path / "ref.jpg", exif=exif)
    render(Clip("x", 320, 180, 1, audio=False, reference=str(tmp_path / "ref.jpg")), str(tmp_path))
    row = frames(tmp_path / "video.mp4")[0][120].astype(int)
    assert row[10, 2] > row[10, 0]
    assert row[-10, 0] > row[-10, 2]


def test_same_prompt_gives_the_same_file_and_another_seed_another(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        render(Clip("A fox at night", 320, 180, 1, seed=seed), str(tmp_path), name)
    a, b, c = ((tmp_path / f"{name}.mp4").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize(
    "text", ["A fox, 3/4 view - slow", "Ζέφυρος", "Лиса в снегу", "ثعلب في الثلج", "Füchse & Bären"]
)
def test_captions_in_known_scripts_are_drawn(text: str) -> None:
    assert caption_text(text) == text
    assert not np.array_equal(draw_words(text, 640, 360), draw_words("", 640, 360))


@pytest.mark.parametrize("text", ["雪の中の狐", "หมาจิ้งจอก", "बर्फ में लोमड़ी", "a fox 🦊", "\U0001f98a"])
def test_captions_in_other_scripts_are_left_out_not_boxed(text: str) -> None:
    assert not can_draw(text)
    assert caption_text(text) == ""


def test_odd_prompts_render(tmp_path: Path) -> None:
    for prompt in ("x" * 5000, "\u202e\u200b", "🦊" * 400, "a " * 2000, "\n\n"):
        assert render(Clip(prompt, 64, 36, 1), str(tmp_path)) > 0
