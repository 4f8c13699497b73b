-- What waited and was counted now waits no more.
UPDATE buttons_flattr AS f SET state = 'counted', ended_at = statement_timestamp()
FROM payouts_monththing AS t
WHERE f.state = 'waiting' AND f.month < %(month)s
    AND f.patron_id BETWEEN %(first_id)s AND %(last_id)s
    AND (t.month_id, t.thing_id) = (%(month)s, f.thing_id)
    AND t.creator_id <> f.patron_id
