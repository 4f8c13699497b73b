"""Run every benchmark and write down what it printed: `make bench`.

Each is a process of its own, its progress on standard error and one JSON line last. The lines are
kept in `benchmarks/results.json` and as a table in `docs/performance.md`.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.world import say
from sandbox.environment import ROOT

RESULTS = Path(__file__).with_name("results.json")
TABLES = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"

# Name, module and options; `recompute` and `pages` read what the close before them left behind.
BENCHMARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("close, 100,000, two workers", ("benchmarks.close", "--flattrs=100000", "--workers=2")),
    ("close, 1,000,000, one worker", ("benchmarks.close", "--flattrs=1000000", "--workers=1")),
    (
        "close, 1,000,000, two workers",
        ("benchmarks.close", "--flattrs=1000000", "--workers=2", "--reuse"),
    ),
    ("recompute", ("benchmarks.recompute",)),
    ("pages", ("benchmarks.pages",)),
    ("click", ("benchmarks.click",)),
    ("click, all on one thing", ("benchmarks.click", "--things=1")),
    ("embed", ("benchmarks.embed",)),
    ("close, 5,000,000, two workers", ("benchmarks.close", "--flattrs=5000000", "--workers=2")),
    ("audit", ("benchmarks.audit",)),
)


def run(options: tuple[str, ...]) -> Any:
    """Run one benchmark and return its line."""
    done = subprocess.run(
        [sys.executable, "-m", *options], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def as_tables(results: dict[str, Any]) -> str:
    """Return one table for each set of keys, a row for each benchmark that has them."""
    by_keys: dict[tuple[str, ...], list[tuple[str, Any]]] = {}
    for name, result in results["benchmarks"].items():
        if name != "recompute":
            by_keys.setdefault(tuple(result), []).append((name, result))
    lines = [f"Load of the machine before and after: {results['load']}, cores: {results['cores']}."]
    for keys, rows in by_keys.items():
        lines += ["", "| benchmark | " + " | ".join(keys) + " |", "|---" * (len(keys) + 1) + "|"]
        for name, result in rows:
            cells = [_cell(result[key]) for key in keys]
            lines.append(f"| {name.replace(',', '')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    """Return a figure as a table shows it, or several of one thing."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {figure}" for name, figure in value.items())
    return str(value)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.all", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each close")
    runs = parser.parse_args().runs
    before = os.getloadavg()[0]
    found: dict[str, Any] = {}
    for place, (name, options) in enumerate(BENCHMARKS, start=1):
        say(f"{place} of {len(BENCHMARKS)}: {name}")
        is_close = options[0] == "benchmarks.close"
        found[name] = run((*options, f"--runs={runs}") if is_close else options)
        say(json.dumps(found[name]))
        load = f"{before:.1f} and {os.getloadavg()[0]:.1f}"
        # After each, since all of them take half an hour and may be stopped.
        write({"cores": os.cpu_count(), "load": load, "runs": runs, "benchmarks": found})
    say(f"written to {RESULTS.relative_to(ROOT)} and {TABLES.relative_to(ROOT)}")


def write(results: dict[str, Any]) -> None:
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    page = TABLES.read_text()
    table = f"{BEGIN}\n{as_tables(results)}\n{END}"
    TABLES.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: table, page, flags=re.DOTALL))


if __name__ == "__main__":
    main()
