-- Where to cut a range of patrons in two: the first patron of the upper half.
SELECT patron_id FROM payouts_monthpatron
WHERE month_id = %(month)s AND patron_id BETWEEN %(first_id)s AND %(last_id)s
ORDER BY patron_id
OFFSET (
    SELECT (count(*) + 1) / 2 FROM payouts_monthpatron
    WHERE month_id = %(month)s AND patron_id BETWEEN %(first_id)s AND %(last_id)s
) LIMIT 1
