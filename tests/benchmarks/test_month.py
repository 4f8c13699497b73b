"""The month that the benchmarks close fits the tables as they are now."""

from datetime import date
from pathlib import Path

import pytest
from django.db import transaction

import benchmarks
from buttons.models import Flattr
from funds.roles import as_owner

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.breaks_ledger]


def test_a_month_of_the_benchmarks_can_be_made():
    sql = (Path(benchmarks.__path__[0]) / "month.sql").read_text()
    params = {"patrons": 10, "creators": 100, "things_each": 5, "month": date(2026, 10, 1)}
    with as_owner() as connection, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
        assert Flattr.objects.count() == 100
        # It leaves no table behind.
        transaction.set_rollback(True)
