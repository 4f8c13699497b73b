-- The monthly budgets of a range as they stand now: what is changed from here on is for the next
-- month. Nothing is taken from who was deactivated.
WITH funds AS MATERIALIZED (
    -- As one run of the index: looked up for each user they cost twice as much.
    SELECT id, user_id, currency FROM funds_ledgeraccount
    WHERE code = 'funds' AND user_id BETWEEN %(first_id)s AND %(last_id)s
)
INSERT INTO payouts_monthpatron
    (month_id, patron_id, currency, budget_micros, funds_account_id, needs_attention)
SELECT %(month)s, u.id, u.currency, b.amount_micros, funds.id, false
FROM funds_monthlybudget AS b
JOIN accounts_user AS u ON u.id = b.user_id
JOIN funds ON (funds.user_id, funds.currency) = (u.id, u.currency)
WHERE u.is_active
    AND b.user_id BETWEEN %(first_id)s AND %(last_id)s
    AND u.id BETWEEN %(first_id)s AND %(last_id)s
ORDER BY u.id
