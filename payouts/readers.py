"""How many readers paid for a page, for badges whose owners show it.

Counted after a close from the shares themselves, and written down where the badge reads it: what
foreign pages load must not depend on the size of the books.
"""

from django.db import connection

from payouts.transparency import FEWEST_PEOPLE

THINGS_AT_ONCE = 1_000

# Things that are shown and have no figures of the last closed month, or have those of somebody who
# owned them before. The shares are read along their index by creator and thing, a month each.
# The same patron in two months is one reader, so months cannot be added up one by one.
PUBLISH = """
INSERT INTO buttons_readers AS known
    (thing_id, owner_id, month, readers, currency, amount_micros)
SELECT t.id, t.owner_id, m.month, s.readers, coalesce(s.currency, ''), s.amount_micros
FROM (SELECT max(month) AS month FROM buttons_month WHERE state = 'closed') AS m
JOIN buttons_thing AS t ON t.shows_readers AND t.owner_id IS NOT NULL
LEFT JOIN buttons_readers AS r ON r.thing_id = t.id
CROSS JOIN LATERAL (
    SELECT count(DISTINCT patron_id) AS readers, min(currency) AS currency,
        CASE WHEN min(currency) = max(currency) AND count(DISTINCT patron_id) >= %(fewest)s
            THEN sum(amount_micros) END AS amount_micros
    FROM payouts_share
    WHERE creator_id = t.owner_id AND thing_id = t.id AND amount_micros > 0
        AND month IN (SELECT month FROM buttons_month WHERE state = 'closed')
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
