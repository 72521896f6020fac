"""A world in which every text is hostile, and what a page that shows it must not hold."""

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from itertools import cycle
from typing import Any
from urllib.parse import urljoin

from django.apps import apps
from django.db import models

from playground.models import AuditEntry
from tests.walls.corpus import CORPUS

FIELDS = {
    "User": ["name"],
    "Team": ["name"],
    "Gateway": ["name", "paused_reason", "sync_error"],
    "VideoModel": ["name", "owner", "price_note"],
    "TeamModel": ["price_note"],
    "BudgetRequest": ["prompt"],
    "Run": ["prompt"],
    "Generation": ["request_id", "provider", "executed_model", "error_code", "error_message"],
    "Video": ["title", "prompt"],
    "Collection": ["name"],
    "Comment": ["text"],
    "ShareLink": ["name"],
    "ShareMark": ["note"],
    "VideoRequest": ["prompt", "note", "answer"],
}
"""Texts that people or gateways write."""
UNIQUE = {"VideoModel": ["slug"], "Generation": ["upstream_id"]}
"""The same, where no two rows may be alike."""
OURS = {
    "User": {"password", "email"},
    "Team": {"slug", "time_zone"},
    "Invitation": {"email", "token_hash"},
    "SignInLink": {"token_hash"},
    "AuditEntry": {"kind"},
    "Canary": {"sealed"},
    "Rate": {"key"},
    "Gateway": {"slug", "base_url", "webhook_secret", "sealed_key", "key_last4"},
    "Reference": {"key", "original_key", "thumb_key", "content_type", "sha256"},
    "Run": {"submit_token", "body_hash"},
    "Generation": {"hook_token", "output_url", "error_kind"},
    "Event": {"kind", "from_status", "to_status"},
    "Video": {"key", "poster_key", "preview_key", "content_type", "sha256"},
    "Notice": {"kind", "key"},
    "Lease": {"name"},
    "Heartbeat": {"name"},
    "ShareLink": {"token_hash", "password"},
    "SearchDocument": {"text"},
    "WebhookDelivery": {"delivery_id", "kind"},
}
"""Texts that only our own code writes, or that are checked for their form before they are kept."""


def texts_without_a_word() -> list[str]:
    """Text columns that are in neither list: whoever adds one says here what it holds."""
    return [
        f"{model.__name__}.{field.name}"
        for model in apps.get_app_config("playground").get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField) and not field.choices
        if field.name
        not in {*FIELDS.get(model.__name__, []), *UNIQUE.get(model.__name__, []), *OURS.get(model.__name__, ())}
        and (model, field.name) != (AuditEntry, "by_name")
    ]


def packed(length: int | None, supply: Iterator[str]) -> str:
    """As many hostile texts as fit, at least one."""
    room, parts = length or 1500, [next(supply)]
    while sum(map(len, parts)) + len(parts) < room - 120:
        parts.append(next(supply))
    return "\n".join(parts)[:room]


def poison(round: int) -> None:
    """Put hostile text into every row; each round begins at another place of the corpus."""
    start = round * 37 % len(CORPUS)
    supply = cycle(CORPUS[start:] + CORPUS[:start])
    for named in (FIELDS, UNIQUE):
        for name, fields in named.items():
            model = apps.get_model("playground", name)
            for row in model._default_manager.all():
                model._default_manager.filter(pk=row.pk).update(
                    **{field: packed(model._meta.get_field(field).max_length, supply) for field in fields}
                )
    for entry in list(AuditEntry.objects.all()):  # which cannot be changed
        data = within(entry.data, supply)
        AuditEntry.objects.create(team=entry.team, kind=entry.kind, by=entry.by, by_name=packed(254, supply), data=data)
    for name in ("Event", "Notice"):
        model = apps.get_model("playground", name)
        for row in model._default_manager.all():
            if row.data:
                model._default_manager.filter(pk=row.pk).update(data=within(row.data, supply))


def within(value: Any, supply: Iterator[str]) -> Any:
    """The same shape with hostile texts where there were words; ids and codes stay."""
    if isinstance(value, dict):
        return {name: within(one, supply) for name, one in value.items()}
    if isinstance(value, list):
        return [within(one, supply) for one in value]
    return next(supply) if isinstance(value, str) and " " in value else value


VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
PLAIN = frozenset(("title", "option", "textarea"))
"""Holds text and nothing else, whatever stands in it."""


def leads_astray(address: str) -> bool:
    """To a place of the hostile text's choice, or into a script. What stands in a query is only text."""
    before = address.split("?")[0].strip().lower()
    return "/struck/" in before or before.startswith(("javascript:", "vbscript:", "data:text"))


class Page(HTMLParser):
    """Collects what of a page would run or ask."""

    ADDRESSES = frozenset(("src", "href", "action", "formaction", "data", "poster", "srcset", "background", "content"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.bare: list[str] = []
        """Texts of people that htmx would read if they were markup."""
        self.shown: list[str] = []
        """What a reader sees, in pieces."""
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        ignored = any(name == "hx-ignore" for name, _ in attrs) or bool(self._open and self._open[-1][1])
        if tag not in VOID:
            self._open.append((tag, ignored))
        self.shown += [value or "" for name, value in attrs if (tag, name) == ("input", "value")]
        for name, value in attrs:
            struck = "struck" in (value or "")
            if name.startswith(("on", "hx-on", "data-hx-")) or (struck and name.startswith("hx-")):
                self.found.append(f"<{tag} {name}={value!r}>")
            if name in self.ADDRESSES and leads_astray(value or ""):
                self.found.append(f"<{tag} {name}={value!r}>")
            if name == "style":
                self.found.append(f"<{tag} style={value!r}>")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.shown.append(data)
        if "struck" not in data or not self._open:
            return
        within, ignored = self._open[-1]
        if within in ("script", "style"):
            self.found.append(f"<{within}>{data[:200]}")
        elif not ignored and within not in PLAIN:
            self.bare.append(f"{' '.join(tag for tag, _ in self._open[-4:])}: {data.strip()[:80]}")


NEXT = re.compile(r'="([^"]*\?[^"]*\bbefore=[^"]*)"')


def next_page(content: str, here: str) -> str:
    """The address of what is older; empty on the last page."""
    found = (urljoin(here, unescape(one)) for one in NEXT.findall(content))
    return next((one for one in found if one != here), "")


def squeezed(text: str) -> str:
    return " ".join(text.split())


def unseen(texts: list[str], contents: list[str]) -> list[str]:
    """Which of these stand on none of the pages as they were written, by their first letters."""
    shown = "\n".join(squeezed("".join(read(content).shown)) for content in contents)
    return [text for text in texts if squeezed(text)[:40] not in shown]


def read(content: str) -> Page:
    page = Page()
    page.feed(content)
    page.close()
    return page
