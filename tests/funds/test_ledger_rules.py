"""The ledger's rules that the database keeps, whoever writes: each is attacked with plain SQL."""

import itertools
import uuid
from contextlib import contextmanager
from datetime import date

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import errors

from funds import ledger
from funds.check_ledger import CHECKS, fingerprint, run_checks
from funds.ledger import InsufficientFunds
from funds.models import LedgerAccount, TopUp, Transfer
from funds.roles import as_owner

pytestmark = [pytest.mark.django_db, pytest.mark.ledger_alone]

AUGUST, SEPTEMBER = date(2026, 8, 1), date(2026, 9, 1)
COMMITTED = pytest.mark.django_db(transaction=True)

INSERT = """
INSERT INTO funds_transfer (id, fact, code, phase, debit_account_id, credit_account_id,
    amount_micros, month, pending_id, reason)
VALUES (coalesce(%(id)s, funds_transfer_id(%(fact)s)), %(fact)s, %(code)s, %(phase)s, %(debit)s,
    %(credit)s, %(amount)s, %(month)s, %(pending)s, %(reason)s)
"""


def account(code, user=None, currency="EUR", month=None):
    return ledger.account_of(code, currency=currency, user=user, month=month)


def run(statement, params=None):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, params)


def insert(debit, credit, code="correction", **changes):
    row = {
        "id": None, "fact": f"test:{uuid.uuid4()}", "code": code, "phase": "posted",
        "debit": debit.pk, "credit": credit.pk, "amount": 1, "month": None, "pending": None,
        "reason": "A test.",
    }  # fmt: skip
    run(INSERT, row | changes)
    return Transfer.objects.get(fact=(row | changes)["fact"])


@contextmanager
def refused(constraint):
    """Expect a refusal by this constraint, which the driver names."""
    with pytest.raises(IntegrityError) as found:
        yield
    assert found.value.__cause__.diag.constraint_name == constraint


@contextmanager
def refused_as(kind):
    """Expect PostgreSQL's own kind of error behind Django's."""
    with pytest.raises((IntegrityError, ProgrammingError)) as found:
        yield
    assert isinstance(found.value.__cause__, kind), found.value


# One row.


def test_a_transfer_that_fits_is_written(alice):
    row = insert(account("stripe_balance"), account("funds", alice), amount=7)
    assert account("funds", alice).credits_posted_micros == 7
    assert row.created_at is not None


def test_an_id_of_another_fact_is_refused(alice):
    with refused("transfer_id_is_of_its_fact"):
        insert(account("stripe_balance"), account("funds", alice), id=uuid.uuid4())


@pytest.mark.parametrize("amount", [0, -1])
def test_an_amount_of_nothing_or_less_is_refused(alice, amount):
    with refused("transfer_above_zero"):
        insert(account("stripe_balance"), account("funds", alice), amount=amount)


def test_a_transfer_to_the_same_account_is_refused(alice):
    with refused("transfer_two_accounts"):
        insert(account("funds", alice), account("funds", alice))


@pytest.mark.parametrize("phase", ["post_pending", "void_pending"])
def test_a_resolution_of_nothing_is_refused(alice, phase):
    with refused("transfer_phase_and_pending_agree"):
        insert(account("stripe_balance"), account("funds", alice), phase=phase)


@pytest.mark.parametrize("phase", ["posted", "pending", "gone"])
def test_only_a_resolution_names_a_pending_transfer(alice, phase):
    pending = insert(account("stripe_balance"), account("funds", alice), phase="pending")
    with refused("transfer_phase_and_pending_agree"):
        insert(account("stripe_balance"), account("funds", alice), phase=phase, pending=pending.pk)


def test_a_correction_without_a_reason_is_refused(alice):
    with refused("correction_has_a_reason"):
        insert(account("stripe_balance"), account("funds", alice), reason="")


# Accounts and codes.

LEGAL = {
    "top_up": {("stripe_balance", "funds")},
    "top_up_reversal": {("funds", "stripe_balance")},
    "processor_fee": {("processor_fees", "stripe_balance")},
    "month_budget": {("funds", "pot")},
    "month_revenue": {("pot", "revenue")},
    "month_fee": {("revenue", "fees")},
    "reuse": {("revenue", "funds")},
    "revenue_hold": {("revenue", "revenue_held")},
    "revenue_release": {("revenue_held", "revenue")},
    "withdrawal": {("revenue", "stripe_balance")},
    "withdrawal_return": {("stripe_balance", "revenue")},
    "dispute": {("funds", "stripe_balance")},
    "dispute_clawback": {
        ("revenue", "stripe_balance"),
        ("revenue_held", "stripe_balance"),
        ("fees", "stripe_balance"),
    },
    "dispute_loss": {("dispute_losses", "stripe_balance")},
    "dispute_won": {
        ("stripe_balance", "funds"),
        ("stripe_balance", "revenue"),
        ("stripe_balance", "revenue_held"),
        ("stripe_balance", "fees"),
        ("stripe_balance", "dispute_losses"),
    },
    "operator_payout": {("fees", "stripe_balance")},
    "operator_deposit": {("stripe_balance", "fees")},
}
PAIRS = list(itertools.permutations(LedgerAccount.Code.values, 2))


