-- The flattrs that subscriptions lack in a month, by the rules of a press (`record_flattr`).
--
-- Who has no means is asked again by every later call, until the month is opened for closing; for
-- everybody else the month is settled here, with a flattr or without. Nobody's own thing, nothing
-- twice in a month, nothing while an earlier flattr waits, nothing that nobody could receive, and
-- nothing that was undone in this month or has changed hands since it was subscribed to.
WITH due AS MATERIALIZED (
    SELECT s.id, s.patron_id, s.thing_id, t.owner_id,
        (s.last_month < %(month)s) IS NOT TRUE
            AND u.is_active
            AND (t.owner_id = s.patron_id) IS NOT TRUE
            AND (t.owner_id <> s.owner_id) IS NOT TRUE
            AND (t.owner_id IS NOT NULL OR EXISTS (
                SELECT FROM buttons_claim AS c WHERE c.thing_id = s.thing_id AND c.state <> 'refused'
            ))
            AND NOT EXISTS (
                SELECT FROM buttons_claim AS c
                WHERE (c.thing_id, c.user_id) = (s.thing_id, s.patron_id)
                    AND c.state IN ('proven', 'frozen')
            )
            AND NOT EXISTS (
                SELECT FROM buttons_flattr AS f
                WHERE (f.month, f.patron_id, f.thing_id) = (%(month)s, s.patron_id, s.thing_id)
                    AND f.state <> 'undone'
            )
            AND NOT EXISTS (
                SELECT FROM buttons_flattr AS f
                WHERE (f.patron_id, f.thing_id) = (s.patron_id, s.thing_id)
                    AND f.state = 'undone' AND f.month = %(month)s
            )
            AND NOT EXISTS (
                SELECT FROM buttons_flattr AS f
                WHERE (f.patron_id, f.thing_id) = (s.patron_id, s.thing_id)
                    AND f.state = 'waiting'
            ) AS is_wanted
    FROM buttons_subscription AS s
    JOIN buttons_thing AS t ON t.id = s.thing_id
    JOIN accounts_user AS u ON u.id = s.patron_id
    WHERE s.cancelled_at IS NULL AND (s.last_month IS NULL OR s.next_month <= s.last_month)
        AND s.next_month <= %(month)s
        AND s.id = coalesce(%(subscription)s, s.id)
        AND (s.last_month < %(month)s OR EXISTS (
            SELECT FROM funds_monthlybudget AS b
            JOIN funds_ledgeraccount AS a
                ON (a.user_id, a.code, a.currency) = (s.patron_id, 'funds', u.currency)
            WHERE b.user_id = s.patron_id AND b.amount_micros > 0
                AND a.credits_posted_micros - a.debits_posted_micros - a.debits_pending_micros > 0
        ))
    ORDER BY s.id
    LIMIT %(rows)s
    FOR UPDATE OF s
), made AS (
    INSERT INTO buttons_flattr (patron_id, thing_id, month, state, created_at, subscription_id)
    SELECT patron_id, thing_id, %(month)s, 'made', %(at)s, id FROM due
    WHERE is_wanted
    ORDER BY id
    -- A press of this very moment came first: then that one is the month's.
    ON CONFLICT DO NOTHING
    RETURNING id
), settled AS (
    UPDATE buttons_subscription AS s
    SET next_month = %(month)s::date + interval '1 month',
        owner_id = coalesce(s.owner_id, d.owner_id)
    FROM due AS d
    WHERE s.id = d.id
)
SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM made)
