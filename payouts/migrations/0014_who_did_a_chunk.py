"""How many workers are at work on a month is how many of the database's processes did its chunks."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payouts", "0013_shares_follow_from_statements")]

    operations = [
        migrations.AddField(
            model_name="chunk",
            name="done_by",
            field=models.IntegerField(null=True),
        ),
    ]