def is_leg(code, pair):
    with connection.cursor() as cursor:
        cursor.execute("SELECT funds_is_leg(%s, %s, %s)", [code, *pair])
        return cursor.fetchone()[0]


@pytest.mark.parametrize("code", LEGAL)
def test_each_code_has_its_legs_and_no_other(code):
    assert {pair for pair in PAIRS if is_leg(code, pair)} == LEGAL[code]


def test_a_correction_may_be_between_any_two_and_no_code_is_forgotten():
    assert all(is_leg("correction", pair) for pair in PAIRS)
    assert {*LEGAL, "correction"} == set(Transfer.Code.values)


def test_the_wrong_legs_are_refused(alice):
    with refused("transfer_fits_its_accounts"):
        insert(account("funds", alice), account("stripe_balance"), code="top_up")


def test_an_unknown_code_is_refused(alice):
    with refused("transfer_fits_its_accounts"):
        insert(account("stripe_balance"), account("funds", alice), code="gift")


def test_two_currencies_are_refused(alice):
    with refused("transfer_fits_its_accounts"):
        insert(account("stripe_balance", currency="USD"), account("funds", alice))


@pytest.mark.parametrize("side", ["debit", "credit"])
def test_an_account_that_is_not_there_is_refused(side):
    nobody = LedgerAccount(pk=9_999_999)
    with refused("transfer_fits_its_accounts"):
        insert(**{"debit": account("fees"), "credit": account("fees"), side: nobody})


@pytest.mark.parametrize(
    ("code", "debit", "credit"),
    [
        ("reuse", "revenue", "funds"),
        ("revenue_hold", "revenue", "revenue_held"),
        ("revenue_release", "revenue_held", "revenue"),
    ],
)
def test_what_stays_with_a_user_cannot_go_to_another(alice, bob, code, debit, credit):
    insert(account("stripe_balance"), account(debit, alice))
    with refused("transfer_fits_its_accounts"):
        insert(account(debit, alice), account(credit, bob), code=code)
    insert(account(debit, alice), account(credit, alice), code=code)


@pytest.mark.parametrize("month", [None, SEPTEMBER])
def test_a_pot_takes_only_its_own_month(alice, month):
    insert(account("stripe_balance"), account("funds", alice))
    with refused("transfer_fits_its_accounts"):
        insert(account("funds", alice), account("pot", month=AUGUST), "month_budget", month=month)


@pytest.mark.parametrize("month", [None, SEPTEMBER])
def test_a_pot_gives_only_in_its_own_month(bob, month):
    with refused("transfer_fits_its_accounts"):
        insert(account("pot", month=AUGUST), account("revenue", bob), "month_revenue", month=month)


# Pending, post, void.


@pytest.fixture
def pending(alice):
    insert(account("stripe_balance"), account("revenue", alice), amount=10)
    return insert(
        account("revenue", alice), account("stripe_balance"), "withdrawal", phase="pending",
        amount=5,
    )  # fmt: skip


def resolve(pending, debit=None, code="withdrawal", amount=5, phase="post_pending"):
    return insert(
        debit or pending.debit_account, pending.credit_account, code, phase=phase, amount=amount,
        pending=pending.pk,
    )  # fmt: skip


def test_a_resolution_like_its_pending_transfer_is_written(alice, pending):
    resolve(pending)
    assert account("revenue", alice).debits_posted_micros == 5


@pytest.mark.parametrize("amount", [4, 6])
def test_a_resolution_of_another_amount_is_refused(pending, amount):
    with refused("transfer_fits_the_pending_one"):
        resolve(pending, amount=amount)


def test_a_resolution_between_other_accounts_is_refused(pending, bob):
    insert(account("stripe_balance"), account("revenue", bob), amount=10)
    with refused("transfer_fits_the_pending_one"):
        resolve(pending, debit=account("revenue", bob))


