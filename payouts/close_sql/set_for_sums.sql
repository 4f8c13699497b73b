-- For this transaction only. The planner knows nothing of what was just written: taking it for a few
-- rows it sorted all shares of a month before adding them up, which took twice as long.
SELECT set_config('enable_sort', 'off', true)
