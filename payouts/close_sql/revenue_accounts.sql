-- Everybody who earned in this month has ledger accounts for it.
SELECT c.code, s.currency, s.creator_id, NULL::date
FROM payouts_creatorstatement AS s
CROSS JOIN unnest(%(codes)s::text[]) AS c(code)
WHERE s.month_id = %(month)s AND s.currency = %(currency)s
    AND mod(s.creator_id, %(slices)s)
    BETWEEN %(first_id)s AND %(last_id)s
