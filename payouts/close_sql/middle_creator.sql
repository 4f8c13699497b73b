-- Where to cut a range of creators in two: the first creator of the upper half.
SELECT creator_id FROM (
    SELECT DISTINCT creator_id FROM payouts_creatorstatement
    WHERE month_id = %(month)s AND creator_id BETWEEN %(first_id)s AND %(last_id)s
) AS creators
ORDER BY creator_id
OFFSET (
    SELECT (count(DISTINCT creator_id) + 1) / 2 FROM payouts_creatorstatement
    WHERE month_id = %(month)s AND creator_id BETWEEN %(first_id)s AND %(last_id)s
) LIMIT 1
