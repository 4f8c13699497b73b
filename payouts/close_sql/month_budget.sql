-- Patrons fill the pot: one transfer each, of exactly the sum of their shares.
WITH pots AS MATERIALIZED (
    -- Once, since it is the same for all patrons of a currency.
    SELECT id, currency FROM funds_ledgeraccount
    WHERE user_id IS NULL AND code = 'pot' AND month = %(month)s
), patrons AS MATERIALIZED (
    -- As one run of keys: nothing says yet how many statements there are.
    SELECT patron_id, funds_account_id FROM payouts_monthpatron
    WHERE month_id = %(month)s AND patron_id BETWEEN %(first_id)s AND %(last_id)s
)
SELECT (SELECT to_char(%(month)s::date, '"month_budget:"YYYY-MM":"')) || s.patron_id || ':'
        || s.currency,
    'month_budget', p.funds_account_id, pots.id, s.given_micros, s.month_id
FROM payouts_patronstatement AS s
JOIN patrons AS p USING (patron_id)
JOIN pots ON pots.currency = s.currency
WHERE s.month_id = %(month)s AND s.patron_id BETWEEN %(first_id)s AND %(last_id)s
    AND s.given_micros > 0
