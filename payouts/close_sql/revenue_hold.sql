-- Where revenue is held for a while: the net goes on to the account that cannot be withdrawn from.
SELECT format('revenue_hold:%%s:%%s:%%s', to_char(s.month_id, 'YYYY-MM'), s.creator_id, s.currency),
    'revenue_hold', revenue.id, held.id, s.net_micros, s.month_id
FROM payouts_creatorstatement AS s
JOIN funds_ledgeraccount AS revenue
    ON (revenue.user_id, revenue.code, revenue.currency) = (s.creator_id, 'revenue', s.currency)
JOIN funds_ledgeraccount AS held
    ON (held.user_id, held.code, held.currency) = (s.creator_id, 'revenue_held', s.currency)
WHERE s.month_id = %(month)s AND s.creator_id BETWEEN %(first_id)s AND %(last_id)s
    AND s.net_micros > 0
