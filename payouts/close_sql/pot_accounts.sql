-- One pot for each currency in which somebody has a monthly budget.
SELECT DISTINCT 'pot', currency, NULL::bigint, month_id
FROM payouts_monthpatron WHERE month_id = %(month)s