def test_a_resolution_under_another_code_is_refused(pending):
    with refused("transfer_fits_the_pending_one"):
        resolve(pending, code="dispute_clawback")


def test_a_resolution_of_a_posted_transfer_is_refused(alice):
    posted = insert(account("stripe_balance"), account("funds", alice), amount=5)
    with refused("transfer_fits_the_pending_one"):
        resolve(posted, code="correction")


def test_a_second_resolution_is_refused_by_the_database_too(pending):
    resolve(pending, phase="void_pending")
    with refused("funds_transfer_pending_id_key"):
        resolve(pending)


# Overdraft, and accounts.


@pytest.mark.parametrize("phase", ["posted", "pending"])
def test_an_overdraft_is_refused_and_the_exact_spend_allowed(alice, phase):
    insert(account("stripe_balance"), account("funds", alice), amount=500)
    with refused("ledger_account_not_overdrawn"):
        insert(account("funds", alice), account("stripe_balance"), amount=501, phase=phase)
    insert(account("funds", alice), account("stripe_balance"), amount=500, phase=phase)
    assert account("funds", alice).available_micros == 0


def test_the_instance_may_go_below_zero(alice):
    insert(account("fees"), account("processor_fees"), amount=5)
    assert account("fees").debits_posted_micros == 0


OPEN_ACCOUNT = (
    "INSERT INTO funds_ledgeraccount (code, currency, user_id, month) VALUES (%s, 'EUR', %s, %s)"
)


@pytest.mark.parametrize("code", ["funds", "revenue", "revenue_held"])
def test_a_users_account_needs_its_user(code):
    with refused("ledger_account_counters_are_of_users"):
        run(OPEN_ACCOUNT, [code, None, None])


@pytest.mark.parametrize("code", ["fees", "stripe_balance", "processor_fees", "dispute_losses"])
def test_the_instances_accounts_have_no_user(alice, code):
    with refused("ledger_account_counters_are_of_users"):
        run(OPEN_ACCOUNT, [code, alice.pk, None])


@pytest.mark.parametrize(("code", "month"), [("pot", None), ("fees", AUGUST)])
def test_a_month_is_a_pots(code, month):
    with refused("ledger_account_month_is_of_pots"):
        run(OPEN_ACCOUNT, [code, None, month])


def test_the_same_account_is_not_opened_twice(alice):
    run(OPEN_ACCOUNT, ["fees", None, None])
    with refused("ledger_account_once"):
        run(OPEN_ACCOUNT, ["fees", None, None])


# Append-only, as the role of the site and as the owner of the tables.

CHANGES = {
    "update": "UPDATE funds_transfer SET amount_micros = 1",
    "delete": "DELETE FROM funds_transfer",
    "truncate": "TRUNCATE funds_transfer CASCADE",
    "delete account": "DELETE FROM funds_ledgeraccount",
    "truncate account": "TRUNCATE funds_ledgeraccount CASCADE",
    "rename account": "UPDATE funds_ledgeraccount SET code = 'funds', currency = 'USD'",
    "give account": "UPDATE funds_ledgeraccount SET user_id = user_id",
}


@COMMITTED
@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES)
def test_nothing_is_changed_or_deleted_by_the_owner(alice, statement):
    insert(account("stripe_balance"), account("funds", alice))
    with as_owner(), refused_as(errors.RestrictViolation):
        run(statement)


APP_MUST_NOT = CHANGES | {
    "set a counter": "UPDATE funds_ledgeraccount SET credits_posted_micros = 1000000000",
    "open an account with money": """
        INSERT INTO funds_ledgeraccount (code, currency, user_id, credits_posted_micros)
        SELECT 'funds', 'USD', id, 1000000000 FROM accounts_user
    """,
    "choose an account's number": """
        INSERT INTO funds_ledgeraccount (id, code, currency) VALUES (1, 'fees', 'USD')
    """,
    "date a transfer": """
        INSERT INTO funds_transfer (id, fact, code, phase, debit_account_id, credit_account_id,
            amount_micros, reason, created_at)
        SELECT funds_transfer_id('x'), 'x', 'correction', 'posted', debit_account_id,
            credit_account_id, 1, 'x', '2020-01-01' FROM funds_transfer
    """,
    "disable a trigger": "ALTER TABLE funds_transfer DISABLE TRIGGER transfer_append_only",
    "disable all triggers": "ALTER TABLE funds_transfer DISABLE TRIGGER ALL",
    "drop a trigger": "DROP TRIGGER transfer_apply ON funds_transfer",
    "drop a constraint": "ALTER TABLE funds_transfer DROP CONSTRAINT transfer_above_zero",
    "add a trigger": """
        CREATE TRIGGER mine AFTER INSERT ON funds_transfer
        FOR EACH ROW EXECUTE FUNCTION funds_refuse_change()
    """,
    "replace a rule": """
        CREATE OR REPLACE FUNCTION funds_is_leg(code text, debit text, credit text)
        RETURNS boolean LANGUAGE sql RETURN true
    """,
    "skip the triggers": "SET session_replication_role = replica",
    "make a table": "CREATE TABLE public.funds_mine (id int)",
    "become the owner": "SET ROLE flattr_owner",
    "forget a migration": "DELETE FROM django_migrations",
}


