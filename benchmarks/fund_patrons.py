"""Book the top-ups of a benchmark's patrons: `python -m benchmarks.fund_patrons`.

A process of its own, in the environment of the database that is being made.
"""

import django

django.setup()

from funds import ledger  # noqa: E402 - After setup: it reads models.

TOP_UPS = """
SELECT 'top_up:' || t.id, 'top_up', s.id, f.id, t.amount_micros, NULL::date
FROM funds_topup AS t
JOIN funds_ledgeraccount AS f ON f.user_id = t.user_id AND f.code = 'funds'
JOIN funds_ledgeraccount AS s ON s.code = 'stripe_balance'
WHERE NOT EXISTS (SELECT FROM funds_transfer AS d WHERE d.id = funds_transfer_id('top_up:' || t.id))
"""

if __name__ == "__main__":
    ledger.post_rows(TOP_UPS, {})
