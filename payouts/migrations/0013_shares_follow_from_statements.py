"""Shares are no rows any more: a patron's statement lists what was counted, and they follow from it.

A share's amount depends on what the patron gave, on how many flattrs were counted, and on its place
among them. A row of 76 bytes with two entries in indexes said the same for each flattr; the lists
take 24 bytes, and writing them a third of the time (docs/performance.md, The fourth profile).

What each thing earned is written down when the month is summed up, so that a creator's pages read as
few rows as they show.

What was closed before is carried over, and the migration stops where a share differs from what its
statement says. It runs back too.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models

# 0015 takes the lists apart in another way.
LISTS = """(
    SELECT unnest(s.flattr_ids) AS flattr_id, unnest(s.creator_ids) AS creator_id,
        unnest(s.thing_ids) AS thing_id, generate_subscripts(s.flattr_ids, 1) AS place
) AS r"""

# The rule of the division, and its only place: what was given is divided by the number of flattrs,
# and the left-over micros go one each to the earliest. A patron counts once for a creator: with the
# first flattr of theirs.
VIEW = """
CREATE VIEW payouts_share AS
SELECT s.month_id AS month, s.currency, s.patron_id, r.flattr_id, r.creator_id, r.thing_id, r.place,
    s.given_micros / s.flattrs
        + CASE WHEN r.place <= mod(s.given_micros, s.flattrs) THEN 1 ELSE 0 END AS amount_micros,
    array_position(s.creator_ids, r.creator_id) = r.place AS is_first_of_creator
FROM payouts_patronstatement AS s
CROSS JOIN LATERAL {lists};
""".replace("{lists}", LISTS)

# Before the constraint that holds the lists to the number of flattrs.
CARRY_OVER = """
ALTER TABLE payouts_share RENAME TO payouts_share_before;

UPDATE payouts_patronstatement AS s
SET flattr_ids = b.flattr_ids, creator_ids = b.creator_ids, thing_ids = b.thing_ids
FROM (
    SELECT b.month, b.patron_id, b.currency,
        array_agg(b.flattr_id ORDER BY f.created_at, f.id) AS flattr_ids,
        array_agg(b.creator_id ORDER BY f.created_at, f.id) AS creator_ids,
        array_agg(b.thing_id ORDER BY f.created_at, f.id) AS thing_ids
    FROM payouts_share_before AS b JOIN buttons_flattr AS f ON f.id = b.flattr_id
    GROUP BY b.month, b.patron_id, b.currency
) AS b
WHERE (s.month_id, s.patron_id, s.currency) = (b.month, b.patron_id, b.currency);
"""

SETTLE = """
DO $$ BEGIN
    IF EXISTS (
        SELECT FROM payouts_share_before AS b
        FULL JOIN payouts_share AS s
            ON (s.month, s.patron_id, s.flattr_id) = (b.month, b.patron_id, b.flattr_id)
        WHERE (s.creator_id, s.thing_id, s.currency, s.amount_micros)
            IS DISTINCT FROM (b.creator_id, b.thing_id, b.currency, b.amount_micros)
    ) THEN
        RAISE EXCEPTION 'a share differs from what its statement says: run check_ledger';
    END IF;
END $$;

-- A month that was being summed up is summed up anew, by thing and currency.
CREATE TEMPORARY TABLE half_summed_up ON COMMIT DROP AS
SELECT month_id FROM payouts_chunk WHERE step = 'sum_up'
EXCEPT SELECT month_id FROM payouts_chunk WHERE step = 'pay';
DELETE FROM payouts_creatorstatement WHERE month_id IN (SELECT month_id FROM half_summed_up);
DELETE FROM payouts_chunk
WHERE step = 'sum_up' AND month_id IN (SELECT month_id FROM half_summed_up);

INSERT INTO payouts_thingstatement
    (month_id, creator_id, thing_id, currency, gross_micros, flattrs)
SELECT s.month, s.creator_id, s.thing_id, s.currency, sum(s.amount_micros), count(*)
FROM payouts_share AS s
WHERE s.month IN (SELECT month_id FROM payouts_creatorstatement)
GROUP BY s.month, s.creator_id, s.thing_id, s.currency;

