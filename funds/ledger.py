"""The ledger: the only writer of transfers, and so the only thing that moves money.

A transfer's id is derived from the fact that it records (`top_up:<id>`,
`month_budget:<month>:<user>:<currency>`), so a repeat is harmless: the row that is there is
compared with the one that was asked for, and a difference raises. Whether a transfer fits its
accounts, and what it does to their counters, is decided by the database
(`funds/migrations/0002_ledger.py`). The model is TigerBeetle's; see docs/architecture.md.
"""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from accounts.models import User
from funds.models import LedgerAccount, Transfer

Code = LedgerAccount.Code
Phase = Transfer.Phase


class InsufficientFunds(Exception):
    """The debit would spend what is not there; nothing was written."""


class TransferConflict(Exception):
    """The same fact was recorded before with another content; nothing was written."""


class TransferRefused(Exception):
    """The transfer does not fit its accounts or its pending transfer; nothing was written."""


class _RecordedBefore(Exception):
    """One of many facts was recorded before; nothing was written."""


@dataclass(frozen=True)
class Written:
    """How many transfers a set of rows asked for, and how many of them were new."""

    asked: int
    new: int


ENSURE_ACCOUNT = """
INSERT INTO funds_ledgeraccount (code, currency, user_id, month) VALUES (%s, %s, %s, %s)
ON CONFLICT (user_id, code, currency, month) DO NOTHING
"""

ENSURE_ACCOUNTS = """
INSERT INTO funds_ledgeraccount (code, currency, user_id, month)
SELECT code, currency, user_id, month FROM ({rows}) AS wanted (code, currency, user_id, month)
ORDER BY user_id, code, currency, month
ON CONFLICT (user_id, code, currency, month) DO NOTHING
"""

INSERT_ONE = """
INSERT INTO funds_transfer
    (id, fact, code, phase, debit_account_id, credit_account_id, amount_micros, month, pending_id,
     reason)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO NOTHING
"""

# One statement, so that its trigger updates each account once. Rows are written in id order, so
# that two writers of the same facts wait for each other instead of locking each other out.
INSERT_NEW_ROWS = """
INSERT INTO funds_transfer
    (id, fact, code, phase, debit_account_id, credit_account_id, amount_micros, month)
SELECT funds_transfer_id(fact) AS id, fact, code, 'posted', debit_account_id, credit_account_id,
    amount_micros, month
FROM ({rows}) AS asked
    (fact, code, debit_account_id, credit_account_id, amount_micros, month)
ORDER BY id
"""

# The same where some of the facts were recorded before: they are compared and left as they are.
INSERT_ROWS = """
WITH wanted AS MATERIALIZED (
    SELECT funds_transfer_id(fact) AS id, fact, code, debit_account_id, credit_account_id,
        amount_micros, month
    FROM ({rows}) AS asked
        (fact, code, debit_account_id, credit_account_id, amount_micros, month)
    ORDER BY id
), written AS (
    INSERT INTO funds_transfer
        (id, fact, code, phase, debit_account_id, credit_account_id, amount_micros, month)
    SELECT id, fact, code, 'posted', debit_account_id, credit_account_id, amount_micros, month
    FROM wanted
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
SELECT
    (SELECT count(*) FROM wanted),
    (SELECT count(*) FROM written),
    -- Only where something was there before is anything compared.
    CASE WHEN (SELECT count(*) FROM wanted) > (SELECT count(*) FROM written) THEN
        (SELECT count(*) FROM wanted AS w JOIN funds_transfer AS t USING (id)
         WHERE (t.fact, t.code, t.phase, t.debit_account_id, t.credit_account_id,
                t.amount_micros, t.month)
             IS NOT DISTINCT FROM
             (w.fact, w.code, 'posted', w.debit_account_id, w.credit_account_id,
              w.amount_micros, w.month))
    ELSE 0 END
"""


def transfer_id(fact: str) -> uuid.UUID:
    """Return the id of the transfer that records a fact: 16 bytes of its SHA-256.

    The database derives it the same way (`funds_transfer_id`); a test holds them equal.
    """
    return uuid.UUID(bytes=hashlib.sha256(fact.encode()).digest()[:16])


def account_of(
    code: str, *, currency: str, user: User | None = None, month: date | None = None
) -> LedgerAccount:
    """Return one ledger account with its counters as they are now, opening it if need be."""
    owner_id = user.pk if user else None
    found = _find_account(code, currency, owner_id, month)
    if found is None:
        with connection.cursor() as cursor:
            cursor.execute(ENSURE_ACCOUNT, [code, currency, owner_id, month])
        found = _find_account(code, currency, owner_id, month)
        assert found, "An account that was just opened is there."
    return found


def ensure_accounts(rows_sql: str, params: Sequence[Any] | dict[str, Any]) -> int:
    """Open many accounts: `rows_sql` selects code, currency, user_id, month. Repeats do nothing."""
    with connection.cursor() as cursor:
        cursor.execute(ENSURE_ACCOUNTS.format(rows=rows_sql), params)
        return int(cursor.rowcount)


