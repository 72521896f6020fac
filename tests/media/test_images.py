import hashlib
import io
import os
import signal
import struct
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from django.utils.translation import get_language, override
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from playground.checks import pictures_are_decoded_apart, pictures_are_limited
from playground.media import decoder, decoding, images
from playground.media.images import ImageLimits, ImageRefused, crop_to, normalise
from playground.media.picture_limits import MAX_PIXELS


def encoded(picture, kind, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def corners(size=(120, 80), mode="RGB"):
    """Red, green, blue, white quarters: top left, top right, bottom left, bottom right."""
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    width, height = size
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill="red")
    draw.rectangle((width // 2, 0, width, height // 2 - 1), fill="lime")
    draw.rectangle((0, height // 2, width // 2 - 1, height), fill="blue")
    return picture.convert(mode)


def near(pixel, colour, slack=14):
    return all(abs(a - b) <= slack for a, b in zip(pixel, colour, strict=True))


def quarters(picture):
    width, height = picture.size
    spots = ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))
    return [picture.getpixel((int(width * x), int(height * y))) for x, y in spots]


def looks_like_corners(picture):
    expected = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))
    return all(near(got, wanted) for got, wanted in zip(quarters(picture), expected, strict=True))


def run(data: bytes, tmp_path, **limits):
    return normalise(io.BytesIO(data), tmp_path / "out.jpg", limits=ImageLimits(**limits))


def refusal(data: bytes, tmp_path, **limits) -> str:
    with pytest.raises(ImageRefused) as caught:
        run(data, tmp_path, **limits)
    assert caught.value.message.endswith(".")
    assert not (tmp_path / "out.jpg").exists()
    return caught.value.code


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header_only(width, height):
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")


def animated(kind):
    frames = [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in (0, 90, 200)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_each_accepted_format_becomes_the_same_kind_of_jpeg(kind, tmp_path):
    made = run(encoded(corners(), kind), tmp_path)
    assert (made.width, made.height, made.content_type) == (120, 80, "image/jpeg")
    assert made.original_content_type == f"image/{kind.lower()}"
    data = made.path.read_bytes()
    assert made.sha256 == hashlib.sha256(data).hexdigest()
    assert made.size_bytes == len(data)
    with Image.open(made.path) as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (120, 80))
        assert looks_like_corners(picture)


def test_the_same_picture_gives_the_same_bytes(tmp_path):
    data = encoded(corners(), "PNG")
    assert run(data, tmp_path).sha256 == run(data, tmp_path).sha256


def test_a_path_works_like_a_stream(tmp_path):
    source = tmp_path / "in.bin"
    source.write_bytes(encoded(corners(), "WEBP"))
    assert normalise(source, tmp_path / "a.jpg").sha256 == run(source.read_bytes(), tmp_path).sha256


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_rotation_is_made_upright(orientation, tmp_path):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    as_shot = corners().transpose(undo[orientation]) if orientation in undo else corners()
    exif = Image.Exif()
    exif[0x0112] = orientation
    made = run(encoded(as_shot, "JPEG", exif=exif, quality=95, subsampling=0), tmp_path)
    assert (made.width, made.height) == (120, 80)
    with Image.open(made.path) as picture:
        assert looks_like_corners(picture)


