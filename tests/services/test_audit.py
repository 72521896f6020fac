"""The audit trail, as it is written."""

import pytest
from django.db import transaction

from playground.models import AuditEntry
from playground.services import audit
from tests import factories

pytestmark = pytest.mark.django_db


def test_entry_names_who_did_what_where():
    member = factories.make_member()
    audit.record("limits_changed", by=member.user, team=member.team, data={"cap_micros": 5_000_000})
    entry = AuditEntry.objects.get()
    assert (entry.kind, entry.by, entry.team) == ("limits_changed", member.user, member.team)
    assert entry.data == {"cap_micros": 5_000_000}


def test_entry_is_gone_with_a_deed_that_was_rolled_back():
    member = factories.make_member()
    with transaction.atomic():
        audit.record("limits_changed", by=member.user, team=member.team)
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()
