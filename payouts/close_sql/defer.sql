-- The flattrs of a patron whose month cannot be divided wait for the next close.
UPDATE buttons_flattr AS f
SET state = CASE WHEN n.is_waiting THEN 'dropped' ELSE 'waiting' END,
    ended_at = CASE WHEN n.is_waiting THEN statement_timestamp() END
FROM (
    SELECT m.id, EXISTS (
        SELECT FROM buttons_flattr AS w
        WHERE w.state = 'waiting' AND (w.patron_id, w.thing_id) = (m.patron_id, m.thing_id)
    ) AS is_waiting
    FROM buttons_flattr AS m
    WHERE m.month = %(month)s AND m.state = 'made'
        AND m.patron_id BETWEEN %(first_id)s AND %(last_id)s
) AS n
WHERE f.id = n.id
