"""What a worker process has done before its first order."""

import os
import subprocess
import sys

import pytest
from django.db import DatabaseError

from playground.models import Event, Generation
from playground.services import engine, warmup
from tests.environment import isolated
from tests.media.server import REPOSITORY

AFTER_PRELOADING = """
import ssl, sys, threading
import django
django.setup()
from playground.services import warmup
warmup.preload()
from django.db import connection
assert connection.connection is None, "a connection is open, which a fork would share"
assert threading.active_count() == 1, "a thread runs, which a fork would lose"
loaded = set(sys.modules)
from playground.services import catalogue, collect, housekeeping, slots, submit, sweep
from playground.gateway.wire import tls
ssl.SSLContext.load_verify_locations = None
tls()
assert loaded == set(sys.modules), sorted(set(sys.modules) - loaded)
"""


def test_preloading_leaves_nothing_to_load_for_an_order_and_nothing_that_a_fork_breaks(tmp_path):
    environment = os.environ | isolated(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", AFTER_PRELOADING], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.django_db
def test_warming_opens_the_database_and_writes_nothing(django_assert_max_num_queries):
    with django_assert_max_num_queries(6) as queries:
        warmup.warm_process()
    asked = " ".join(query["sql"] for query in queries.captured_queries)
    assert "SELECT" in asked
    assert "UPDATE" in asked
    assert not Generation.objects.exists()
    assert not Event.objects.exists()


def test_a_database_that_is_away_ends_no_process(monkeypatch):
    tried = []

    def away(*args, **kwargs):
        tried.append(args)
        raise DatabaseError

    monkeypatch.setattr(warmup.submit, "submit_queued", away)
    monkeypatch.setattr(engine, "claim", away)
    warmup.warm_process()

    assert tried
