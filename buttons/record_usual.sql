-- The usual press: on a proven thing of somebody else, by a patron with a confirmed mail address and
-- means, who has not flattred it yet. Its nonce is spent with it; one that was spent records nothing.
-- Whatever else there is to say about a press, `record_flattr` says.
--
-- The lock comes first, and the statement behind it looks at the time and the months anew.
SELECT pg_advisory_xact_lock_shared(%(lock)s);
WITH held AS MATERIALIZED (
    SELECT at, greatest(
        date_trunc('month', at AT TIME ZONE 'UTC')::date, (last_opened + interval '1 month')::date
    ) AS month
    FROM (SELECT clock_timestamp() AS at, max(month) AS last_opened FROM buttons_month) AS clock
), pressed AS MATERIALIZED (
    SELECT t.id
    FROM buttons_thing AS t CROSS JOIN held
    WHERE t.url = %(url)s AND t.owner_id <> %(patron)s
        AND NOT EXISTS (
            SELECT FROM buttons_claim AS c
            WHERE (c.thing_id, c.user_id) = (t.id, %(patron)s)
                AND c.state IN ('proven', 'frozen')
        )
        AND NOT EXISTS (
            SELECT FROM buttons_flattr AS f
            WHERE (f.month, f.patron_id, f.thing_id) = (held.month, %(patron)s, t.id)
                AND f.state <> 'undone'
        )
        AND NOT EXISTS (
            SELECT FROM buttons_flattr AS f
            WHERE (f.patron_id, f.thing_id) = (%(patron)s, t.id) AND f.state = 'waiting'
        )
        AND EXISTS (
            SELECT FROM account_emailaddress AS e WHERE e.user_id = %(patron)s AND e.verified
        )
        AND EXISTS (
            SELECT FROM funds_monthlybudget AS b
            JOIN funds_ledgeraccount AS a
                ON (a.user_id, a.code, a.currency) = (b.user_id, 'funds', %(currency)s)
            WHERE b.user_id = %(patron)s AND b.amount_micros > 0
                AND a.credits_posted_micros - a.debits_posted_micros - a.debits_pending_micros > 0
        )
), spent AS (
    INSERT INTO buttons_spentnonce (digest, spent_at)
    SELECT %(digest)s, statement_timestamp() FROM pressed
    ON CONFLICT DO NOTHING
    RETURNING digest
)
INSERT INTO buttons_flattr (patron_id, thing_id, month, state, created_at)
SELECT %(patron)s, pressed.id, held.month, 'made', held.at FROM held, pressed, spent
RETURNING id
