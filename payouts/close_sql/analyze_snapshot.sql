-- The chunks are planned by how many rows there are: without this, as if there were hardly any.
SELECT payouts_analyze_snapshot()
