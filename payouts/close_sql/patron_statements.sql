-- One row for each patron who gave or whose flattrs wait.
INSERT INTO payouts_patronstatement
    (month_id, patron_id, currency, budget_micros, given_micros, flattrs, waiting_flattrs)
SELECT %(month)s, p.patron_id, p.currency, p.budget_micros,
    coalesce(g.given_micros, 0), coalesce(g.flattrs, 0), coalesce(w.flattrs, 0)
FROM payouts_monthpatron AS p
LEFT JOIN (
    SELECT patron_id, sum(amount_micros)::bigint AS given_micros, count(*) AS flattrs
    FROM payouts_share
    WHERE month = %(month)s AND patron_id BETWEEN %(first_id)s AND %(last_id)s
    GROUP BY patron_id
) AS g USING (patron_id)
LEFT JOIN (
    SELECT patron_id, count(*) AS flattrs
    FROM buttons_flattr
    WHERE state = 'waiting' AND month <= %(month)s
        AND patron_id BETWEEN %(first_id)s AND %(last_id)s
    GROUP BY patron_id
) AS w USING (patron_id)
WHERE p.month_id = %(month)s AND p.patron_id BETWEEN %(first_id)s AND %(last_id)s
    AND (g.patron_id IS NOT NULL OR w.patron_id IS NOT NULL)
ORDER BY p.patron_id
