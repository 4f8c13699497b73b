-- In the transaction that did the chunk.
UPDATE payouts_chunk
SET state = 'done', done_at = statement_timestamp(), done_by = pg_backend_pid()
WHERE id = %(chunk_id)s
