-- Patrons fill the pot: one transfer each, of exactly the sum of their shares.
SELECT (SELECT to_char(%(month)s::date, '"month_budget:"YYYY-MM":"')) || s.patron_id || ':'
        || s.currency,
    'month_budget', p.funds_account_id, pot.id, s.given_micros, s.month_id
FROM payouts_patronstatement AS s
JOIN payouts_monthpatron AS p USING (month_id, patron_id)
JOIN funds_ledgeraccount AS pot
    ON pot.user_id IS NULL AND (pot.code, pot.currency, pot.month)
        = ('pot', s.currency, s.month_id)
WHERE s.month_id = %(month)s AND s.patron_id BETWEEN %(first_id)s AND %(last_id)s
    AND s.given_micros > 0
