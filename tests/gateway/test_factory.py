"""Which gateway a set of values means."""

from dataclasses import asdict, replace

import pytest

from playground.gateway.declared import dialect_defaults
from playground.gateway.factory import build, config_from, honours_from, is_sandbox
from playground.gateway.types import ConfigError, Dialect, GatewayConfig, checked_base_url
from tests.gateway.fake import KEY


def test_nothing_set_means_the_sandbox_on_this_machine() -> None:
    settings = config_from({"SANDBOX_PORT": 8011})
    assert settings.base_url == "http://127.0.0.1:8011/openai/v1"
    assert (settings.api_key, settings.dialect, settings.allow_loopback) == ("sandbox", Dialect.LUMENFALL, True)
    assert is_sandbox(settings)
    assert settings.native_base_url == "http://127.0.0.1:8011/v1"


def test_a_lumenfall_key_alone_is_enough() -> None:
    settings = config_from({"LUMENFALL_API_KEY": KEY, "GATEWAY_BASE_URL": ""}, version="2.0")
    assert settings.base_url == "https://api.lumenfall.ai/openai/v1"
    assert settings.native_base_url == "https://api.lumenfall.ai/v1"
    assert settings.honours_idempotency_key
    assert settings.dry_run
    assert settings.cancel
    assert not settings.allow_loopback
    assert not is_sandbox(settings)
    assert build(settings).config is settings


@pytest.mark.parametrize(
    ("words", "dialect", "honoured"),
    [
        ("", "openai", set()),
        ("idempotency-key", "openai", {"honours_idempotency_key"}),
        (" Cancel , dry-run,", "openai", {"cancel", "dry_run"}),
        ("nothing", "lumenfall", set()),
    ],
)
def test_gateway_honours_what_it_is_declared_to(words: str, dialect: str, honoured: set[str]) -> None:
    values = {"GATEWAY_BASE_URL": "https://v.example", "GATEWAY_API_KEY": KEY, "GATEWAY_DIALECT": dialect}
    config = config_from(values | {"GATEWAY_HONOURS": words})
    assert {name for name in ("honours_idempotency_key", "dry_run", "cancel") if getattr(config, name)} == honoured


def test_what_is_declared_speaks_of_no_other_gateway() -> None:
    for values in ({"LUMENFALL_API_KEY": KEY}, {}):
        assert config_from(values | {"GATEWAY_HONOURS": "nothing"}).honours_idempotency_key


def test_an_unknown_gateway_is_trusted_with_nothing() -> None:
    settings = config_from({"GATEWAY_BASE_URL": "https://videos.example/v1/", "GATEWAY_API_KEY": KEY})
    assert settings.dialect is Dialect.OPENAI
    assert settings.base_url == "https://videos.example/v1"
    trusted = [settings.honours_idempotency_key, settings.dry_run, settings.cancel, settings.allow_loopback]
    assert trusted == [False] * 4


def test_an_unknown_gateway_is_declared_to_honour_nothing() -> None:
    assert asdict(dialect_defaults(Dialect.OPENAI)) == {
        "honours_idempotency_key": False,
        "key_trusted_s": 0,
        "dry_run": False,
        "cancel": False,
        "request_log": False,
        "webhooks": False,
    }
    assert all(asdict(dialect_defaults(Dialect.LUMENFALL)).values())


@pytest.mark.parametrize(("dialect", "trusted_s"), [("lumenfall", 60), ("openai", 0)])
def test_how_long_a_key_is_trusted_can_be_told_alone(dialect: str, trusted_s: int) -> None:
    values = {"GATEWAY_BASE_URL": "https://v.example/v1", "GATEWAY_KEY_TRUSTED_S": 60}
    assert honours_from(values, Dialect(dialect)).key_trusted_s == trusted_s


def test_how_long_lumenfalls_keys_are_trusted_can_be_told_with_its_key_alone() -> None:
    values = {"LUMENFALL_API_KEY": KEY, "GATEWAY_KEY_TRUSTED_S": 60, "GATEWAY_HONOURS": "nothing"}
    assert honours_from(values, Dialect.LUMENFALL) == replace(dialect_defaults(Dialect.LUMENFALL), key_trusted_s=60)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("https://GW.Example/v1", "https://gw.example/v1"),
        ("HTTPS://gw.example/v1/", "https://gw.example/v1"),
        ("https://gw.example:443/v1", "https://gw.example/v1"),
        (" https://gw.example/v1// ", "https://gw.example/v1"),
        ("https://gw.example:8443/v1", "https://gw.example:8443/v1"),
        ("https://gw.example:80/v1", "https://gw.example:80/v1"),
        ("https://gw.example/V1/Videos", "https://gw.example/V1/Videos"),
        ("http://LOCALHOST:80/v1", "http://localhost/v1"),
        ("http://localhost:443/v1", "http://localhost:443/v1"),
        ("http://[::1]:80/v1", "http://[::1]/v1"),
    ],
)
def test_one_address_is_written_in_one_way(written: str, plain: str) -> None:
    assert config_from({"GATEWAY_BASE_URL": written, "GATEWAY_API_KEY": KEY}).base_url == plain


def test_a_named_gateway_wins_and_never_gets_the_lumenfall_key() -> None:
    with pytest.raises(ConfigError, match="GATEWAY_API_KEY"):
        config_from({"GATEWAY_BASE_URL": "https://videos.example/v1", "LUMENFALL_API_KEY": KEY})


def test_a_gateway_on_this_network_may_be_plain_http() -> None:
    settings = config_from({"GATEWAY_BASE_URL": "http://litellm:4000/v1", "GATEWAY_API_KEY": KEY})
    assert settings.allow_loopback


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"GATEWAY_API_KEY": KEY}, "GATEWAY_BASE_URL"),
        ({"GATEWAY_BASE_URL": "http://videos.example/v1", "GATEWAY_API_KEY": KEY}, "https"),
        ({"GATEWAY_BASE_URL": "videos.example", "GATEWAY_API_KEY": KEY}, "GATEWAY_BASE_URL"),
        ({"GATEWAY_BASE_URL": "https://u:p@videos.example", "GATEWAY_API_KEY": KEY}, "user name"),
        ({"GATEWAY_BASE_URL": "https://videos.example:99999", "GATEWAY_API_KEY": KEY}, "web address"),
        ({"GATEWAY_BASE_URL": "https://v.example", "GATEWAY_API_KEY": KEY, "GATEWAY_DIALECT": "x"}, "GATEWAY_DIALECT"),
        ({"GATEWAY_BASE_URL": "https://v.example", "GATEWAY_API_KEY": KEY, "GATEWAY_HONOURS": "keys"}, "'keys' is not"),
        (
            {"GATEWAY_BASE_URL": "https://v.example", "GATEWAY_API_KEY": KEY, "GATEWAY_HONOURS": "request-log"},
            "dialect",
        ),
        ({"SANDBOX_PORT": "http"}, "SANDBOX_PORT"),
    ],
)
def test_values_that_cannot_work_are_named(values: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        config_from(values)
    assert KEY not in str(caught.value)


def test_plain_http_needs_leave() -> None:
    with pytest.raises(ConfigError):
        GatewayConfig(base_url="http://127.0.0.1:1/v1", api_key=KEY)


@pytest.mark.parametrize("host", ["0177.0.0.1", "2130706433", "127.1", "①②⑦.⓪.⓪.①", "[::ffff:1", "a" * 300, "a..b"])
def test_host_that_readers_read_differently_is_no_address(host):
    with pytest.raises(ConfigError):
        checked_base_url(f"https://{host}/v1", allow_http=False)
