-- What must be equal before a month is closed, for each currency: what patrons gave, what things
-- and creators earned, and what went into and came out of the pot.
SELECT a.currency,
    (SELECT funds_sum(given_micros) FROM payouts_patronstatement
        WHERE month_id = %(month)s AND currency = a.currency) AS given_micros,
    (SELECT funds_sum(gross_micros) FROM payouts_thingstatement
        WHERE month_id = %(month)s AND currency = a.currency) AS things_micros,
    (SELECT funds_sum(gross_micros) FROM payouts_creatorstatement
        WHERE month_id = %(month)s AND currency = a.currency) AS gross_micros,
    (SELECT funds_sum(amount_micros) FROM funds_transfer
        WHERE credit_account_id = a.id) AS into_pot_micros,
    (SELECT funds_sum(amount_micros) FROM funds_transfer
        WHERE debit_account_id = a.id) AS out_of_pot_micros
FROM funds_ledgeraccount AS a
WHERE a.user_id IS NULL AND a.code = 'pot' AND a.month = %(month)s
ORDER BY a.currency
