"""`EMAIL_URL` works or is refused at the start; the refusal names it and shows no password."""

import pytest

from playground.settings_mail import CONSOLE, checked_sender, mail_settings

pytestmark = pytest.mark.pure

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "ssl", "timeout"),
    [
        ("smtp://mail.example", "mail.example", 25, False, False, 10),
        ("smtp://u:p@mail.example:587/?tls=true", "mail.example", 587, True, False, 10),
        ("smtp://u:p@mail.example/?ssl=true&timeout=5", "mail.example", 465, False, True, 5),
        ("submission://u:p@mail.example", "mail.example", 587, True, False, 10),
        ("submit://mail.example:2525/?tls=false", "mail.example", 2525, False, False, 10),
        ("smtp://[::1]:2525", "::1", 2525, False, False, 10),
    ],
)
def test_mail_server_is_read(url, host, port, tls, ssl, timeout):
    found = mail_settings(url)
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_TIMEOUT"]) == (host, port, timeout)
    assert (found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (tls, ssl)
    assert found["EMAIL_BACKEND"] == "playground.mail_server.EmailBackend"


def test_user_and_password_may_hold_what_an_address_cannot():
    found = mail_settings("smtp://me%40example.com:a%2Fb%23c%3Fd%3A@mail.example")
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("me@example.com", "a/b#c?d:")


@pytest.mark.parametrize("url", ["", "console:", "console://"])
def test_console_writes_to_the_output(url):
    assert mail_settings(url)["EMAIL_BACKEND"] == CONSOLE


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:", "cannot be file"),
        ("file:///var/mails", "cannot be file"),
        ("memory:", "cannot be memory"),
        ("dummy:", "cannot be dummy"),
        ("garbage", "must be an address"),
        ("smtp:", "must be an address"),
        ("smtp://", "must be an address"),
        (f"smtp://me:{SECRET}@", "must be an address"),
        (f"smtp://me:{SECRET}@mail.example:port", "must be an address"),
        (f"smtp://me:{SECRET}@mail..example", "must be an address"),
        (f"smtp://me:{SECRET}@mail.example:0", "must be an address"),
        (f"pigeon://me:{SECRET}@mail.example", "must be an address"),
        (f"smtps://me:{SECRET}@mail.example", "begins with smtps"),
        (f"smtp://me:1/{SECRET}@mail.example", "after its host"),
        (f"smtp://me:1#{SECRET}@mail.example", "after its host"),
        ("smtp://me@mail.example", "without a password"),
        (f"smtp://:{SECRET}@mail.example", "without a user"),
        ("smtp://mail.example/?tls=true&ssl=true", "not both"),
        ("submission://mail.example/?tls=true&ssl=true", "not both"),
        (f"smtp://me:{SECRET}@mail.example:465", "port 465"),
        (f"submission://me:{SECRET}@mail.example:465", "port 465"),
        ("smtp://mail.example/?tls=perhaps", "takes tls=true or tls=false"),
        ("smtp://mail.example/?tsl=true", "knows ssl, tls and timeout"),
        ("smtp://mail.example/?timeout=0", "1 to 30 seconds"),
        ("smtp://mail.example/?timeout=soon", "1 to 30 seconds"),
    ],
)
def test_what_cannot_work_is_refused_by_name_without_the_password(url, why):
    with pytest.raises(ValueError, match="EMAIL_URL") as refused:
        mail_settings(url)
    assert why in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "value", ["nobody", "a@", "@example.com", "a b@example.com", "a@example.com\nBcc: b@x.example"]
)
def test_sender_that_no_server_takes_is_refused(value):
    with pytest.raises(ValueError, match="MAIL_FROM"):
        checked_sender(value, value)


def test_sender_on_this_network_is_taken():
    assert checked_sender("Studio <video@intranet>", "video@intranet") == "Studio <video@intranet>"
