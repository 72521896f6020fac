from typing import Any

from django.db import migrations, models


def show_pictures_asked_with(apps: Any, schema_editor: Any) -> None:
    """Those of requests for more money, which their settings name."""
    Reference = apps.get_model("playground", "Reference")
    for request in apps.get_model("playground", "BudgetRequest").objects.exclude(settings__references=[]):
        ids = request.settings.get("references", [])
        request.references.set(Reference.objects.filter(id__in=ids, team_id=request.team_id))


class Migration(migrations.Migration):
    dependencies = [
        ("playground", "0012_collections_and_comments_taken_back"),
    ]

    operations = [
        migrations.AddField(
            model_name="budgetrequest",
            name="references",
            field=models.ManyToManyField(
                help_text="Shown to the admins with it.", related_name="budget_requests", to="playground.reference"
            ),
        ),
        migrations.AddField(
            model_name="videorequest",
            name="references",
            field=models.ManyToManyField(
                help_text="Shown to those who may make it.", related_name="video_requests", to="playground.reference"
            ),
        ),
        migrations.AddField(
            model_name="videorequest",
            name="answer",
            field=models.CharField(blank=True, help_text="A word of who declined it.", max_length=280),
        ),
        migrations.AlterField(
            model_name="videorequest",
            name="answered_at",
            field=models.DateTimeField(blank=True, help_text="Made, declined or taken back; null: open.", null=True),
        ),
        migrations.RunPython(show_pictures_asked_with, migrations.RunPython.noop),
    ]
