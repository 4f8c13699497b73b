-- One account for the fees in each currency of the month.
SELECT DISTINCT 'fees', currency, NULL::bigint, NULL::date
FROM payouts_creatorstatement WHERE month_id = %(month)s
