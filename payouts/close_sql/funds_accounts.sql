-- Everybody with a monthly budget has a ledger account to take it from, empty if need be. Nearly all
-- have one: those are left out by one join, not by a conflict each.
SELECT 'funds', u.currency, u.id, NULL::date
FROM funds_monthlybudget AS b
JOIN accounts_user AS u ON u.id = b.user_id
WHERE NOT EXISTS (
    SELECT FROM funds_ledgeraccount AS a
    WHERE (a.user_id, a.code, a.currency) = (u.id, 'funds', u.currency)
)
