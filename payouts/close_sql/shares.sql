-- The rule: min(budget, funds now) divided by the number of counted flattrs, and the left-over
-- micros one each to the earliest.
INSERT INTO payouts_share
    (month, patron_id, flattr_id, creator_id, thing_id, currency, amount_micros)
SELECT %(month)s, patron_id, id, creator_id, thing_id, currency,
    amount_micros / flattrs
        + CASE WHEN place <= mod(amount_micros, flattrs) THEN 1 ELSE 0 END
FROM (
    SELECT p.patron_id, m.id, t.creator_id, m.thing_id, p.currency,
        least(
            p.budget_micros,
            f.credits_posted_micros - f.debits_posted_micros - f.debits_pending_micros
        ) AS amount_micros,
        count(*) OVER (PARTITION BY p.patron_id) AS flattrs,
        row_number() OVER (PARTITION BY p.patron_id ORDER BY m.created_at, m.id) AS place
    FROM (
        SELECT patron_id, id, thing_id, created_at FROM buttons_flattr
        WHERE month = %(month)s AND state = 'made'
            AND patron_id BETWEEN %(first_id)s AND %(last_id)s
        UNION ALL
        SELECT patron_id, id, thing_id, created_at FROM buttons_flattr
        WHERE state = 'waiting' AND month < %(month)s
            AND patron_id BETWEEN %(first_id)s AND %(last_id)s
    ) AS m
    JOIN payouts_monththing AS t ON (t.month_id, t.thing_id) = (%(month)s, m.thing_id)
    JOIN payouts_monthpatron AS p ON (p.month_id, p.patron_id) = (%(month)s, m.patron_id)
    JOIN funds_ledgeraccount AS f ON f.id = p.funds_account_id
    WHERE t.creator_id <> m.patron_id
) AS counted
ORDER BY patron_id, id
