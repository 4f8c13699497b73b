"""Count what a cached badge costs: `python -m benchmarks.embed_facts PATH` prints one JSON line.

A process of its own, in the environment of the database that is being measured.
"""

import json
import sys

import django

django.setup()

from django.db import connection  # noqa: E402 - After setup.
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

if __name__ == "__main__":
    path = sys.argv[1]
    client = Client(headers={"host": "localhost"})
    first = client.get(path)
    assert first.status_code == 200, first.status_code
    with CaptureQueriesContext(connection) as queries:
        again = client.get(path)
    assert not again.cookies, "what is cached for everybody carries no cookie"
    facts = {"sql_queries_cached": len(queries)}
    sys.stdout.write(json.dumps(facts) + "\n")
