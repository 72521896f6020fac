"""The gateway's list of models, read with tolerance.

Documented are four fields; live lists carry many more, in several forms, and a model's parameter schema is described
nowhere. So each fact is looked for in the places where gateways have been seen to put it, and what is not found is
left to the table of known models, then to the defaults of Capabilities.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from playground.domain.capabilities import MAX_SECONDS, Capabilities, Lengths, parse_size
from playground.domain.money import micros_from_dollars, unit_dollars
from playground.gateway.answers import mapping, number, text, whole
from playground.gateway.errors import Unclear
from playground.gateway.known_models import known
from playground.gateway.types import Dialect, ModelInfo

MAX_MODELS = 2000
_VIDEO_NAME = re.compile(r"video|sora|veo-|kling|seedance|pixverse|hailuo|hunyuan-?v|ltx|runway|(t2v|i2v)(-|$)")


def items(data: object) -> list[Mapping[str, Any]]:
    """The entries of a list answer that at least have an id. Raises Unclear when the answer is no list: an empty one
    would mean that every model is gone."""
    found = data if isinstance(data, list) else mapping(data).get("data")
    if not isinstance(found, list):
        raise Unclear("The gateway's answer is not a list of models.", code="no_list")
    return [item for item in found[:MAX_MODELS] if isinstance(item, Mapping) and text(item.get("id"))]


def videos(entries: list[Mapping[str, Any]], dialect: Dialect) -> list[Mapping[str, Any]]:
    """Those that make videos. A bare OpenAI-style proxy says nothing of any model and names them as its owner likes:
    then all are kept, for the team to choose from."""
    chosen = [entry for entry in entries if is_video(entry)]
    if not chosen and dialect is Dialect.OPENAI and not any(_says_anything(entry) for entry in entries):
        return entries
    return chosen


def _says_anything(entry: Mapping[str, Any]) -> bool:
    return any(entry.get(key) for key in ("modes", "tags", "modality", "modalities", "capabilities"))


def is_video(entry: Mapping[str, Any]) -> bool:
    modes, tags = words(entry.get("modes")), words(entry.get("tags"))
    made = words(mapping(entry.get("modalities")).get("output")) | words(entry.get("modality"))
    if any(mode.endswith("-to-video") or mode == "video" for mode in modes):
        return True
    if "video-generation" in tags or "video" in made or any(tag.endswith("-to-video") for tag in tags):
        return True
    if modes or made:
        return False
    slug = text(entry.get("id")).lower()
    return known(slug) is not None or _VIDEO_NAME.search(slug) is not None


def words(value: object) -> set[str]:
    """Lower-case words of a list or of one text."""
    parts: Iterable[object] = value if isinstance(value, list) else (value,)
    return {text(part).lower().replace("_", "-") for part in parts if text(part)}


def model(entry: Mapping[str, Any], schema: object = None) -> ModelInfo:
    """One model from its list entry, its schema if there is one, and what we know ourselves."""
    slug = text(entry.get("id"))
    row = known(slug)
    status = words(entry.get("model_status")) | words(entry.get("status")) | words(entry.get("lifecycle"))
    told = capabilities(entry, schema, row.capabilities if row else None)
    aliases = entry.get("aliases") if isinstance(entry.get("aliases"), list) else []
    return ModelInfo(
        slug=slug,
        name=text(entry.get("name"), 100) or (row.name if row else slug),
        owner=owner(entry) or (row.owner if row else ""),
        aliases=tuple(filter(None, map(text, aliases or ()))) or (row.aliases if row else ()),
        capabilities=told,
        price_note=price_note(entry) or (row.price_note if row else ""),
        retired=bool(status & {"retired", "disabled", "removed", "shutdown", "unavailable"}),
        deprecated=bool(status & {"deprecated", "retiring", "sunset"}) or entry.get("deprecated") is True,
    )


def owner(entry: Mapping[str, Any]) -> str:
    organisation = entry.get("creator_organization")
    name = text(organisation, 100) or text(mapping(organisation).get("name"), 100)
    return name or text(entry.get("owned_by"), 100)


def price_note(entry: Mapping[str, Any]) -> str:
    if entry.get("free") is True:
        return "free"
    price = entry.get("starting_price")
    found = mapping(price)
    micros = micros_from_dollars(found.get("amount", found.get("price")) if found else price)
    if micros is None:
        return text(price, 60)
    unit = text(found.get("unit"), 20).lower() or text(entry.get("starting_price_unit"), 20).lower() or "second"
    return f"from {unit_dollars(micros)} per {unit}"


def tells_capabilities(entry: Mapping[str, Any]) -> bool:
    """False when the model's own schema should be asked for."""
    return bool(properties(entry.get("capabilities")) or properties(entry))


def properties(data: object, depth: int = 3) -> Mapping[str, Any]:
    """The parameters of a schema, wherever it keeps them: a mapping (or list) that has a size or a length in it."""
    found = named(data)
    if not found:
        return {}
    if any(key in found for key in ("size", "sizes", "seconds", "duration", "durations", "lengths")):
        return found
    if depth:
        for key in ("parameters", "properties", "schema", "input_schema", "input", "capabilities", "parameter_schema"):
            inner = properties(found.get(key), depth - 1)
            if inner:
                return inner
    return {}


