"""From a create body to a checked order with its price. Checks run in the order in which a gateway answers."""

from dataclasses import dataclass
from typing import Any

from playground.domain.capabilities import quality_of
from playground.domain.webhooks import why_not_sent_to

from . import settings
from .body import Body, invalid
from .catalogue import I2V, T2V, V2V, BadSize, Price, SandboxModel, find_model, match_size, suggestion
from .faults import fault_in
from .http import ApiError, is_openai

KEY_LIMIT = 256


@dataclass(frozen=True, slots=True)
class Order:
    prompt: str
    model_name: str
    """As asked for; echoed in answers."""
    model: SandboxModel
    provider: str
    mode: str
    seconds: int
    size: str
    """As asked for; echoed in answers."""
    pixels: str
    audio: bool
    count: int
    seed: int
    references: tuple[bytes | str, ...]
    idempotency_key: str
    webhook_url: str
    user: str

    @property
    def fault(self) -> str:
        return fault_in(self.prompt)

    @property
    def price(self) -> Price:
        return self.model.price(
            quality=quality_of(self.pixels), audio=self.audio, mode=self.mode, provider=self.provider
        )

    @property
    def total_micros(self) -> int:
        return self.price.micros * self.seconds * self.count

    def estimate(self) -> dict[str, Any]:
        """The dry-run answer: `unit_price` is in dollars, the totals are in micros."""
        return {
            "estimated": True,
            "model": self.model.slug,
            "provider": self.provider,
            "total_cost_micros": self.total_micros,
            "currency": "USD",
            "components": [
                {
                    "type": "output",
                    "metric": "second",
                    "quantity": self.seconds * self.count,
                    "billable_quantity": self.seconds * self.count,
                    "unit_price": self.price.micros / 1_000_000,
                    "total_cost": self.total_micros,
                }
            ],
        }


def read_order(body: Body) -> Order:
    """Raises ApiError: 400 body, 404 model, 400 mode and values, 400 webhook URL, in this order."""
    fields = body.fields
    prompt = _text(fields, "prompt")
    if not prompt.strip():
        raise invalid("prompt is required")
    name = _text(fields, "model") or ("sora-2" if is_openai() else "")
    if not name:
        raise invalid("model is required")
    key = _text(fields, "idempotency_key")
    if len(key) > KEY_LIMIT:
        raise invalid(f"idempotency_key: Too big: expected string to have <={KEY_LIMIT} characters")
    count = _whole(fields, "n", 1)
    if not 1 <= count <= 4:
        raise invalid("n must be between 1 and 4")
    seed, audio = _whole(fields, "seed", 0), _switch(fields)
    if len(_text(fields, "negative_prompt")) > 5000:
        raise invalid("negative_prompt: Too big: expected string to have <=5000 characters")
    model, provider = _model(name)
    mode = _mode(model, name, body)
    if len(prompt) > model.capabilities.prompt_limit:
        raise invalid(f"prompt: Too big: expected string to have <={model.capabilities.prompt_limit} characters")
    try:
        pixels = match_size(model, {part: _text(fields, part) for part in ("size", "aspect_ratio", "resolution")})
    except BadSize as error:
        raise invalid(str(error)) from error
    return Order(
        prompt=prompt, model_name=name, model=model, provider=provider, mode=mode, seconds=_seconds(model, fields),
        size=_text(fields, "size") or _text(fields, "aspect_ratio") or pixels, pixels=pixels, audio=audio, count=count,
        seed=seed, references=tuple(body.references), idempotency_key=key,
        webhook_url=_webhook_url(fields), user=_text(fields, "user"),
    )  # fmt: skip


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid(f"{name}: expected string")
    if "\x00" in value:
        raise invalid(f"{name}: must not contain a null character")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise invalid(f"{name}: is not valid Unicode") from error
    return value


def _whole(fields: dict[str, Any], name: str, default: int) -> int:
    value = fields.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and len(value) < 20 and value.isascii() and value.removeprefix("-").isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**62:
        raise invalid(f"{name}: expected a whole number")
    return value


def _switch(fields: dict[str, Any]) -> bool:
    value = fields.get("generate_audio", fields.get("audio"))
    if isinstance(value, str) and value.lower() in ("true", "false"):
        value = value.lower() == "true"
    if value is None or isinstance(value, bool):
        return value is not False
    raise invalid("generate_audio: expected boolean")


def _model(name: str) -> tuple[SandboxModel, str]:
    found = find_model(name)
    if found is None:
        near = suggestion(name)
        hint = f". Did you mean '{near}'?" if near else ""
        raise ApiError(404, "MODEL_NOT_FOUND", f"Model '{name}' not found{hint}")
    return found


def _mode(model: SandboxModel, name: str, body: Body) -> str:
    source = body.fields.get("input_video") or body.fields.get("video_url")
    if source and not (isinstance(source, str) and source.startswith("https://")):
        raise invalid("input_video must be an https URL")
    mode = V2V if source else I2V if body.references else T2V
    if mode not in model.modes:
        raise invalid(f"Model '{name}' does not support {mode}. Supported modes: {', '.join(model.modes)}")
    if len(body.references) > max(1, model.capabilities.max_references):
        raise invalid(f"Model '{name}' does not support multiple input images")
    if len(body.references) > 1 and V2V in model.modes:
        return V2V  # several references are priced as reference-to-video
    return mode


def _seconds(model: SandboxModel, fields: dict[str, Any]) -> int:
    name = "seconds" if fields.get("seconds") not in (None, "") else "duration"
    seconds = _whole(fields, name, model.default_seconds)
    lengths = model.capabilities.lengths
    if not lengths.allows(seconds):
        choices = ", ".join(map(str, lengths.choices))
        allowed = f"one of {choices}" if choices else f"between {lengths.minimum} and {lengths.maximum}"
        raise invalid(f"{name} must be {allowed} for model '{model.slug}'")
    return seconds


def _webhook_url(fields: dict[str, Any]) -> str:
    """Empty in the openai profile, whose orders have no such field."""
    url = check_webhook_url(_text(fields, "webhook_url"))
    return "" if is_openai() else url


def check_webhook_url(url: str) -> str:
    """`url` if hooks may be sent there: https, a name and no address, port 443 or 8443, nothing internal."""
    if url and (why := why_not_sent_to(url, loopback=settings.SANDBOX_HOOK_LOOPBACK)):
        raise invalid(f"webhook_url {why}")
    return url
