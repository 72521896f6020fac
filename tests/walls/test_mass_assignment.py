"""A form changes what it has fields for. Whatever else is sent with it, by the name of any column, moves nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.db import models, transaction

from playground.services import gateway_checks, team_gateways
from playground.walls import Actor
from tests.walls import presses, rows
from tests.walls import world as worlds
from tests.walls.test_matrix import MOUNTED

pytestmark = [pytest.mark.django_db, pytest.mark.pure, pytest.mark.thorough]

NOW = datetime.now(UTC)
MARK = "zz-mark"
BESIDES = {
    "is_admin": ["on", "1"],
    "admin": ["on"],
    "cost": ["7777777"],
    "state": ["done", MARK],
    "approved": ["1"],
    "membership": ["1"],
    "members": [MARK],
}
"""What columns could be called."""
IDLE = {
    "create.price": "reads a price",
    "sharing.video_preview": "draws a page",
    "sharing.collection_preview": "draws a page",
    "share_links.preview": "draws a page",
    "shares.unlock": "sets a cookie",
    "account_login": "sets a session",
    "account_logout": "ends a session",
    "account_reauthenticate": "marks a session",
    "usersessions_list": "ends sessions",
    "team_gateways.check": "asks a gateway",
    "team_gateways.check <id>": "asks a gateway",
    "team_gateways.resume": "nothing rests",
    "team_gateways.resume <id>": "nothing rests",
    "team_gateways.use": "is used already",
    "unclear.adopt": "asks a gateway first",
    "account_request_login_code": "sends a mail",
    "account_reset_password": "sends a mail",
    "account_signup": "sends a mail",
    "account_email": "sends a mail",
}
"""What no row is changed by, and why. Steps of signing in need one before them: those are `of_a_step`."""


def of_a_step(name: str) -> bool:
    """Led on from an earlier page, by a key in the session or in the address that is not there."""
    return name.startswith(("mfa_", "account_confirm", "account_reset", "account_set", "socialaccount")) or name in {
        "google_login",
        "github_login",
        "openid_connect_login",
        "signup.finish",
        "welcome.index",
    }


@pytest.fixture
def far(world, monkeypatch) -> dict[str, Any]:
    """One of everything of another team. Gateways answer well, without being asked."""
    monkeypatch.setattr(
        gateway_checks, "ask", lambda config, **how: gateway_checks.CheckResult(ok=True, words="fine", model_count=1)
    )
    monkeypatch.setattr(team_gateways, "check_can_keep", lambda: None)
    return worlds.things(world.members[Actor.OTHER])


def columns(far: dict[str, Any]) -> dict[str, list[str]]:
    """Every column by both its names, with what it could be set to."""
    owner = far["video"].owner_id
    ids = {"User": owner, "Team": far["video"].team_id}
    ids |= {type(thing).__name__: thing.pk for thing in far.values() if isinstance(thing, models.Model)}
    found: dict[str, list[str]] = {name: list(values) for name, values in BESIDES.items()}
    for model in rows.kept():
        for column in model._meta.concrete_fields:
            for name in {column.name, column.attname}:
                mine = found.setdefault(name, [])
                mine.extend(value for value in could_be(column, ids) if value not in mine)
    return found


def could_be(column: models.Field, ids: dict[str, Any]) -> list[str]:
    if column.is_relation:
        to = column.related_model.__name__
        return [str(ids[to])] if to in ids else []
    if column.choices:
        return [str(value) for value, _words in column.choices]
    kinds: list[tuple[Any, list[str]]] = [
        (models.BooleanField, ["on", ""]),
        (models.IntegerField, ["7777777"]),
        (models.DateTimeField, ["2020-02-02T02:02:02+00:00"]),
        (models.DateField, ["2020-02-02"]),
        (models.UUIDField, ["01900000-0000-7000-8000-000000000000"]),
        (models.JSONField, [f'{{"{MARK}": 1}}']),
    ]
    return next((values for kind, values in kinds if isinstance(column, kind)), [f"{MARK}-{column.name}"])


def comes_of(world, name: str, more: dict[str, list[str]] | None, round: int = 0) -> tuple[int, list[str], str]:
    """Status, what moved, and what was written by the press with `more` beside it; all of it is undone."""
    with transaction.atomic():
        base = rows.rows()
        press = presses.press(world, name, MOUNTED[name])
        besides = {one: values[round % len(values)] for one, values in (more or {}).items() if one not in press.own}
        before = rows.rows()
        answer = press.send(**besides)
        came = answer.status_code, *rows.moved(before, rows.rows(), base=base)
        transaction.set_rollback(True)
    return came


FORMS = sorted(set(presses.TAKING_FORMS) - presses.SIGNED_BODY)
"""The place of each says which of its values a column is sent with."""


@pytest.mark.parametrize("name", FORMS)
def test_what_a_form_has_no_field_for_it_does_not_change(world, far, name):
    """And the form alone changes something: else nothing could be seen of what comes beside it."""
    more = {one: values for one, values in columns(far).items() if values and one != "team"}
    assert len(more) > 200
    with time_machine.travel(NOW, tick=False):
        plain = comes_of(world, name, None)
        status, changes, written = comes_of(world, name, more, FORMS.index(name))
    assert plain[1] or name in IDLE or of_a_step(name), plain[0]
    assert MARK not in written
    assert (status, changes) == plain[:2]
