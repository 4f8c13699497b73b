"""The disk is full in the middle of a close: it stops cleanly, and goes on once there is room."""

import os
import subprocess
from datetime import date
from pathlib import Path

import psycopg2
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg2 import sql

from accounts.models import User
from buttons.models import Flattr, Month
from funds.models import Transfer
from payouts import check_books, close
from payouts.models import Chunk, PatronStatement, Share
from sandbox.environment import Parts
from sandbox.postgres import SUPERUSER
from tests.payouts.cast import flattr, gives, micros, thing_of

PATRONS = 60
THINGS = 20
CHUNK_PATRONS = 10
MONTH = date(2014, 3, 1)
SMALL, LARGE = "32k", "64m"

pytestmark = pytest.mark.django_db(transaction=True)


def mount(*options: str) -> bool:
    """Mount, and say whether this machine lets us."""
    return subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0


def as_superuser(*statements) -> None:
    parts = Parts(Path(os.environ["SANDBOX_DATA"]))
    database = settings.DATABASES["default"]
    superuser = psycopg2.connect(
        host=database["HOST"],
        port=database["PORT"],
        user=SUPERUSER,
        password=parts.secrets[SUPERUSER],
        dbname=connection.settings_dict["NAME"],
    )
    superuser.autocommit = True
    with superuser.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    superuser.close()


@pytest.fixture
def small_disk(worker_id):
    """Let the statements that a close writes lie on a disk of their own, which is too small."""
    if os.geteuid() != 0 or not os.environ.get("SANDBOX_DATA"):
        pytest.skip(reason="a small disk needs root and the embedded PostgreSQL")
    folder = Path(os.environ["SANDBOX_DATA"]) / f"disk-{worker_id}"
    folder.mkdir()
    owner = (Path(os.environ["SANDBOX_DATA"]) / "postgres" / "cluster").stat().st_uid
    options = f"size={SMALL},uid={owner},mode=0700"
    if not mount("-t", "tmpfs", "-o", options, "tmpfs", str(folder)):
        folder.rmdir()
        pytest.skip(reason="this machine allows no mounts")
    name = sql.Identifier(f"disk_{worker_id}")
    try:
        as_superuser(
            sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(name, sql.Literal(str(folder))),
            # Whatever other tests left of it.
            sql.SQL("TRUNCATE payouts_patronstatement"),
            sql.SQL("ALTER TABLE payouts_patronstatement SET TABLESPACE {}").format(name),
        )
        yield folder
        connection.close()
        as_superuser(
            sql.SQL("ALTER TABLE ALL IN TABLESPACE {} SET TABLESPACE pg_default").format(name),
            sql.SQL("DROP TABLESPACE {}").format(name),
        )
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
def patrons(bob):
    gives(bob, "2.00")
    things = [thing_of(bob) for _ in range(THINGS)]
    patrons = [
        User.objects.create(username=f"patron-{place}", email=f"patron-{place}@example.org")
        for place in range(PATRONS)
    ]
    for patron in patrons:
        gives(patron, "3.00")
    made_at = flattr(bob, thing_of(None), month=MONTH).created_at
    Flattr.objects.bulk_create(
        Flattr(patron=patron, thing=thing, month=MONTH, created_at=made_at)
        for patron in patrons
        for thing in things
    )
    return patrons


def given_so_far() -> int:
    return PatronStatement.objects.filter(given_micros__gt=0).count()


def test_a_close_on_a_full_disk_stops_cleanly_and_is_resumed(small_disk, patrons, monkeypatch):
    monkeypatch.setattr(close, "CHUNK_SIZE", CHUNK_PATRONS)
    monkeypatch.setattr(close, "PAUSE", close.PAUSE / 50)
    with pytest.raises(CommandError, match=r"can be resumed: OperationalError: .*No space left"):
        call_command("close_month", "2014-03")

    assert Month.objects.get().state == "closing"
    done = Chunk.objects.filter(step="divide", state="done").count()
    assert 0 < done < PATRONS / CHUNK_PATRONS
    assert 0 < Share.objects.count() < PATRONS * THINGS
    assert Transfer.objects.filter(month=MONTH).count() == given_so_far()
    assert not Chunk.objects.filter(state="needs_attention").exists()
    assert check_books.run_checks() == []

    assert mount("-o", f"remount,size={LARGE}", str(small_disk))
    call_command("close_month", "2014-03")
    assert Month.objects.get().state == "closed"
    assert Share.objects.count() == PATRONS * THINGS
    budgets = Transfer.objects.filter(code="month_budget").values_list("amount_micros", flat=True)
    assert list(budgets) == [micros("3.00")] * PATRONS
    assert check_books.run_checks() == []
