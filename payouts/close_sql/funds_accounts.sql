-- Everybody of a range with a monthly budget has a ledger account to take it from, empty if need
-- be. Nearly all have one: those are left out by one join, not by a conflict each.
SELECT 'funds', u.currency, u.id, NULL::date
FROM funds_monthlybudget AS b
JOIN accounts_user AS u ON u.id = b.user_id
WHERE b.user_id BETWEEN %(first_id)s AND %(last_id)s
    AND u.id BETWEEN %(first_id)s AND %(last_id)s
    AND NOT EXISTS (
        SELECT FROM funds_ledgeraccount AS a
        WHERE (a.user_id, a.code, a.currency) = (u.id, 'funds', u.currency)
            AND a.user_id BETWEEN %(first_id)s AND %(last_id)s
    )
