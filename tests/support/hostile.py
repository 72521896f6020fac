"""Hostile and odd pictures, made here: what comes to the upload and is taken only where the limits allow it.

Each holds MARK where its format has room for words, so that a test sees whether any of it was kept.
"""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageCms

MARK = b"HOSTILE-PAYLOAD"
SCRIPT = b"<script>alert('" + MARK + b"')</script>"


@dataclass(frozen=True, slots=True)
class Hostile:
    """`taken`: whether it may be a picture of ours afterwards; None: either, as long as nothing else happens."""

    make: Callable[[], bytes]
    taken: bool | None = False
    name: str = "picture.jpg"
    content_type: str = "image/jpeg"


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@cache
def noise(kind: str = "JPEG", size: tuple[int, int] = (200, 150), mode: str = "RGB") -> bytes:
    return encoded(Image.effect_noise(size, 80).convert(mode), kind)


def flat(size: tuple[int, int], kind: str = "PNG", mode: str = "L", **options: object) -> bytes:
    return encoded(Image.new(mode, size), kind, **options)


# --- PNG by hand -------------------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_head(width: int, height: int, *, depth: int = 8, colour: int = 2) -> bytes:
    """A header, a few pixels, and an end."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def png_with(*chunks: bytes) -> bytes:
    """A sound PNG with these right behind its header."""
    sound = noise("PNG")
    return sound[:33] + b"".join(chunks) + sound[33:]


def zeros(megabytes: int) -> bytes:
    """So many, packed."""
    packer = zlib.compressobj(9)
    block = bytes(1_000_000)
    return b"".join([*(packer.compress(block) for _ in range(megabytes)), packer.flush()])


# --- JPEG by hand ------------------------------------------------------------------------------------------------


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg_with(*segments: bytes) -> bytes:
    sound = noise()
    return sound[:2] + b"".join(segments) + sound[2:]


def jpeg_of_told_size(width: int, height: int) -> bytes:
    data = bytearray(noise())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_of_many_scans(count: int) -> bytes:
    """The last scan of a progressive picture over and over: each costs a walk over all of its blocks."""
    data = flat((4096, 4096), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def exif_block(entries: int, *, count: int, kind: int = 2) -> bytes:
    """An IFD whose entries tell of `count` values each, far behind the end, and which is its own next one."""
    body = b"".join(struct.pack(">HHII", 0x9000 + n, kind, count, 0xFFFF) for n in range(entries))
    tiff = b"MM\x00*\x00\x00\x00\x08" + struct.pack(">H", entries) + body + struct.pack(">I", 8)
    return segment(0xE1, b"Exif\0\0" + tiff[:65000])


def placed() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = MARK.decode()
    exif[0x0112] = 6
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[29] = "N", (52.0, 31.0, 0.0), MARK.decode()
    picture = Image.effect_noise((120, 80), 60).convert("RGB")
    return encoded(picture, "JPEG", exif=exif, comment=SCRIPT, xmp=b"<x:xmpmeta>" + SCRIPT, quality=90)


def iptc() -> bytes:
    record = b"\x1c\x02\x78" + struct.pack(">H", len(MARK)) + MARK
    block = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00" + struct.pack(">I", len(record)) + record + b"\0"
    return jpeg_with(segment(0xED, block))


def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def lying_profile() -> bytes:
    """Tags that tell of 4 GB each."""
    data = bytearray(profile())
    tags = struct.unpack(">I", data[128:132])[0]
    for tag in range(tags):
        data[132 + 12 * tag + 8 : 132 + 12 * tag + 12] = b"\xff\xff\xff\xf0"
    return bytes(data)


def large_profile(size: int) -> bytes:
    """A profile of that many bytes, in the pieces that JPEG has for it."""
    data = profile() + bytes(size)
    pieces = [data[at : at + 65000] for at in range(0, len(data), 65000)]
    return jpeg_with(
        *(
            segment(0xE2, b"ICC_PROFILE\0" + bytes((number + 1, len(pieces))) + piece)
            for number, piece in enumerate(pieces)
        )
    )


# --- others ------------------------------------------------------------------------------------------------------


def frames(kind: str, count: int, size: tuple[int, int] = (64, 64)) -> bytes:
    made = [Image.new("RGB", size, (number * 90 % 256, number * 37 % 256, 90)) for number in range(count)]
    return encoded(made[0], kind, save_all=True, append_images=made[1:], duration=20)


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("payload.txt", MARK)
    return buffer.getvalue()


def webp_of_told_size(width: int, height: int) -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (width - 1).to_bytes(3, "little")
    body += (height - 1).to_bytes(3, "little") + noise("WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def svg(inside: bytes) -> bytes:
    return (
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="100" height="100">' + inside + b"</svg>"
    )


def sixteen_bits(colour: int, channels: int, size: int) -> bytes:
    """A PNG of 16 bits a channel, which Pillow does not write."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 16, colour, 0, 0, 0))
    rows = zlib.compress((b"\0" + b"\x7f\xff" * channels * size) * size, 1)
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


