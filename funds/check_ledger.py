# ruff: noqa: S608 - The statements are put together from constants of this module.
"""Recompute what must be true of the ledger, from the transfers alone.

Each check is a question whose answer should be no row. Apps above add their own checks to the
list that they run (`payouts`); the command is `manage.py check_ledger`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection, transaction

ROWS_SHOWN_MAX = 5
# A check looks at every row and returns hardly any, which the planner cannot know: it would rather
# not hand on the rows that it expects, and leave the other cores alone.
USE_ALL_CORES = "SELECT set_config('parallel_tuple_cost', '0', true)"


@dataclass(frozen=True)
class Check:
    """One named question; `sql` selects a text for each row that breaks the rule."""

    name: str
    rule: str
    sql: str


@dataclass(frozen=True)
class Finding:
    """A rule that is broken, with the first rows that break it."""

    name: str
    rule: str
    rows: tuple[str, ...]


# Added up by account and phase before anything else looks at them: ten million rows become few.
# One kind of account can be asked for, which spares the sums of all others.
LEGS = """
    SELECT debit_account_id AS account_id, true AS is_debit, phase,
        sum(amount_micros) AS amount_micros
    FROM funds_transfer WHERE {debit} GROUP BY debit_account_id, phase
    UNION ALL
    SELECT credit_account_id, false, phase, sum(amount_micros)
    FROM funds_transfer WHERE {credit} GROUP BY credit_account_id, phase
"""
OF_CODE = """{side}_account_id = ANY(ARRAY(
    SELECT id FROM funds_ledgeraccount WHERE code = '{code}'))"""

SUMS = """
    SELECT account_id,
        coalesce(sum(amount_micros) FILTER (
            WHERE is_debit AND phase IN ('posted', 'post_pending')), 0) AS debits_posted,
        coalesce(sum(amount_micros) FILTER (
            WHERE NOT is_debit AND phase IN ('posted', 'post_pending')), 0) AS credits_posted,
        coalesce(sum(CASE phase WHEN 'pending' THEN amount_micros WHEN 'posted' THEN 0
            ELSE -amount_micros END) FILTER (WHERE is_debit), 0) AS debits_pending,
        coalesce(sum(CASE phase WHEN 'pending' THEN amount_micros WHEN 'posted' THEN 0
            ELSE -amount_micros END) FILTER (WHERE NOT is_debit), 0) AS credits_pending
    FROM ({legs}) AS legs
    GROUP BY account_id
"""


def sums(code: str = "") -> str:
    """Return the statement that adds up all accounts, or those of one code, from the transfers."""
    debit, credit = (
        OF_CODE.format(side=side, code=code) if code else "true" for side in ("debit", "credit")
    )
    return SUMS.format(legs=LEGS.format(debit=debit, credit=credit))


PAID_TOP_UPS = """
    SELECT id, 'top_up:' || id AS fact, amount_micros
    FROM funds_topup WHERE state IN ('paid', 'returned')
