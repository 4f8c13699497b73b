# ruff: noqa: S608 - The statements are put together from constants of this module.
"""Check the ledger against what it is about: shares, statements and withdrawals.

These stand on top of the ledger's own checks (`funds/check_ledger.py`); `manage.py check_ledger`
and the admin run all of them. What a month under way has not written yet is not held against it.
"""

from django.utils import timezone

from accounts.models import User
from funds import check_ledger
from funds.check_ledger import Check, Finding
from payouts.models import BooksCheck

# What each month's transfers moved to and from one kind of account.
MONTH_TRANSFERS = """
    SELECT t.month, a.user_id, a.currency, t.amount_micros, t.fact
    FROM funds_transfer t JOIN funds_ledgeraccount a ON a.id = t.{side}_account_id
    WHERE t.code = '{code}'
"""

CLOSED = "SELECT month FROM buttons_month WHERE state = 'closed'"

CHECKS = (
    *check_ledger.CHECKS,
    Check(
        "closed_pots",
        "The pot of a closed month is empty.",
        f"""
        SELECT format('pot of %s in %s', a.month, a.currency)
        FROM funds_ledgeraccount a
        WHERE a.code = 'pot' AND a.month IN ({CLOSED})
            AND (SELECT coalesce(sum(amount_micros), 0) FROM funds_transfer
                WHERE credit_account_id = a.id)
            <> (SELECT coalesce(sum(amount_micros), 0) FROM funds_transfer
                WHERE debit_account_id = a.id)
        """,
    ),
    Check(
        "patron_statements",
        "A patron's statement names each flattr that was counted, with its thing and creator.",
        """
        SELECT format('patron %s in %s', patron_id, month_id)
        FROM payouts_patronstatement
        WHERE (flattrs, flattrs, flattrs) IS DISTINCT FROM
                (cardinality(flattr_ids), cardinality(thing_ids), cardinality(creator_ids))
            OR (flattrs = 0 AND given_micros > 0)
            OR array_position(flattr_ids || thing_ids || creator_ids, NULL) IS NOT NULL
            OR patron_id = ANY (creator_ids)
        """,
    ),
    Check(
        "budgets_given",
        "What a patron's statement says was given went from their funds into the month's pot.",
        f"""
        SELECT coalesce(t.fact, format('patron %s in %s', p.patron_id, p.month_id))
        FROM ({MONTH_TRANSFERS.format(code="month_budget", side="debit")}) AS t
        FULL JOIN (SELECT * FROM payouts_patronstatement WHERE given_micros > 0) AS p
            ON (p.month_id, p.patron_id, p.currency) = (t.month, t.user_id, t.currency)
        WHERE t.amount_micros IS DISTINCT FROM p.given_micros
        """,
    ),
    Check(
        "thing_statements",
        "What a thing is said to have earned is the sum of that month's shares.",
        f"""
        SELECT format('thing %s in %s', coalesce(s.thing_id, t.thing_id),
            coalesce(s.month, t.month_id))
        FROM (
            SELECT month, creator_id, thing_id, currency, sum(amount_micros) AS gross_micros,
                count(*) AS flattrs
            FROM payouts_share WHERE month IN ({CLOSED})
            GROUP BY month, creator_id, thing_id, currency
        ) AS s
        FULL JOIN (SELECT * FROM payouts_thingstatement WHERE month_id IN ({CLOSED})) AS t
            ON (t.month_id, t.creator_id, t.thing_id, t.currency)
                = (s.month, s.creator_id, s.thing_id, s.currency)
        WHERE (s.gross_micros, s.flattrs) IS DISTINCT FROM (t.gross_micros, t.flattrs::bigint)
        """,
    ),
    Check(
        "creator_statements",
        "What a creator's statement says was earned is the sum of what their things earned.",
        """
        SELECT format('creator %s in %s', coalesce(t.creator_id, c.creator_id),
            coalesce(t.month_id, c.month_id))
        FROM (
            SELECT month_id, creator_id, currency, sum(gross_micros) AS gross_micros,
                sum(flattrs) AS flattrs
            FROM payouts_thingstatement GROUP BY month_id, creator_id, currency
        ) AS t
        FULL JOIN payouts_creatorstatement AS c
            ON (c.month_id, c.creator_id, c.currency) = (t.month_id, t.creator_id, t.currency)
        WHERE (t.gross_micros, t.flattrs) IS DISTINCT FROM (c.gross_micros, c.flattrs::bigint)
        """,
    ),
    Check(
        "revenue_paid",
        "What a creator's statement says was earned came out of the month's pot.",
        f"""
        SELECT coalesce(t.fact, format('creator %s in %s', c.creator_id, c.month_id))
        FROM ({MONTH_TRANSFERS.format(code="month_revenue", side="credit")}) AS t
        FULL JOIN (SELECT * FROM payouts_creatorstatement
            WHERE gross_micros > 0 AND month_id IN ({CLOSED})) AS c
            ON (c.month_id, c.creator_id, c.currency) = (t.month, t.user_id, t.currency)
        WHERE (t.month IS NULL OR t.month IN ({CLOSED}))
            AND t.amount_micros IS DISTINCT FROM c.gross_micros
        """,
    ),
    Check(
        "fees_paid",
        "The fee on a creator's statement is what went from their revenue to the instance.",
        f"""
        SELECT coalesce(t.fact, format('creator %s in %s', c.creator_id, c.month_id))
        FROM ({MONTH_TRANSFERS.format(code="month_fee", side="debit")}) AS t
        FULL JOIN (SELECT * FROM payouts_creatorstatement
            WHERE fee_micros > 0 AND month_id IN ({CLOSED})) AS c
            ON (c.month_id, c.creator_id, c.currency) = (t.month, t.user_id, t.currency)
        WHERE (t.month IS NULL OR t.month IN ({CLOSED}))
            AND t.amount_micros IS DISTINCT FROM c.fee_micros
        """,
    ),
    Check(
        "counted_once",
        "A flattr is counted in one month at most.",
        """
        SELECT format('flattr %s', flattr_id) FROM payouts_share
        GROUP BY flattr_id HAVING count(*) > 1
        """,
    ),
    Check(
        "flattrs_behind_shares",
        "Behind each share is a flattr of that patron on that thing, not undone or dropped.",
        """
        SELECT format('share of flattr %s', s.flattr_id)
        FROM payouts_share AS s LEFT JOIN buttons_flattr AS f ON f.id = s.flattr_id
        WHERE f.id IS NULL OR (f.patron_id, f.thing_id) <> (s.patron_id, s.thing_id)
            OR f.state NOT IN ('made', 'counted') OR f.month > s.month
        """,
    ),
    Check(
        "subscribed_flattrs",
        "What a subscription flattred is its patron's, on its thing, in one of its months.",
        """
        SELECT format('flattr %s', f.id)
        FROM buttons_flattr AS f JOIN buttons_subscription AS s ON s.id = f.subscription_id
        WHERE (f.patron_id, f.thing_id) <> (s.patron_id, s.thing_id)
            OR f.month < s.first_month OR f.month > s.last_month OR f.month >= s.next_month
        """,
    ),
    Check(
        "published_figures",
        "What everybody was told of a month is the sum of its statements.",
        """
        SELECT format('figures of %s in %s', f.month_id, f.currency)
        FROM payouts_monthfigures AS f
        LEFT JOIN (
            SELECT month_id, currency, count(*) AS patrons, sum(flattrs) AS flattrs,
                sum(given_micros) AS given_micros
            FROM payouts_patronstatement WHERE flattrs > 0 GROUP BY month_id, currency
        ) AS p USING (month_id, currency)
        LEFT JOIN (
            SELECT month_id, currency, count(*) AS creators, sum(fee_micros) AS fee_micros
            FROM payouts_creatorstatement GROUP BY month_id, currency
        ) AS c USING (month_id, currency)
        WHERE (f.patrons, f.flattrs, f.distributed_micros, f.creators, f.fees_micros)
            IS DISTINCT FROM (coalesce(p.patrons, 0), coalesce(p.flattrs, 0),
                coalesce(p.given_micros, 0), coalesce(c.creators, 0), coalesce(c.fee_micros, 0))
        """,
    ),
    Check(
        "withdrawals",
        "Each withdrawal reserved its amount, and each such transfer belongs to a withdrawal.",
        """
        SELECT coalesce(t.fact, format('withdrawal %s', w.id))
        FROM payouts_withdrawal AS w
        FULL JOIN (
            SELECT t.fact, t.phase, t.amount_micros, a.user_id, a.currency
            FROM funds_transfer AS t JOIN funds_ledgeraccount AS a ON a.id = t.debit_account_id
            WHERE t.code = 'withdrawal' AND t.phase IN ('posted', 'pending')
        ) AS t ON t.fact = 'withdrawal:' || w.id
        WHERE (w.user_id, w.currency, w.amount_micros, 'pending')
            IS DISTINCT FROM (t.user_id, t.currency, t.amount_micros, t.phase)
        """,
    ),
    Check(
        "withdrawals_resolved",
        "A withdrawal is posted once it was sent, voided once refused, and reserved until then.",
        """
        SELECT format('withdrawal %s', w.id)
        FROM payouts_withdrawal AS w
        LEFT JOIN funds_transfer AS r ON r.pending_id = funds_transfer_id('withdrawal:' || w.id)
        WHERE coalesce(r.phase, 'reserved') <> CASE w.state
                WHEN 'paid' THEN 'post_pending' WHEN 'returned' THEN 'post_pending'
                WHEN 'refused' THEN 'void_pending' ELSE 'reserved' END
            OR (w.state IN ('paid', 'returned')) <> (w.stripe_transfer_id IS NOT NULL)
        """,
    ),
    Check(
        "withdrawals_returned",
        "What came back of a withdrawal is at most what was sent, and all of it once returned.",
        """
        SELECT format('withdrawal %s', coalesce(w.id::text, r.withdrawal))
        FROM payouts_withdrawal AS w
        FULL JOIN (
            SELECT split_part(fact, ':', 2) AS withdrawal, sum(amount_micros) AS amount_micros
            FROM funds_transfer WHERE code = 'withdrawal_return' GROUP BY 1
        ) AS r ON r.withdrawal = w.id::text
        WHERE w.id IS NULL OR coalesce(r.amount_micros, 0) > w.amount_micros
            OR (w.state = 'returned') <> (coalesce(r.amount_micros, 0) = w.amount_micros)
        """,
    ),
    Check(
        "withdrawals_asked",
        "Whatever is being sent has a request to Stripe, and nothing in review has one.",
        """
        SELECT format('withdrawal %s', w.id)
        FROM payouts_withdrawal AS w
        WHERE w.state <> 'refused' AND (w.state = 'in_review') = EXISTS (
            SELECT FROM funds_striperequest
            WHERE subject_id = w.id AND kind = 'withdrawal'
        )
        """,
    ),
)


