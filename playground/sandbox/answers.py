"""How a job, a model, a request look in JSON, in each of the two profiles."""

from typing import Any

from django.http import HttpRequest

from .catalogue import PROVIDERS, V2V, SandboxModel
from .files import stated_size
from .http import code_for, is_openai
from .job import Job
from .state import jobs

CREATED = 1_767_225_600
"""`created` of every model: 1 January 2026."""


def video(job: Job, request: HttpRequest) -> dict[str, Any]:
    return _openai_video(job) if is_openai() else _lumenfall_video(job, request)


def _common(job: Job) -> dict[str, Any]:
    expires = jobs().expires_at(job)
    return {
        "id": job.id,
        "object": "video",
        "created_at": int(job.created_at),
        "completed_at": int(job.ended_at) if job.ended_at is not None and job.outcome == "completed" else None,
        "expires_at": int(expires) if expires is not None else None,
        "status": job.status(jobs().now()),
        "model": job.model,
        "prompt": job.prompt,
        "seconds": job.seconds,
        "size": job.size,
        "error": {"code": code_for(job.error_code), "message": job.error_message} if job.error_code else None,
    }


def _openai_video(job: Job) -> dict[str, Any]:
    answer = _common(job)
    if answer["status"] == "cancelled":
        answer["status"] = "failed"
    return {**answer, "progress": progress(job), "remixed_from_video_id": None}


def progress(job: Job) -> int:
    """Whole percent, by the clock; 99 until the file is there."""
    if job.outcome == "completed":
        return 100
    now = job.ended_at or jobs().now()
    if now < job.starts_at:
        return 0
    return min(99, max(0, int(100 * (now - job.starts_at) / max(0.001, job.due_at - job.starts_at))))


def _lumenfall_video(job: Job, request: HttpRequest) -> dict[str, Any]:
    answer = {**_common(job), "output": None, "metadata": _metadata(job)}
    if job.outcome == "completed" and job.fault != "missing-output":
        files = [_file(job, index, request) for index in range(job.count)]
        answer["output"] = files[0]
        if job.count > 1:
            answer["data"] = files
    return answer


def _file(job: Job, index: int, request: HttpRequest) -> dict[str, Any]:
    name = f"{job.id}-{index + 1}.mp4" if index else f"{job.id}.mp4"
    return {
        "url": request.build_absolute_uri(f"/media/{job.media_token}/{name}"),
        "content_type": "video/mp4",
        "size_bytes": stated_size(job, index),
    }


def _metadata(job: Job) -> dict[str, Any]:
    """Routing and cost. `cost` is a number of dollars once completed, null for a job that ended otherwise."""
    found: dict[str, Any] = {
        "model": job.slug,
        "executed_model": f"{job.provider}/{job.slug}",
        "provider": job.provider,
        "provider_name": PROVIDERS[job.provider],
        "upstream_id": job.upstream_id,
        "cost_currency": "USD",
    }
    if job.ended_at is None:
        found["cost_estimate"] = job.estimate_micros / 1_000_000
    else:
        found["cost"] = job.final_micros / 1_000_000 if job.outcome == "completed" else None
    return found


def model(item: SandboxModel) -> dict[str, Any]:
    """One entry of `/models`: the four OpenAI fields, and in lumenfall the wider set that its clients read."""
    answer: dict[str, Any] = {"id": item.slug, "object": "model", "created": CREATED, "owned_by": item.maker.lower()}
    if is_openai():
        return answer
    inputs = ["text"] + ["image"] * item.capabilities.image_to_video + ["video"] * (V2V in item.modes)
    tags = ["video-generation", *item.modes] + ["audio-generation"] * item.capabilities.audio_switch
    return {
        **answer,
        "name": item.name,
        "description": f"{item.name} by {item.maker}, imitated by the sandbox",
        "modes": list(item.modes),
        "tags": tags,
        "creator_organization": item.maker,
        "modality": "video",
        "modalities": {"input": inputs, "output": ["video"]},
        "starting_price": item.starting_micros / 1_000_000,
        "starting_price_unit": "second",
        "free": item.starting_micros == 0,
        "aliases": list(item.aliases),
        "alternative_names": [],
        "model_status": item.status,
        "featured": False,
        "providers": list(item.providers),
    }


def schema(item: SandboxModel) -> dict[str, Any]:
    """The parameter schema of one model, after JSON Schema; sizes are true pixel sizes."""
    caps, lengths = item.capabilities, item.capabilities.lengths
    seconds: dict[str, Any] = {"type": "integer", "default": item.default_seconds}
    seconds |= (
        {"minimum": lengths.minimum, "maximum": lengths.maximum} if lengths.is_range else {"enum": [*lengths.choices]}
    )
    properties: dict[str, Any] = {
        "prompt": {"type": "string", "maxLength": caps.prompt_limit},
        "size": {"type": "string", "enum": list(caps.sizes), "default": caps.sizes[0]},
        "seconds": seconds,
        "n": {"type": "integer", "minimum": 1, "maximum": 4, "default": 1},
    }
    if caps.image_to_video:
        properties["input_reference"] = {"type": "array", "maxItems": caps.max_references}
    if caps.negative_prompt:
        properties["negative_prompt"] = {"type": "string", "maxLength": 5000}
    if caps.seed:
        properties["seed"] = {"type": "integer"}
    if caps.audio_switch:
        properties["generate_audio"] = {"type": "boolean", "default": True}
    required = ["prompt", "input_reference"] if caps.needs_reference else ["prompt"]
    return {"id": item.slug, "title": item.name, "type": "object", "properties": properties, "required": required}