"""
TOP_UP_TRANSFERS = "SELECT fact, amount_micros FROM funds_transfer WHERE code = 'top_up'"


def fingerprint(rows: str) -> str:
    """Return the statement of one text that is the same for the same facts and amounts.

    Comparing two of them takes a sixth of joining all rows, which is left to the case that they
    differ. Other rows pass once in 2^64, and cannot be made up: the time goes into each hash.
    """
    return f"""
        SELECT format('%s %s', count(*), sum(hashtextextended(fact, amount_micros # (
            SELECT (extract(epoch FROM now()) * 1000000)::bigint))))
        FROM ({rows}) AS facts
    """


CHECKS = (
    Check(
        "counters",
        "The counters of each user's account are the sums of its transfers.",
        f"""
        SELECT format('account %s', a.id)
        FROM funds_ledgeraccount a LEFT JOIN ({sums()}) AS s ON s.account_id = a.id
        WHERE a.user_id IS NOT NULL AND
            (a.debits_posted_micros, a.credits_posted_micros,
             a.debits_pending_micros, a.credits_pending_micros)
            IS DISTINCT FROM
            (coalesce(s.debits_posted, 0), coalesce(s.credits_posted, 0),
             coalesce(s.debits_pending, 0), coalesce(s.credits_pending, 0))
        """,
    ),
    Check(
        "overdrawn",
        "No user's account is below zero, what is reserved included.",
        """
        SELECT format('account %s', id) FROM funds_ledgeraccount
        WHERE user_id IS NOT NULL
            AND credits_posted_micros - debits_posted_micros - debits_pending_micros < 0
        """,
    ),
    Check(
        "instance_counters",
        "Accounts of the instance carry no counters.",
        """
        SELECT format('account %s', id) FROM funds_ledgeraccount
        WHERE user_id IS NULL AND (debits_posted_micros, credits_posted_micros,
            debits_pending_micros, credits_pending_micros) <> (0, 0, 0, 0)
        """,
    ),
    Check(
        "legs",
        "Each transfer's accounts exist, share one currency and fit its code.",
        """
        SELECT t.fact FROM funds_transfer t
        LEFT JOIN funds_ledgeraccount d ON d.id = t.debit_account_id
        LEFT JOIN funds_ledgeraccount c ON c.id = t.credit_account_id
        WHERE d.id IS NULL OR c.id IS NULL OR d.currency <> c.currency
            OR NOT funds_is_leg(t.code, d.code, c.code)
        """,
    ),
    Check(
        "amounts",
        "Each transfer is above zero and between two accounts.",
        """
        SELECT fact FROM funds_transfer
        WHERE amount_micros <= 0 OR debit_account_id = credit_account_id
        """,
    ),
    Check(
        "ids",
        "Each transfer's id is derived from its fact.",
        # Not by the ledger's own function: who replaced that one would be believed.
        """
        SELECT fact FROM funds_transfer
        WHERE uuid_send(id) <> substring(sha256(convert_to(fact, 'UTF8')) FROM 1 FOR 16)
        """,
    ),
    Check(
        "resolutions",
        "Each post or void repeats the pending transfer that it resolves.",
        """
        SELECT t.fact FROM funds_transfer t LEFT JOIN funds_transfer p ON p.id = t.pending_id
        WHERE t.phase IN ('post_pending', 'void_pending') AND
            (p.phase, p.code, p.debit_account_id, p.credit_account_id, p.amount_micros)
            IS DISTINCT FROM
            ('pending', t.code, t.debit_account_id, t.credit_account_id, t.amount_micros)
        """,
    ),
    Check(
        "resolved_once",
        "No pending transfer is resolved twice.",
        """
        SELECT format('pending %s', pending_id) FROM funds_transfer
        WHERE pending_id IS NOT NULL GROUP BY pending_id HAVING count(*) > 1
        """,
    ),
    Check(
        "pots",
        "No month's pot gives more than it received.",
        f"""
        SELECT format('pot of %s in %s', a.month, a.currency)
        FROM funds_ledgeraccount a JOIN ({sums("pot")}) AS s ON s.account_id = a.id
        WHERE a.code = 'pot' AND s.credits_posted < s.debits_posted
        """,
    ),
    Check(
        "stripe_balance",
        "What lies at Stripe is not below zero.",
        f"""
        SELECT format('stripe_balance in %s', a.currency)
        FROM funds_ledgeraccount a JOIN ({sums("stripe_balance")}) AS s ON s.account_id = a.id
        WHERE a.code = 'stripe_balance'
            AND s.debits_posted - s.credits_posted + (
                SELECT coalesce(sum(t.amount_micros), 0) FROM funds_transfer t
                WHERE t.code = 'processor_fee' AND t.credit_account_id = a.id
            ) < 0
        """,
    ),
    Check(
        "top_ups",
        "Each paid top-up is one transfer of its amount, and each such transfer a top-up.",
        f"""
        SELECT coalesce(t.fact, format('top-up %s', p.id))
        FROM ({PAID_TOP_UPS}) AS p
        FULL JOIN ({TOP_UP_TRANSFERS}) AS t ON t.fact = p.fact
        WHERE ({fingerprint(PAID_TOP_UPS)}) IS DISTINCT FROM ({fingerprint(TOP_UP_TRANSFERS)})
            AND p.amount_micros IS DISTINCT FROM t.amount_micros
        """,
    ),
)


def run_checks(checks: Iterable[Check] = CHECKS) -> list[Finding]:
    """Return the rules that are broken, an empty list where all is well. Reads only."""
    findings = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(USE_ALL_CORES)
        for check in checks:
            # Planned as if all rows were asked for: sound books have none to stop at early.
            cursor.execute(
                f"WITH broken AS MATERIALIZED ({check.sql})"
                f" SELECT * FROM broken LIMIT {ROWS_SHOWN_MAX}"
            )
            rows = tuple(str(row[0]) for row in cursor.fetchall())
            if rows:
                findings.append(Finding(check.name, check.rule, rows))
    return findings