def lock_accounts(account_ids: Sequence[int]) -> None:
    """Lock accounts of users in id order until the transaction ends."""
    assert connection.in_atomic_block, "A lock outside a transaction is gone at once."
    with connection.cursor() as cursor:
        cursor.execute("SELECT funds_lock_accounts(%s::bigint[])", [list(account_ids)])


def available_micros(account: LedgerAccount) -> int:
    """Return what may be spent from a user's account now, read anew."""
    return LedgerAccount.objects.get(pk=account.pk).available_micros


def post(
    fact: str,
    code: str,
    *,
    debit: LedgerAccount,
    credit: LedgerAccount,
    amount_micros: int,
    month: date | None = None,
    reason: str = "",
) -> Transfer:
    """Move an amount at once and return the transfer; the same fact again returns the first one.

    Raises InsufficientFunds, TransferConflict or TransferRefused, and then writes nothing.
    """
    return _write(fact, code, Phase.POSTED, debit, credit, amount_micros, month, None, reason)


def pend(
    fact: str,
    code: str,
    *,
    debit: LedgerAccount,
    credit: LedgerAccount,
    amount_micros: int,
    reason: str = "",
) -> Transfer:
    """Reserve an amount until it is posted or voided; repeats and errors as for `post`."""
    return _write(fact, code, Phase.PENDING, debit, credit, amount_micros, None, None, reason)


def post_pending(pending: Transfer) -> Transfer:
    """Move what a pending transfer reserved. Raises TransferConflict where it was voided."""
    return _resolve(pending, Phase.POST_PENDING)


def void_pending(pending: Transfer, reason: str = "") -> Transfer:
    """Give back what a pending transfer reserved. Raises TransferConflict where it was posted."""
    return _resolve(pending, Phase.VOID_PENDING, reason)


def post_rows(rows_sql: str, params: Sequence[Any] | dict[str, Any]) -> Written:
    """Post many transfers in one statement, at the database's own speed.

    `rows_sql` selects fact, code, debit_account_id, credit_account_id, amount_micros, month, with
    amounts above zero. Errors as for `post`; all rows are written, or none.
    """
    try:
        # Nearly always nothing was recorded before; what allows for it costs a tenth.
        with _translated_errors(), connection.cursor() as cursor:
            cursor.execute(INSERT_NEW_ROWS.format(rows=rows_sql), params)
            return Written(cursor.rowcount, cursor.rowcount)
    except _RecordedBefore:
        return _post_missing_rows(rows_sql, params)


def _post_missing_rows(rows_sql: str, params: Sequence[Any] | dict[str, Any]) -> Written:
    """Post those of many transfers that were not recorded before, and compare the others."""
    with _translated_errors(), connection.cursor() as cursor:
        cursor.execute(INSERT_ROWS.format(rows=rows_sql), params)
        asked, new, same = cursor.fetchone()
        if new + same != asked:
            # Another transaction may have recorded the same facts while this statement waited for
            # it, or the rows name a fact twice: neither is in the snapshot of that statement.
            cursor.execute(INSERT_ROWS.format(rows=rows_sql), params)
            asked, late, same = cursor.fetchone()
            new += late
            if late + same != asked:
                raise TransferConflict(f"{asked - late - same} of {asked} facts differ")
        return Written(asked, new)


def _find_account(
    code: str, currency: str, user_id: int | None, month: date | None
) -> LedgerAccount | None:
    accounts = LedgerAccount.objects.filter(code=code, currency=currency, month=month)
    whose = Q(user_id=user_id) if user_id else Q(user=None)
    return accounts.filter(whose).first()


def _resolve(pending: Transfer, phase: str, reason: str = "") -> Transfer:
    ending = "post" if phase == Phase.POST_PENDING else "void"
    return _write(
        f"{pending.fact}:{ending}",
        pending.code,
        phase,
        pending.debit_account,
        pending.credit_account,
        pending.amount_micros,
        pending.month,
        pending,
        reason,
    )


def _write(
    fact: str,
    code: str,
    phase: str,
    debit: LedgerAccount,
    credit: LedgerAccount,
    amount_micros: int,
    month: date | None,
    pending: Transfer | None,
    reason: str,
) -> Transfer:
    row_id = transfer_id(fact)
    pending_id = pending.pk if pending else None
    content = (fact, code, phase, debit.pk, credit.pk, amount_micros, month, pending_id, reason)
    with _translated_errors(), connection.cursor() as cursor:
        cursor.execute(INSERT_ONE, [row_id, *content])
    row = Transfer.objects.get(pk=row_id)
    found = (
        row.fact,
        row.code,
        row.phase,
        row.debit_account_id,
        row.credit_account_id,
        row.amount_micros,
        row.month,
        row.pending_id,
        row.reason,
    )
    if found != content:
        raise TransferConflict(f"{fact} was recorded before with another content")
    return row


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Run in a savepoint, and name the database's refusals."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        if constraint == "ledger_account_not_overdrawn":
            raise InsufficientFunds from error
        if constraint == "funds_transfer_pkey":
            raise _RecordedBefore from error
        if constraint == "funds_transfer_pending_id_key":
            raise TransferConflict("the pending transfer was resolved otherwise") from error
        raise TransferRefused(constraint or str(error)) from error
