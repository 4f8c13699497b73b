"""Shares get their key after they were written, as they get the index that creators read by.

Each row that is written looked its place up in the key, which cost a third of writing shares. Made
at once from all rows of the month it costs a third of that, and still finds a flattr that was
counted twice: then the month cannot be closed. Partitions of before get the same key here.

What a chunk gave each creator is only ever read by month, in the order in which it was written.
"""

from django.db import migrations

KEY = """
DO $$
DECLARE
    found text;
BEGIN
    -- PostgreSQL made up the name.
    SELECT conname INTO STRICT found FROM pg_constraint
    WHERE conrelid = 'payouts_share'::regclass AND contype = 'p';
    EXECUTE format('ALTER TABLE payouts_share DROP CONSTRAINT %I', found);
END $$;
"""

# The role that closes a month owns nothing, so these run with the owner's rights. All they can make
# is a month's partition and its indexes, and a repeat does nothing. Each index is made on one core,
# since the close's own workers take the others.
FUNCTIONS = """
CREATE OR REPLACE FUNCTION payouts_make_share_partition(month date) RETURNS void
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
    -- Made apart and attached, since that lets pages go on reading the other months.
    EXECUTE format('CREATE TABLE public.%I (LIKE public.payouts_share INCLUDING CONSTRAINTS)', name);
    EXECUTE format('ALTER TABLE public.payouts_share ATTACH PARTITION public.%I
        FOR VALUES FROM (%L) TO (%L)', name, month, (month + interval '1 month')::date);
END $$;

-- The patron leads the flattr, so that a patron's page reads one range.
CREATE FUNCTION payouts_key_shares(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET maintenance_work_mem = '128MB' SET max_parallel_maintenance_workers = 0 AS $$
DECLARE
    name text := to_char(month, '"payouts_share_"YYYY_MM');
BEGIN
    EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON public.%I (patron_id, flattr_id)',
        name || '_key', name);
END $$;

CREATE OR REPLACE FUNCTION payouts_index_shares(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET maintenance_work_mem = '128MB' SET max_parallel_maintenance_workers = 0 AS $$
DECLARE
    name text := to_char(month, '"payouts_share_"YYYY_MM');
BEGIN
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON public.%I (creator_id)',
        name || '_creator', name);
END $$;

SELECT payouts_key_shares(to_date(right(relname, 7), 'YYYY_MM'))
FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'payouts_share'::regclass;
"""

REVERSE = """
CREATE OR REPLACE FUNCTION payouts_make_share_partition(month date) RETURNS void
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
    EXECUTE format(
        'CREATE TABLE public.%I (LIKE public.payouts_share INCLUDING CONSTRAINTS INCLUDING INDEXES)',
        name);
    EXECUTE format('ALTER TABLE public.payouts_share ATTACH PARTITION public.%I
        FOR VALUES FROM (%L) TO (%L)', name, month, (month + interval '1 month')::date);
END $$;

CREATE OR REPLACE FUNCTION payouts_index_shares(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    name text := to_char(month, '"payouts_share_"YYYY_MM');
BEGIN
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON public.%I (creator_id, thing_id)',
        name || '_creator', name);
END $$;

DO $$
DECLARE
    part text;
BEGIN
    FOR part IN SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = 'payouts_share'::regclass
    LOOP
        EXECUTE format('DROP INDEX IF EXISTS %I', part || '_key');
    END LOOP;
END $$;
DROP FUNCTION payouts_key_shares(date);
ALTER TABLE payouts_share ADD PRIMARY KEY (patron_id, flattr_id, month);
"""

CHUNKS = """
ALTER TABLE payouts_chunkcreator DROP CONSTRAINT payouts_chunkcreator_pkey;
CREATE INDEX chunk_creator_month ON payouts_chunkcreator USING brin (month_id);
"""

CHUNKS_REVERSE = """
DROP INDEX chunk_creator_month;
ALTER TABLE payouts_chunkcreator ADD PRIMARY KEY (month_id, chunk_id, creator_id, currency);
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0010_analyze_closed")]

    operations = [
        migrations.RunSQL(KEY, migrations.RunSQL.noop),
        migrations.RunSQL(FUNCTIONS, REVERSE),
        migrations.RunSQL(CHUNKS, CHUNKS_REVERSE),
    ]
