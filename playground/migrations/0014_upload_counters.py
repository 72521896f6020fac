"""Counters that limits of uploads are kept by; what was uploaded before counts with the size of what is sent of it."""

import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import F, Sum

import playground.models.base


def count_what_is_there(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    references = apps.get_model("playground", "Reference").objects.filter(cut_from=None)
    references.update(stored_bytes=F("size_bytes"))
    totals = references.order_by().values("team_id").annotate(total=Sum("stored_bytes"))
    apps.get_model("playground", "UploadTotal").objects.bulk_create(
        apps.get_model("playground", "UploadTotal")(team_id=row["team_id"], stored_bytes=row["total"]) for row in totals
    )


class Migration(migrations.Migration):
    dependencies = [
        ("playground", "0013_pictures_of_requests"),
    ]

    operations = [
        migrations.CreateModel(
            name="UploadTotal",
            fields=[
                (
                    "team",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="playground.team",
                    ),
                ),
                ("stored_bytes", models.PositiveBigIntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name="reference",
            name="stored_bytes",
            field=models.PositiveBigIntegerField(
                default=0,
                help_text="What it counts for in the team's total: all of its files; 0 for a part of another.",
            ),
        ),
        migrations.CreateModel(
            name="UploadDay",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=playground.models.base.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField(db_index=True)),
                ("sent_bytes", models.PositiveBigIntegerField(default=0)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user", "day"), name="upload_day_once_per_user")],
            },
        ),
        migrations.RunPython(count_what_is_there, migrations.RunPython.noop),
    ]