BOMBS = {
    "png that tells of 50,000 x 50,000": Hostile(lambda: png_head(50_000, 50_000)),
    "png that tells of two thousand million": Hostile(lambda: png_head(2**31 - 1, 2**31 - 1)),
    "png of no size": Hostile(lambda: png_head(0, 0)),
    "png of 96 megapixels": Hostile(lambda: flat((12_000, 8_000), mode="1")),
    "png of 88 megapixels": Hostile(lambda: flat((11_000, 8_000))),
    "png of 17 megapixels": Hostile(lambda: flat((4090, 4110))),
    "png of one row": Hostile(lambda: flat((4000, 40))),
    "jpeg that tells of 65,500 x 65,500": Hostile(lambda: jpeg_of_told_size(65_500, 65_500)),
    "jpeg of 25 megapixels": Hostile(lambda: flat((5000, 5000), "JPEG")),
    "jpeg of 3,000 scans": Hostile(lambda: jpeg_of_many_scans(3000)),
    "webp that tells of 16,384 x 16,384": Hostile(lambda: webp_of_told_size(16_384, 16_384)),
    "webp that tells of 4,000 x 2,000": Hostile(lambda: webp_of_told_size(4000, 2000)),
    "webp of 12 megapixels": Hostile(lambda: flat((4000, 3000), "WEBP", method=0)),
    "png whose pixels unpack to 300 MB": Hostile(
        lambda: png_head(64, 64)[:33] + chunk(b"IDAT", zeros(300)) + chunk(b"IEND", b""), None
    ),
}
GLUED = {
    "jpeg and zip": Hostile(lambda: noise() + archive(), True),
    "png and zip": Hostile(lambda: noise("PNG") + archive(), True),
    "webp and zip": Hostile(lambda: noise("WEBP") + archive(), None),
    "jpeg and html": Hostile(lambda: noise() + SCRIPT, True, "page.html", "text/html"),
    "png with html in its words": Hostile(lambda: png_with(chunk(b"tEXt", b"Comment\0" + SCRIPT)), True),
    "png with html behind its end": Hostile(lambda: noise("PNG") + SCRIPT, True),
    "png with a chunk of ours": Hostile(lambda: png_with(chunk(b"puNk", MARK * 100)), True),
    "jpeg with php in its comment": Hostile(
        lambda: jpeg_with(segment(0xFE, b"<?php " + MARK + b" ?>")), True, "a.jpg.php"
    ),
    "jpeg that begins as a script": Hostile(lambda: jpeg_with(segment(0xE0, b"*/=" + SCRIPT)), None),
    "two jpegs": Hostile(lambda: noise() + noise(), True),
    "gif and script": Hostile(lambda: b"GIF89a/*" + bytes(40) + b"*/=1;" + SCRIPT, name="a.gif"),
    "zip before a jpeg": Hostile(lambda: archive() + noise()),
    "html before a png": Hostile(lambda: SCRIPT + noise("PNG")),
    "pdf before a jpeg": Hostile(lambda: b"%PDF-1.7\n" + noise()),
}
OTHER_KINDS = {
    "svg": Hostile(lambda: svg(SCRIPT), name="a.svg", content_type="image/svg+xml"),
    "svg that fetches": Hostile(lambda: svg(b'<image href="http://169.254.169.254/"/>')),
    "svg of entities": Hostile(lambda: b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">]>' + svg(b"&a;" * 100)),
    "svg packed": Hostile(lambda: gzip.compress(svg(SCRIPT)), name="a.svgz"),
    "html": Hostile(lambda: b"<!doctype html>" + SCRIPT * 20),
    "eps": Hostile(lambda: noise("EPS"), name="a.eps"),
    "postscript that reads a file": Hostile(lambda: b"%!PS\n(/etc/passwd) (r) file closefile showpage\n"),
    "mvg": Hostile(lambda: b"push graphic-context\nviewbox 0 0 640 480\nfill 'url(https://127.0.0.1/x.jpg)'\n"),
    "msl": Hostile(lambda: b'<?xml version="1.0"?><image><read filename="/etc/passwd"/></image>'),
    "pdf": Hostile(lambda: noise("PDF")),
    "tiff": Hostile(lambda: noise("TIFF")),
    "bmp": Hostile(lambda: noise("BMP")),
    "ico": Hostile(lambda: noise("ICO", (64, 64), "RGBA")),
    "gif": Hostile(lambda: noise("GIF", mode="P")),
    "avif": Hostile(lambda: noise("AVIF")),
    "jpeg 2000": Hostile(lambda: noise("JPEG2000")),
    "pcx": Hostile(lambda: noise("PCX")),
    "tga": Hostile(lambda: noise("TGA")),
    "ppm": Hostile(lambda: noise("PPM")),
    "zip": Hostile(archive),
    "packed jpeg": Hostile(lambda: gzip.compress(noise())),
    "program": Hostile(lambda: b"\x7fELF\x02\x01\x01" + bytes(500)),
    "mp4": Hostile(lambda: b"\x00\x00\x00\x18ftypheic" + bytes(500)),
    "words": Hostile(lambda: MARK * 50),
    "zeros": Hostile(lambda: bytes(5000)),
    "one byte": Hostile(lambda: b"\xff"),
    "nothing": Hostile(lambda: b""),
    "head of a jpeg alone": Hostile(lambda: b"\xff\xd8\xff"),
}
CUT = {
    f"{kind.lower()} cut at {share:.0%}": Hostile(lambda kind=kind, share=share: cut(noise(kind), share))
    for kind in ("JPEG", "PNG", "WEBP")
    for share in (0.02, 0.3, 0.6, 0.95)
} | {"jpeg without its end": Hostile(lambda: noise()[:-2], None)}
MOVING = {
    "webp of 3 frames": Hostile(lambda: frames("WEBP", 3)),
    "webp of 600 frames": Hostile(lambda: frames("WEBP", 600, (32, 32))),
    "apng of 2 frames": Hostile(lambda: frames("PNG", 2)),
    "apng of 600 frames": Hostile(lambda: frames("PNG", 600, (32, 32))),
    "gif of 50 frames": Hostile(lambda: frames("GIF", 50)),
    "apng that tells of 4,000 million frames": Hostile(
        lambda: png_with(chunk(b"acTL", struct.pack(">II", 2**32 - 1, 0))), None
    ),
    "phone picture of two frames": Hostile(lambda: frames("MPO", 2), True),
}
INSIDE = {
    "place, camera, comment, xmp": Hostile(placed, True),
    "iptc": Hostile(iptc, True),
    "cmyk": Hostile(lambda: noise(mode="CMYK"), True),
    "16 bits grey": Hostile(lambda: encoded(Image.fromarray(np.full((64, 64), 32768, np.uint16)), "PNG"), True),
    "16 bits rgb": Hostile(lambda: sixteen_bits(2, 3, 200), True),
    "16 bits rgba of 16 megapixels": Hostile(lambda: sixteen_bits(6, 4, 4096), None),
    "rgba of 16 megapixels": Hostile(lambda: flat((4096, 4096), mode="RGBA"), True),
    "transparent palette": Hostile(lambda: encoded(Image.new("P", (64, 64)), "PNG", transparency=0), True),
    "profile in a jpeg of 8 MB": Hostile(lambda: large_profile(8_000_000), True),
    "profile whose tags lie": Hostile(
        lambda: encoded(Image.new("RGB", (64, 64)), "PNG", icc_profile=lying_profile()), None
    ),
    "profile that unpacks to 200 MB": Hostile(lambda: png_with(chunk(b"iCCP", b"x\0\0" + zeros(200))), None),
    "words that unpack to 300 MB": Hostile(lambda: png_with(chunk(b"zTXt", b"Comment\0\0" + zeros(300))), None),
    "more words that unpack to 300 MB": Hostile(
        lambda: png_with(chunk(b"iTXt", b"Comment\0\x01\0\0\0" + zeros(300))), None
    ),
    "2,000 words": Hostile(
        lambda: png_with(*(chunk(b"zTXt", b"k%d\0\0" % n + zlib.compress(bytes(60_000))) for n in range(2000))), None
    ),
    "100,000 chunks": Hostile(lambda: png_with(*(chunk(b"tEXt", b"a\0b") for _ in range(100_000))), None),
    "exif that tells of gigabytes": Hostile(lambda: jpeg_with(exif_block(200, count=2**31 - 1)), None),
    "exif of 5,000 entries in a circle": Hostile(lambda: jpeg_with(exif_block(5000, count=4)), None),
    "exif that is none": Hostile(lambda: jpeg_with(segment(0xE1, b"Exif\0\0" + MARK * 1000)), None),
    "turned by 99": Hostile(
        lambda: jpeg_with(segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0")),
        True,
    ),
    "20,000 comments": Hostile(lambda: jpeg_with(*(segment(0xFE, MARK) for _ in range(20_000))), True),
}
LABELS = {
    "png called jpg": Hostile(lambda: noise("PNG"), True),
    "jpeg called svg": Hostile(noise, True, "a.svg", "image/svg+xml"),
    "jpeg called html": Hostile(noise, True, "a.html", "text/html"),
    "jpeg called nothing known": Hostile(noise, True, "a", "x/y"),
    "html called jpeg": Hostile(lambda: SCRIPT * 30),
    "path upwards": Hostile(noise, True, "../../../etc/passwd.jpg"),
    "path of windows": Hostile(noise, True, "..\\..\\x.jpg"),
    "name of a script": Hostile(noise, True, "<img src=x onerror=alert(1)>.jpg"),
    "name that turns round": Hostile(noise, True, "gpj.\u202egnp.exe"),
    "name of 300 letters": Hostile(noise, True, "a" * 300 + ".jpg"),
    "name with quotes": Hostile(noise, True, "a'b;c=d.jpg"),
    "name that is a sum": Hostile(noise, True, "=1+1.jpg"),
}
CORPUS: dict[str, Hostile] = BOMBS | GLUED | OTHER_KINDS | CUT | MOVING | INSIDE | LABELS
