"""A statement's lists are taken apart by one call instead of four in step.

The same rows as before, for a third less (docs/performance.md, The sixth profile). What is derived
from them stands in 0013 alone.
"""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("payouts.migrations.0013_shares_follow_from_statements")

LISTS = """(
    SELECT flattr_id, creator_id, thing_id, place::integer AS place
    FROM unnest(s.flattr_ids, s.creator_ids, s.thing_ids) WITH ORDINALITY
        AS listed(flattr_id, creator_id, thing_id, place)
) AS r"""

VIEW_REVERSE = BEFORE.VIEW.replace("CREATE VIEW", "CREATE OR REPLACE VIEW")
VIEW = VIEW_REVERSE.replace(BEFORE.LISTS, LISTS)


class Migration(migrations.Migration):
    dependencies = [("payouts", "0014_who_did_a_chunk")]

    operations = [migrations.RunSQL(VIEW, VIEW_REVERSE)]
