"""Corrections: what is wrong in the books is put right by another transfer, never by an edit."""

from uuid import UUID

from accounts.models import User
from funds import ledger
from funds.models import LedgerAccount, Transfer

REASON_MAX = 160


def post_correction(
    admin: User,
    *,
    debit: LedgerAccount,
    credit: LedgerAccount,
    amount_micros: int,
    reason: str,
    correction_id: UUID,
) -> Transfer:
    """Move an amount between any two accounts of one currency, and keep who did it and why.

    The id is made before the first attempt, so that a form sent twice corrects once. Raises
    InsufficientFunds, TransferConflict or TransferRefused.
    """
    assert reason, "A correction tells its reason."
    return ledger.post(
        f"correction:{correction_id}",
        Transfer.Code.CORRECTION,
        debit=debit,
        credit=credit,
        amount_micros=amount_micros,
        month=None,
        reason=f"{reason} (by {admin.username})",
    )
