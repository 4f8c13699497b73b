"""How near the close comes to the floor: bare `INSERT ... SELECT` of as many rows.

`python -m benchmarks.close --flattrs 100000 --workers 2` prints one JSON line last. Floor and close
run in turn, each on a fresh copy of one prepared database; the figures are medians.
"""

import argparse
import json
import shutil
import statistics
import sys
import time
from dataclasses import dataclass

from benchmarks.world import (
    FLATTRS_EACH,
    World,
    data_folder,
    peak_rss_megabytes,
    running_world,
    say,
)
from sandbox.children import wait_until
from sandbox.postgres import SUPERUSER

CLOSE_SECONDS_MAX = 3_600

FLOOR_TABLE = """
CREATE TABLE floor_share (
    flattr_id bigint PRIMARY KEY,
    patron_id bigint NOT NULL,
    creator_id bigint NOT NULL,
    thing_id bigint NOT NULL,
    amount_micros bigint NOT NULL
);
CREATE INDEX ON floor_share (creator_id);
"""
FLOOR = "INSERT INTO floor_share SELECT * FROM floor_source ORDER BY flattr_id"

CLOSED = (
    "SELECT extract(epoch FROM closed_at - opened_at) FROM buttons_month WHERE state = 'closed'"
)
# What each floor took and wrote, kept beside the copies for `benchmarks.recompute`.
FLOOR_RUNS = """
CREATE TABLE floor_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seconds numeric NOT NULL,
    written bigint NOT NULL
)
"""
CHECK_BOOKS = "from payouts.check_books import record_check; record_check()"
FACTS = """
SELECT (SELECT count(*) FROM payouts_share),
    (SELECT sum(amount_micros) FROM payouts_share),
    (SELECT count(*) FROM payouts_patronstatement),
    (SELECT count(*) FROM payouts_creatorstatement)
"""


@dataclass(frozen=True)
class Closed:
    """One close, as the database remembers it."""

    seconds: float
    rss_megabytes: int
    flattrs: int
    pot_micros: int
    patrons: int
    creators: int
    is_ledger_ok: bool


def measure_floor(world: World, database: str) -> float:
    """Return the seconds of one connection that writes the rows and commits."""
    world.execute(database, FLOOR_TABLE)
    world.execute(database, "CHECKPOINT")
    connection = world.connect(SUPERUSER, database)
    with connection.cursor() as cursor:
        begun = time.perf_counter()
        cursor.execute(FLOOR)
        seconds = time.perf_counter() - begun
        written = cursor.rowcount
    connection.close()
    kept = world.connect(SUPERUSER, "postgres")
    with kept.cursor() as cursor:
        cursor.execute(
            "INSERT INTO floor_run (seconds, written) VALUES (%s, %s)", [seconds, written]
        )
    kept.close()
    world.execute(database, "DROP TABLE floor_share")
    return seconds


def measure_close(world: World, database: str, workers: int) -> Closed:
    """Let a real worker close the month, and read how long it took from the database."""
    # Otherwise the books' hourly check, due at a worker's first tick, takes a core meanwhile.
    assert world.manage(database, "shell", "--no-imports", "--command", CHECK_BOOKS) == 0
    world.execute(database, "CHECKPOINT")
    with world.worker(database, workers) as worker:
        is_closed = wait_until(
            lambda: bool(world.execute(database, CLOSED)), CLOSE_SECONDS_MAX, step_seconds=0.2
        )
        assert is_closed, f"the close did not end; see {worker.log}"
        rss_megabytes = peak_rss_megabytes(worker.pid)
    [(seconds,)] = world.execute(database, CLOSED)
    [(flattrs, pot_micros, patrons, creators)] = world.execute(database, FACTS)
    # Autovacuum would, within a minute: the checks are planned by how many rows there are.
    world.execute(database, "ANALYZE")
    is_ledger_ok = world.manage(database, "check_ledger") == 0
    return Closed(
        float(seconds), rss_megabytes, flattrs, int(pot_micros), patrons, creators, is_ledger_ok
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.close", description=__doc__)
    parser.add_argument("--flattrs", type=int, default=100_000)
    parser.add_argument("--creators", type=int, default=0, help="a hundredth of the flattrs")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--reuse", action="store_true", help="close the month that the last run has made"
    )
    options = parser.parse_args()
    creators = options.creators or max(options.flattrs // 100, 100)
    folder = data_folder()
    if not options.reuse:
        shutil.rmtree(folder, ignore_errors=True)
    with running_world(folder) as world:
        if not options.reuse:
            say(f"making a month of {options.flattrs:,} flattrs")
            world.prepare(options.flattrs, creators)
        world.execute("postgres", "DROP TABLE IF EXISTS floor_run", FLOOR_RUNS)
        floors, closes = [], []
        for run in range(1, options.runs + 1):
            world.copy("run")
            floors.append(measure_floor(world, "run"))
            closes.append(measure_close(world, "run", options.workers))
            say(f"run {run}: floor {floors[-1]:.2f} s, close {closes[-1].seconds:.2f} s")
    floor_s = statistics.median(floors)
    close_s = statistics.median(closed.seconds for closed in closes)
    last = closes[-1]
    assert last.flattrs == last.patrons * FLATTRS_EACH == options.flattrs
    result = {
        "flattrs": last.flattrs,
        "patrons": last.patrons,
        "creators": last.creators,
        "workers": options.workers,
        "floor_s": round(floor_s, 3),
        "close_s": round(close_s, 3),
        "ratio": round(close_s / floor_s, 2),
        "flattrs_per_s": round(last.flattrs / close_s),
        "worker_peak_rss_mb": max(closed.rss_megabytes for closed in closes),
        "pot_micros": last.pot_micros,
        "ledger_ok": all(closed.is_ledger_ok for closed in closes),
    }
    kept = {"result": result, "closes_s": [closed.seconds for closed in closes]}
    (folder / "close.json").write_text(json.dumps(kept))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
