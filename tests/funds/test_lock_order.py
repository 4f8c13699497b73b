"""Accounts are locked in id order, wherever their rows lie: else two closers deadlock."""

import threading
import time

import pytest
from django.db import OperationalError, connection, transaction

from funds import ledger
from tests.payouts.cast import top_up

SECONDS = 3


def account(user):
    return ledger.account_of("funds", currency="EUR", user=user)


def is_locked(pk) -> bool:
    """Ask with a short patience, since the site's role may lock through the ledger only."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '50ms'")
            ledger.lock_accounts([pk])
    except OperationalError:
        return True
    return False


def in_a_thread(action) -> threading.Thread:
    def run():
        try:
            action()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_the_lower_id_is_locked_first_though_its_row_lies_behind(alice, bob):
    low, high = account(alice), account(bob)
    assert low.pk < high.pk
    # An update moves the row of the lower id behind the other one.
    top_up(alice, "5.00")
    seen: list[bool] = []

    def lock_both():
        with transaction.atomic():
            with connection.cursor() as cursor:
                # So few rows would be read along the index, by chance in the right order.
                cursor.execute("SET LOCAL enable_indexscan = off")
                cursor.execute("SET LOCAL enable_bitmapscan = off")
            ledger.lock_accounts([high.pk, low.pk])

    def look():
        deadline = time.monotonic() + SECONDS
        while not is_locked(low.pk) and time.monotonic() < deadline:
            time.sleep(0.02)
        seen.append(is_locked(low.pk))

    with transaction.atomic():
        ledger.lock_accounts([high.pk])
        both = in_a_thread(lock_both)
        in_a_thread(look).join()
    both.join()
    assert seen == [True], "the lower id was free while the higher one was waited for"
