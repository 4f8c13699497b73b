-- Every thing whose owner is of a range, proven, and able to receive. One statement, so one moment
-- for all things of an owner; what divides reads who is able from here alone, so its order cannot
-- matter.
WITH owners AS MATERIALIZED (
    -- Means are looked up once for each owner: most things have none, and most people own none.
    SELECT DISTINCT owner_id FROM buttons_thing
    WHERE owner_id BETWEEN %(first_id)s AND %(last_id)s
), able AS MATERIALIZED (
    SELECT u.id
    FROM owners
    JOIN accounts_user AS u ON u.id = owners.owner_id
    LEFT JOIN payouts_monthpatron AS p ON (p.month_id, p.patron_id) = (%(month)s, u.id)
        AND p.patron_id BETWEEN %(first_id)s AND %(last_id)s
    LEFT JOIN funds_ledgeraccount AS f ON f.id = p.funds_account_id
        AND f.user_id BETWEEN %(first_id)s AND %(last_id)s
    WHERE u.is_active
        AND u.id BETWEEN %(first_id)s AND %(last_id)s
        AND (
            u.is_exempt_from_means
            OR NOT %(give_to_receive)s
            OR (
                p.budget_micros >= %(budget_min_micros)s
                AND f.credits_posted_micros - f.debits_posted_micros - f.debits_pending_micros
                    >= %(budget_min_micros)s
            )
        )
)
INSERT INTO payouts_monththing (month_id, thing_id, creator_id)
SELECT %(month)s, t.id, able.id
FROM buttons_thing AS t
JOIN able ON able.id = t.owner_id
WHERE t.owner_id BETWEEN %(first_id)s AND %(last_id)s
    -- What changed hands between two ranges counts for the owner before, or waits for the next close
    -- if that one's range came later. Between two that are being written it breaks the key, and this
    -- one is tried again: allowing for that with each row cost as much again as writing it.
    AND NOT EXISTS (
        SELECT FROM payouts_monththing AS s WHERE (s.month_id, s.thing_id) = (%(month)s, t.id)
    )
ORDER BY t.id
