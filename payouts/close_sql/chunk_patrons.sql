-- Ranges of as many patrons each, of fewer where the month is small; one empty range where there is
-- nobody, so that a month that was begun always has a chunk.
INSERT INTO payouts_chunk
    (month_id, step, currency, first_id, last_id, state, attempts, last_error)
SELECT %(month)s, 'divide', '', min(patron_id), max(patron_id), 'due', 0, ''
FROM (
    SELECT patron_id, (row_number() OVER (ORDER BY patron_id) - 1) / (
            SELECT least(%(chunk_size)s, greatest(%(chunk_size_min)s, count(*) / %(chunks_min)s))
            FROM payouts_monthpatron WHERE month_id = %(month)s
        ) AS place
    FROM payouts_monthpatron WHERE month_id = %(month)s
    UNION ALL
    SELECT 0, -1 WHERE NOT EXISTS (SELECT FROM payouts_monthpatron WHERE month_id = %(month)s)
) AS placed
GROUP BY place
ORDER BY place
