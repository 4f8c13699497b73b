"""The ledger's rules, kept by the database whoever writes (docs/architecture.md, The ledger)."""

from django.db import migrations

TRANSFER_ID = """
CREATE FUNCTION funds_transfer_id(fact text) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN encode(substring(sha256(convert_to(fact, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid;

ALTER TABLE funds_transfer
    ADD CONSTRAINT transfer_id_is_of_its_fact CHECK (id = funds_transfer_id(fact));
"""

TRANSFER_ID_REVERSE = """
ALTER TABLE funds_transfer DROP CONSTRAINT transfer_id_is_of_its_fact;
DROP FUNCTION funds_transfer_id(text);
"""

# Which accounts each code may debit and credit: the table of DESIGN section 4.
LEGS = """
CREATE FUNCTION funds_is_leg(code text, debit text, credit text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE code
    WHEN 'top_up' THEN debit = 'stripe_balance' AND credit = 'funds'
    WHEN 'top_up_reversal' THEN debit = 'funds' AND credit = 'stripe_balance'
    WHEN 'processor_fee' THEN debit = 'processor_fees' AND credit = 'stripe_balance'
    WHEN 'month_budget' THEN debit = 'funds' AND credit = 'pot'
    WHEN 'month_revenue' THEN debit = 'pot' AND credit = 'revenue'
    WHEN 'month_fee' THEN debit = 'revenue' AND credit = 'fees'
    WHEN 'reuse' THEN debit = 'revenue' AND credit = 'funds'
    WHEN 'revenue_hold' THEN debit = 'revenue' AND credit = 'revenue_held'
    WHEN 'revenue_release' THEN debit = 'revenue_held' AND credit = 'revenue'
    WHEN 'withdrawal' THEN debit = 'revenue' AND credit = 'stripe_balance'
    WHEN 'withdrawal_return' THEN debit = 'stripe_balance' AND credit = 'revenue'
    WHEN 'dispute' THEN debit = 'funds' AND credit = 'stripe_balance'
    WHEN 'dispute_clawback'
        THEN debit IN ('revenue', 'revenue_held', 'fees') AND credit = 'stripe_balance'
    WHEN 'dispute_loss' THEN debit = 'dispute_losses' AND credit = 'stripe_balance'
    WHEN 'dispute_won' THEN debit = 'stripe_balance'
        AND credit IN ('funds', 'revenue', 'revenue_held', 'fees', 'dispute_losses')
    WHEN 'operator_payout' THEN debit = 'fees' AND credit = 'stripe_balance'
    WHEN 'operator_deposit' THEN debit = 'stripe_balance' AND credit = 'fees'
    WHEN 'correction' THEN true
    ELSE false
END;
"""

LEGS_REVERSE = "DROP FUNCTION funds_is_leg(text, text, text);"

APPEND_ONLY = """
CREATE FUNCTION funds_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: correct it by another transfer', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER transfer_append_only BEFORE UPDATE OR DELETE ON funds_transfer
    FOR EACH ROW EXECUTE FUNCTION funds_refuse_change();
CREATE TRIGGER transfer_no_truncate BEFORE TRUNCATE ON funds_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION funds_refuse_change();
CREATE TRIGGER ledger_account_no_delete BEFORE DELETE ON funds_ledgeraccount
    FOR EACH ROW EXECUTE FUNCTION funds_refuse_change();
CREATE TRIGGER ledger_account_no_truncate BEFORE TRUNCATE ON funds_ledgeraccount
    FOR EACH STATEMENT EXECUTE FUNCTION funds_refuse_change();

-- What an account is never changes: only its counters do.
CREATE TRIGGER ledger_account_identity BEFORE UPDATE OF id, code, currency, user_id, month
    ON funds_ledgeraccount FOR EACH ROW EXECUTE FUNCTION funds_refuse_change();
"""

APPEND_ONLY_REVERSE = """
DROP TRIGGER transfer_append_only ON funds_transfer;
DROP TRIGGER transfer_no_truncate ON funds_transfer;
DROP TRIGGER ledger_account_no_delete ON funds_ledgeraccount;
DROP TRIGGER ledger_account_no_truncate ON funds_ledgeraccount;
DROP TRIGGER ledger_account_identity ON funds_ledgeraccount;
DROP FUNCTION funds_refuse_change();
"""

