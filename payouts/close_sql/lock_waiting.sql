-- A patron may drop a flattr that waits at any moment: either before this or not at all.
SELECT count(*) FROM (
    SELECT id FROM buttons_flattr
    WHERE state = 'waiting' AND patron_id BETWEEN %(first_id)s AND %(last_id)s
    ORDER BY id FOR NO KEY UPDATE
) AS locked
