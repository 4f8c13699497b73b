-- Ranges of about as many patrons each, of fewer where the month is small; one empty range where
-- there is nobody, so that a month that was begun always has a chunk. Patrons are counted by a tenth
-- of the smallest range: numbering each of them took three times as long, while nobody else had work.
INSERT INTO payouts_chunk
    (month_id, step, currency, first_id, last_id, state, attempts, last_error)
SELECT %(month)s, 'divide', '', min(first_id), max(last_id), 'due', 0, ''
FROM (
    SELECT first_id, last_id,
        (funds_sum(patrons) OVER (ORDER BY first_id) - patrons) / least(%(chunk_size)s,
            greatest(%(chunk_size_min)s, funds_sum(patrons) OVER () / %(chunks_min)s)) AS place
    FROM (
        SELECT min(patron_id) AS first_id, max(patron_id) AS last_id, count(*) AS patrons
        FROM payouts_monthpatron WHERE month_id = %(month)s
        GROUP BY patron_id / greatest(1, least(%(chunk_size)s, %(chunk_size_min)s) / 10)
    ) AS counted
    UNION ALL
    SELECT 0, 0, -1 WHERE NOT EXISTS (SELECT FROM payouts_monthpatron WHERE month_id = %(month)s)
) AS placed
GROUP BY place
ORDER BY place