def test_location_comment_and_other_metadata_are_gone(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "CAMERA-MAKER"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 0.0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(
        corners(), "JPEG", exif=exif, comment="<script>alert(1)</script>", icc_profile=profile, xmp=b"<x:xmpmeta/>"
    )
    assert b"CAMERA-MAKER" in data
    assert b"<script>" in data
    stored = run(data, tmp_path).path.read_bytes()
    for trace in (b"Exif", b"CAMERA-MAKER", b"<script>", b"ICC_PROFILE", b"xmpmeta", b"http://ns.adobe.com"):
        assert trace not in stored
    with Image.open(io.BytesIO(stored)) as picture:
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert not picture.getexif()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_comment_is_gone_when_no_colour_is_converted(mode, tmp_path):
    data = encoded(corners(mode=mode), "JPEG", comment="<script>alert(1)</script>")
    assert b"<script>" not in run(data, tmp_path).path.read_bytes()


def test_png_text_is_gone(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "SECRET-PLACE")
    stored = run(encoded(corners(), "PNG", pnginfo=info), tmp_path).path.read_bytes()
    assert b"SECRET-PLACE" not in stored


def test_what_is_glued_behind_a_jpeg_is_gone(tmp_path):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("payload.txt", "PAYLOAD-TEXT")
    stored = run(encoded(corners(), "JPEG") + archive.getvalue(), tmp_path).path.read_bytes()
    assert not zipfile.is_zipfile(io.BytesIO(stored))
    assert b"PAYLOAD-TEXT" not in stored


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_becomes_white(mode, tmp_path):
    picture = Image.new("RGBA", (80, 60), (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle((0, 0, 39, 59), fill=(40, 40, 40, 255))
    made = run(encoded(picture.convert(mode), "PNG"), tmp_path)
    with Image.open(made.path) as result:
        assert near(result.getpixel((70, 30)), (255, 255, 255))
        assert near(result.getpixel((10, 30)), (40, 40, 40))


def test_a_large_transparent_picture_is_shrunk_and_flattened(tmp_path):
    picture = Image.new("RGBA", (900, 500), (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle((0, 0, 449, 499), fill=(200, 30, 30, 255))
    made = run(encoded(picture, "PNG"), tmp_path, output_side=200)
    assert (made.width, made.height) == (200, 111)
    with Image.open(made.path) as result:
        assert near(result.getpixel((40, 100)), (200, 30, 30))
        assert near(result.getpixel((160, 100)), (255, 255, 255))


def test_cmyk_becomes_rgb(tmp_path):
    made = run(encoded(corners(mode="CMYK"), "JPEG", quality=95, subsampling=0), tmp_path)
    with Image.open(made.path) as picture:
        assert picture.mode == "RGB"
        assert looks_like_corners(picture)


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    picture = Image.fromarray(np.full((64, 64), 32768, dtype=np.uint16))
    made = run(encoded(picture, "PNG"), tmp_path)
    with Image.open(made.path) as result:
        assert near(result.getpixel((32, 32)), (128, 128, 128), slack=3)


def test_an_embedded_profile_is_applied(tmp_path):
    primaries = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Swap the red and the green primary of the sRGB profile: red pixels then mean green light.
    tags = {primaries[i : i + 4]: i for i in range(132, 132 + 12 * struct.unpack(">I", primaries[128:132])[0], 12)}
    data = bytearray(primaries)
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red + 4 : red + 12], data[green + 4 : green + 12] = data[green + 4 : green + 12], data[red + 4 : red + 12]
    plain = Image.new("RGB", (64, 64), (255, 0, 0))
    made = run(encoded(plain, "PNG", icc_profile=bytes(data)), tmp_path)
    with Image.open(made.path) as result:
        red_value, green_value, _blue = result.getpixel((32, 32))
        assert green_value > 200 > red_value


def test_a_broken_profile_is_ignored(tmp_path):
    made = run(encoded(corners(), "PNG", icc_profile=b"not a profile" * 30), tmp_path)
    with Image.open(made.path) as picture:
        assert looks_like_corners(picture)


def test_a_phone_picture_with_a_second_frame_is_taken_as_its_first(tmp_path):
    data = encoded(corners(), "MPO", save_all=True, append_images=[Image.new("RGB", (120, 80), "black")])
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "MPO"
    made = run(data, tmp_path)
    assert made.original_suffix == ".jpg"
    with Image.open(made.path) as picture:
        assert looks_like_corners(picture)


def test_a_large_picture_is_shrunk_to_the_longer_side(tmp_path):
    made = run(encoded(Image.new("RGB", (2700, 4050), "teal"), "JPEG"), tmp_path)
    assert (made.width, made.height) == (1365, 2048)


def test_a_small_picture_is_not_enlarged(tmp_path):
    assert run(encoded(Image.new("RGB", (40, 50), "teal"), "PNG"), tmp_path).height == 50


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("empty", "empty"),
        ("html", "unreadable"),
        ("svg", "unreadable"),
        ("pdf", "unreadable"),
        ("eps", "unreadable"),
        ("mvg", "unreadable"),
        ("gif", "unreadable"),
        ("gif with script", "unreadable"),
        ("tiff", "unreadable"),
        ("bmp", "unreadable"),
        ("avif", "unreadable"),
        ("half jpeg", "broken"),
        ("half png", "broken"),
        ("half webp", "broken"),
        ("png without pixels", "broken"),
        ("animated webp", "animated"),
        ("animated png", "animated"),
        ("png bomb header", "too_many_pixels"),
        ("png of 4097 pixels a side", "too_large_side"),
        ("webp of 9 megapixels", "too_many_pixels"),
        ("long strip", "too_narrow"),
        ("tiny", "too_small"),
    ],
)
def test_hostile_and_unfit_files_are_refused_by_cause(name, code, tmp_path):
    assert refusal(hostile(name), tmp_path) == code


def hostile(name: str) -> bytes:
    noise = Image.effect_noise((200, 150), 80).convert("RGB")
    makers = {
        "empty": lambda: b"",
        "html": lambda: b"<!doctype html><script>alert(1)</script>" * 20,
        "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "pdf": lambda: encoded(noise, "PDF"),
        "eps": lambda: encoded(noise, "EPS"),
        "mvg": lambda: b"push graphic-context\nviewbox 0 0 640 480\nfill 'url(https://127.0.0.1/x.jpg)'\n",
        "gif": lambda: encoded(noise, "GIF"),
        "gif with script": lambda: b"GIF89a/*" + b"\0" * 40 + b"*/=1;alert(1)",
        "tiff": lambda: encoded(noise, "TIFF"),
        "bmp": lambda: encoded(noise, "BMP"),
        "avif": lambda: encoded(noise, "AVIF"),
        "half jpeg": lambda: half(encoded(noise, "JPEG")),
        "half png": lambda: half(encoded(noise, "PNG")),
        "half webp": lambda: half(encoded(noise, "WEBP")),
        "png without pixels": lambda: png_header_only(500, 500),
        "animated webp": lambda: animated("WEBP"),
        "animated png": lambda: animated("PNG"),
        "png bomb header": lambda: png_header_only(50_000, 50_000),
        "png of 4097 pixels a side": lambda: encoded(Image.new("1", (4097, 1000)), "PNG"),
        "webp of 9 megapixels": lambda: encoded(Image.new("L", (3000, 3000)), "WEBP", method=0),
        "long strip": lambda: encoded(Image.new("RGB", (900, 100)), "PNG"),
        "tiny": lambda: encoded(Image.new("RGB", (31, 31)), "PNG"),
    }
    return makers[name]()


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("size", "code"),
    [
        ((4096, 4096), ""),
        ((4096, 512), ""),
        ((4096, 511), "too_narrow"),
        ((32, 32), ""),
        ((32, 31), "too_small"),
        ((4097, 4000), "too_large_side"),
    ],
)
def test_header_alone_decides_and_no_pixel_is_decoded(size, code, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("the picture was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    found = ""
    with Image.open(io.BytesIO(png_header_only(*size))) as picture:
        try:
            decoder.check(picture, ImageLimits())
        except decoder.Refused as refused:
            found = refused.facts["code"]
    assert found == code


def test_progressive_jpeg_has_a_lower_limit_since_it_is_held_whole(tmp_path):
    picture = Image.new("RGB", (300, 200), "teal")
    table = {"JPEG": 100_000, "progressive JPEG": 50_000}
    assert run(encoded(picture, "JPEG"), tmp_path, max_pixels=table).width == 300
    (tmp_path / "out.jpg").unlink()
    assert refusal(encoded(picture, "JPEG", progressive=True), tmp_path, max_pixels=table) == "too_many_pixels"


def test_the_byte_limit_counts_the_last_byte(tmp_path):
    data = encoded(corners(), "PNG")
    assert run(data, tmp_path, max_bytes=len(data)).width == 120
    (tmp_path / "out.jpg").unlink()
    assert refusal(data, tmp_path, max_bytes=len(data) - 1) == "too_large"


def test_pillow_itself_is_under_the_same_limit():
    assert max(images.LIMITS.max_pixels.values()) == MAX_PIXELS == Image.MAX_IMAGE_PIXELS == 4096 * 4096
    with pytest.raises((Image.DecompressionBombWarning, Image.DecompressionBombError)):
        Image.open(io.BytesIO(png_header_only(4097, 4096)))


def test_whoever_lifts_the_limit_of_pillow_is_found_out_at_the_start(monkeypatch):
    with warnings.catch_warnings():
        decoder.arm()
        assert pictures_are_limited(None) == []
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**9)
        assert [found.id for found in pictures_are_limited(None)] == ["playground.E003"]
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", MAX_PIXELS)
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        assert [found.id for found in pictures_are_limited(None)] == ["playground.E003"]


def test_deployment_check_tries_the_decoder(monkeypatch):
    assert pictures_are_decoded_apart(None) == []
    monkeypatch.setattr(decoding, "COMMAND", ("/bin/false",))
    assert [found.id for found in pictures_are_decoded_apart(None)] == ["playground.E004"]


def test_thumbnail_is_a_small_webp(tmp_path):
    normalise(io.BytesIO(encoded(corners((1200, 800)), "PNG")), tmp_path / "out.jpg", thumb=tmp_path / "thumb.webp")
    with Image.open(tmp_path / "thumb.webp") as picture:
        assert (picture.format, picture.size) == ("WEBP", (320, 213))
        assert looks_like_corners(picture)


def test_crop_to_cuts_the_box_out(tmp_path):
    made = run(encoded(corners((200, 200)), "PNG"), tmp_path)
    cut = crop_to(made.path, tmp_path / "cut.jpg", (100, 0, 100, 100))
    assert (cut.width, cut.height) == (100, 100)
    with Image.open(cut.path) as picture:
        assert near(picture.getpixel((50, 50)), (0, 255, 0))
    with pytest.raises(ValueError, match="outside"):
        crop_to(made.path, tmp_path / "cut.jpg", (101, 0, 100, 100))


def test_refusals_are_in_the_language_of_the_request(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "_", lambda text: f"[{get_language()}] {text}")
    with override("de"), pytest.raises(ImageRefused) as refused:
        run(b"no picture", tmp_path)
    assert refused.value.message.startswith("[de]")


def test_a_forked_process_can_decode_too(tmp_path):
    data = encoded(corners(), "PNG")
    run(data, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if run(data, tmp_path).width == 120 else 1)
    assert os.waitpid(child, 0)[1] == 0
