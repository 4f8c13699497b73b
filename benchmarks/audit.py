"""How long `manage.py check_ledger` takes on a ledger of many transfers.

`python -m benchmarks.audit --transfers 10000000` makes them from top-ups, a million a statement,
and prints one JSON line last. The checks are those that the beat runs each hour.
"""

import argparse
import json
import shutil
import sys
import time

from benchmarks.world import World, data_folder, running_world, say
from sandbox.postgres import SUPERUSER

PATRONS = 100_000
CREATORS = 100
A_STATEMENT = 1_000_000

# As the month's own top-ups, more of them.
TOP_UPS = """
INSERT INTO funds_topup (id, currency, amount_micros, state, failure, return_to, returned_micros,
    created_at, paid_at, user_id)
SELECT gen_random_uuid(), 'EUR', 1000000, 'paid', '', '', 0, now(), now(), 1 + mod(n, %(patrons)s)
FROM generate_series(1, %(count)s) AS n
"""
TRANSFERS = "SELECT count(*) FROM funds_transfer"


def fill(world: World, transfers: int) -> None:
    """Book as many transfers, each for a top-up; what is booked already is left as it is."""
    [(there,)] = world.execute("month", TRANSFERS)
    connection = world.connect(SUPERUSER, "month")
    while there < transfers:
        with connection.cursor() as cursor:
            count = min(A_STATEMENT, transfers - there)
            cursor.execute(TOP_UPS, {"patrons": PATRONS, "count": count})
        assert world.python("month", "-m", "benchmarks.fund_patrons") == 0
        [(there,)] = world.execute("month", TRANSFERS)
        say(f"{there:,} of {transfers:,} transfers")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("--transfers", type=int, default=10_000_000)
    transfers = parser.parse_args().transfers
    folder = data_folder().with_name("bench-audit")
    shutil.rmtree(folder, ignore_errors=True)
    with running_world(folder) as world:
        say("making the people")
        world.prepare(PATRONS * 10, CREATORS)
        fill(world, transfers)
        begun = time.perf_counter()
        is_ledger_ok = world.manage("month", "check_ledger") == 0
        seconds = time.perf_counter() - begun
        [(found,)] = world.execute("month", TRANSFERS)
    result = {"transfers": found, "check_s": round(seconds, 1), "ledger_ok": is_ledger_ok}
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
