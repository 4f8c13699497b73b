"""An instance for benchmarks: its own PostgreSQL and Redis, and a month full of flattrs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import redis

from sandbox.children import Child
from sandbox.environment import ROOT, Parts
from sandbox.postgres import APP, OWNER, SUPERUSER, Postgres

THINGS_EACH = 5
FLATTRS_EACH = 10
SETTINGS = {"shared_buffers": "2GB", "wal_buffers": "64MB", "max_wal_size": "8GB"}


class BenchPostgres(Postgres):
    """The embedded PostgreSQL with the memory of a server; everything durable, as on one."""

    def _settings(self) -> dict[str, str]:
        return super()._settings() | SETTINGS


class World:
    """One prepared database as a template, and a copy of it for each run."""

    def __init__(self, folder: Path) -> None:
        self.parts = Parts(folder)
        self.folder = folder
        self.postgres = BenchPostgres(folder / "postgres", self.parts.secrets, is_for_tests=False)
        self.parts.postgres = self.postgres

    def url(self, role: str, database: str) -> str:
        return urlunsplit(urlsplit(self.postgres.url(role))._replace(path=f"/{database}"))

    def connect(self, role: str, database: str) -> "psycopg2.extensions.connection":
        connection = psycopg2.connect(self.url(role, database))
        connection.autocommit = True
        return connection

    def execute(self, database: str, *statements: str) -> list[Any]:
        """Run statements one after another; return the rows of the last, if it has any."""
        connection = self.connect(SUPERUSER, database)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def environment(self, database: str) -> dict[str, str]:
        return self.parts.environment() | {
            "DATABASE_URL": self.url(APP, database),
            "DATABASE_OWNER_URL": self.url(OWNER, database),
            "EMAIL_URL": f"file://{self.folder / 'mail'}",
        }

    def manage(self, database: str, *arguments: str) -> int:
        return self.python(database, "manage.py", *arguments)

    def python(self, database: str, *arguments: str) -> int:
        command = [sys.executable, *arguments]
        # Standard output belongs to the benchmark's own line.
        return subprocess.call(command, cwd=ROOT, env=self.environment(database), stdout=sys.stderr)

    def prepare(self, flattrs: int, creators: int) -> None:
        """Make the template: a migrated database with last month's flattrs."""
        self.execute("postgres", "CREATE DATABASE month OWNER flattr_owner")
        assert self.manage("month", "migrate", "--verbosity=0") == 0
        params = {
            "patrons": flattrs // FLATTRS_EACH,
            "creators": creators,
            "things_each": THINGS_EACH,
            "month": last_month(),
        }
        connection = self.connect(SUPERUSER, "month")
        with connection.cursor() as cursor:
            sql = (Path(__file__).parent / "month.sql").read_text()
            cursor.execute(sql, params)
        assert self.python("month", "-m", "benchmarks.fund_patrons") == 0
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
        connection.close()

    def copy(self, name: str) -> None:
        self.execute(
            "postgres",
            f"DROP DATABASE IF EXISTS {name}",
            f"CREATE DATABASE {name} OWNER flattr_owner TEMPLATE month STRATEGY FILE_COPY",
            "CHECKPOINT",
        )

    @contextmanager
    def worker(self, database: str, processes: int) -> Iterator[Child]:
        """Run a real Celery worker on a database; it begins what is due as soon as it is ready."""
        assert self.parts.redis is not None
        redis.Redis.from_url(self.parts.redis.url()).flushall()
        child = Child("worker", self.folder / f"worker-{database}.log")
        command = [sys.executable, "-m", "celery", "--app", "flattr_site", "worker"]
        command += [f"--concurrency={processes}", "--loglevel=WARNING", "--without-gossip"]
        child.start(command, self.environment(database), ROOT)
        try:
            yield child
        finally:
            child.stop(30)


def last_month() -> date:
    first = datetime.now(UTC).date().replace(day=1)
    return (first - timedelta(days=1)).replace(day=1)


@contextmanager
def running_world(folder: Path) -> Iterator[World]:
    folder.mkdir(parents=True, exist_ok=True)
    world = World(folder)
    world.parts.start()
    try:
        yield world
    finally:
        world.parts.stop()


def peak_rss_megabytes(parent: int) -> int:
    """Return the most memory that any child of a process has held so far."""
    peaks = [0]
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            facts = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            # It ended meanwhile.
            continue
        if int(facts["PPid"]) == parent and "VmHWM" in facts:
            peaks.append(int(facts["VmHWM"].split()[0]) // 1024)
    return max(peaks)


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def data_folder() -> Path:
    return Path(os.environ.get("BENCH_DATA") or ROOT / ".data" / "bench")
