"""All that the database keeps, before a press and after it."""

import re
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection, models

ELSEWHERE = {"sessions", "django_q", "contenttypes", "auth", "admin", "usersessions"}
COUNTERS = {"Rate", "Heartbeat", "Lease"}
RANDOM = {"token_hash", "hook_token", "claim_id", "key", "sealed_key", "slug", "password", "secret"}
"""Drawn anew each time. What a form may not set stands in them neither: that is looked for apart."""
SEALED = re.compile(r"gAAAAA[\w=-]+")
Row = dict[str, Any]
Rows = dict[tuple[str, Any], Row]


def kept() -> list[type[models.Model]]:
    found = apps.get_models()
    return [model for model in found if model._meta.app_label not in ELSEWHERE and model.__name__ not in COUNTERS]


def rows() -> Rows:
    """As the database has them, but for the keys. They are read some thousand times: models would take most of it."""
    found: Rows = {}
    with connection.cursor() as cursor:
        for model in kept():
            fields, pk = model._meta.concrete_fields, model._meta.pk
            columns = ", ".join(f'"{field.column}"' for field in fields)
            cursor.execute(f'SELECT {columns} FROM "{model._meta.db_table}"')
            for values in cursor.fetchall():
                row = dict(zip((field.attname for field in fields), values, strict=True))
                found[model.__name__, pk.to_python(row[pk.attname])] = row
    return found


def moved(before: Rows, after: Rows, *, base: Rows) -> tuple[list[str], str]:
    """What is other, said so that two runs of the same press say the same; and all that was written, as one text.

    `base`: what there was before anything was made for this press.
    """
    new = [pk for _model, pk in (before.keys() | after.keys()) - base.keys()]
    made = {str(pk): "new" for pk in new} | {pk.hex: "new" for pk in new if isinstance(pk, UUID)}
    lines = [f"{model} {made.get(str(pk), pk)} is gone" for model, pk in before.keys() - after.keys()]
    written = []
    for (model, pk), row in after.items():
        was = before.get((model, pk), {})
        changed = {name: value for name, value in row.items() if name not in was or was[name] != value}
        if not changed:
            continue
        written.append(str(changed))
        said = {name: _said(name, value, made) for name, value in sorted(changed.items())}
        lines.append(f"{model} {made.get(str(pk), pk)}: {said}")
    return sorted(lines), "\n".join(written)


def _said(name: str, value: Any, made: dict[str, str]) -> str:
    if name in RANDOM:
        return "set" if value else "empty"
    text = SEALED.sub("sealed", str(value))
    for id, word in made.items():
        if len(id) > 8:
            text = text.replace(id, word)
    return "new" if text in made else text
