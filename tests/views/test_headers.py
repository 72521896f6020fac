"""What every answer says to the browser: pages, fragments, files, refusals and faults alike."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from django.conf import settings as real_settings
from django.db import OperationalError
from django.test import Client

from playground.models import Role
from playground.rate_limits import Limit
from tests import factories
from tests.support.installation import ROOT, prepared_data
from tests.views.test_forgery import ADDRESSES

pytestmark = [pytest.mark.django_db, pytest.mark.pure]

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "object-src": "'none'",
}
SAID = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    "Server": "playground",
}
NEVER = ("Traceback", "site-packages", str(ROOT), "Django", "WSGIRequest", "granian", "python", "sqlite", "psycopg")


def policy_of(answer) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts if name}


def wrongs(answer) -> list[str]:
    """What an answer should say and does not."""
    found = [name for name, value in SAID.items() if answer.headers.get(name, "").lower() != value.lower()]
    if policy_of(answer) != POLICY:
        found.append("Content-Security-Policy")
    if answer.headers.get("Referrer-Policy") not in {"same-origin", "no-referrer"}:
        found.append("Referrer-Policy")
    if "camera=()" not in answer.headers.get("Permissions-Policy", ""):
        found.append("Permissions-Policy")
    if answer.headers.get("Content-Type", "").startswith("text/html") and "HX-Request" not in answer.headers["Vary"]:
        found.append("Vary")
    return found


@pytest.mark.parametrize("who", ["visitor", "member", "admin"])
def test_every_address_says_it_whatever_the_answer(who, browser_of, member, admin):
    browser = browser_of({"visitor": None, "member": member, "admin": admin}[who])
    browser.raise_request_exception = False
    answers = {name: browser.get(path) for name, path in ADDRESSES.items()}
    assert {name: wrongs(answer) for name, answer in answers.items() if wrongs(answer)} == {}
    assert {answer.status_code for answer in answers.values()} >= {200, 405, 410}


def test_pages_of_a_person_are_kept_from_other_peoples_caches(browser_of, member):
    for path in ("/", "/create/", "/gallery/", "/runs/", "/spend/", "/notices/"):
        answer = browser_of(member).get(path, follow=True)
        assert "Cookie" in answer.headers["Vary"]
        assert {"private", "no-cache"} <= set(answer.headers["Cache-Control"].split(", "))


def faults(browser_of, member, monkeypatch, settings):
    """Each kind of refusal and fault, by its status."""
    browser = browser_of(member)
    browser.raise_request_exception = False
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "price": Limit(1, 60)}
    browser.post("/create/price/")
    yield 400, browser.get("/", headers={"Host": "evil.example"})
    yield 400, browser.generic("POST", "/create/", b"no parts", content_type="multipart/form-data")
    yield 403, Client(enforce_csrf_checks=True).post("/account/login/")
    yield 404, browser.get("/nothing/")
    yield 413, browser.post("/create/", {"prompt": "x" * 2_000_000})
    yield 429, browser.post("/create/price/")
    with monkeypatch.context() as patch:
        patch.setattr("playground.views.create.Draft.from_data", lambda *_: 1 / 0)
        yield 500, browser.get("/create/")
    with monkeypatch.context() as patch:

        def away(*_given):
            raise OperationalError("database is locked")

        patch.setattr("playground.views.create.Draft.from_data", away)
        patch.setattr("playground.views.create.draft_of_link", away)
        yield 503, browser.get("/create/")


def test_refusals_and_faults_say_it_too_and_tell_nothing_of_the_inside(browser_of, member, monkeypatch, settings):
    for status, answer in faults(browser_of, member, monkeypatch, settings):
        assert answer.status_code == status
        assert wrongs(answer) == [], status
        assert [word for word in NEVER if word.lower() in answer.text.lower()] == [], status
        assert real_settings.VERSION not in re.sub(r"<script[^>]*>|<link[^>]*>", "", answer.text), status
        if status in {429, 503}:
            assert int(answer.headers["Retry-After"]) > 0


def test_page_for_strangers_names_no_version(client):
    factories.make_user()
    for path in ("/account/login/", "/sign-in/x/"):
        assert real_settings.VERSION not in client.get(path).text


def test_there_is_no_admin_site(browser_of, db):
    """Rows are changed by services alone; the queue's tables have no form anywhere."""
    assert not [name for name in real_settings.INSTALLED_APPS if "admin" in name]
    user = factories.make_user()
    user.is_staff = user.is_superuser = True
    user.save()
    browser = browser_of(factories.make_member(user=user, role=Role.ADMIN))
    for path in ("/admin/", "/admin/login/", "/admin/django_q/schedule/add/", "/django-admin/"):
        assert browser.get(path).status_code == 404


ASK = """
import json, os, sys
import django
django.setup()
from django.conf import settings
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
from django.test import Client
from playground.models import User
User.objects.create_user("a@example.com", "a long enough password")
client = Client(HTTP_HOST=os.environ["PUBLIC_URL"].partition("://")[2])
secure = os.environ["PUBLIC_URL"].startswith("https")
page = client.get("/account/login/", secure=secure)
plain = client.get("/account/login/", secure=False)
healthy = client.get("/healthz", secure=False)
sent = {"login": "a@example.com", "password": "a long enough password"}
done = client.post("/account/login/", sent, secure=secure)
print(json.dumps({
    "cookies": {name: dict(morsel) for name, morsel in (page.cookies | done.cookies).items()},
    "hsts": page.headers.get("Strict-Transport-Security"),
    "plain": [plain.status_code, plain.headers.get("Location")],
    "healthy": healthy.status_code,
}))
"""


def told_with(public_url: str, folder) -> dict:
    """What a fresh installation with this address answers."""
    given = {
        "PUBLIC_URL": public_url,
        "PLAYGROUND_DATA": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/x.sqlite3",
        "LOG_LEVEL": "ERROR",
    }
    shutil.copyfile(prepared_data() / "playground.sqlite3", folder / "x.sqlite3")
    command = [sys.executable, "-c", ASK]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "playground.settings", "SECRET_KEY": "x" * 40} | given
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def test_with_https_cookies_are_bound_to_the_host_and_plain_requests_are_redirected(tmp_path):
    told = told_with("https://videos.example.com", tmp_path)
    session, csrf = told["cookies"]["__Host-session"], told["cookies"]["__Host-csrf"]
    for cookie in (session, csrf):
        assert (cookie["secure"], cookie["path"], cookie["domain"], cookie["samesite"]) == (True, "/", "", "Lax")
    assert session["httponly"] is True
    assert session["max-age"] == 14 * 24 * 3600
    assert told["hsts"] == "max-age=31536000; includeSubDomains; preload"
    assert told["plain"] == [301, "https://videos.example.com/account/login/"]
    assert told["healthy"] == 200


def test_without_https_cookies_work_on_this_machine_and_no_browser_is_told_to_insist(tmp_path):
    told = told_with("http://localhost:8000", tmp_path)
    session = told["cookies"]["session"]
    assert (bool(session["secure"]), session["httponly"], session["samesite"]) == (False, True, "Lax")
    assert "csrf" in told["cookies"]
    assert told["hsts"] is None
    assert told["plain"] == [200, None]