def run_checks() -> list[Finding]:
    """Return every rule of the books that is broken. Reads only."""
    return check_ledger.run_checks(CHECKS)


def record_check() -> BooksCheck:
    """Check the books and keep the result, which the admin shows.

    One that finds something stops withdrawals and refunds (`is_stopped`).
    """
    started_at = timezone.now()
    findings = [
        {"name": found.name, "rule": found.rule, "rows": list(found.rows)} for found in run_checks()
    ]
    return BooksCheck.objects.create(
        started_at=started_at, checks=len(CHECKS), findings=findings, is_sound=not findings
    )


def is_stopped() -> bool:
    """Say whether a check found something that no admin has cleared: then no money leaves."""
    return BooksCheck.objects.filter(is_sound=False, cleared_at=None).exists()


def clear_checks(admin: User) -> int:
    """Let money leave again, for an admin who has looked; the next check may stop it again.

    Returns how many checks were cleared.
    """
    broken = BooksCheck.objects.filter(is_sound=False, cleared_at=None)
    return broken.update(cleared_by=admin, cleared_at=timezone.now())


def last_check_is_sound() -> bool | None:
    """Return how the last check ended, None before the first one."""
    newest = BooksCheck.objects.order_by("-started_at").values_list("is_sound", flat=True)
    return newest.first()
