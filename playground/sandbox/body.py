"""Reads a create body, JSON or multipart, into plain fields and a list of reference images.

Image URLs are never fetched: a server that fetches what it is told to is a way into its network. Only their scheme is
checked; files and data URIs are decoded and must be images.
"""

import base64
import binascii
import io
import json
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from PIL import Image

from .http import ApiError

REFERENCE_NAME = re.compile(r"input_reference(?:\[(\d*)\])?(?:\[image_url\])?")
SINGLE_NAMES = ("input_image", "image_url")
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MAX_PIXELS = 50_000_000
BAD_IMAGE = "Invalid image file provided"


@dataclass
class Body:
    fields: dict[str, Any] = field(default_factory=dict)
    references: list[bytes | str] = field(default_factory=list)
    """Image bytes, or an https URL as it came."""


def invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_REQUEST", message)


def read_body(request: HttpRequest) -> Body:
    """The create body of `request`. Raises ApiError 400 (malformed, bad image) or 415 (other content type)."""
    kind = (request.content_type or "").lower()
    if kind == "application/json":
        return _read_json(request.body)
    if kind == "multipart/form-data":
        return _read_multipart(request)
    raise ApiError(415, "INVALID_REQUEST", "Content-Type must be application/json or multipart/form-data")


def _read_json(raw: bytes) -> Body:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise invalid("Request body is not valid JSON") from error
    if not isinstance(data, dict):
        raise invalid("Request body must be a JSON object")
    given = data.pop("input_reference", None)
    values = given if isinstance(given, list) else [] if given is None else [given]
    values += [data.pop(name) for name in SINGLE_NAMES if data.get(name)]
    return Body(data, [_reference(value) for value in values])


def _read_multipart(request: HttpRequest) -> Body:
    body = Body()
    found: list[tuple[int, bytes | str]] = []
    for name, files in request.FILES.lists():
        found.extend((_position(name), _image(_bytes_of(file))) for file in files)
    for name, texts in request.POST.lists():
        if REFERENCE_NAME.fullmatch(name) or name in SINGLE_NAMES:
            found.extend((_position(name), _reference(_maybe_json(text))) for text in texts)
        elif match := re.fullmatch(r"metadata\[(.+)\]", name):
            body.fields.setdefault("metadata", {})[match[1]] = texts[-1]
        else:
            body.fields[name] = texts[-1]
    body.references = [value for _, value in sorted(found, key=lambda item: item[0])]
    return body


def _position(name: str) -> int:
    """The index in `input_reference[N]`; unnumbered parts keep their order behind each other."""
    match = REFERENCE_NAME.fullmatch(name)
    if match is None and name not in SINGLE_NAMES:
        raise invalid(f"Unexpected file part '{name}'")
    return int(match[1]) if match and match[1] else 0


def _bytes_of(file: "UploadedFile[Any]") -> bytes:
    data = file.read()
    assert isinstance(data, bytes)
    return data


def _maybe_json(text: Any) -> Any:
    """Some clients send an object as a text part; anything else stays text."""
    if isinstance(text, str) and text.startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _reference(value: Any) -> bytes | str:
    if isinstance(value, dict):
        value = value.get("image_url")
        if isinstance(value, dict):
            value = value.get("url")
    if not isinstance(value, str) or not value:
        raise invalid("input_reference must hold an image_url")
    if value.startswith("https://"):
        return value
    if not value.startswith("data:"):
        raise invalid("image_url must be an https URL or a data URI")
    head, _, data = value.partition(",")
    if not re.fullmatch(r"data:image/[a-z0-9.+-]+;base64", head, re.IGNORECASE):
        raise invalid(BAD_IMAGE)
    try:
        return _image(base64.b64decode(data, validate=True))
    except binascii.Error as error:
        raise invalid(BAD_IMAGE) from error


def _image(data: bytes) -> bytes:
    """`data` if it decodes as an image of a known format and a sane size; raises ApiError 400."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=IMAGE_FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise invalid("Image has too many pixels")
                image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise invalid(BAD_IMAGE) from error
    return data
