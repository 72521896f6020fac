"""When a start may leave the preparing out: only while all of it was done for these files and is there still."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import isolated
from tests.support.installation import ROOT

CHANGES = """
import shutil
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
from django.db import connection

# The product's own files take seconds to compress, and they are prepared six times here.
settings.STATICFILES_DIRS = [settings.BASE_DIR / "static" / "img"]
settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
from playground.management.commands import prepare

def is_needed_after(change):
    change()
    assert not prepare.is_prepared(), change
    call_command("prepare")
    assert prepare.is_prepared(), change

def sql(text):
    def run():
        with connection.cursor() as cursor:
            cursor.execute(text)
    return run

def cut_off():
    collect, prepare.collect_static = prepare.collect_static, lambda: 1 / 0
    try:
        call_command("prepare")
    except ZeroDivisionError:
        prepare.collect_static = collect

def upgrade():
    settings.VERSION = "99"

is_needed_after(lambda: None)
is_needed_after(lambda: call_command("migrate", "sessions", "zero", verbosity=0))
is_needed_after(sql("DROP TABLE cache"))
is_needed_after(lambda: shutil.rmtree(settings.STATIC_ROOT))
is_needed_after(upgrade)
is_needed_after(cut_off)
"""


@pytest.mark.journey
def test_preparing_is_needed_after_every_change_of_what_it_does_and_else_not(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHANGES],
        cwd=ROOT,
        env=os.environ | isolated(tmp_path) | {"DATABASE_URL": f"sqlite:///{tmp_path}/rows.sqlite3"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