def named(data: object) -> Mapping[str, Any]:
    """A list of `{name: ...}` parameters as a mapping; a mapping as it is."""
    if isinstance(data, list):
        return {text(mapping(line).get("name")): line for line in data if text(mapping(line).get("name"))}
    return mapping(data)


def capabilities(entry: Mapping[str, Any], schema: object, fallback: Capabilities | None) -> Capabilities | None:
    """What the entry and its schema tell, the gaps filled from `fallback`; None when nobody tells anything."""
    told = properties(entry.get("capabilities")) or properties(entry) or properties(schema)
    modes = words(entry.get("modes")) | words(mapping(schema).get("modes"))
    if not told and not modes & {"text-to-video", "image-to-video"}:
        return fallback
    base = fallback or Capabilities()
    switches = _switches(told, base) if told else (base.negative_prompt, base.seed, base.audio_switch)
    references = told.get("input_reference", told.get("reference_images"))
    takes_images = "image-to-video" in modes if modes else references is not None or base.image_to_video
    most = _limit(references, told, "max_references", ("maxItems", "max_items")) or max(1, base.max_references)
    return Capabilities(
        sizes=_sizes(told.get("size", told.get("sizes"))) or base.sizes,
        lengths=_lengths(told) or base.lengths,
        text_to_video="text-to-video" in modes if modes else base.text_to_video,
        image_to_video=takes_images,
        max_references=most if takes_images else 0,
        prompt_limit=_limit(told.get("prompt"), told, "prompt_limit", ("maxLength", "max_length")) or base.prompt_limit,
        negative_prompt=switches[0],
        seed=switches[1],
        audio_switch=switches[2],
    )


def _switches(told: Mapping[str, Any], base: Capabilities) -> tuple[bool, bool, bool]:
    def has(*names: str, otherwise: bool) -> bool:
        values = [told[name] for name in names if name in told]
        if not values:
            return otherwise and not told.get("prompt")  # a full schema names all it takes
        return any(value is not False and value is not None for value in values)

    return (
        has("negative_prompt", otherwise=base.negative_prompt),
        has("seed", otherwise=base.seed),
        has("generate_audio", "audio_switch", otherwise=base.audio_switch),
    )


def _limit(parameter: object, told: Mapping[str, Any], plain: str, keys: tuple[str, ...]) -> int | None:
    found = mapping(parameter)
    values = [told.get(plain), *(found.get(key) for key in keys)]
    return next((limit for limit in map(whole, values) if limit), None)


def _choices(parameter: object) -> list[object]:
    """What may be chosen: a plain list, or a schema's enum (also one level down in anyOf, oneOf, items)."""
    if isinstance(parameter, list):
        return parameter
    found = mapping(parameter)
    for key in ("enum", "choices", "values", "options", "supported"):
        if isinstance(found.get(key), list):
            return list(found[key])
    for key in ("anyOf", "oneOf"):
        branches = found.get(key)
        for branch in branches if isinstance(branches, list) else ():
            inner = mapping(branch).get("enum")
            if isinstance(inner, list):
                return inner
    return []


def _sizes(parameter: object) -> tuple[str, ...]:
    """Real pixel sizes only. Lists also hold ratios, `auto`, and computed ones with odd sides (1365x768) that no video
    file can have."""
    found = []
    for choice in _choices(parameter):
        pair = parse_size(text(choice))
        if pair and not pair[0] % 2 and not pair[1] % 2:
            found.append(f"{pair[0]}x{pair[1]}")
    if found == ["1024x1024"] and len(_choices(parameter)) > 1:
        return ()  # the one even size of a computed list
    return tuple(dict.fromkeys(found))


def _lengths(told: Mapping[str, Any]) -> Lengths | None:
    for key in ("seconds", "duration", "durations", "lengths"):
        if key not in told:
            continue
        offered = _choices(told[key])
        chosen = sorted({length for length in map(_seconds, offered) if length})
        if chosen:
            return Lengths(choices=tuple(chosen))
        low = _bound(told[key], ("minimum", "min")) or 1
        high = _bound(told[key], ("maximum", "max"))
        if high and low <= high:
            return Lengths(minimum=low, maximum=high)
    return None


def _seconds(value: object) -> int | None:
    length = whole(text(value).removesuffix("s") or value, MAX_SECONDS)
    return length or None


def _bound(parameter: object, keys: tuple[str, ...]) -> int | None:
    found = mapping(parameter)
    values = [found.get(key) for key in keys]
    branches = found.get("anyOf") or found.get("oneOf")
    for branch in branches if isinstance(branches, list) else ():
        values += [mapping(branch).get(key) for key in keys]
    for value in values:
        amount = number(value)
        if amount is not None and 1 <= amount <= MAX_SECONDS:
            return int(amount)
    return None
