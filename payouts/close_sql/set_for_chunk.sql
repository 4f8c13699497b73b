-- For this transaction only. Nobody is told of a chunk before the month is closed, and what the
-- server forgets in a crash is due again: so it need not wait for the disk. Whatever others commit
-- after it, the end of the close too, waits for both.
SELECT set_config('work_mem', %(work_mem)s, true), set_config('synchronous_commit', 'off', true)
