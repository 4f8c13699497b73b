-- What must be equal before a month is closed, for each currency: what patrons gave, what the
-- shares say, what creators earned, and what went into and came out of the pot.
SELECT a.currency,
    coalesce((SELECT sum(given_micros) FROM payouts_patronstatement
        WHERE month_id = %(month)s AND currency = a.currency), 0) AS given_micros,
    coalesce((SELECT sum(amount_micros) FROM payouts_share
        WHERE month = %(month)s AND currency = a.currency), 0) AS shares_micros,
    coalesce((SELECT sum(gross_micros) FROM payouts_creatorstatement
        WHERE month_id = %(month)s AND currency = a.currency), 0) AS gross_micros,
    coalesce((SELECT sum(amount_micros) FROM funds_transfer
        WHERE credit_account_id = a.id), 0) AS into_pot_micros,
    coalesce((SELECT sum(amount_micros) FROM funds_transfer
        WHERE debit_account_id = a.id), 0) AS out_of_pot_micros
FROM funds_ledgeraccount AS a
WHERE a.user_id IS NULL AND a.code = 'pot' AND a.month = %(month)s
ORDER BY a.currency
