"""Everything the sandbox knows, in one SQLite file that survives a restart."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.stripe.errors import Json

SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS object_kind ON object (kind, account, seq);
CREATE TABLE IF NOT EXISTS answer (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try_at REAL NOT NULL,
    answer TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (state, next_try_at);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Store:
    """One connection behind one lock: a request is a transaction, and requests queue."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(
            path or ":memory:", check_same_thread=False, isolation_level=None
        )
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end or leave nothing behind; a nested one joins the outer one."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def put(self, body: Json, account: str = "") -> Json:
        """Store an object, new or changed, and return it."""
        self.sql(
            "INSERT INTO object (id, kind, account, body) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            body["id"],
            body["object"],
            account,
            json.dumps(body),
        )
        return body

    def get(self, object_id: str, kind: str = "") -> Json | None:
        rows = self.sql("SELECT body, kind FROM object WHERE id = ?", object_id)
        if not rows or (kind and rows[0][1] != kind):
            return None
        body: Json = json.loads(rows[0][0])
        return body

    def all(self, kind: str, account: str = "") -> list[Json]:
        """Return the newest first, as Stripe's lists do."""
        rows = self.sql(
            "SELECT body FROM object WHERE kind = ? AND account = ? ORDER BY seq DESC",
            kind,
            account,
        )
        return [json.loads(body) for (body,) in rows]

    def sum_net(self, currency: str, available_at: int, account: str = "") -> tuple[int, int]:
        """Return the available and the pending cents of the balance transactions."""
        ((available, total),) = self.sql(
            """
            SELECT COALESCE(SUM(CASE WHEN json_extract(body, '$.available_on') <= ?
                   THEN json_extract(body, '$.net') END), 0),
                   COALESCE(SUM(json_extract(body, '$.net')), 0)
            FROM object
            WHERE kind = 'balance_transaction' AND account = ?
              AND json_extract(body, '$.currency') = ?
            """,
            available_at,
            account,
            currency,
        )
        return available, total - available

    def setting(self, name: str, default: Any) -> Any:
        rows = self.sql("SELECT value FROM setting WHERE name = ?", name)
        return json.loads(rows[0][0]) if rows else default

    def set_setting(self, name: str, value: Any) -> None:
        self.sql(
            "INSERT INTO setting VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            json.dumps(value),
        )

    def reset(self) -> None:
        with self.transaction():
            for table in ("object", "answer", "delivery", "setting"):
                self.sql(f"DELETE FROM {table}")  # noqa: S608 - the names are the four above.