@pytest.mark.parametrize("statement", APP_MUST_NOT.values(), ids=APP_MUST_NOT)
def test_the_sites_role_may_not(alice, statement):
    insert(account("stripe_balance"), account("funds", alice))
    with refused_as(errors.InsufficientPrivilege):
        run(statement)


def test_tables_of_the_same_name_do_not_deceive_the_ledger(alice):
    """A session may make temporary tables: they must not stand before the real ones."""
    money, stripe = account("funds", alice), account("stripe_balance")
    run("CREATE TEMP TABLE funds_ledgeraccount AS SELECT * FROM public.funds_ledgeraccount")
    run("UPDATE pg_temp.funds_ledgeraccount SET credits_posted_micros = 1000000000")
    run("SET LOCAL search_path = pg_temp, public")
    with refused("ledger_account_not_overdrawn"):
        insert(money, stripe)
    run("DROP TABLE pg_temp.funds_ledgeraccount")
    run("SET LOCAL search_path TO DEFAULT")


# Whatever happens, in whatever order.

STEP = st.tuples(
    st.sampled_from(["give", "spend", "reserve", "post", "void", "repeat"]),
    st.integers(0, 2),
    st.integers(1, 12),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEP, max_size=25))
def test_any_sequence_keeps_the_books(alice, bob, carol, steps):
    """An oracle in ten lines of Python says what each user has; the ledger must agree."""
    users = [alice, bob, carol]
    has, reserved = dict.fromkeys(users, 0), []
    with transaction.atomic():
        for kind, who, amount in steps:
            user = users[who]
            revenue, stripe = account("revenue", user), account("stripe_balance")
            legs = {"debit": revenue, "credit": stripe, "amount_micros": amount}
            fact = f"test:{uuid.uuid4()}"
            if kind == "give":
                insert(stripe, revenue, amount=amount)
                has[user] += amount
            elif kind in ("spend", "reserve"):
                move = ledger.post if kind == "spend" else ledger.pend
                if amount > has[user]:
                    with pytest.raises(InsufficientFunds):
                        move(fact, "withdrawal", **legs)
                else:
                    row = move(fact, "withdrawal", **legs)
                    has[user] -= amount
                    reserved += [(user, row)] if kind == "reserve" else []
            elif kind in ("post", "void") and reserved:
                owner, row = reserved.pop(amount % len(reserved))
                (ledger.post_pending if kind == "post" else ledger.void_pending)(row)
                has[owner] += row.amount_micros if kind == "void" else 0
            elif kind == "repeat" and reserved:
                row = reserved[0][1]
                repeat = {"debit": row.debit_account, "credit": row.credit_account}
                ledger.pend(row.fact, row.code, amount_micros=row.amount_micros, **repeat)
        assert {user: account("revenue", user).available_micros for user in users} == has
        assert run_checks() == []
        transaction.set_rollback(True)


# What check_ledger finds. The owner can break every rule, and each break is found.

