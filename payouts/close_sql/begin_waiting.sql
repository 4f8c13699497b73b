-- A flattr of this month that could not be counted waits, unless the thing is the patron's own or
-- an earlier flattr of theirs waits for it already (things that were merged, or a press in the
-- moments between the end of a month and its close).
UPDATE buttons_flattr AS f
SET state = CASE WHEN n.is_dropped THEN 'dropped' ELSE 'waiting' END,
    ended_at = CASE WHEN n.is_dropped THEN statement_timestamp() END
FROM (
    SELECT m.id,
        t.owner_id IS NOT DISTINCT FROM m.patron_id
            OR s.creator_id IS NOT DISTINCT FROM m.patron_id
            OR EXISTS (
                SELECT FROM buttons_flattr AS w
                WHERE w.state = 'waiting' AND (w.patron_id, w.thing_id) = (m.patron_id, m.thing_id)
            ) AS is_dropped
    FROM buttons_flattr AS m
    JOIN payouts_monthpatron AS p ON (p.month_id, p.patron_id) = (%(month)s, m.patron_id)
    JOIN buttons_thing AS t ON t.id = m.thing_id
    LEFT JOIN payouts_monththing AS s ON (s.month_id, s.thing_id) = (%(month)s, m.thing_id)
    WHERE m.month = %(month)s AND m.state = 'made'
        AND m.patron_id BETWEEN %(first_id)s AND %(last_id)s
        AND (s.creator_id IS NULL OR s.creator_id = m.patron_id)
) AS n
WHERE f.id = n.id