DROP TABLE payouts_share_before;
DROP FUNCTION payouts_make_share_partition(date);
DROP FUNCTION payouts_key_shares(date);
DROP FUNCTION payouts_index_shares(date);

-- There is nothing left to index.
DELETE FROM payouts_chunk WHERE step = 'index';
"""

# Only when a statement was mailed is written after it. A trigger of these columns costs mails nothing.
APPEND_ONLY = """
ALTER TABLE payouts_patronstatement ADD CONSTRAINT patron_statement_of_others
    CHECK (patron_id <> ALL (creator_ids));

CREATE TRIGGER patron_statement_append_only
    BEFORE DELETE OR UPDATE OF id, month_id, patron_id, currency, budget_micros, given_micros,
        flattrs, waiting_flattrs, flattr_ids, thing_ids, creator_ids, created_at
    ON payouts_patronstatement FOR EACH ROW EXECUTE FUNCTION funds_refuse_change();
CREATE TRIGGER thing_statement_append_only BEFORE UPDATE OR DELETE ON payouts_thingstatement
    FOR EACH ROW EXECUTE FUNCTION funds_refuse_change();
"""

APPEND_ONLY_REVERSE = """
DROP TRIGGER thing_statement_append_only ON payouts_thingstatement;
DROP TRIGGER patron_statement_append_only ON payouts_patronstatement;
ALTER TABLE payouts_patronstatement DROP CONSTRAINT patron_statement_of_others;
"""

ANALYZE = """
CREATE OR REPLACE FUNCTION payouts_analyze_closed() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    ANALYZE public.{shares};
    ANALYZE public.payouts_patronstatement;
    ANALYZE public.payouts_creatorstatement;
    ANALYZE public.funds_transfer;
    ANALYZE public.funds_ledgeraccount;
END $$;
"""

# Its tables are read whole or by their keys, so a tenth of the usual sample is enough to plan by.
SAMPLE = "ALTER FUNCTION payouts_analyze_snapshot() SET default_statistics_target = 10;"
SAMPLE_REVERSE = "ALTER FUNCTION payouts_analyze_snapshot() RESET default_statistics_target;"

# As 0008 and 0011 left them.
SETTLE_REVERSE = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM buttons_month WHERE state = 'closing') THEN
        RAISE EXCEPTION 'a month is being closed: let it end first';
    END IF;
END $$;

CREATE TABLE payouts_share_before (
    month date NOT NULL,
    currency varchar(3) NOT NULL,
    patron_id bigint NOT NULL,
    flattr_id bigint NOT NULL,
    creator_id bigint NOT NULL,
    thing_id bigint NOT NULL,
    amount_micros bigint NOT NULL CHECK (amount_micros >= 0),
    CHECK (patron_id <> creator_id)
) PARTITION BY RANGE (month);

CREATE TRIGGER share_append_only BEFORE UPDATE OR DELETE ON payouts_share_before
    FOR EACH ROW EXECUTE FUNCTION funds_refuse_change();

CREATE FUNCTION payouts_make_share_partition(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    name text := to_char(month, '"payouts_share_"YYYY_MM');
BEGIN
    IF month IS NULL OR month <> date_trunc('month', month)::date THEN
        RAISE EXCEPTION '% is not a first day', month USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF to_regclass(format('public.%I', name)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.payouts_share INCLUDING CONSTRAINTS)', name);
    EXECUTE format('ALTER TABLE public.payouts_share ATTACH PARTITION public.%I
        FOR VALUES FROM (%L) TO (%L)', name, month, (month + interval '1 month')::date);
END $$;

CREATE FUNCTION payouts_key_shares(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET maintenance_work_mem = '128MB' SET max_parallel_maintenance_workers = 0 AS $$
DECLARE
    name text := to_char(month, '"payouts_share_"YYYY_MM');
BEGIN
    EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON public.%I (patron_id, flattr_id)',
        name || '_key', name);
END $$;

CREATE FUNCTION payouts_index_shares(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET maintenance_work_mem = '128MB' SET max_parallel_maintenance_workers = 0 AS $$
DECLARE
    name text := to_char(month, '"payouts_share_"YYYY_MM');
BEGIN
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON public.%I (creator_id)',
        name || '_creator', name);
END $$;

-- Its partitions get their rows while the view is still there.
DO $$
DECLARE
    found date;
BEGIN
    FOR found IN SELECT DISTINCT month_id FROM payouts_patronstatement LOOP
        EXECUTE format('CREATE TABLE %I (LIKE payouts_share_before INCLUDING CONSTRAINTS)',
            to_char(found, '"payouts_share_"YYYY_MM'));
        EXECUTE format('ALTER TABLE payouts_share_before ATTACH PARTITION %I
            FOR VALUES FROM (%L) TO (%L)', to_char(found, '"payouts_share_"YYYY_MM'), found,
            (found + interval '1 month')::date);
    END LOOP;
END $$;

INSERT INTO payouts_share_before
    (month, currency, patron_id, flattr_id, creator_id, thing_id, amount_micros)
SELECT month, currency, patron_id, flattr_id, creator_id, thing_id, amount_micros
FROM payouts_share;

DELETE FROM payouts_thingstatement;

SELECT payouts_key_shares(to_date(right(relname, 7), 'YYYY_MM')),
    payouts_index_shares(to_date(right(relname, 7), 'YYYY_MM'))
FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'payouts_share_before'::regclass;
"""

