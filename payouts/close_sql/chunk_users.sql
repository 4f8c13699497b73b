-- Ranges of ids of users, in each of which budgets and means are written down; one empty range where
-- there is nobody, so that a month that was begun always has a chunk.
INSERT INTO payouts_chunk
    (month_id, step, currency, first_id, last_id, state, attempts, last_error)
SELECT %(month)s, 'snapshot', '', first_id, least(first_id + width - 1, last), 'due', 0, ''
FROM (
    SELECT first, last, least(
            %(snapshot_size)s, greatest(%(chunk_size_min)s, (last - first) / %(snapshots_min)s + 1)
        ) AS width
    FROM (SELECT coalesce(min(id), 0) AS first, coalesce(max(id), 0) AS last FROM accounts_user)
        AS users
) AS widths
CROSS JOIN LATERAL generate_series(first, last, width) AS first_id
