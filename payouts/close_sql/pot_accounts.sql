-- One pot for each currency in which somebody has a monthly budget.
SELECT DISTINCT 'pot', u.currency, NULL::bigint, %(month)s::date
FROM funds_monthlybudget AS b
JOIN accounts_user AS u ON u.id = b.user_id
