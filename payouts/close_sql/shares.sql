-- The rule: min(budget, funds now) divided by the number of counted flattrs, and the left-over
-- micros one each to the earliest. One look at the flattrs serves both ends: what is counted gets a
-- share, and what was made in this month and is not waits from here on. It does not if the thing is
-- the patron's own, or if an earlier flattr of theirs waits for it already (things that were
-- merged, or a press between the end of a month and its close): then it is dropped.
WITH taking_part AS MATERIALIZED (
    SELECT p.patron_id, p.currency, f.id, f.thing_id, f.created_at, f.state, t.creator_id,
        t.creator_id <> f.patron_id IS TRUE AS is_counted,
        least(
            p.budget_micros,
            a.credits_posted_micros - a.debits_posted_micros - a.debits_pending_micros
        ) AS amount_micros
    FROM (
        SELECT patron_id, id, thing_id, created_at, state FROM buttons_flattr
        WHERE month = %(month)s AND state = 'made'
            AND patron_id BETWEEN %(first_id)s AND %(last_id)s
        UNION ALL
        SELECT patron_id, id, thing_id, created_at, state FROM buttons_flattr
        WHERE state = 'waiting' AND month < %(month)s
            AND patron_id BETWEEN %(first_id)s AND %(last_id)s
    ) AS f
    JOIN payouts_monthpatron AS p ON p.month_id = %(month)s AND p.patron_id = f.patron_id
        -- Said again, since the planner does not carry a range over to the other side of a join.
        AND p.patron_id BETWEEN %(first_id)s AND %(last_id)s
    JOIN funds_ledgeraccount AS a ON a.id = p.funds_account_id
    LEFT JOIN payouts_monththing AS t ON t.month_id = %(month)s AND t.thing_id = f.thing_id
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
        FROM taking_part AS m JOIN buttons_thing AS t ON t.id = m.thing_id
        WHERE m.state = 'made' AND NOT m.is_counted
    ) AS n
    WHERE f.id = n.id
)
INSERT INTO payouts_share
    (month, patron_id, flattr_id, creator_id, thing_id, currency, amount_micros)
SELECT %(month)s, patron_id, id, creator_id, thing_id, currency,
    amount_micros / flattrs + CASE WHEN place <= mod(amount_micros, flattrs) THEN 1 ELSE 0 END
FROM (
    SELECT patron_id, id, creator_id, thing_id, currency, amount_micros,
        count(*) OVER (PARTITION BY patron_id) AS flattrs,
        row_number() OVER (PARTITION BY patron_id ORDER BY created_at, id) AS place
    FROM taking_part
    WHERE is_counted
) AS counted
ORDER BY patron_id, id
