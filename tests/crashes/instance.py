"""An instance that may be killed: PostgreSQL that survives a crash, Redis, and a Celery worker."""

import multiprocessing
import os
import secrets
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import redis
from celery import Celery
from django.conf import settings
from django.db import connections

from flattr_site.celery import app
from sandbox import postgres
from sandbox.children import Child, wait_until
from sandbox.environment import ROOT
from sandbox.redis import Redis
from tests.crashes.proxy import Proxy, Strike

FORK = multiprocessing.get_context("fork")
LOGIN = ("USER", "PASSWORD", "HOST", "PORT", "NAME")
SECONDS = 60
KINDS = ("child", "parent", "postgres", "redis", "reply lost")

ASKED = "SELECT pid FROM pg_stat_activity WHERE usename = %s AND state <> 'idle' LIMIT 1"
# No trigger is asked, which a superuser may say and nobody else.
EMPTY = """
SET session_replication_role = replica;
DO $$
DECLARE
    name regclass;
    filled text[] := '{}';
    is_filled boolean;
BEGIN
    FOR name IN
        SELECT oid FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO is_filled;
        IF is_filled THEN
            filled := filled || name::text;
        END IF;
    END LOOP;
    IF cardinality(filled) > 0 THEN
        EXECUTE 'TRUNCATE ' || array_to_string(filled, ', ') || ' CASCADE';
    END IF;
END $$;
"""


