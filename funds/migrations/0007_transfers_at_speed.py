"""The same rules for transfers at less cost (docs/performance.md, The ledger).

- `convert_to` is not immutable, so the id was a function call for each row, twice; this one is
  inlined. In a database in UTF-8 a text without escapes is its own bytes.
- Hardly any transfer has a pending one: the index that lets it resolve once leaves out the others.
- Counters change each month: with half of each page free, a new version of an account stays on
  its page, and no index is touched.
- What belongs to a user is found by the constraint's index, which leads with the user.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

TRANSFER_ID = r"""
DO $$ BEGIN
    IF getdatabaseencoding() <> 'UTF8' THEN
        RAISE EXCEPTION 'the database must be encoded in UTF-8';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION funds_transfer_id(fact text) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN encode(
    substring(sha256(replace(fact, '\', '\\')::bytea) FROM 1 FOR 16), 'hex'
)::uuid;
"""

TRANSFER_ID_REVERSE = """
CREATE OR REPLACE FUNCTION funds_transfer_id(fact text) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN encode(substring(sha256(convert_to(fact, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid;
"""

PENDING_INDEX = """
ALTER TABLE funds_transfer DROP CONSTRAINT funds_transfer_pending_id_key;
CREATE UNIQUE INDEX funds_transfer_pending_id_key ON funds_transfer (pending_id)
    WHERE pending_id IS NOT NULL;
"""

PENDING_INDEX_REVERSE = """
DROP INDEX funds_transfer_pending_id_key;
ALTER TABLE funds_transfer ADD CONSTRAINT funds_transfer_pending_id_key UNIQUE (pending_id);
"""

ROOM = "ALTER TABLE funds_ledgeraccount SET (fillfactor = 50);"
ROOM_REVERSE = "ALTER TABLE funds_ledgeraccount RESET (fillfactor);"


class Migration(migrations.Migration):
    dependencies = [
        ("funds", "0006_lists_by_time"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(TRANSFER_ID, TRANSFER_ID_REVERSE),
        migrations.RunSQL(PENDING_INDEX, PENDING_INDEX_REVERSE),
        migrations.RunSQL(ROOM, ROOM_REVERSE),
        migrations.AlterField(
            model_name="ledgeraccount",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="ledger_accounts",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
