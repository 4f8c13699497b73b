"""Seed one fault at a time into a copy of the tree and see the tests find it: `make mutants`.

Each mutant replaces one piece of text, which must be there exactly once, and names the tests that
are concerned. All these are run once without any fault, and only those that pass then may judge:
a mutant is killed by one of them that fails. A test that could not be set up or collected, or that
never ends, has judged nothing, so a mutant that breaks everything survives. One that survives makes
the run fail. Names as arguments run those only: `python -m tests.mutants "fee rounded up"`.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 2
SECONDS_MAX = 600

HAND_WORKED = "tests/payouts/test_hand_worked.py"
RULES = "tests/funds/test_ledger_rules.py"
OWNERSHIP = "tests/buttons/test_ownership.py"
STATEMENTS = "tests/payouts/test_statement_rows.py"
PRESSES = "tests/buttons/test_presses.py"
LIMITS = "tests/buttons/test_limits.py"
LEDGER_SQL = "funds/migrations/0002_ledger.py"
APPLY_SQL = "funds/migrations/0008_sums_at_speed.py"
SHARES_SQL = "payouts/close_sql/shares.sql"
DIVISION = "payouts/migrations/0013_shares_follow_from_statements.py"
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
        DIVISION,
        " + CASE WHEN r.place <= mod(s.given_micros, s.flattrs) THEN 1 ELSE 0 END",
        "",
        (HAND_WORKED,),
    ),
    Mutant(
        "remainder to the latest",
        DIVISION,
        "r.place <= mod(s.given_micros, s.flattrs)",
        "r.place > s.flattrs - mod(s.given_micros, s.flattrs)",
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
        "a share counted twice",
        "payouts/migrations/0001_initial.py",
        'fields=("month", "patron"), name="patron_statement_once"',
        'fields=("month", "patron", "id"), name="patron_statement_once"',
        (STATEMENTS,),
    ),
    Mutant(
        "flattrs in any order",
        SHARES_SQL,
        "array_agg(id ORDER BY created_at, id) FILTER (WHERE is_counted)",
        "array_agg(id ORDER BY id DESC) FILTER (WHERE is_counted)",
        (STATEMENTS,),
    ),
    Mutant(
        "a statement written over",
        DIVISION,
        "BEFORE DELETE OR UPDATE OF",
        "BEFORE UPDATE OF mailed_at,",
        (STATEMENTS,),
    ),
    Mutant(
        "a patron counted for each flattr",
        DIVISION,
        "array_position(s.creator_ids, r.creator_id) = r.place",
        "true",
        ("tests/payouts/test_close_crashes.py", STATEMENTS),
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
        ("tests/payouts/test_close.py",),
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
        "if cursor.rowcount == 0:",
        "if cursor.rowcount < 0:",
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
    Mutant(
        "https to http redirect",
        "buttons/fetch.py",
        'if url.startswith("https:") and target.startswith("http:"):',
        'if url.startswith("gopher:"):',
        ("tests/buttons/test_fetch.py",),
    ),
    Mutant(
        "multicast address allowed",
        "buttons/fetch.py",
        "        and not address.is_multicast\n",
        "",
        ("tests/buttons/test_fetch.py",),
    ),
    Mutant(
        "own waiting flattr kept",
        "buttons/ownership.py",
        "    own.filter(state=Flattr.State.WAITING).update(state=Flattr.State.DROPPED, "
        "ended_at=held.at)\n",
        "",
        (OWNERSHIP,),
    ),
    Mutant(
        "disputed page proven",
        "buttons/ownership.py",
        "is_disputed = bool(how_by_user) and len(rivals) > 1",
        "is_disputed = False",
        (OWNERSHIP,),
    ),
    Mutant(
        "disputed site proven",
        "buttons/ownership.py",
        "is_disputed = bool(found) and len(rivals) > 1",
        "is_disputed = False",
        ("tests/buttons/test_sites.py",),
    ),
    Mutant(
        "reuse for another user",
        APPLY_SQL,
        "AND d.user_id <> c.user_id",
        "AND false",
        (RULES,),
    ),
    Mutant(
        "another's kept press shown",
        "buttons/views.py",
        "(kept.patron is None or kept.patron != request.user)",
        "kept.patron is None",
        (PRESSES,),
    ),
    Mutant(
        "another's kept press dropped",
        "buttons/presses.py",
        "kept = patron.presses.get(pk=press_id)",
        "kept = Press.objects.get(pk=press_id)",
        (PRESSES,),
    ),
    Mutant(
        "presses without a limit",
        "buttons/views.py",
        "@presses_limited\ndef _other_press",
        "def _other_press",
        (LIMITS,),
    ),
    Mutant(
        "usual presses without a limit",
        "buttons/migrations/0011_count_presses.py",
        "WHERE c.presses < 60 OR",
        "WHERE true OR",
        (LIMITS,),
    ),
    Mutant(
        "a minute without an end",
        "buttons/limits.py",
        "c.began_at > excluded.began_at - interval '1 minute'",
        "true",
        (LIMITS,),
    ),
    Mutant(
        "deactivated patron gives",
        "payouts/close_sql/snapshot_patrons.sql",
        "u.is_active\n    AND ",
        "",
        ("tests/payouts/test_close.py",),
    ),
    Mutant(
        "deactivated creator receives",
        "payouts/close_sql/snapshot_things.sql",
        "WHERE u.is_active\n        AND u.id",
        "WHERE u.id",
        ("tests/payouts/test_close.py",),
    ),
    Mutant(
        "deactivated creator's revenue reused",
        "payouts/close_sql/reuse.sql",
        " AND u.is_active\n",
        "\n",
        ("tests/payouts/test_close.py",),
    ),
    Mutant(
        "deactivated creator withdraws",
        "payouts/withdrawals.py",
        " or not user.is_active:",
        ":",
        ("tests/payouts/test_withdrawals.py",),
    ),
    Mutant(
        "deactivated user proves a page",
        "buttons/ownership.py",
        "filter(wanted, is_active=True)",
        "filter(wanted)",
        (OWNERSHIP,),
    ),
    Mutant(
        "deactivated owner promised a share",
        "buttons/means.py",
        "filter(pk__in=asked, is_active=True)",
        "filter(pk__in=asked)",
        ("tests/buttons/test_window.py",),
    ),
)


@dataclass
class Verdicts:
    """What the tests of one run said, by name."""

    passed: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    not_set_up: list[str] = field(default_factory=list)


@contextmanager
def copied_tree() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder) / "tree"
        tracked = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for name in filter(None, tracked.split("\0")):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
        yield tree


def run_tests(tree: Path, tests: tuple[str, ...], *options: str) -> Verdicts:
    """Run tests and read pytest's own report; raises TimeoutExpired."""
    report = tree / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    subprocess.run(
        [*command, f"--junitxml={report}", *options, *tests],
        cwd=tree,
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    verdicts = Verdicts()
    # Of our own making, a moment ago.
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        if case.find("failure") is not None:
            verdicts.failed.append(name)
        elif case.find("error") is not None:
            verdicts.not_set_up.append(name)
        elif case.find("skipped") is None:
            verdicts.passed.add(name)
    # A test whose check afterwards fails is reported twice: it has not passed.
    verdicts.passed -= {*verdicts.failed, *verdicts.not_set_up}
    return verdicts


def sound_tests(tests: tuple[str, ...]) -> set[str]:
    """Return the tests that pass where nothing is wrong: the others can judge nothing."""
    with copied_tree() as tree:
        clean = run_tests(tree, tests)
    for name in (*clean.failed, *clean.not_set_up):
        sys.stdout.write(f"{name} fails without any fault, and judges none\n")
    return clean.passed


def verdict_on(mutant: Mutant, sound: set[str]) -> tuple[bool, str]:
    """Return whether a fault was found, and by which test or why not."""
    with copied_tree() as tree:
        file = tree / mutant.path
        text = file.read_text()
        assert text.count(mutant.text) == 1, f"{mutant.name}: {mutant.path} has changed"
        file.write_text(text.replace(mutant.text, mutant.replacement))
        try:
            verdicts = run_tests(tree, mutant.tests, "-x")
            if not sound & set(verdicts.failed):
                # The first that did not pass judged nothing; perhaps another does.
                verdicts = run_tests(tree, mutant.tests)
        except subprocess.TimeoutExpired:
            return False, f"SURVIVES: the tests do not end in {SECONDS_MAX} s"
    killers = [name for name in verdicts.failed if name in sound]
    if killers:
        return True, killers[0]
    if verdicts.not_set_up:
        return False, f"SURVIVES: {len(verdicts.not_set_up)} tests cannot be set up, none fails"
    return False, "SURVIVES"


def run(mutants: tuple[Mutant, ...]) -> int:
    """Print who kills each mutant, and return how many survive."""
    survivors = 0
    begun = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        files = sorted({file for mutant in mutants for file in mutant.tests})
        sound = set().union(*pool.map(sound_tests, [(file,) for file in files]))
        sys.stdout.write(f"{len(sound)} tests pass without a fault and may judge\n")
        for mutant, (is_killed, why) in zip(
            mutants, pool.map(lambda each: verdict_on(each, sound), mutants), strict=True
        ):
            survivors += not is_killed
            sys.stdout.write(f"{mutant.name:36} {why}\n")
            sys.stdout.flush()
    seconds = time.monotonic() - begun
    sys.stdout.write(f"{len(mutants) - survivors} of {len(mutants)} killed in {seconds:.0f} s\n")
    return survivors


if __name__ == "__main__":
    named = tuple(each for each in MUTANTS if each.name in sys.argv[1:])
    sys.exit(1 if run(named or MUTANTS) else 0)
