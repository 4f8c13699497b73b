"""A patron's statement: every movement of their funds with the balance after it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, overload

from django.db import connection

from funds.models import LedgerAccount, Transfer

LINES_PER_PAGE = 30

# Each half reads one index; the balance is summed over what has happened, the oldest first. What
# only reserves money, or gives a reservation back, moves nothing and has no line.
MOVEMENTS = """
SELECT id, code, created_at, month, reason, -amount_micros AS signed_micros
FROM funds_transfer
WHERE debit_account_id = %(account)s AND phase IN ('posted', 'post_pending')
UNION ALL
SELECT id, code, created_at, month, reason, amount_micros
FROM funds_transfer
WHERE credit_account_id = %(account)s AND phase IN ('posted', 'post_pending')
"""

COUNT = f"SELECT count(*) FROM ({MOVEMENTS}) AS movement"  # noqa: S608 - a constant of this module.

# Transfers of one transaction share their time: what came in stands first, or the balance would
# be shown below zero, where it never was.
LINES = f"""
SELECT code, created_at, month, reason, signed_micros,
    sum(signed_micros) OVER (ORDER BY created_at, signed_micros < 0, id) AS balance_micros
FROM ({MOVEMENTS}) AS movement
ORDER BY created_at DESC, signed_micros < 0 DESC, id DESC
LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608 - a constant of this module.


@dataclass(frozen=True)
class Line:
    """One movement, signed as the patron sees it, and the balance after it."""

    code: str
    created_at: datetime
    month: date | None
    reason: str
    signed_micros: int
    balance_micros: int

    @property
    def name(self) -> str:
        return str(Transfer.Code(self.code).label)

    @property
    def absolute_micros(self) -> int:
        return abs(self.signed_micros)


class StatementLines:
    """The lines of one account, fetched a page at a time: what Django's paginator asks for."""

    def __init__(self, account: LedgerAccount) -> None:
        self.account = account

    def __len__(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(COUNT, {"account": self.account.pk})
            return int(cursor.fetchone()[0])

    def __iter__(self) -> Iterator[Line]:
        return iter(self[0 : len(self)])

    @overload
    def __getitem__(self, wanted: slice) -> list[Line]: ...
    @overload
    def __getitem__(self, wanted: int) -> Line: ...
    def __getitem__(self, wanted: Any) -> Any:
        if isinstance(wanted, int):
            return self[wanted : wanted + 1][0]
        values = {
            "account": self.account.pk,
            "limit": wanted.stop - wanted.start,
            "offset": wanted.start,
        }
        with connection.cursor() as cursor:
            cursor.execute(LINES, values)
            return [
                Line(code, created_at, month, reason, int(signed), int(balance))
                for code, created_at, month, reason, signed, balance in cursor.fetchall()
            ]
