-- The pot is emptied to creators, and each pays the fee: one statement, so that the trigger
-- updates each account once.
SELECT leg.code || (SELECT to_char(%(month)s::date, '":"YYYY-MM":"')) || s.creator_id || ':'
        || s.currency,
    leg.code, leg.debit_account_id, leg.credit_account_id, leg.amount_micros, s.month_id
FROM payouts_creatorstatement AS s
JOIN funds_ledgeraccount AS revenue
    ON (revenue.user_id, revenue.code, revenue.currency) = (s.creator_id, 'revenue', s.currency)
JOIN funds_ledgeraccount AS pot
    ON pot.user_id IS NULL AND (pot.code, pot.currency, pot.month)
        = ('pot', s.currency, s.month_id)
JOIN funds_ledgeraccount AS fees
    ON fees.user_id IS NULL AND (fees.code, fees.currency) = ('fees', s.currency)
CROSS JOIN LATERAL (VALUES
    ('month_revenue', pot.id, revenue.id, s.gross_micros),
    ('month_fee', revenue.id, fees.id, s.fee_micros)
) AS leg(code, debit_account_id, credit_account_id, amount_micros)
WHERE s.month_id = %(month)s AND s.creator_id BETWEEN %(first_id)s AND %(last_id)s
    AND leg.amount_micros > 0
