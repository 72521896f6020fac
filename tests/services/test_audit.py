"""The audit trail, as it is written."""

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from playground.models import AuditEntry
from playground.models.audit import AppendOnly
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


def entry_of(member) -> AuditEntry:
    audit.record("limits_changed", by=member.user, team=member.team, data={"a": 1})
    return AuditEntry.objects.get()


def test_entries_are_neither_changed_nor_deleted_by_the_program():
    entry = entry_of(factories.make_member())
    deeds = [
        entry.save,
        entry.delete,
        lambda: AuditEntry.objects.update(kind="other"),
        lambda: AuditEntry.objects.all().delete(),
        lambda: AuditEntry.objects.bulk_update([entry], ["kind"]),
    ]
    for deed in deeds:
        with pytest.raises(AppendOnly):
            deed()


@pytest.mark.parametrize("column", ["kind", "data", "by_name", "at", "team_id", "by_id"])
def test_database_itself_refuses_a_change(column):
    member, other = factories.make_member(), factories.make_member()
    values = {
        "kind": "other",
        "data": {"a": 2},
        "by_name": "Nobody",
        "at": timezone.now(),
        "team_id": None,
        "by_id": other.user_id,
    }
    entry_of(member)
    with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic():
        AuditEntry._base_manager.update(**{column: values[column]})
    assert AuditEntry.objects.get().data == {"a": 1}


def test_name_stays_when_the_account_goes():
    user, team = factories.make_user(name="Anna"), factories.make_team()
    audit.record("limits_changed", by=user, team=team)
    user.delete()
    entry = AuditEntry.objects.get()
    assert (entry.by, entry.by_name) == (None, "Anna")
