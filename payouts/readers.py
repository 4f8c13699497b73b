"""How many readers paid for a page, for badges whose owners show it.

Counted after a close from the shares themselves, and written down where the badge reads it: what
foreign pages load must not depend on the size of the books.
"""

from django.db import connection

from payouts.transparency import FEWEST_PEOPLE

THINGS_AT_ONCE = 1_000

# Things that are shown and have no figures of the last closed month, or have those of somebody who
# owned them before. A thing's flattrs lead to their shares: of the month in which they were made,
# or of the one in which they were counted after waiting. The same patron in two months is
# one reader, so months cannot be added up one by one.
PUBLISH = """
INSERT INTO buttons_readers AS known
    (thing_id, owner_id, month, readers, currency, amount_micros)
SELECT t.id, t.owner_id, m.month, s.readers, coalesce(s.currency, ''), s.amount_micros
FROM (SELECT max(month) AS month FROM buttons_month WHERE state = 'closed') AS m
JOIN buttons_thing AS t ON t.shows_readers AND t.owner_id IS NOT NULL
LEFT JOIN buttons_readers AS r ON r.thing_id = t.id
CROSS JOIN LATERAL (
    SELECT count(DISTINCT s.patron_id) AS readers, min(s.currency) AS currency,
        CASE WHEN min(s.currency) = max(s.currency) AND count(DISTINCT s.patron_id) >= %(fewest)s
            THEN sum(s.amount_micros) END AS amount_micros
    FROM (
        SELECT id, patron_id, month FROM buttons_flattr WHERE thing_id = t.id AND state = 'made'
        UNION ALL
        SELECT f.id, f.patron_id, later.month
        FROM buttons_flattr AS f JOIN buttons_month AS later ON later.month > f.month
        WHERE f.thing_id = t.id AND f.state = 'counted'
    ) AS f
    JOIN buttons_month AS closed ON closed.month = f.month AND closed.state = 'closed'
    JOIN payouts_share AS s
        ON (s.month, s.patron_id, s.flattr_id) = (f.month, f.patron_id, f.id)
    WHERE s.creator_id = t.owner_id AND s.amount_micros > 0
) AS s
WHERE m.month IS NOT NULL
    AND (r.thing_id IS NULL OR r.month < m.month OR r.owner_id <> t.owner_id)
ORDER BY t.id
LIMIT %(limit)s
ON CONFLICT (thing_id) DO UPDATE SET owner_id = excluded.owner_id, month = excluded.month,
    readers = excluded.readers, currency = excluded.currency,
    amount_micros = excluded.amount_micros
"""


def publish_readers() -> int:
    """Write down the readers of shown things that lack them; return how many were written."""
    with connection.cursor() as cursor:
        cursor.execute(PUBLISH, {"fewest": FEWEST_PEOPLE, "limit": THINGS_AT_ONCE})
        return int(cursor.rowcount)
