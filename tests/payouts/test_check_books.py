"""The books are checked against shares, statements and withdrawals: each lie is found."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from funds.roles import as_owner
from payouts.check_books import CHECKS, record_check, run_checks
from payouts.close import close_month
from payouts.models import BooksCheck
from payouts.transparency import publish_months
from tests.payouts.cast import AUGUST, flattr, gives, thing_of

TAMPERING = {
    "closed_pots": "DELETE FROM funds_transfer WHERE code = 'month_revenue'",
    "patron_statements": """
        ALTER TABLE payouts_patronstatement DROP CONSTRAINT patron_statement_lists_its_flattrs;
        UPDATE payouts_patronstatement SET thing_ids = thing_ids || thing_ids
    """,
    "budgets_given": "UPDATE payouts_patronstatement SET given_micros = given_micros - 1",
    "thing_statements": "UPDATE payouts_patronstatement SET thing_ids = ARRAY[0]",
    "creator_statements": "UPDATE payouts_thingstatement SET gross_micros = gross_micros + 1",
    "revenue_paid": "UPDATE payouts_creatorstatement SET gross_micros = gross_micros + 1",
    "fees_paid": "UPDATE payouts_creatorstatement SET fee_micros = fee_micros - 1",
    "counted_once": """
        INSERT INTO payouts_patronstatement (month_id, patron_id, currency, budget_micros,
            given_micros, flattrs, waiting_flattrs, flattr_ids, thing_ids, creator_ids)
        SELECT '2024-09-01', patron_id, currency, budget_micros, given_micros, flattrs,
            waiting_flattrs, flattr_ids, thing_ids, creator_ids
        FROM payouts_patronstatement
    """,
    "flattrs_behind_shares": "UPDATE buttons_flattr SET state = 'undone'",
    "subscribed_flattrs": """
        INSERT INTO buttons_subscription (patron_id, thing_id, first_month, next_month, created_at)
        SELECT patron_id, thing_id, '2024-09-01', '2024-10-01', now() FROM buttons_flattr;
        UPDATE buttons_flattr SET subscription_id = (SELECT id FROM buttons_subscription)
    """,
    "published_figures": """
        UPDATE payouts_monthfigures SET fees_micros = fees_micros + 1, paid_micros = paid_micros - 1
    """,
    "withdrawals": """
        INSERT INTO payouts_withdrawal (id, user_id, currency, amount_micros, state, failure,
            created_at)
        SELECT gen_random_uuid(), id, 'EUR', 1000000, 'in_review', '', now() FROM accounts_user
    """,
    "withdrawals_resolved": """
        INSERT INTO payouts_withdrawal (id, user_id, currency, amount_micros, state, failure,
            created_at)
        SELECT gen_random_uuid(), id, 'EUR', 1000000, 'paid', '', now() FROM accounts_user
    """,
    "withdrawals_returned": """
        INSERT INTO payouts_withdrawal (id, user_id, currency, amount_micros, state, failure,
            created_at)
        SELECT gen_random_uuid(), id, 'EUR', 1000000, 'returned', '', now() FROM accounts_user
    """,
    "withdrawals_asked": """
        INSERT INTO payouts_withdrawal (id, user_id, currency, amount_micros, state, failure,
            created_at)
        SELECT gen_random_uuid(), id, 'EUR', 1000000, 'sending', '', now() FROM accounts_user
    """,
}
GUARDED = ["funds_transfer", "payouts_patronstatement", "payouts_thingstatement"]


@pytest.fixture
def closed_august(transactional_db, alice, bob):
    flattr(gives(alice, "2.00"), thing_of(gives(bob, "2.00")))
    close_month(AUGUST)
    publish_months()


@pytest.mark.parametrize("name", TAMPERING)
def test_a_lie_is_found(closed_august, name):
    with as_owner(), transaction.atomic(), connection.cursor() as cursor:
        assert run_checks() == []
        for table in GUARDED:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(TAMPERING[name])
        assert name in [finding.name for finding in run_checks()]
        transaction.set_rollback(True)


def test_each_check_of_the_books_has_its_lie():
    own = [check.name for check in CHECKS[-len(TAMPERING) :]]
    assert sorted(own) == sorted(TAMPERING)
    assert len({check.name for check in CHECKS}) == len(CHECKS) >= 12


def test_the_command_says_that_the_books_are_sound(db):
    out = StringIO()
    call_command("check_ledger", stdout=out)
    assert f"The books are sound: {len(CHECKS)} checks." in out.getvalue()
    assert BooksCheck.objects.get().is_sound


@pytest.mark.breaks_ledger
def test_the_command_names_what_is_broken_and_fails(db, bob):
    bob.withdrawals.create(currency="EUR", amount_micros=1_000_000, state="in_review")
    out = StringIO()
    with pytest.raises(CommandError, match="1 of"):
        call_command("check_ledger", stdout=out)
    assert "BROKEN" in out.getvalue()
    assert "withdrawals" in record_check().findings[0]["name"]
