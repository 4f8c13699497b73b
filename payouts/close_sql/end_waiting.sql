-- What waits and cannot be counted now ends here if it was made long enough ago, or if the thing
-- turned out to be the patron's own. Before the shares, so that a new one may wait in its place.
UPDATE buttons_flattr AS f
SET state = CASE WHEN t.owner_id = f.patron_id THEN 'dropped' ELSE 'expired' END,
    ended_at = statement_timestamp()
FROM buttons_thing AS t
WHERE f.state = 'waiting' AND f.month < %(month)s
    AND f.patron_id BETWEEN %(first_id)s AND %(last_id)s
    AND t.id = f.thing_id
    AND (t.owner_id = f.patron_id OR f.month <= %(expires_month)s)
    AND NOT EXISTS (
        SELECT FROM payouts_monththing AS s
        WHERE (s.month_id, s.thing_id) = (%(month)s, f.thing_id) AND s.creator_id <> f.patron_id
    )
