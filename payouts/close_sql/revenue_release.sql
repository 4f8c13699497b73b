-- What was held of a month, given back to the creators once the days are over.
SELECT format('revenue_release:%%s:%%s:%%s', to_char(t.month, 'YYYY-MM'), held.user_id,
        held.currency),
    'revenue_release', t.credit_account_id, t.debit_account_id, t.amount_micros, t.month
FROM payouts_creatorstatement AS s
JOIN funds_ledgeraccount AS held
    ON (held.user_id, held.code, held.currency) = (s.creator_id, 'revenue_held', s.currency)
JOIN funds_transfer AS t
    ON t.credit_account_id = held.id AND t.code = 'revenue_hold' AND t.month = s.month_id
WHERE s.month_id = %(month)s AND s.creator_id BETWEEN %(first_id)s AND %(last_id)s
