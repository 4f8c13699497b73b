"""Recompute every figure of the close's benchmark from the databases and the clock of the floor.

`python -m benchmarks.recompute` starts the database that `python -m benchmarks.close` left behind,
takes what each run's copy holds, and compares it with `close.json` beside it. It shares no query
with the benchmark, and ends with 1 where a figure differs.
"""

import json
import statistics
import sys
from typing import Any

from benchmarks.world import FLATTRS_EACH, World, data_folder, running_world, say

# Of the last run's database: each number from the rows it is about, and where two tables say the
# same, from both.
ROWS = {
    "flattrs": "SELECT count(DISTINCT flattr_id) FROM payouts_share",
    "flattrs of statements": "SELECT sum(flattrs) FROM payouts_patronstatement",
    "flattrs of the source": "SELECT count(*) FROM buttons_flattr WHERE state = 'made'",
    "patrons": "SELECT count(DISTINCT patron_id) FROM payouts_share",
    "patrons of statements": "SELECT count(*) FROM payouts_patronstatement",
    "creators": "SELECT count(DISTINCT creator_id) FROM payouts_share",
    "creators of statements": "SELECT count(*) FROM payouts_creatorstatement",
    "pot_micros": "SELECT sum(amount_micros) FROM payouts_share",
    "pot_micros of patrons": "SELECT sum(given_micros) FROM payouts_patronstatement",
    "pot_micros of creators": "SELECT sum(net_micros + fee_micros) FROM payouts_creatorstatement",
    "pot_micros into the pot": (
        "SELECT sum(amount_micros) FROM funds_transfer WHERE code = 'month_budget'"
    ),
    "pot_micros out of the pot": (
        "SELECT sum(amount_micros) FROM funds_transfer WHERE code = 'month_revenue'"
    ),
}
BUDGETS = """
SELECT count(*) FROM (
    SELECT s.patron_id FROM payouts_share AS s
    JOIN funds_monthlybudget AS b ON b.user_id = s.patron_id
    GROUP BY s.patron_id, b.amount_micros
    HAVING sum(s.amount_micros) <> b.amount_micros
        OR max(s.amount_micros) - min(s.amount_micros) > 1
) AS wrong
"""
SECONDS = "SELECT extract(epoch FROM closed_at) - extract(epoch FROM opened_at) FROM buttons_month"
FLOORS = "SELECT seconds, written FROM floor_run ORDER BY id"


def recomputed(world: World, written: dict[str, Any]) -> list[str]:
    """Return what differs between what was written down and what the databases say."""
    wrong = []
    for name, query in ROWS.items():
        [(found,)] = world.execute("run", query)
        figure = written["result"][name.split(" ")[0]]
        say(f"{name}: {int(found):,}")
        if int(found) != figure:
            wrong.append(f"{name}: {found}, not {figure}")
    [(uneven,)] = world.execute("run", BUDGETS)
    if uneven:
        wrong.append(f"{uneven} budgets are not divided evenly")
    [(last,)] = world.execute("run", SECONDS)
    if abs(float(last) - written["closes_s"][-1]) > 0.001:
        wrong.append(f"the last close took {last} s, not {written['closes_s'][-1]}")
    floors = world.execute("postgres", FLOORS)
    if any(rows != written["result"]["flattrs"] for _, rows in floors):
        wrong.append("a floor wrote another number of rows")
    floor_s = statistics.median(float(seconds) for seconds, _ in floors)
    close_s = statistics.median(written["closes_s"])
    figures = {
        "floor_s": round(floor_s, 3),
        "close_s": round(close_s, 3),
        "ratio": round(close_s / floor_s, 2),
        "flattrs_per_s": round(written["result"]["patrons"] * FLATTRS_EACH / close_s),
        "ledger_ok": world.manage("run", "check_ledger") == 0,
    }
    for name, figure in figures.items():
        say(f"{name}: {figure}")
        if figure != written["result"][name]:
            wrong.append(f"{name}: {figure}, not {written['result'][name]}")
    return wrong


def main() -> None:
    folder = data_folder()
    written = json.loads((folder / "close.json").read_text())
    with running_world(folder) as world:
        wrong = recomputed(world, written)
    sys.stdout.write(json.dumps({"figures": written["result"], "wrong": wrong}) + "\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
