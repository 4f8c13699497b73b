-- Both accounts of everybody of a range who might give from revenue, so that the next statement
-- reads what nobody can spend meanwhile; and how many accounts these are.
WITH short AS MATERIALIZED (SELECT ARRAY(
    SELECT unnest(ARRAY[f.id, r.id])
    FROM funds_monthlybudget AS b
    JOIN accounts_user AS u ON u.id = b.user_id
    JOIN funds_ledgeraccount AS f
        ON (f.user_id, f.code, f.currency) = (u.id, 'funds', u.currency)
    JOIN funds_ledgeraccount AS r
        ON (r.user_id, r.code, r.currency) = (u.id, 'revenue', u.currency)
    WHERE b.user_id BETWEEN %(first_id)s AND %(last_id)s
        AND b.is_revenue_reused AND b.amount_micros >= %(budget_min_micros)s
        AND f.credits_posted_micros - f.debits_posted_micros - f.debits_pending_micros
            < %(budget_min_micros)s
) AS account_ids)
SELECT cardinality(account_ids), funds_lock_accounts(account_ids) FROM short