CHUNK_CREATORS = "CREATE INDEX chunk_creator_month ON payouts_chunkcreator USING brin (month_id);"


def cardinality(name: str) -> django.db.models.lookups.Exact:
    listed = models.Func(models.F(name), function="cardinality", output_field=models.IntegerField())
    return django.db.models.lookups.Exact(listed, models.F("flattrs"))


def list_of_ids() -> django.contrib.postgres.fields.ArrayField:
    return django.contrib.postgres.fields.ArrayField(
        base_field=models.BigIntegerField(), default=list, size=None
    )


class Migration(migrations.Migration):
    dependencies = [
        ("buttons", "0012_flattr_of_thing_by_month"),
        ("funds", "0008_sums_at_speed"),
        ("payouts", "0012_snapshot_by_ranges"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ThingStatement",
            fields=[
                ("currency", models.CharField(max_length=3)),
                ("gross_micros", models.BigIntegerField()),
                ("flattrs", models.PositiveIntegerField()),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "month_id",
                        "creator_id",
                        "thing_id",
                        "currency",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "creator",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="thing_statements",
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
                (
                    "thing",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="buttons.thing",
                    ),
                ),
            ],
        ),
        migrations.AddField("patronstatement", "flattr_ids", list_of_ids()),
        migrations.AddField("patronstatement", "thing_ids", list_of_ids()),
        migrations.AddField("patronstatement", "creator_ids", list_of_ids()),
        migrations.RunSQL(CARRY_OVER, "ALTER TABLE payouts_share_before RENAME TO payouts_share;"),
        migrations.RunSQL(VIEW, "DROP VIEW payouts_share;"),
        migrations.RunSQL(SETTLE, SETTLE_REVERSE),
        migrations.AddConstraint(
            model_name="patronstatement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    cardinality("flattr_ids"),
                    cardinality("thing_ids"),
                    cardinality("creator_ids"),
                ),
                name="patron_statement_lists_its_flattrs",
            ),
        ),
        migrations.RunSQL(APPEND_ONLY, APPEND_ONLY_REVERSE),
        migrations.RunSQL(
            ANALYZE.replace("{shares}", "payouts_thingstatement"),
            ANALYZE.replace("{shares}", "payouts_share"),
        ),
        migrations.RunSQL(SAMPLE, SAMPLE_REVERSE),
        migrations.RunSQL("DROP INDEX chunk_creator_month;", CHUNK_CREATORS),
        migrations.DeleteModel(name="ChunkCreator"),
        migrations.AlterField(
            model_name="chunk",
            name="step",
            field=models.CharField(
                choices=[
                    ("snapshot", "Write down"),
                    ("divide", "Divide"),
                    ("sum_up", "Sum up"),
                    ("pay", "Pay"),
                    ("release", "Release"),
                    ("analyze", "Analyze"),
                ],
                max_length=8,
            ),
        ),
    ]