# One statement-level trigger applies any number of transfers: it checks them, locks the accounts
# in id order, and updates each once. It runs with the owner's rights, because the role that the
# site connects as may not touch a counter.
APPLY = """
CREATE FUNCTION funds_lock_accounts(account_ids bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT id FROM funds_ledgeraccount
    WHERE id = ANY (account_ids) AND user_id IS NOT NULL
    ORDER BY id FOR NO KEY UPDATE;
END;

CREATE FUNCTION funds_apply_transfers() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wrong text;
BEGIN
    SELECT n.fact INTO wrong
    FROM new_rows n
    LEFT JOIN funds_ledgeraccount d ON d.id = n.debit_account_id
    LEFT JOIN funds_ledgeraccount c ON c.id = n.credit_account_id
    WHERE d.id IS NULL OR c.id IS NULL OR d.currency <> c.currency
        OR NOT funds_is_leg(n.code, d.code, c.code)
        OR (n.code IN ('reuse', 'revenue_hold', 'revenue_release') AND d.user_id <> c.user_id)
        OR (d.code = 'pot' AND n.month IS DISTINCT FROM d.month)
        OR (c.code = 'pot' AND n.month IS DISTINCT FROM c.month)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer % does not fit its accounts', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_fits_its_accounts';
    END IF;

    SELECT n.fact INTO wrong
    FROM new_rows n
    LEFT JOIN funds_transfer p ON p.id = n.pending_id
    WHERE n.pending_id IS NOT NULL
        AND (p.phase, p.code, p.debit_account_id, p.credit_account_id, p.amount_micros)
            IS DISTINCT FROM
            ('pending', n.code, n.debit_account_id, n.credit_account_id, n.amount_micros)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer % does not fit the pending one', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_fits_the_pending_one';
    END IF;

    -- Locks first, in id order; the update is a statement of its own, so that it reads what the
    -- transactions waited for have written.
    PERFORM funds_lock_accounts(ARRAY(
        SELECT debit_account_id FROM new_rows UNION SELECT credit_account_id FROM new_rows
    ));

    UPDATE funds_ledgeraccount a
    SET debits_pending_micros = a.debits_pending_micros + m.debits_pending,
        debits_posted_micros = a.debits_posted_micros + m.debits_posted,
        credits_pending_micros = a.credits_pending_micros + m.credits_pending,
        credits_posted_micros = a.credits_posted_micros + m.credits_posted
    FROM (
        SELECT account_id,
            sum(pending) FILTER (WHERE is_debit) AS debits_pending,
            sum(posted) FILTER (WHERE is_debit) AS debits_posted,
            sum(pending) FILTER (WHERE NOT is_debit) AS credits_pending,
            sum(posted) FILTER (WHERE NOT is_debit) AS credits_posted
        FROM (
            SELECT l.account_id, l.is_debit,
                CASE n.phase WHEN 'posted' THEN 0 WHEN 'pending' THEN n.amount_micros
                    ELSE -n.amount_micros END AS pending,
                CASE WHEN n.phase IN ('posted', 'post_pending') THEN n.amount_micros
                    ELSE 0 END AS posted
            FROM new_rows n
            CROSS JOIN LATERAL
                (VALUES (n.debit_account_id, true), (n.credit_account_id, false))
                AS l(account_id, is_debit)
        ) AS legs
        GROUP BY account_id
    ) AS sums
    CROSS JOIN LATERAL (
        SELECT coalesce(sums.debits_pending, 0)::bigint AS debits_pending,
            coalesce(sums.debits_posted, 0)::bigint AS debits_posted,
            coalesce(sums.credits_pending, 0)::bigint AS credits_pending,
            coalesce(sums.credits_posted, 0)::bigint AS credits_posted
    ) AS m
    WHERE a.id = sums.account_id AND a.user_id IS NOT NULL;
    RETURN NULL;
END $$;

CREATE TRIGGER transfer_apply AFTER INSERT ON funds_transfer
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION funds_apply_transfers();

REVOKE ALL ON FUNCTION funds_lock_accounts(bigint[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION funds_apply_transfers() FROM PUBLIC;
"""

APPLY_REVERSE = """
DROP TRIGGER transfer_apply ON funds_transfer;
DROP FUNCTION funds_apply_transfers();
DROP FUNCTION funds_lock_accounts(bigint[]);
"""


class Migration(migrations.Migration):
    dependencies = [("funds", "0001_initial")]

    operations = [
        migrations.RunSQL(TRANSFER_ID, TRANSFER_ID_REVERSE),
        migrations.RunSQL(LEGS, LEGS_REVERSE),
        migrations.RunSQL(APPEND_ONLY, APPEND_ONLY_REVERSE),
        migrations.RunSQL(APPLY, APPLY_REVERSE),
    ]
