"""Shares: one partition for each month, append-only (docs/architecture.md, The close)."""

from django.db import migrations

SHARE = """
CREATE TABLE payouts_share (
    month date NOT NULL,
    patron_id bigint NOT NULL,
    flattr_id bigint NOT NULL,
    creator_id bigint NOT NULL,
    thing_id bigint NOT NULL,
    amount_micros bigint NOT NULL CHECK (amount_micros >= 0),
    currency varchar(3) NOT NULL,
    -- The patron leads the flattr, so that the chunks write runs of keys and a patron's page reads
    -- one range.
    PRIMARY KEY (month, patron_id, flattr_id),
    CHECK (patron_id <> creator_id)
) PARTITION BY RANGE (month);

CREATE TRIGGER share_append_only BEFORE UPDATE OR DELETE ON payouts_share
    FOR EACH ROW EXECUTE FUNCTION funds_refuse_change();
"""

SHARE_REVERSE = "DROP TABLE payouts_share;"

# The role that closes a month owns nothing, so these two run with the owner's rights. All they
# can make is a month's partition and its index, and a repeat does nothing.
PARTITIONS = """
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
    -- Made apart and attached, since that lets pages go on reading the other months.
    EXECUTE format(
        'CREATE TABLE public.%I (LIKE public.payouts_share INCLUDING CONSTRAINTS INCLUDING INDEXES)',
        name);
    EXECUTE format('ALTER TABLE public.payouts_share ATTACH PARTITION public.%I
        FOR VALUES FROM (%L) TO (%L)', name, month, (month + interval '1 month')::date);
END $$;

CREATE FUNCTION payouts_index_shares(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    name text := to_char(month, '"payouts_share_"YYYY_MM');
BEGIN
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON public.%I (creator_id, thing_id)
        INCLUDE (patron_id, amount_micros, currency)', name || '_creator', name);
END $$;
"""

PARTITIONS_REVERSE = """
DROP FUNCTION payouts_index_shares(date);
DROP FUNCTION payouts_make_share_partition(date);
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0002_close"), ("funds", "0002_ledger")]

    operations = [
        migrations.RunSQL(SHARE, SHARE_REVERSE),
        migrations.RunSQL(PARTITIONS, PARTITIONS_REVERSE),
    ]