TAMPERING = {
    "counters": "UPDATE funds_ledgeraccount SET credits_posted_micros = 11 WHERE code = 'revenue'",
    "overdrawn": """
        ALTER TABLE funds_ledgeraccount DROP CONSTRAINT ledger_account_not_overdrawn;
        UPDATE funds_ledgeraccount SET debits_posted_micros = 11 WHERE code = 'revenue'
    """,
    "instance_counters": """
        ALTER TABLE funds_ledgeraccount DROP CONSTRAINT ledger_account_counters_are_of_users;
        UPDATE funds_ledgeraccount SET credits_posted_micros = 1 WHERE code = 'stripe_balance'
    """,
    "legs": "UPDATE funds_transfer SET code = 'top_up' WHERE phase = 'posted'",
    "amounts": """
        ALTER TABLE funds_transfer DROP CONSTRAINT transfer_above_zero;
        UPDATE funds_transfer SET amount_micros = 0 WHERE phase = 'posted'
    """,
    "ids": """
        ALTER TABLE funds_transfer DROP CONSTRAINT transfer_id_is_of_its_fact;
        UPDATE funds_transfer SET fact = 'another' WHERE phase = 'posted'
    """,
    "resolutions": "UPDATE funds_transfer SET amount_micros = 6 WHERE phase = 'pending'",
    "resolved_once": """
        DROP INDEX funds_transfer_pending_id_key;
        INSERT INTO funds_transfer (id, fact, code, phase, debit_account_id, credit_account_id,
            amount_micros, pending_id)
        SELECT funds_transfer_id('again'), 'again', code, phase, debit_account_id,
            credit_account_id, amount_micros, pending_id
        FROM funds_transfer WHERE phase = 'post_pending'
    """,
    "pots": """
        INSERT INTO funds_ledgeraccount (code, currency, month) VALUES ('pot', 'EUR', '2026-08-01');
        INSERT INTO funds_transfer (id, fact, code, phase, debit_account_id, credit_account_id,
            amount_micros, month)
        SELECT funds_transfer_id('pot'), 'pot', 'month_revenue', 'posted', p.id, r.id, 1, p.month
        FROM funds_ledgeraccount p, funds_ledgeraccount r
        WHERE p.code = 'pot' AND r.code = 'revenue'
    """,
    "stripe_balance": """
        UPDATE funds_transfer SET amount_micros = 4 WHERE phase = 'posted'
    """,
    "top_ups": """
        INSERT INTO funds_topup (id, user_id, currency, amount_micros, state, failure, return_to,
            returned_micros, created_at)
        SELECT gen_random_uuid(), id, 'EUR', 1, 'paid', '', '', 0, now() FROM accounts_user
    """,
}


@COMMITTED
@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found(alice, name):
    insert(account("stripe_balance"), account("revenue", alice), amount=10)
    legs = {"debit": account("revenue", alice), "credit": account("stripe_balance")}
    ledger.post_pending(ledger.pend("withdrawal:1", "withdrawal", amount_micros=5, **legs))
    with as_owner(), transaction.atomic():
        assert run_checks() == []
        run("ALTER TABLE funds_transfer DISABLE TRIGGER USER")
        run(TAMPERING[name])
        assert name in [finding.name for finding in run_checks()]
        transaction.set_rollback(True)


def test_each_check_has_its_tampering():
    assert {check.name for check in CHECKS} == set(TAMPERING)


def test_a_finding_names_the_rows(alice):
    with transaction.atomic():
        insert(account("stripe_balance"), account("funds", alice), "top_up", fact="top_up:0")
        findings = run_checks()
        transaction.set_rollback(True)
    assert [(finding.name, finding.rows) for finding in findings] == [("top_ups", ("top_up:0",))]


def paid_top_up(user, amount):
    paid = TopUp.objects.create(
        user=user, currency="EUR", amount_micros=amount, state="paid", failure="", return_to=""
    )
    fact = f"top_up:{paid.pk}"
    insert(account("stripe_balance"), account("funds", user), "top_up", fact=fact, amount=amount)
    return fact


def test_amounts_swapped_between_two_top_ups_are_found(alice):
    """As many rows and the same sum, so that only the rows themselves tell."""
    with transaction.atomic():
        facts = {paid_top_up(alice, 3), paid_top_up(alice, 5)}
        assert run_checks() == []
        run("UPDATE funds_topup SET amount_micros = 8 - amount_micros")
        [finding] = run_checks()
        transaction.set_rollback(True)
    assert (finding.name, set(finding.rows)) == ("top_ups", facts)


@COMMITTED
def test_each_check_looks_for_differences_by_a_seed_of_its_own(db):
    """Who could foresee it could look for other rows with the same fingerprint."""
    seen = []
    for _ in range(2):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(fingerprint("SELECT 'top_up:0' AS fact, 1::bigint AS amount_micros"))
            seen.append(cursor.fetchone())
    assert seen[0] != seen[1]


@COMMITTED
def test_an_id_by_a_function_that_was_replaced_is_found(alice):
    insert(account("stripe_balance"), account("funds", alice))
    with as_owner(), transaction.atomic():
        run("ALTER TABLE funds_transfer DISABLE TRIGGER USER")
        run("""
            CREATE OR REPLACE FUNCTION funds_transfer_id(fact text) RETURNS uuid
            LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN md5(fact)::uuid
        """)
        run("UPDATE funds_transfer SET id = funds_transfer_id(fact)")
        assert [finding.name for finding in run_checks()] == ["ids"]
        transaction.set_rollback(True)
