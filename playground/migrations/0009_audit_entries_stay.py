"""Audit entries are never changed: a trigger refuses it, except that the account of who did it is deleted.

Older entries get the name of who did it first, which newer ones carry since the migration before.
"""

from typing import Any

from django.db import migrations

TABLE = "playground_auditentry"
STAYS = ("id", "team_id", "by_name", "kind", "data", "at")

SQLITE = f"""
CREATE TRIGGER audit_entry_stays BEFORE UPDATE ON {TABLE}
WHEN NEW.by_id IS NOT NULL OR {" OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in STAYS)}
BEGIN
    SELECT RAISE(ABORT, 'audit entries are not changed');
END
"""

POSTGRESQL = f"""
CREATE FUNCTION audit_entry_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are not changed' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER audit_entry_stays BEFORE UPDATE ON {TABLE} FOR EACH ROW
WHEN (NEW.by_id IS NOT NULL OR {" OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in STAYS)})
EXECUTE FUNCTION audit_entry_stays();
"""


def name_them(apps: Any, schema_editor: Any) -> None:
    entries = apps.get_model("playground", "AuditEntry")._base_manager
    people = apps.get_model("playground", "User")._base_manager
    nameless = entries.filter(by_name="", by__isnull=False)
    for id, name, email in people.filter(id__in=nameless.values("by_id")).values_list("id", "name", "email"):
        nameless.filter(by_id=id).update(by_name=name or email)


def guard(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute(SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRESQL)


def unguard(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("DROP TRIGGER audit_entry_stays")
    else:
        schema_editor.execute(f"DROP TRIGGER audit_entry_stays ON {TABLE}")
        schema_editor.execute("DROP FUNCTION audit_entry_stays()")


class Migration(migrations.Migration):
    dependencies = [("playground", "0007_teams_sharing_and_collections")]

    operations = [
        migrations.RunPython(name_them, migrations.RunPython.noop),
        migrations.RunPython(guard, unguard),
    ]
