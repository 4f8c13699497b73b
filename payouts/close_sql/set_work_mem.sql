-- For this transaction only.
SELECT set_config('work_mem', %(work_mem)s, true)
