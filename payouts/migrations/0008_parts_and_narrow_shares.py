"""Shares as narrow as they can be, and what each chunk gave each creator.

Two columns of four bytes lie beside each other now, without padding, and the key begins with the
patron and the flattr, so that comparing two keys stops at the first difference: the month, which
is the same in a whole partition, comes last. What was written before is copied.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SHARE = """
DROP TRIGGER share_append_only ON payouts_share;
ALTER TABLE payouts_share RENAME TO payouts_share_before;

CREATE TABLE payouts_share (
    month date NOT NULL,
    currency varchar(3) NOT NULL,
    patron_id bigint NOT NULL,
    flattr_id bigint NOT NULL,
    creator_id bigint NOT NULL,
    thing_id bigint NOT NULL,
    amount_micros bigint NOT NULL CHECK (amount_micros >= 0),
    PRIMARY KEY ({key}),
    CHECK (patron_id <> creator_id)
) PARTITION BY RANGE (month);

CREATE TRIGGER share_append_only BEFORE UPDATE OR DELETE ON payouts_share
    FOR EACH ROW EXECUTE FUNCTION funds_refuse_change();

DO $$
DECLARE
    part text;
    ending text;
BEGIN
    FOR part IN SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = 'payouts_share_before'::regclass ORDER BY relname
    LOOP
        ending := right(part, 7);
        EXECUTE format('ALTER TABLE %I RENAME TO %I', part, 'share_before_' || ending);
        PERFORM payouts_make_share_partition(to_date(ending, 'YYYY_MM'));
        EXECUTE format('INSERT INTO payouts_share
            (month, currency, patron_id, flattr_id, creator_id, thing_id, amount_micros)
            SELECT month, currency, patron_id, flattr_id, creator_id, thing_id, amount_micros
            FROM %I', 'share_before_' || ending);
    END LOOP;
END $$;

DROP TABLE payouts_share_before;

-- After the drop, which frees the names of the indexes.
SELECT payouts_index_shares(to_date(right(relname, 7), 'YYYY_MM'))
FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'payouts_share'::regclass;
"""

# A creator's pages read their shares from the table; two numbers that repeat fold into a small
# index, which is made in a fraction of the time.
INDEX = """
CREATE OR REPLACE FUNCTION payouts_index_shares(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    name text := to_char(month, '"payouts_share_"YYYY_MM');
BEGIN
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON public.%I (creator_id, thing_id){include}',
        name || '_creator', name);
END $$;
"""

INCLUDE = " INCLUDE (patron_id, amount_micros, currency)"


def share(key: str) -> str:
    return SHARE.replace("{key}", key)


def index(include: str) -> str:
    return INDEX.replace("{include}", include)


class Migration(migrations.Migration):
    dependencies = [
        ("buttons", "0005_flattr_covering"),
        ("payouts", "0007_figures"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(index(""), index(INCLUDE)),
        migrations.RunSQL(
            share("patron_id, flattr_id, month"), share("month, patron_id, flattr_id")
        ),
        migrations.AlterField(
            model_name="creatorstatement",
            name="month",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="creator_statements",
                to="buttons.month",
            ),
        ),
        migrations.AlterField(
            model_name="patronstatement",
            name="month",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="patron_statements",
                to="buttons.month",
            ),
        ),
        migrations.CreateModel(
            name="ChunkCreator",
            fields=[
                ("currency", models.CharField(max_length=3)),
                ("gross_micros", models.BigIntegerField()),
                ("flattrs", models.PositiveIntegerField()),
                ("patrons", models.PositiveIntegerField()),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "month_id",
                        "chunk_id",
                        "creator_id",
                        "currency",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "chunk",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.chunk",
                    ),
                ),
                (
                    "creator",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "month",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="buttons.month",
                    ),
                ),
            ],
        ),
    ]