class Instance:
    """Worker and web processes reach PostgreSQL through the proxy; the test reaches it directly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        roles = (postgres.SUPERUSER, postgres.OWNER, postgres.APP)
        self._passwords = {role: secrets.token_hex(8) for role in roles}
        self._postgres = postgres.Postgres(folder / "postgres", self._passwords, False)
        self._redis = Redis(folder / "redis", secrets.token_hex(8), False)
        self._worker = Child("worker", folder / "worker.log", signal.SIGKILL)
        self.web_log = folder / "web.log"

    def start(self) -> None:
        self._postgres.start()
        self._redis.start()
        self._copy_schema()
        self.proxy = Proxy(self._postgres.port)
        # Where the hints of web processes go.
        app.conf.update(broker_url=self._redis.url())
        self.start_worker()

    def stop(self) -> None:
        for part in (self._worker, self._redis, self._postgres):
            part.stop()
        self.proxy.stop()
        app.conf.update(broker_url=settings.REDIS_URL)

    def _copy_schema(self) -> None:
        """Copy what the migrations made of this run's test database, which is quicker."""
        source = connections["default"].settings_dict
        owner = settings.DATABASE_OWNER
        binaries = postgres._binaries()
        address = f"host={source['HOST']} port={source['PORT']} dbname={source['NAME']}"
        dump = subprocess.run(
            [binaries / "pg_dump", f"{address} user={owner['USER']}"],
            env={"PGPASSWORD": owner["PASSWORD"]},
            check=True,
            capture_output=True,
        )
        subprocess.run(
            [binaries / "psql", "-q", "-v", "ON_ERROR_STOP=1", self._postgres.url(postgres.OWNER)],
            env={},
            input=dump.stdout,
            check=True,
            capture_output=True,
        )

    def start_worker(self) -> None:
        """Start the worker, and wait until it has done what a worker asks for when it comes up."""
        # What a dead one had taken comes back after an hour, when nothing is left to do.
        self._broker().flushdb()
        address = urlsplit(self._postgres.url(postgres.APP))
        netloc = address.netloc.replace(f":{self._postgres.port}", f":{self.proxy.port}")
        environment = {
            **os.environ,
            "DATABASE_URL": address._replace(netloc=netloc).geturl(),
            "REDIS_URL": self._redis.url(),
            "STRIPE_API_BASE": settings.STRIPE_API_BASE,
            "STRIPE_SECRET_KEY": settings.STRIPE_SECRET_KEY,
        }
        self._worker.log.unlink(missing_ok=True)
        self._worker.start([sys.executable, "-m", "tests.crashes.worker"], environment, ROOT)
        is_up = wait_until(lambda: " ready." in self._worker.log.read_text(), SECONDS)
        assert is_up, self._worker.last_words()
        self.wait_until_idle()

    def _broker(self) -> "redis.Redis":
        return redis.Redis.from_url(self._redis.url())

    def is_idle(self) -> bool:
        """Say whether no message waits or is being worked on, and PostgreSQL is asked nothing.

        A Redis that was killed forgets what the worker is at.
        """
        broker = self._broker()
        try:
            return not broker.llen("celery") and not broker.hlen("unacked") and not self._is_asked()
        except (redis.ConnectionError, psycopg2.OperationalError):
            return False

    def _is_asked(self) -> bool:
        with closing(self._superuser()) as superuser, superuser.cursor() as cursor:
            cursor.execute(ASKED, [postgres.APP])
            return bool(cursor.fetchone())

    def wait_until_idle(self) -> None:
        assert wait_until(self.is_idle, SECONDS), self._worker.last_words()

    def tick(self, *names: str) -> None:
        """Do what the beat does each minute."""
        with Celery(broker=self._redis.url()) as beat:
            for name in names:
                beat.send_task(name, expires=SECONDS)

    def web(self, verb: Callable[[], object]) -> bool:
        """Run a verb in a process of its own, as a web process would; say whether it returned."""
        # A child must not speak on its parent's connection.
        connections.close_all()
        process = FORK.Process(target=self._in_web, args=(verb,))
        process.start()
        process.join(SECONDS)
        assert process.exitcode is not None, "the web process hangs"
        return process.exitcode == 0

    def _in_web(self, verb: Callable[[], object]) -> None:
        connections["default"].settings_dict["PORT"] = self.proxy.port
        app._after_fork()
        try:
            verb()
        except Exception:
            with self.web_log.open("a") as log:
                traceback.print_exc(file=log)
            os._exit(1)
        connections.close_all()
        os._exit(0)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let the test itself look into this database."""
        connection = connections["default"]
        before = {key: connection.settings_dict[key] for key in LOGIN}
        connection.close()
        address = urlsplit(self._postgres.url(postgres.APP))
        login = (address.username, address.password, address.hostname, address.port)
        connection.settings_dict.update(zip(LOGIN, (*login, postgres.DATABASE), strict=True))
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict.update(before)

    def empty(self) -> None:
        with closing(self._superuser()) as superuser, superuser.cursor() as cursor:
            cursor.execute(EMPTY)

    def _superuser(self) -> psycopg2.extensions.connection:
        superuser = psycopg2.connect(
            host="127.0.0.1",
            port=self._postgres.port,
            user=postgres.SUPERUSER,
            password=self._passwords[postgres.SUPERUSER],
            dbname=postgres.DATABASE,
        )
        superuser.autocommit = True
        return superuser

    # What goes wrong, and how it is started again: by nobody who looks at data.

    def strike(self, kind: str) -> Strike:
        return {
            "child": self._kill_process,
            "parent": self._kill_machine,
            "postgres": self._kill_postgres,
            "redis": self._kill_redis,
            "reply lost": lambda pid: True,
        }[kind]

    def _is_of_worker(self, pid: int) -> bool:
        return os.getpgid(pid) == self._worker.pid

    def _kill_process(self, pid: int) -> bool:
        os.kill(pid, signal.SIGKILL)
        return True

    def _kill_machine(self, pid: int) -> bool:
        """Kill the worker with its children, or the web process, which is alone."""
        if not self._is_of_worker(pid):
            return self._kill_process(pid)
        os.killpg(self._worker.pid, signal.SIGKILL)
        assert wait_until(lambda: not self._worker.is_running(), SECONDS, 0.01)
        return True

    def _kill_postgres(self, pid: int) -> bool:
        """Stop PostgreSQL as `pg_ctl stop -m immediate` does: no checkpoint, no goodbye."""
        os.kill(self._postgres._child.pid, signal.SIGQUIT)
        assert wait_until(lambda: not self._postgres.is_running(), SECONDS, 0.01)
        return True

    def _kill_redis(self, pid: int) -> bool:
        """Kill Redis and all that it knew; the statement itself goes on."""
        os.kill(self._redis._child.pid, signal.SIGKILL)
        assert wait_until(lambda: not self._redis.is_running(), SECONDS, 0.01)
        shutil.rmtree(self.folder / "redis" / "appendonlydir", ignore_errors=True)
        return False

    def start_again(self) -> None:
        """Start whatever is dead, as the machine's own supervisor does."""
        for part in (self._postgres, self._redis):
            if not part.is_running():
                part.stop()
                part.start()
        if not self._worker.is_running():
            self._worker.stop()
            self.start_worker()
