"""Stored secrets and their keys: moved, rotated, missing, wrong, lost; and never sent or replaced by mistake."""

from io import StringIO
from typing import Any

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import models
from django.test import Client

from playground.gateway.types import ConfigError, GatewayConfig
from playground.models import AuditEntry, Canary, Gateway, User
from playground.secret_keys import secret_keys
from playground.services import backup, sealed, sealing
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "lmnfl_some_key_of_a_team"


@pytest.fixture
def own() -> Gateway:
    return factories.make_gateway(
        is_sandbox=False,
        team=factories.make_team(),
        sealed_key=sealing.seal(KEY),
        webhook_secret=sealing.seal("whsec_1"),
    )


def new_key() -> str:
    return Fernet.generate_key().decode()


def test_rotation_seals_everything_anew_and_the_old_key_is_useless(settings: Any, own: Gateway) -> None:
    sealed.at_start()
    old, settings.SECRETS_KEYS = settings.SECRETS_KEYS, [new_key(), *settings.SECRETS_KEYS]
    out = StringIO()
    call_command("rotate_secrets", stdout=out)

    assert "Sealed 3 secrets anew" in out.getvalue()
    own.refresh_from_db()
    settings.SECRETS_KEYS = settings.SECRETS_KEYS[:1]
    assert (sealing.unseal(own.sealed_key), sealing.unseal(own.webhook_secret)) == (KEY, "whsec_1")
    assert sealed.problem() == ""
    settings.SECRETS_KEYS = old
    for value in (own.sealed_key, own.webhook_secret, Canary.objects.get().sealed):
        with pytest.raises(sealing.Unreadable):
            sealing.unseal(value)
    assert AuditEntry.objects.get(kind="secrets_rotated").data == {"anew": 3, "unreadable": 0}


APP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def careful() -> User:
    """Somebody with an app and recovery codes, the first of which is used."""
    user = factories.make_member().user
    TOTP.activate(user, APP_SECRET)
    codes = RecoveryCodes.activate(user)
    assert codes.validate_code(codes.generate_codes()[0])
    return user


def of_app(user: User) -> str:
    """The secret as it is read to look at a code."""
    app = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
    return str(get_adapter().decrypt(app.data["secret"]))


def unused_codes(user: User) -> list[str]:
    codes = Authenticator.objects.get(user=user, type=Authenticator.Type.RECOVERY_CODES)
    return RecoveryCodes(codes).get_unused_codes()


def test_second_factors_go_on_when_the_key_is_changed(settings: Any, careful: User) -> None:
    sealed.at_start()
    codes = unused_codes(careful)
    settings.SECRETS_KEYS = [new_key(), *settings.SECRETS_KEYS]
    out = StringIO()
    call_command("rotate_secrets", stdout=out)
    settings.SECRETS_KEYS = settings.SECRETS_KEYS[:1]

    assert "Sealed 3 secrets anew" in out.getvalue()
    assert sealed.problem() == ""
    assert of_app(careful) == APP_SECRET
    assert unused_codes(careful) == codes


def test_second_factors_of_before_there_were_keys_do_not_hang_on_secret_key(settings: Any) -> None:
    keys, settings.SECRETS_KEYS = settings.SECRETS_KEYS, []
    user = factories.make_member().user
    TOTP.activate(user, APP_SECRET)
    settings.SECRETS_KEYS = keys
    assert sealed.at_start() == ""

    settings.SECRET_KEY = "another secret of this installation, long enough"
    assert of_app(user) == APP_SECRET


def test_key_that_is_missing_for_second_factors_alone_is_said(settings: Any, careful: User, caplog: Any) -> None:
    settings.SECRETS_KEYS = [new_key()]
    assert "2 secrets of second factors cannot be read" in sealed.at_start()
    assert not Canary.objects.exists()
    assert of_app(careful) != APP_SECRET
    assert "SECRETS_KEYS" in next(str(row.msg) for row in caplog.records if "second_factor_unreadable" in str(row.msg))


def test_who_has_a_second_factor_that_no_key_opens_is_named_when_it_is_given_up(settings: Any, careful: User) -> None:
    readable = factories.make_member().user
    sealed.at_start()
    settings.SECRETS_KEYS = [new_key()]
    TOTP.activate(readable, APP_SECRET)
    out = StringIO()
    call_command("rotate_secrets", "--forget-unreadable", stdout=out)

    assert f"No second factor any more, and signed out everywhere: {careful.email}" in out.getvalue()
    assert "Forgot 2 secrets" in out.getvalue()
    assert readable.email not in out.getvalue()
    assert [row.user for row in Authenticator.objects.all()] == [readable]
    assert AuditEntry.objects.get(kind="second_factor_reset").data["user"] == str(careful.id)
    assert sealed.problem() == ""


