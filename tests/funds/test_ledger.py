"""The ledger's verbs: what they promise to whoever moves money."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier

import pytest
from django.db import DataError, OperationalError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from funds import ledger
from funds.ledger import InsufficientFunds, TransferConflict, TransferRefused, Written
from funds.models import LedgerAccount, Transfer

pytestmark = [pytest.mark.django_db, pytest.mark.ledger_alone]

AUGUST = date(2026, 8, 1)
REASON = "Opening balance of a test."


def stripe_balance():
    return ledger.account_of("stripe_balance", currency="EUR")


def funds_of(user):
    return ledger.account_of("funds", currency="EUR", user=user)


def revenue_of(user):
    return ledger.account_of("revenue", currency="EUR", user=user)


def pot():
    return ledger.account_of("pot", currency="EUR", month=AUGUST)


def give(account, amount_micros):
    fact = f"correction:{uuid.uuid4()}"
    debit = ledger.account_of("stripe_balance", currency=account.currency)
    return ledger.post(
        fact, "correction", debit=debit, credit=account, amount_micros=amount_micros, reason=REASON
    )


def spend(fact, user, amount_micros):
    return ledger.post(
        fact, "top_up_reversal", debit=funds_of(user), credit=stripe_balance(),
        amount_micros=amount_micros,
    )  # fmt: skip


def reserve(fact, user, amount_micros):
    return ledger.pend(
        fact, "withdrawal", debit=revenue_of(user), credit=stripe_balance(),
        amount_micros=amount_micros,
    )  # fmt: skip


def available(account):
    return ledger.available_micros(account)


# Ids and repeats.


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"), max_size=200))
def test_the_database_derives_the_same_id(db, fact):
    with connection.cursor() as cursor:
        cursor.execute("SELECT funds_transfer_id(%s)", [fact])
        assert cursor.fetchone()[0] == ledger.transfer_id(fact)


def test_an_id_is_sixteen_bytes_of_the_facts_digest():
    assert str(ledger.transfer_id("abc")) == "ba7816bf-8f01-cfea-4141-40de5dae2223"


def test_the_same_fact_again_moves_nothing(alice):
    give(funds_of(alice), 10_000_000)
    first = spend("reversal:1", alice, 4_000_000)
    assert spend("reversal:1", alice, 4_000_000) == first
    assert available(funds_of(alice)) == 6_000_000
    assert Transfer.objects.filter(fact="reversal:1").count() == 1


def test_the_same_fact_with_another_amount_is_a_conflict(alice):
    give(funds_of(alice), 10_000_000)
    spend("reversal:1", alice, 4_000_000)
    with pytest.raises(TransferConflict):
        spend("reversal:1", alice, 4_000_001)
    assert available(funds_of(alice)) == 6_000_000


def test_the_same_fact_of_another_user_is_a_conflict(alice, bob):
    give(funds_of(alice), 10_000_000)
    give(funds_of(bob), 10_000_000)
    spend("reversal:1", alice, 4_000_000)
    with pytest.raises(TransferConflict):
        spend("reversal:1", bob, 4_000_000)
    assert available(funds_of(bob)) == 10_000_000


def test_the_same_fact_under_another_reason_is_a_conflict(alice):
    accounts = {"debit": stripe_balance(), "credit": funds_of(alice), "amount_micros": 1}
    ledger.post("correction:1", "correction", reason="One.", **accounts)
    with pytest.raises(TransferConflict):
        ledger.post("correction:1", "correction", reason="Another.", **accounts)


def test_the_same_fact_pending_instead_of_posted_is_a_conflict(alice):
    give(revenue_of(alice), 10_000_000)
    reserve("withdrawal:1", alice, 4_000_000)
    with pytest.raises(TransferConflict):
        ledger.post(
            "withdrawal:1", "withdrawal", debit=revenue_of(alice), credit=stripe_balance(),
            amount_micros=4_000_000,
        )  # fmt: skip


def test_an_account_is_opened_once(alice):
    assert funds_of(alice) == funds_of(alice)
    assert pot() == pot()
    assert stripe_balance() == stripe_balance()
    assert LedgerAccount.objects.count() == 3


def test_accounts_opened_together_are_opened_once(alice, bob):
    rows = "SELECT 'funds', 'EUR', id, NULL::date FROM accounts_user WHERE id = ANY (%s)"
    funds_of(alice)
    assert ledger.ensure_accounts(rows, [[alice.pk, bob.pk]]) == 1
    assert ledger.ensure_accounts(rows, [[alice.pk, bob.pk]]) == 0


# Overdraft and reserve.


def test_the_exact_amount_may_be_spent(alice):
    give(funds_of(alice), 10_000_000)
    spend("reversal:1", alice, 10_000_000)
    assert available(funds_of(alice)) == 0


def test_one_micro_more_is_refused(alice):
    give(funds_of(alice), 10_000_000)
    with pytest.raises(InsufficientFunds):
        spend("reversal:1", alice, 10_000_001)
    assert available(funds_of(alice)) == 10_000_000
    assert not Transfer.objects.filter(fact="reversal:1").exists()


def test_a_refused_spend_may_be_tried_again_once_there_is_money(alice):
    with pytest.raises(InsufficientFunds):
        spend("reversal:1", alice, 5)
    give(funds_of(alice), 5)
    spend("reversal:1", alice, 5)
    assert available(funds_of(alice)) == 0


def test_what_is_pending_is_reserved_and_not_yet_gone(alice):
    give(revenue_of(alice), 10_000_000)
    reserve("withdrawal:1", alice, 6_000_000)
    account = revenue_of(alice)
    assert account.available_micros == 4_000_000
    assert account.debits_pending_micros == 6_000_000
    assert account.debits_posted_micros == 0


def test_what_is_reserved_cannot_be_reserved_again(alice):
    give(revenue_of(alice), 10_000_000)
    reserve("withdrawal:1", alice, 6_000_000)
    with pytest.raises(InsufficientFunds):
        reserve("withdrawal:2", alice, 4_000_001)
    reserve("withdrawal:2", alice, 4_000_000)
    assert available(revenue_of(alice)) == 0


def test_what_is_pending_to_a_user_cannot_be_spent_yet(alice):
    ledger.pend(
        "correction:1", "correction", debit=stripe_balance(), credit=funds_of(alice),
        amount_micros=5, reason=REASON,
    )  # fmt: skip
    assert funds_of(alice).credits_pending_micros == 5
    with pytest.raises(InsufficientFunds):
        spend("reversal:1", alice, 1)


def test_posting_moves_what_was_reserved(alice):
    give(revenue_of(alice), 10_000_000)
    ledger.post_pending(reserve("withdrawal:1", alice, 6_000_000))
    account = revenue_of(alice)
    assert (account.debits_pending_micros, account.debits_posted_micros) == (0, 6_000_000)
    assert account.available_micros == 4_000_000


def test_voiding_gives_back_what_was_reserved(alice):
    give(revenue_of(alice), 10_000_000)
    ledger.void_pending(reserve("withdrawal:1", alice, 6_000_000))
    account = revenue_of(alice)
    assert (account.debits_pending_micros, account.debits_posted_micros) == (0, 0)
    assert account.available_micros == 10_000_000


@pytest.mark.parametrize("resolve", [ledger.post_pending, ledger.void_pending])
def test_resolving_twice_the_same_way_is_one(alice, resolve):
    give(revenue_of(alice), 10_000_000)
    pending = reserve("withdrawal:1", alice, 6_000_000)
    assert resolve(pending) == resolve(pending)
    assert revenue_of(alice).debits_pending_micros == 0


def test_what_was_posted_cannot_be_voided(alice):
    give(revenue_of(alice), 10_000_000)
    pending = reserve("withdrawal:1", alice, 6_000_000)
    ledger.post_pending(pending)
    with pytest.raises(TransferConflict):
        ledger.void_pending(pending)
    assert available(revenue_of(alice)) == 4_000_000


def test_what_was_voided_cannot_be_posted(alice):
    give(revenue_of(alice), 10_000_000)
    pending = reserve("withdrawal:1", alice, 6_000_000)
    ledger.void_pending(pending)
    with pytest.raises(TransferConflict):
        ledger.post_pending(pending)
    assert available(revenue_of(alice)) == 10_000_000


def test_what_was_posted_at_once_cannot_be_resolved(alice):
    give(funds_of(alice), 5)
    posted = spend("reversal:1", alice, 5)
    with pytest.raises(TransferRefused, match="transfer_fits_the_pending_one"):
        ledger.post_pending(posted)


def test_what_does_not_fit_its_accounts_is_refused_by_name(alice):
    with pytest.raises(TransferRefused, match="transfer_fits_its_accounts"):
        ledger.post(
            "top_up:1", "top_up", debit=funds_of(alice), credit=stripe_balance(), amount_micros=1
        )


def test_an_amount_beyond_the_counters_is_refused(alice):
    give(funds_of(alice), 2**63 - 1)
    with pytest.raises(DataError):
        give(funds_of(alice), 1)


def test_a_refusal_leaves_the_transaction_usable(alice):
    with transaction.atomic():
        with pytest.raises(InsufficientFunds):
            spend("reversal:1", alice, 1)
        give(funds_of(alice), 1)
    assert available(funds_of(alice)) == 1


# Rows in one statement.

ROWS = """
    SELECT 'reuse:' || r.user_id, 'reuse', r.id, f.id, %(amount)s, NULL::date
    FROM funds_ledgeraccount r JOIN funds_ledgeraccount f USING (user_id)
    WHERE r.user_id = ANY (%(users)s) AND r.code = 'revenue' AND f.code = 'funds'
