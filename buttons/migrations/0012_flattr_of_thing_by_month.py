"""A thing's flattrs are found by month too: who reads a creator's shares looks for one month's."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("buttons", "0011_count_presses")]

    operations = [
        migrations.RemoveIndex(model_name="flattr", name="flattr_of_thing"),
        migrations.AddIndex(
            model_name="flattr",
            index=models.Index(fields=["thing", "state", "month"], name="flattr_of_thing"),
        ),
    ]
