"""Where money came from: the ledger read backwards, for audits. Reads only.

Money in an account is alike, so what a debit spends is a convention: first in, first out. By it,
every micro that left an account is matched with exactly one that came in before.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from funds.models import Transfer


@dataclass(frozen=True)
class Source:
    """A transfer that came into an account, and how much of it a later debit spends."""

    transfer_id: UUID
    fact: str
    code: str
    amount_micros: int
    part_micros: int


# Credits and debits are laid end to end, in the order of time: what lies opposite a debit is what
# it spends. A pending debit takes its place when it reserves; one that was voided takes none.
SOURCES = """
WITH credits AS (
    SELECT id, fact, code, created_at, amount_micros,
        sum(amount_micros) OVER (ORDER BY created_at, id) AS upto
    FROM funds_transfer
    WHERE credit_account_id = %(account)s AND phase IN ('posted', 'post_pending')
), debits AS (
    SELECT t.id, t.amount_micros, sum(t.amount_micros) OVER (ORDER BY t.created_at, t.id) AS upto
    FROM funds_transfer AS t
    WHERE t.debit_account_id = %(account)s AND t.phase IN ('posted', 'pending')
        AND NOT EXISTS (
            SELECT FROM funds_transfer AS v WHERE v.pending_id = t.id AND v.phase = 'void_pending'
        )
)
SELECT c.id, c.fact, c.code, c.amount_micros,
    least(c.upto, d.upto) - greatest(c.upto - c.amount_micros, d.upto - d.amount_micros)
FROM credits AS c
JOIN debits AS d ON c.upto > d.upto - d.amount_micros AND c.upto - c.amount_micros < d.upto
WHERE d.id = %(debit)s
ORDER BY c.created_at, c.id
LIMIT %(limit)s
"""

BALANCES = """
SELECT account_id, sum(amount_micros)::bigint
FROM (
    SELECT credit_account_id AS account_id, amount_micros FROM funds_transfer
    WHERE credit_account_id = ANY (%(accounts)s) AND phase IN ('posted', 'post_pending')
    UNION ALL
    SELECT debit_account_id, -amount_micros FROM funds_transfer
    WHERE debit_account_id = ANY (%(accounts)s) AND phase IN ('posted', 'post_pending')
) AS legs
GROUP BY account_id
"""

SOURCES_MAX = 500


def sources_of(transfer: Transfer) -> list[Source]:
    """Return what a transfer spends, the oldest first; nothing for accounts of the instance.

    For a transfer that posts a pending one, ask with the pending one.
    """
    if transfer.debit_account.user_id is None:
        return []
    reserved = transfer.pending_id or transfer.pk
    params: dict[str, Any] = {
        "account": transfer.debit_account_id,
        "debit": reserved,
        "limit": SOURCES_MAX,
    }
    with connection.cursor() as cursor:
        cursor.execute(SOURCES, params)
        return [
            Source(row_id, fact, code, amount, int(part))
            for row_id, fact, code, amount, part in cursor.fetchall()
        ]


def balances_of(account_ids: list[int]) -> dict[int, int]:
    """Return credits less debits of some accounts, summed from their transfers."""
    if not account_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(BALANCES, {"accounts": account_ids})
        return {account_id: int(amount) for account_id, amount in cursor.fetchall()}
