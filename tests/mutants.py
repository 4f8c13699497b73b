"""Seed one fault at a time into a copy of the tree and see the tests find it: `make mutants`.

Each mutant replaces one piece of text, which must be there exactly once, and names the tests that
are concerned. The first test that fails kills it; one that survives makes the run fail. Names as
arguments run those only: `python -m tests.mutants "fee rounded up"`.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 2
SECONDS_MAX = 600

HAND_WORKED = "tests/payouts/test_hand_worked.py"
RULES = "tests/funds/test_ledger_rules.py"
LEDGER_SQL = "funds/migrations/0002_ledger.py"
SHARES_SQL = "payouts/close_sql/shares.sql"
# Follows the functions of the ledger, so that what is said after it is done last.
LAST = "REVOKE ALL ON FUNCTION funds_apply_transfers() FROM PUBLIC;"
NOT_OVERDRAWN = "ALTER TABLE funds_ledgeraccount DROP CONSTRAINT ledger_account_not_overdrawn;"
OVERDRAWN_BY_PENDING = """
ALTER TABLE funds_ledgeraccount ADD CONSTRAINT ledger_account_not_overdrawn
    CHECK (user_id IS NULL OR credits_posted_micros >= debits_posted_micros);
"""


@dataclass(frozen=True)
class Mutant:
    name: str
    path: str
    text: str
    replacement: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "a lost remainder",
        SHARES_SQL,
        " + CASE WHEN place <= mod(given_micros, flattrs) THEN 1 ELSE 0 END",
        "",
        (HAND_WORKED,),
    ),
    Mutant(
        "remainder to the latest",
        SHARES_SQL,
        "ORDER BY created_at, id ROWS",
        "ORDER BY created_at DESC, id DESC ROWS",
        (HAND_WORKED,),
    ),
    Mutant(
        "fee rounded up",
        "payouts/close_sql/creator_statements.sql",
        "gross_micros * %(fee_basis_points)s / 10000",
        "(gross_micros * %(fee_basis_points)s + 9999) / 10000",
        (HAND_WORKED,),
    ),
    Mutant(
        "fee taken twice",
        "payouts/close_sql/month_revenue.sql",
        "fees.id, s.fee_micros)",
        "fees.id, s.fee_micros * 2)",
        (HAND_WORKED,),
    ),
    Mutant(
        "unsorted lock",
        LEDGER_SQL,
        "ORDER BY id FOR NO KEY UPDATE",
        "FOR NO KEY UPDATE",
        ("tests/funds/test_lock_order.py",),
    ),
    Mutant(
        "missing unique key",
        "funds/migrations/0007_transfers_at_speed.py",
        "CREATE UNIQUE INDEX funds_transfer_pending_id_key",
        "CREATE INDEX funds_transfer_pending_id_key",
        ("tests/funds/test_ledger.py", RULES),
    ),
    Mutant(
        "missing ON CONFLICT compare",
        "funds/ledger.py",
        "if found != content:",
        "if not found:",
        ("tests/funds/test_ledger.py",),
    ),
    Mutant(
        "waiting counted twice",
        "payouts/close_sql/count_waiting.sql",
        "SET state = 'counted'",
        "SET state = 'waiting'",
        (HAND_WORKED,),
    ),
    Mutant(
        "own thing counted",
        SHARES_SQL,
        "t.creator_id <> f.patron_id IS TRUE",
        "t.creator_id IS NOT NULL",
        ("tests/payouts/test_close.py", "tests/payouts/test_close_reference.py"),
    ),
    Mutant(
        "expired early",
        "payouts/close_sql/end_waiting.sql",
        "f.month <= %(expires_month)s",
        "f.month <= %(expires_month)s + interval '1 month'",
        (HAND_WORKED,),
    ),
    Mutant(
        "void on timeout",
        "funds/outbox.py",
        "return _put_off(request, str(error), is_outcome_unknown=True, "
        "is_new_key=error.is_answered)",
        "return _record_refusal(request, StripeRefused(str(error)))",
        ("tests/funds/test_outbox.py", "tests/payouts/test_withdrawals_at_stripe.py"),
    ),
    Mutant(
        "credit without signature check",
        "funds/webhooks.py",
        "stripe_gateway.verified_event(payload, signature, secret)",
        '__import__("json").loads(payload)',
        ("tests/funds/test_top_ups.py",),
    ),
    Mutant(
        "event applied twice",
        "funds/top_ups.py",
        'f"top_up:{top_up.pk}",',
        'f"top_up:{top_up.pk}:{timezone.now()}",',
        ("tests/funds/test_top_ups.py", "tests/funds/test_at_once.py"),
    ),
    Mutant(
        "budget above funds",
        SHARES_SQL,
        "least(",
        "greatest(",
        (HAND_WORKED,),
    ),
    Mutant(
        "snapshot read live",
        SHARES_SQL,
        "least(\n            p.budget_micros,",
        "least((SELECT amount_micros FROM funds_monthlybudget AS b WHERE b.user_id = p.patron_id),",
        ("tests/payouts/test_close.py",),
    ),
    Mutant(
        "append-only trigger dropped",
        LEDGER_SQL,
        LAST,
        f"{LAST} DROP TRIGGER transfer_append_only ON funds_transfer;",
        (RULES,),
    ),
    Mutant(
        "overdraft check dropped",
        LEDGER_SQL,
        LAST,
        f"{LAST} {NOT_OVERDRAWN}",
        ("tests/funds/test_ledger.py",),
    ),
    Mutant(
        "nonce not spent",
        "buttons/nonces.py",
        "    if not is_new:\n",
        "    if is_new is None:\n",
        ("tests/buttons/test_window.py",),
    ),
    Mutant(
        "undo after the month",
        "buttons/flattrs.py",
        "filter(pk=flattr_id, state=Flattr.State.MADE, month=held.month)",
        "filter(pk=flattr_id, state=Flattr.State.MADE)",
        ("tests/buttons/test_flattrs.py",),
    ),
    Mutant(
        "withdrawal above revenue",
        LEDGER_SQL,
        LAST,
        f"{LAST} {NOT_OVERDRAWN} {OVERDRAWN_BY_PENDING}",
        ("tests/payouts/test_withdrawals.py",),
    ),
)


def killed_by(mutant: Mutant) -> str:
    """Return the first test that fails with the fault in place, empty where none does."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder) / "tree"
        tracked = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for name in filter(None, tracked.split("\0")):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
        file = tree / mutant.path
        text = file.read_text()
        assert text.count(mutant.text) == 1, f"{mutant.name}: {mutant.path} has changed"
        file.write_text(text.replace(mutant.text, mutant.replacement))
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, *mutant.tests],
            cwd=tree,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    found = re.search(r"(?m)^FAILED (.+?)(?: - |$)", done.stdout)
    # Tests that could not be set up have not judged anything.
    assert done.returncode == 0 or found, done.stdout + done.stderr
    return found.group(1) if found else ""


def run(mutants: tuple[Mutant, ...]) -> int:
    """Print who kills each mutant, and return how many survive."""
    survivors = 0
    begun = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for mutant, killer in zip(mutants, pool.map(killed_by, mutants), strict=True):
            survivors += not killer
            sys.stdout.write(f"{mutant.name:32} {killer or 'SURVIVES'}\n")
            sys.stdout.flush()
    seconds = time.monotonic() - begun
    sys.stdout.write(f"{len(mutants) - survivors} of {len(mutants)} killed in {seconds:.0f} s\n")
    return survivors


if __name__ == "__main__":
    named = tuple(each for each in MUTANTS if each.name in sys.argv[1:])
    sys.exit(1 if run(named or MUTANTS) else 0)