"""


def reuse(*users, amount_micros):
    """Give on what each of the users earned."""
    ids = [funds_of(user).user_id for user in users]
    return ledger.post_rows(ROWS, {"amount": amount_micros, "users": ids})


def test_rows_are_posted_in_one_statement(alice, bob):
    give(revenue_of(alice), 10)
    give(revenue_of(bob), 10)
    assert reuse(alice, bob, amount_micros=4) == Written(asked=2, new=2)
    assert (available(revenue_of(alice)), available(revenue_of(bob))) == (6, 6)


def test_rows_posted_again_move_nothing(alice, bob):
    give(revenue_of(alice), 10)
    give(revenue_of(bob), 10)
    reuse(alice, amount_micros=4)
    assert reuse(alice, bob, amount_micros=4) == Written(asked=2, new=1)
    assert (available(revenue_of(alice)), available(revenue_of(bob))) == (6, 6)


def test_rows_with_another_content_move_nothing_at_all(alice, bob):
    give(revenue_of(alice), 10)
    give(revenue_of(bob), 10)
    reuse(alice, amount_micros=4)
    with pytest.raises(TransferConflict):
        reuse(alice, bob, amount_micros=5)
    assert (available(revenue_of(alice)), available(revenue_of(bob))) == (6, 10)


def test_one_row_without_money_stops_all_rows(alice, bob):
    give(revenue_of(alice), 10)
    give(revenue_of(bob), 3)
    with pytest.raises(InsufficientFunds):
        reuse(alice, bob, amount_micros=4)
    assert (available(revenue_of(alice)), available(revenue_of(bob))) == (10, 3)


def test_a_fact_twice_among_the_rows_moves_once(alice):
    give(revenue_of(alice), 10)
    funds_of(alice)
    params = {"amount": 4, "users": [alice.pk]}
    assert ledger.post_rows(f"{ROWS} UNION ALL {ROWS}", params) == Written(asked=2, new=1)
    assert available(revenue_of(alice)) == 6


def test_no_rows_are_no_error():
    assert reuse(amount_micros=1) == Written(asked=0, new=0)


# Several hands at once. Each thread has a connection of its own.

AT_ONCE = pytest.mark.django_db(transaction=True)


def at_once(*jobs):
    """Run the jobs in threads that start together; return what each returned or raised."""
    barrier = Barrier(len(jobs))

    def run(job):
        try:
            barrier.wait(timeout=10)
            return job()
        except Exception as error:  # Handed to the test, which names what it expects.
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


@AT_ONCE
def test_of_two_who_spend_the_same_money_one_wins(alice):
    give(funds_of(alice), 10_000_000)
    results = at_once(
        lambda: spend("reversal:a", alice, 6_000_000),
        lambda: spend("reversal:b", alice, 6_000_000),
    )
    assert sorted(type(result).__name__ for result in results) == ["InsufficientFunds", "Transfer"]
    assert available(funds_of(alice)) == 4_000_000


@AT_ONCE
def test_the_last_money_is_reserved_by_exactly_one(alice):
    give(revenue_of(alice), 10_000_000)
    jobs = [lambda n=n: reserve(f"withdrawal:{n}", alice, 10_000_000) for n in range(6)]
    results = at_once(*jobs)
    assert sorted(type(result).__name__ for result in results) == [
        *["InsufficientFunds"] * 5,
        "Transfer",
    ]
    assert available(revenue_of(alice)) == 0


@AT_ONCE
def test_the_same_fact_at_once_is_recorded_once(alice):
    give(funds_of(alice), 10)
    results = at_once(*[lambda: spend("reversal:1", alice, 10)] * 6)
    assert {type(result) for result in results} == {Transfer}
    assert len(set(results)) == 1
    assert available(funds_of(alice)) == 0


@AT_ONCE
def test_a_pending_transfer_resolves_one_way_also_at_once(alice):
    give(revenue_of(alice), 10)
    pending = reserve("withdrawal:1", alice, 10)
    results = at_once(lambda: ledger.post_pending(pending), lambda: ledger.void_pending(pending))
    assert sorted(type(result).__name__ for result in results) == ["Transfer", "TransferConflict"]
    assert Transfer.objects.filter(pending=pending).count() == 1


@AT_ONCE
def test_the_same_rows_at_once_are_recorded_once(alice, bob):
    give(revenue_of(alice), 40)
    give(revenue_of(bob), 40)
    results = at_once(*[lambda: reuse(alice, bob, amount_micros=4)] * 4)
    assert sum(result.new for result in results) == 2
    assert (available(revenue_of(alice)), available(revenue_of(bob))) == (36, 36)


@AT_ONCE
def test_crossing_rows_wait_for_each_other_without_deadlock(alice, bob, carol):
    users = [alice, bob, carol]
    for user in users:
        give(revenue_of(user), 1_000)
        funds_of(user)
    rows = """
        SELECT 'reuse:' || %(tag)s || n || ':' || r.id, 'reuse', r.id, f.id, 1, NULL::date
        FROM funds_ledgeraccount r JOIN funds_ledgeraccount f USING (user_id)
        CROSS JOIN generate_series(1, 20) AS n
        WHERE r.code = 'revenue' AND f.code = 'funds' ORDER BY {order}
    """

    def write(tag, order):
        for turn in range(8):
            ledger.post_rows(rows.format(order=order), {"tag": f"{tag}{turn}"})
        return "done"

    jobs = [lambda: write("up", "r.id, n"), lambda: write("down", "r.id DESC, n DESC")]
    assert at_once(*jobs) == ["done", "done"]
    assert [available(funds_of(user)) for user in users] == [2 * 8 * 20] * 3


@AT_ONCE
def test_the_same_rows_in_two_orders_wait_for_each_other_without_deadlock(alice):
    """Each waits for the other's rows by their ids, so both have to write in the ids' order."""
    give(revenue_of(alice), 10_000)
    funds_of(alice)
    rows = """
        SELECT 'reuse:' || %(turn)s || ':' || n, 'reuse', r.id, f.id, 1, NULL::date
        FROM funds_ledgeraccount r JOIN funds_ledgeraccount f USING (user_id)
        CROSS JOIN generate_series(1, 300) AS n
        WHERE r.code = 'revenue' AND f.code = 'funds' ORDER BY {order}
    """

    def write(order):
        for turn in range(4):
            ledger.post_rows(rows.format(order=order), {"turn": turn})
        return "done"

    assert at_once(lambda: write("n"), lambda: write("n DESC")) == ["done"] * 2
    assert available(funds_of(alice)) == 4 * 300


@AT_ONCE
def test_transfers_between_the_same_two_accounts_do_not_deadlock(alice):
    give(funds_of(alice), 1_000)
    give(revenue_of(alice), 1_000)

    def move(tag):
        for turn in range(25):
            ledger.post(
                f"reuse:{tag}:{turn}", "reuse", debit=revenue_of(alice), credit=funds_of(alice),
                amount_micros=1,
            )  # fmt: skip
            ledger.post(
                f"correction:{tag}:{turn}", "correction", debit=funds_of(alice),
                credit=revenue_of(alice), amount_micros=1, reason=REASON,
            )  # fmt: skip
        return "done"

    assert at_once(lambda: move("a"), lambda: move("b"), lambda: move("c")) == ["done"] * 3
    assert (available(funds_of(alice)), available(revenue_of(alice))) == (1_000, 1_000)


@AT_ONCE
def test_accounts_asked_for_in_any_order_are_locked_in_id_order(alice):
    """Sixty locks in two orders deadlock at once where they are not sorted."""
    make = "SELECT 'revenue', 'X' || n, %s::bigint, NULL::date FROM generate_series(10, 69) AS n"
    ledger.ensure_accounts(make, [alice.pk])
    ids = list(LedgerAccount.objects.order_by("id").values_list("id", flat=True))

    def hold(wanted):
        for _ in range(20):
            with transaction.atomic():
                ledger.lock_accounts(wanted)
        return "done"

    jobs = [lambda: hold(ids), lambda: hold(ids[::-1])] * 2
    assert at_once(*jobs) == ["done"] * 4


@AT_ONCE
def test_a_locked_account_makes_others_wait(alice):
    give(funds_of(alice), 10)

    def spend_meanwhile():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '300ms'")
        return spend("reversal:1", alice, 1)

    with transaction.atomic():
        ledger.lock_accounts([funds_of(alice).pk])
        (result,) = at_once(spend_meanwhile)
    assert isinstance(result, OperationalError)
    assert available(funds_of(alice)) == 10


def test_a_lock_outside_a_transaction_is_our_mistake(transactional_db, alice):
    with pytest.raises(AssertionError):
        ledger.lock_accounts([funds_of(alice).pk])


@AT_ONCE
def test_an_account_opened_at_once_is_opened_once(alice):
    accounts = at_once(*[lambda: funds_of(alice)] * 6)
    assert len(set(accounts)) == 1
