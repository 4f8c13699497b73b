-- The rule: min(budget, funds now) divided by the number of counted flattrs, and the left-over
-- micros one each to the earliest. One look at the flattrs serves everything that is written of
-- them: shares, the patrons' statements, and what this chunk gave to each creator.
--
-- What was made in this month and is not counted waits from here on. It does not if the thing is
-- the patron's own, or if an earlier flattr of theirs waits for it already (things that were
-- merged, or a press between the end of a month and its close): then it is dropped.
WITH giving AS MATERIALIZED (
    SELECT p.patron_id, p.currency, least(
            p.budget_micros,
            a.credits_posted_micros - a.debits_posted_micros - a.debits_pending_micros
        ) AS given_micros
    FROM payouts_monthpatron AS p
    JOIN funds_ledgeraccount AS a ON a.id = p.funds_account_id
    WHERE p.month_id = %(month)s AND p.patron_id BETWEEN %(first_id)s AND %(last_id)s
), taking_part AS MATERIALIZED (
    -- The place is among the flattrs that are counted, the earliest first. Both come from one
    -- window, which is gone through once.
    SELECT patron_id, currency, id, creator_id, thing_id, is_waiting, is_counted, given_micros,
        count(*) OVER alike AS flattrs, row_number() OVER alike AS place
    FROM (
        SELECT f.patron_id, g.currency, f.id, f.thing_id, f.created_at, f.is_waiting,
            t.creator_id, t.creator_id <> f.patron_id IS TRUE AS is_counted, g.given_micros
        FROM (
            SELECT patron_id, id, thing_id, created_at, false AS is_waiting FROM buttons_flattr
            WHERE month = %(month)s AND state = 'made'
                AND patron_id BETWEEN %(first_id)s AND %(last_id)s
            UNION ALL
            SELECT patron_id, id, thing_id, created_at, true FROM buttons_flattr
            WHERE state = 'waiting' AND month < %(month)s
                AND patron_id BETWEEN %(first_id)s AND %(last_id)s
        ) AS f
        JOIN giving AS g USING (patron_id)
        LEFT JOIN payouts_monththing AS t ON t.month_id = %(month)s AND t.thing_id = f.thing_id
    ) AS looked_at
    WINDOW alike AS (
        PARTITION BY patron_id, is_counted ORDER BY created_at, id
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
), counted AS NOT MATERIALIZED (
    SELECT patron_id, currency, id, creator_id, thing_id,
        given_micros / flattrs + CASE WHEN place <= mod(given_micros, flattrs) THEN 1 ELSE 0 END
            AS amount_micros
    FROM taking_part
    WHERE is_counted
), begun_waiting AS (
    UPDATE buttons_flattr AS f
    SET state = CASE WHEN n.is_dropped THEN 'dropped' ELSE 'waiting' END,
        ended_at = CASE WHEN n.is_dropped THEN statement_timestamp() END
    FROM (
        SELECT m.id,
            t.owner_id IS NOT DISTINCT FROM m.patron_id OR m.creator_id IS NOT NULL
                OR EXISTS (
                    SELECT FROM buttons_flattr AS w
                    WHERE w.state = 'waiting'
                        AND (w.patron_id, w.thing_id) = (m.patron_id, m.thing_id)
                ) AS is_dropped
        FROM taking_part AS m
        -- One by one, since hardly any waits: a join would hash all things for each chunk.
        CROSS JOIN LATERAL (
            SELECT owner_id FROM buttons_thing WHERE id = m.thing_id OFFSET 0
        ) AS t
        WHERE NOT m.is_counted AND NOT m.is_waiting
    ) AS n
    WHERE f.id = n.id
    RETURNING f.patron_id, f.state
), statements AS (
    -- One row for each patron who gave or whose flattrs wait. The shares of a patron add up to what
    -- was divided; before a month is closed, all of them are added up again.
    INSERT INTO payouts_patronstatement
        (month_id, patron_id, currency, budget_micros, given_micros, flattrs, waiting_flattrs)
    SELECT %(month)s, p.patron_id, p.currency, p.budget_micros,
        coalesce(g.given_micros, 0), coalesce(g.flattrs, 0), coalesce(w.flattrs, 0)
    FROM payouts_monthpatron AS p
    LEFT JOIN (
        SELECT patron_id, given_micros, flattrs FROM taking_part WHERE is_counted AND place = 1
    ) AS g USING (patron_id)
    LEFT JOIN (
        SELECT patron_id, count(*) AS flattrs
        FROM (
            SELECT patron_id FROM taking_part WHERE NOT is_counted AND is_waiting
            UNION ALL
            SELECT patron_id FROM begun_waiting WHERE state = 'waiting'
        ) AS waits
        GROUP BY patron_id
    ) AS w USING (patron_id)
    WHERE p.month_id = %(month)s AND p.patron_id BETWEEN %(first_id)s AND %(last_id)s
        AND (g.patron_id IS NOT NULL OR w.patron_id IS NOT NULL)
    ORDER BY p.patron_id
), creators AS (
    INSERT INTO payouts_chunkcreator
        (month_id, chunk_id, creator_id, currency, gross_micros, flattrs, patrons)
    SELECT %(month)s, %(chunk_id)s, creator_id, currency, sum(amount_micros), count(*),
        count(*) FILTER (WHERE place_for_creator = 1)
    FROM (
        -- Patrons come in order already, so this sorts a few rows at a time; counting distinct
        -- patrons sorts all of them by three keys.
        SELECT creator_id, currency, amount_micros,
            row_number() OVER (PARTITION BY patron_id, creator_id) AS place_for_creator
        FROM counted
    ) AS numbered
    GROUP BY creator_id, currency
)
-- In the order of patrons, and of a patron's own flattrs: runs of keys.
INSERT INTO payouts_share
    (month, currency, patron_id, flattr_id, creator_id, thing_id, amount_micros)
SELECT %(month)s, currency, patron_id, id, creator_id, thing_id, amount_micros
FROM counted
