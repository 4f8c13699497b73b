-- The rule: min(budget, funds now) is divided over the counted flattrs, the earliest first. A patron's
-- statement keeps them in that order, and what each of them brings follows from its place
-- (`payouts_share`). One look at the flattrs serves everything that is written of them.
--
-- What was made in this month and is not counted waits from here on. It does not if the thing is
-- the patron's own, or if an earlier flattr of theirs waits for it already (things that were
-- merged, or a press between the end of a month and its close): then it is dropped.
WITH giving AS MATERIALIZED (
    SELECT p.patron_id, p.currency, p.budget_micros, least(
            p.budget_micros,
            a.credits_posted_micros - a.debits_posted_micros - a.debits_pending_micros
        ) AS given_micros
    FROM payouts_monthpatron AS p
    JOIN funds_ledgeraccount AS a ON a.id = p.funds_account_id
    WHERE p.month_id = %(month)s AND p.patron_id BETWEEN %(first_id)s AND %(last_id)s
        AND a.user_id BETWEEN %(first_id)s AND %(last_id)s
), by_patron AS MATERIALIZED (
    SELECT patron_id,
        count(*) FILTER (WHERE is_counted) AS flattrs,
        count(*) FILTER (WHERE is_waiting AND NOT is_counted) AS waiting_flattrs,
        array_agg(id ORDER BY created_at, id) FILTER (WHERE is_counted) AS flattr_ids,
        array_agg(thing_id ORDER BY created_at, id) FILTER (WHERE is_counted) AS thing_ids,
        array_agg(creator_id ORDER BY created_at, id) FILTER (WHERE is_counted) AS creator_ids,
        array_agg(id) FILTER (WHERE NOT is_waiting AND NOT is_counted) AS begun_ids
    FROM (
        SELECT f.patron_id, f.id, f.thing_id, f.created_at, t.creator_id,
            -- Told by the month: a constant in each branch would be a step more for each row.
            f.month < %(month)s AS is_waiting,
            t.creator_id <> f.patron_id IS TRUE AS is_counted
        FROM (
            SELECT patron_id, id, thing_id, created_at, month FROM buttons_flattr
            WHERE month = %(month)s AND state = 'made'
                AND patron_id BETWEEN %(first_id)s AND %(last_id)s
            UNION ALL
            SELECT patron_id, id, thing_id, created_at, month FROM buttons_flattr
            WHERE state = 'waiting' AND month < %(month)s
                AND patron_id BETWEEN %(first_id)s AND %(last_id)s
        ) AS f
        LEFT JOIN payouts_monththing AS t ON t.month_id = %(month)s AND t.thing_id = f.thing_id
    ) AS looked_at
    GROUP BY patron_id
), begun_waiting AS (
    UPDATE buttons_flattr AS f
    SET state = CASE WHEN n.is_dropped THEN 'dropped' ELSE 'waiting' END,
        ended_at = CASE WHEN n.is_dropped THEN statement_timestamp() END
    FROM (
        SELECT m.id,
            t.owner_id IS NOT DISTINCT FROM m.patron_id OR t.creator_id IS NOT NULL
                OR EXISTS (
                    SELECT FROM buttons_flattr AS w
                    WHERE w.state = 'waiting'
                        AND (w.patron_id, w.thing_id) = (m.patron_id, m.thing_id)
                ) AS is_dropped
        FROM by_patron
        CROSS JOIN LATERAL unnest(by_patron.begun_ids) AS begun (id)
        -- One by one, since hardly any waits: a join would hash all things for each chunk.
        CROSS JOIN LATERAL (
            SELECT id, patron_id, thing_id FROM buttons_flattr WHERE id = begun.id OFFSET 0
        ) AS m
        CROSS JOIN LATERAL (
            SELECT b.owner_id, s.creator_id
            FROM buttons_thing AS b
            LEFT JOIN payouts_monththing AS s ON (s.month_id, s.thing_id) = (%(month)s, b.id)
            WHERE b.id = m.thing_id OFFSET 0
        ) AS t
        WHERE by_patron.begun_ids IS NOT NULL
            AND by_patron.patron_id IN (SELECT patron_id FROM giving)
    ) AS n
    WHERE f.id = n.id
    RETURNING f.patron_id, f.state
)
-- One row for each patron who gave or whose flattrs wait.
INSERT INTO payouts_patronstatement
    (month_id, patron_id, currency, budget_micros, given_micros, flattrs, waiting_flattrs,
        flattr_ids, thing_ids, creator_ids)
SELECT %(month)s, g.patron_id, g.currency, g.budget_micros,
    CASE WHEN b.flattrs > 0 THEN g.given_micros ELSE 0 END,
    b.flattrs, b.waiting_flattrs + coalesce(w.flattrs, 0),
    coalesce(b.flattr_ids, '{}'), coalesce(b.thing_ids, '{}'), coalesce(b.creator_ids, '{}')
FROM giving AS g
JOIN by_patron AS b USING (patron_id)
LEFT JOIN (
    SELECT patron_id, count(*) AS flattrs FROM begun_waiting WHERE state = 'waiting'
    GROUP BY patron_id
) AS w USING (patron_id)
WHERE b.flattrs > 0 OR b.waiting_flattrs > 0 OR w.flattrs > 0
