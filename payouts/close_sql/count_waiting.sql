-- What waited and was counted now waits no more.
UPDATE buttons_flattr AS f SET state = 'counted', ended_at = statement_timestamp()
FROM payouts_patronstatement AS s
WHERE f.state = 'waiting' AND f.month < %(month)s
    AND f.patron_id BETWEEN %(first_id)s AND %(last_id)s
    AND (s.month_id, s.patron_id) = (%(month)s, f.patron_id)
    AND f.id = ANY (s.flattr_ids)
