"""Counters and sums at less cost (docs/performance.md, The fourth profile).

- `sum(bigint)` keeps 128 bits for each group, since it could overflow, and gives a `numeric`. Amounts
  in micro-units stay far below 64 bits, and this one raises where they do not; without rows it is 0.
- What a pending transfer's end refers to is compared with it by the trigger, and no transfer is ever
  deleted: looking it up once more cost each transfer, also those that end none.
"""

import re

import django.db.models.deletion
from django.db import migrations, models

SUM = """
CREATE AGGREGATE funds_sum(bigint) (
    SFUNC = int8pl, STYPE = bigint, INITCOND = '0', COMBINEFUNC = int8pl, PARALLEL = SAFE
);
"""

SUM_REVERSE = "DROP AGGREGATE funds_sum(bigint);"

APPLY = """
CREATE OR REPLACE FUNCTION funds_apply_transfers() RETURNS trigger
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
    SET debits_pending_micros = a.debits_pending_micros + sums.debits_pending,
        debits_posted_micros = a.debits_posted_micros + sums.debits_posted,
        credits_pending_micros = a.credits_pending_micros + sums.credits_pending,
        credits_posted_micros = a.credits_posted_micros + sums.credits_posted
    FROM (
        SELECT account_id,
            funds_sum(pending) FILTER (WHERE is_debit) AS debits_pending,
            funds_sum(posted) FILTER (WHERE is_debit) AS debits_posted,
            funds_sum(pending) FILTER (WHERE NOT is_debit) AS credits_pending,
            funds_sum(posted) FILTER (WHERE NOT is_debit) AS credits_posted
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
    WHERE a.id = sums.account_id AND a.user_id IS NOT NULL;
    RETURN NULL;
END $$;
"""

# With the sums of 0002, of which none is NULL where there are no rows.
APPLY_REVERSE = re.sub(
    r"funds_sum\((\w+)\) FILTER \((.*)\) AS", r"coalesce(sum(\1) FILTER (\2), 0)::bigint AS", APPLY
)


class Migration(migrations.Migration):
    dependencies = [("funds", "0007_transfers_at_speed")]

    operations = [
        migrations.RunSQL(SUM, SUM_REVERSE),
        migrations.RunSQL(APPLY, APPLY_REVERSE),
        migrations.AlterField(
            model_name="transfer",
            name="pending",
            field=models.OneToOneField(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="resolution",
                to="funds.transfer",
            ),
        ),
    ]
