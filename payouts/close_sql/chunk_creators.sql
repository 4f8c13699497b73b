-- Ranges of as many creators each, of fewer where they are few, and one empty range where nobody
-- earned.
INSERT INTO payouts_chunk
    (month_id, step, currency, first_id, last_id, state, attempts, last_error, next_try_at)
SELECT %(month)s, %(step)s, '', min(creator_id), max(creator_id), 'due', 0, '',
    transaction_timestamp() + make_interval(days => %(days)s)
FROM (
    SELECT creator_id, (dense_rank() OVER (ORDER BY creator_id) - 1) / (
            SELECT least(%(chunk_size)s, greatest(%(chunk_size_min)s, count(*) / %(chunks_min)s))
            FROM payouts_creatorstatement WHERE month_id = %(month)s
        ) AS place
    FROM payouts_creatorstatement WHERE month_id = %(month)s
    UNION ALL
    SELECT 0, -1
    WHERE NOT EXISTS (SELECT FROM payouts_creatorstatement WHERE month_id = %(month)s)
) AS placed
GROUP BY place
ORDER BY place
