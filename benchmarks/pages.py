"""What the pages that people look at ask of a database with a large closed month.

`python -m benchmarks.pages` starts the database that `python -m benchmarks.close` left behind and
prints one JSON line last: for each page the SQL statements and the milliseconds that they took, the
median of several views.
"""

import json
import subprocess
import sys

from benchmarks.world import data_folder, running_world, say
from sandbox.environment import ROOT


def main() -> None:
    with running_world(data_folder()) as world:
        # Autovacuum would have, within a minute of the close.
        world.execute("run", "VACUUM (ANALYZE)")
        line = subprocess.run(
            [sys.executable, "-m", "benchmarks.page_facts"],
            cwd=ROOT,
            env=world.environment("run"),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
    result = json.loads(line)
    say(f"{len(result) - 1} pages with {result['flattrs']:,} flattrs")
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