def test_rotation_done_twice_changes_nothing_more(own: Gateway) -> None:
    sealed.at_start()
    assert sealed.reseal() == sealed.Resealed(anew=0, were=3)


def test_what_secret_key_sealed_opens_and_is_moved_to_a_key_of_its_own(settings: Any) -> None:
    """An installation of before there was SECRETS_KEYS."""
    keys, settings.SECRETS_KEYS = settings.SECRETS_KEYS, []
    gateway = factories.make_gateway(webhook_secret=sealing.seal("whsec_old"))
    assert sealed.at_start() == ""
    settings.SECRETS_KEYS = keys
    assert sealing.unseal(gateway.webhook_secret) == "whsec_old"
    assert sealed.at_start() == ""

    gateway.refresh_from_db()
    settings.SECRET_KEY = "another secret of this installation, long enough"
    assert sealing.unseal(gateway.webhook_secret) == "whsec_old"
    assert sealed.problem() == ""


@pytest.mark.parametrize("keys", [[], [Fernet.generate_key().decode()]], ids=["missing", "wrong"])
def test_wrong_or_missing_key_is_said_and_replaces_nothing(
    settings: Any, own: Gateway, caplog: Any, keys: list[str]
) -> None:
    assert sealed.at_start() == ""
    before = (Gateway.objects.get(id=own.id).sealed_key, Canary.objects.get().sealed)
    settings.SECRETS_KEYS = keys

    said = sealed.at_start()
    assert said.startswith("SECRETS_KEYS ")
    assert "1 keys of gateways cannot be read" in said
    assert "stored_secrets_cannot_be_opened" in caplog.text
    assert (Gateway.objects.get(id=own.id).sealed_key, Canary.objects.get().sealed) == before
    ready = Client().get("/readyz").json()
    assert ready["secrets"] == said
    warned = StringIO()
    call_command("check", databases=["default"], stderr=warned)
    assert "SECRETS_KEYS" in warned.getvalue()


def test_first_start_with_a_wrong_key_makes_no_canary(settings: Any, own: Gateway) -> None:
    settings.SECRETS_KEYS = [new_key()]
    assert "SECRETS_KEYS does not open 1" in sealed.at_start()
    assert not Canary.objects.exists()


def test_canary_that_got_lost_is_made_again_only_while_all_opens(settings: Any, own: Gateway) -> None:
    sealed.at_start()
    Canary.objects.all().delete()
    assert sealed.at_start() == ""
    assert Canary.objects.count() == 1


def test_key_that_is_lost_for_good_can_be_given_up_by_hand_alone(settings: Any, own: Gateway) -> None:
    sealed.at_start()
    settings.SECRETS_KEYS = [new_key()]
    with pytest.raises(CommandError, match="--forget-unreadable"):
        call_command("rotate_secrets", stdout=StringIO())
    own.refresh_from_db()
    assert own.sealed_key
    out = StringIO()
    call_command("rotate_secrets", "--forget-unreadable", stdout=out)
    own.refresh_from_db()
    assert (own.sealed_key, own.webhook_secret) == ("", "")
    assert "Forgot 2 secrets" in out.getvalue()
    assert sealed.problem() == ""


def test_rotation_without_a_key_of_its_own_says_which_is_missing(settings: Any) -> None:
    settings.SECRETS_KEYS = []
    with pytest.raises(CommandError, match="SECRETS_KEYS is not set"):
        call_command("rotate_secrets")


def test_sealed_text_is_refused_as_a_key() -> None:
    with pytest.raises(ConfigError) as refused:
        GatewayConfig(base_url="https://gw.example/v1", api_key=sealing.seal(KEY))
    assert "gAAAA" not in str(refused.value)


def test_every_column_that_is_sealed_is_rotated() -> None:
    """By the help text that such a column has."""
    from django.apps import apps

    said = {
        (model, field.name)
        for model in apps.get_app_config("playground").get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.TextField) and (field.help_text.startswith("Sealed") or "sealed" in field.name)
    }
    assert said == set(sealed.COLUMNS)


def test_keys_are_read_with_commas_and_a_broken_one_is_named_by_its_place() -> None:
    first, second = new_key(), new_key()
    assert secret_keys("SECRETS_KEYS", f" {first}, {second},") == [first, second]
    assert secret_keys("SECRETS_KEYS", "") == []
    with pytest.raises(ValueError, match=r"SECRETS_KEYS: key 2 of 2") as wrong:
        secret_keys("SECRETS_KEYS", f"{first},{second[:-3]}")
    assert second[:10] not in str(wrong.value)


def test_backup_with_keys_holds_those_that_open_it(settings: Any) -> None:
    settings.SECRETS_KEYS = [new_key(), new_key()]
    assert f"SECRETS_KEYS={','.join(settings.SECRETS_KEYS)}" in backup.keys_in_use().decode()
