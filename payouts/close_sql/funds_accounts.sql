-- Everybody with a monthly budget has a ledger account to take it from, empty if need be.
SELECT 'funds', u.currency, u.id, NULL::date
FROM funds_monthlybudget AS b
JOIN accounts_user AS u ON u.id = b.user_id
