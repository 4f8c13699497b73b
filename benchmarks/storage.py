"""How many bytes the rows of a closed month take, indexes included.

`python -m benchmarks.storage --flattrs 100000` makes a month, closes it through a real worker, and
prints one JSON line last: bytes for each row by table, and of the write-ahead log.
"""

import argparse
import json
import shutil
import sys

from benchmarks.close import CLOSE_SECONDS_MAX, CLOSED
from benchmarks.world import data_folder, running_world, say
from sandbox.children import wait_until

# What a month adds to.
TABLES = (
    "buttons_flattr",
    "payouts_monthpatron",
    "payouts_monththing",
    "payouts_patronstatement",
    "payouts_thingstatement",
    "payouts_creatorstatement",
    "funds_transfer",
    "funds_ledgeraccount",
)
SIZE = "SELECT pg_total_relation_size('{table}'), (SELECT count(*) FROM {table})"
LOG_POSITION = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=__doc__)
    parser.add_argument("--flattrs", type=int, default=100_000)
    options = parser.parse_args()
    folder = data_folder().with_name("bench-storage")
    shutil.rmtree(folder, ignore_errors=True)
    with running_world(folder) as world:
        say(f"making a month of {options.flattrs:,} flattrs")
        world.prepare(options.flattrs, max(options.flattrs // 100, 100))
        world.copy("run")
        [(before,)] = world.execute("run", LOG_POSITION)
        with world.worker("run", 1) as worker:
            is_closed = wait_until(
                lambda: bool(world.execute("run", CLOSED)), CLOSE_SECONDS_MAX, step_seconds=0.2
            )
            assert is_closed, f"the close did not end; see {worker.log}"
        [(after,)] = world.execute("run", LOG_POSITION)
        world.execute("run", "VACUUM (ANALYZE)")
        rows = {table: world.execute("run", SIZE.format(table=table))[0] for table in TABLES}
    shutil.rmtree(folder, ignore_errors=True)
    result = {
        "flattrs": options.flattrs,
        "bytes_per_row": {
            table: round(int(size) / max(count, 1)) for table, (size, count) in rows.items()
        },
        "log_bytes_per_flattr": round(int(after - before) / options.flattrs),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
