"""System checks: what must hold before the first request."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register


@register(deploy=True)
def gateway_is_complete(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A gateway address without a key, or a key without an address, is a broken set-up and said so."""
    if settings.GATEWAY_BASE_URL and not settings.GATEWAY_API_KEY:
        return [Error("GATEWAY_BASE_URL is set but GATEWAY_API_KEY is not.", id="playground.E001")]
    if settings.GATEWAY_API_KEY and not settings.GATEWAY_BASE_URL:
        return [Error("GATEWAY_API_KEY is set but GATEWAY_BASE_URL is not.", id="playground.E002")]
    return []


@register(Tags.database)
def database_keeps_what_it_wrote(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """`manage.py check --database default`, and each `migrate`, say when a crash of the server may cost an order."""
    from playground.services import durability

    if "default" not in (databases or ()) or not (why := durability.doubts()):
        return []
    return [Warning(why, id="playground.W001")]


@register()
def pictures_are_limited(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Pillow refuses by itself, before decoding, what is larger than our limits, whoever opens a picture."""
    from playground.media import decoder

    if decoder.is_armed() and set(decoder.FORMATS) == {"JPEG", "PNG", "WEBP"}:
        return []
    return [Error("Pillow does not refuse pictures that are over our limits.", id="playground.E003")]


@register(deploy=True)
def pictures_are_decoded_apart(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The child process that decodes pictures starts here, takes a small one and refuses a bomb."""
    from playground.media import rehearsal

    return [Error(why, id="playground.E004")] if (why := rehearsal.problem()) else []


@register(deploy=True)
def pictures_are_decoded_behind_a_filter(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    from playground.media import rehearsal

    return [Warning(why, id="playground.W004")] if (why := rehearsal.doubt()) else []


@register(Tags.database)
def stored_secrets_can_be_opened(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """`manage.py check --database default` says when the keys in the environment are not those that sealed."""
    from playground.services import sealed

    if "default" not in (databases or ()) or not (why := sealed.known_problem()):
        return []
    return [Warning(why, id="playground.W002")]


@register(deploy=True)
def stored_secrets_have_keys_of_their_own(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if settings.SECRETS_KEYS:
        return []
    return [Warning("SECRETS_KEYS is not set, so no team can connect a gateway of its own.", id="playground.W003")]
