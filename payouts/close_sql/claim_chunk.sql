-- The next chunk that nobody works on, for the length of the transaction. What failed comes last, so
-- that it holds nobody up.
SELECT * FROM payouts_chunk
WHERE month_id = %(month)s AND state = 'due' AND next_try_at <= statement_timestamp()
ORDER BY attempts, id
LIMIT 1
FOR UPDATE SKIP LOCKED
