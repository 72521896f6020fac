"""From a generation's row to what the gateway client takes."""

import functools
from collections.abc import Sequence
from typing import Any, BinaryIO

from playground.domain.parameters import Parameters
from playground.gateway.types import Order, ReferenceFile
from playground.media import storage
from playground.models import Generation, Reference, VideoModel


def body_of(
    *,
    model: VideoModel,
    prompt: str,
    size: str,
    seconds: int,
    negative_prompt: str = "",
    seed: int | None = None,
    audio: bool | None = None,
    route: str = "",
    parameters: Parameters = (),
) -> dict[str, Any]:
    """The order's fields as they are stored and sent, in the gateway's names. Only what was asked for is named.

    `route` asks for one provider, as `provider/slug`.
    """
    slug = f"{route}/{model.slug}" if route else model.slug
    body: dict[str, Any] = {"model": slug, "prompt": prompt, "seconds": seconds, "size": size}
    if negative_prompt:
        body["negative_prompt"] = negative_prompt
    if seed is not None:
        body["seed"] = seed
    if audio is not None:
        body["generate_audio"] = audio
    return body | dict(parameters)


def order_from(*, order_id: str, body: dict[str, Any], files: Sequence[ReferenceFile], key: str | None) -> Order:
    """An order of the stored body. The same row always gives the same bytes."""
    own = {"model", "prompt", "seconds", "size"}
    return Order(
        order_id=order_id,
        model=body["model"],
        prompt=body["prompt"],
        seconds=int(body["seconds"]),
        size=body["size"],
        extra={name: value for name, value in body.items() if name not in own},
        references=tuple(files),
        idempotency_key=key,
    )


def order_of(generation: Generation) -> Order:
    links = generation.generation_references.select_related("reference")
    return order_from(
        order_id=str(generation.id),
        body=generation.body,
        files=[file_of(link.reference) for link in links],
        key=generation.idempotency_key if generation.gateway.honours_idempotency_key else None,
    )


def _open(key: str) -> BinaryIO:
    return storage.open(key)


def file_of(reference: Reference) -> ReferenceFile:
    suffix = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}[reference.content_type]
    return ReferenceFile(
        name=f"reference.{suffix}",
        content_type=reference.content_type,
        size=reference.size_bytes,
        open=functools.partial(_open, reference.key),
    )
