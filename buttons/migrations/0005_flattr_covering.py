"""Let one index answer both: once per month, and what a patron flattred in a month.

The month leads, so that a chunk of patrons is one run of the index, read in the order of patrons
and without the table. Flattrs are only added, so the pages are marked as seen by everybody
(which that needs) only if the table is vacuumed for what was inserted.
"""

from django.db import migrations, models

VACUUM_OFTEN = """
ALTER TABLE buttons_flattr SET (autovacuum_vacuum_insert_scale_factor = 0.02);
"""

VACUUM_OFTEN_REVERSE = """
ALTER TABLE buttons_flattr RESET (autovacuum_vacuum_insert_scale_factor);
"""


class Migration(migrations.Migration):
    dependencies = [("buttons", "0004_whole_sites")]

    operations = [
        migrations.RemoveConstraint(model_name="flattr", name="flattr_once_per_month"),
        migrations.AddConstraint(
            model_name="flattr",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "undone"), _negated=True),
                fields=("month", "patron", "thing"),
                include=("id", "created_at", "state"),
                name="flattr_once_per_month",
            ),
        ),
        migrations.RunSQL(VACUUM_OFTEN, VACUUM_OFTEN_REVERSE),
    ]
