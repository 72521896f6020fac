from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def go_on(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """A link of the owner of a private collection shows what it showed before."""
    links = apps.get_model("playground", "ShareLink").objects.using(editor.connection.alias)
    of_owner = models.Q(collection__owner=models.F("created_by"))
    showing = links.filter(of_owner, collection__visibility="private").values_list("id", flat=True)
    links.filter(id__in=list(showing)).update(shows_private=True)


class Migration(migrations.Migration):
    dependencies = [
        ("playground", "0017_videos_brought_back"),
    ]

    operations = [
        migrations.AddField(
            model_name="sharelink",
            name="shows_private",
            field=models.BooleanField(
                default=False,
                help_text="Of a collection that was its owner's alone when the link was made: what is private too.",
            ),
        ),
        migrations.RunPython(go_on, migrations.RunPython.noop),
    ]
