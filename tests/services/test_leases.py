"""Who leads: one at a time, whoever dies, and whatever a clock says."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from playground.services import leases

pytestmark = pytest.mark.django_db


def test_lease_that_is_held_is_nobody_elses_until_it_has_run_out() -> None:
    now, holder, other = timezone.now(), uuid4(), uuid4()
    assert leases.take("x", holder=holder, seconds=5, now=now)
    assert not leases.take("x", holder=other, seconds=5, now=now + timedelta(seconds=4))
    assert leases.free_since("x", now=now + timedelta(seconds=4)) is None
    assert leases.take("x", holder=other, seconds=5, now=now + timedelta(seconds=6))
    assert not leases.renew("x", holder=holder, seconds=5, now=now + timedelta(seconds=6))


def test_lease_of_a_clock_that_was_an_hour_ahead_is_free() -> None:
    now = timezone.now()
    ahead, holder, other = now + timedelta(hours=1), uuid4(), uuid4()
    assert leases.take("x", holder=holder, seconds=5, now=ahead)
    leases.give_back("x", holder=holder, now=ahead)

    assert leases.free_since("x", now=now) == timedelta.max
    assert leases.take("x", holder=other, seconds=5, now=now)
    assert not leases.renew("x", holder=holder, seconds=5, now=ahead)
