"""Look at pages as the people they are for, and count what each asks of the database.

A process of its own, in the environment of the database that is being measured.
"""

import json
import statistics
import sys
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402 - After setup.
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402

from accounts.models import User  # noqa: E402
from buttons.models import Flattr  # noqa: E402
from payouts.models import CreatorStatement, PatronStatement  # noqa: E402

VIEWS = 5


def looked_at(person: User, path: str) -> dict[str, Any]:
    """Return the statements of one view of a page, and the median of their milliseconds."""
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    assert client.get(path).status_code == 200, path
    took, counts = [], set()
    for _ in range(VIEWS):
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        took.append(sum(float(query["time"]) for query in queries) * 1_000)
        counts.add(len(queries))
    assert len(counts) == 1, f"{path} asks now {counts} statements"
    return {"queries": counts.pop(), "sql_ms": round(statistics.median(took), 1)}


def main() -> None:
    given = PatronStatement.objects.order_by("pk")[1_000]
    # The creator with the most to show.
    earned = CreatorStatement.objects.order_by("-flattrs")[0]
    admin = User.objects.order_by("-pk")[0]
    # The people of the benchmark have no mail or password; one of them may see the admin's pages.
    User.objects.filter(pk=admin.pk).update(is_staff=True, is_superuser=True)
    pages = {
        "dashboard of a patron": (given.patron, reverse("dashboard")),
        "dashboard of the top creator": (earned.creator, reverse("dashboard")),
        "statement of a patron": (
            given.patron,
            reverse("payouts:patron-statement", args=[given.month_id]),
        ),
        "statement of the top creator": (
            earned.creator,
            reverse("payouts:creator-statement", args=[given.month_id]),
        ),
        "things of the top creator": (earned.creator, reverse("buttons:things")),
        "month list in the admin": (admin, reverse("admin:buttons_month_changelist")),
        "withdrawals in the admin": (admin, reverse("admin:payouts_withdrawal_changelist")),
        "transfers in the admin": (admin, reverse("admin:funds_transfer_changelist")),
    }
    found: dict[str, Any] = {name: looked_at(*page) for name, page in pages.items()}
    sys.stdout.write(json.dumps({"flattrs": Flattr.objects.count(), **found}) + "\n")


if __name__ == "__main__":
    main()
