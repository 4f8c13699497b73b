"""The parts a sandbox brings along, and the environment every process of it gets.

A variable that the user sets, in the environment or in `.env`, wins over the sandbox's own value;
DATABASE_URL, REDIS_URL and STRIPE_SECRET_KEY thereby replace the embedded parts one by one.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import psycopg2
import redis
from environs import Env

from sandbox.errors import SandboxError
from sandbox.ports import LOOPBACK
from sandbox.postgres import APP, OWNER, SUPERUSER, Postgres
from sandbox.redis import Redis

ROOT = Path(__file__).resolve().parent.parent
PORTS = {"PORT": 8000, "BLOG_PORT": 8001, "STRIPE_PORT": 8002}
HELD_SECONDS = 60
HELD_STEP_SECONDS = 0.1


def data_folder() -> Path:
    """Return the folder of everything the sandbox keeps: `.data`, or SANDBOX_DATA."""
    folder = Path(os.environ.get("SANDBOX_DATA") or ROOT / ".data").resolve()
    try:
        # The second is where `collectstatic` would write; Django warns of its absence.
        for made in (folder, ROOT / ".data" / "static"):
            made.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SandboxError(f"The folder {made} cannot be made: {error.strerror}.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SandboxError(f"The folder {folder} cannot be written to by this user.")
    return folder


def port_of(name: str) -> int:
    """Return PORT, BLOG_PORT or STRIPE_PORT."""
    text = os.environ.get(name) or str(PORTS[name])
    if not (text.isdigit() and 0 < int(text) < 65536):
        raise SandboxError(f"{name} must be a port between 1 and 65535, not {text!r}.")
    return int(text)


class Parts:
    """The embedded PostgreSQL and Redis of one data folder, as far as nothing replaces them."""

    def __init__(self, folder: Path, is_for_tests: bool = False) -> None:
        Env().read_env(str(ROOT / ".env"), recurse=False)
        self.folder = folder
        self.secrets = _secrets(folder / "secrets.json")
        has_postgres = bool(os.environ.get("DATABASE_URL"))
        has_redis = bool(os.environ.get("REDIS_URL"))
        self.postgres = (
            None if has_postgres else Postgres(folder / "postgres", self.secrets, is_for_tests)
        )
        self.redis = (
            None if has_redis else Redis(folder / "redis", self.secrets["redis"], is_for_tests)
        )

    def start(self) -> None:
        if self.postgres is None:
            _check_database("DATABASE_URL", os.environ["DATABASE_URL"])
            if os.environ.get("DATABASE_OWNER_URL"):
                _check_database("DATABASE_OWNER_URL", os.environ["DATABASE_OWNER_URL"])
        if self.redis is None:
            _check_redis(os.environ["REDIS_URL"])
        try:
            for part in (self.redis, self.postgres):
                if part is not None:
                    part.start()
        except BaseException:
            self.stop()
            raise

    def prepare(self) -> None:
        """Migrate and fill the database, unless this very cluster has seen these very migrations.

        A failure is an error whose reason stands on the terminal; what was done is kept.
        """
        seen = self.folder / "postgres" / "prepared"
        wanted = _fingerprint_of_migrations()
        if self.postgres is not None and seen.exists() and seen.read_text() == wanted:
            return
        command = [sys.executable, "-m", "sandbox.prepare"]
        if subprocess.call(command, cwd=ROOT, env=self.environment()) != 0:
            raise SandboxError("The database could not be prepared: the lines above say why.")
        if self.postgres is not None:
            seen.write_text(wanted)

    def stop(self) -> None:
        for part in (self.redis, self.postgres):
            if part is not None:
                part.stop()

    def discard(self) -> None:
        """Stop the parts and delete what they held."""
        self.stop()
        shutil.rmtree(self.folder)

    def environment(self) -> dict[str, str]:
        """Return the environment of the site's processes; the user's own variables win."""
        own = {
            "DEBUG": "true",
            "SANDBOX": "true",
            "SECRET_KEY": self.secrets["secret_key"],
            "BASE_URL": f"http://localhost:{port_of('PORT')}",
            "EMAIL_URL": f"file://{self.folder / 'mail'}",
            "FETCH_ALLOWED_HOSTS": f"{LOOPBACK}:{port_of('BLOG_PORT')}",
            "STRIPE_WEBHOOK_SECRET": self.secrets["stripe_webhook"],
            "STRIPE_CONNECT_WEBHOOK_SECRET": self.secrets["stripe_connect_webhook"],
            "SANDBOX_DATA": str(self.folder),
            "DJANGO_SETTINGS_MODULE": "flattr_site.settings",
            "PYTHONUNBUFFERED": "1",
        } | {name: str(port_of(name)) for name in PORTS}
        if not os.environ.get("STRIPE_SECRET_KEY"):
            own["STRIPE_SECRET_KEY"] = self.secrets["stripe_key"]
            own["STRIPE_API_BASE"] = f"http://{LOOPBACK}:{port_of('STRIPE_PORT')}"
        if self.postgres is not None:
            own["DATABASE_URL"] = self.postgres.url(APP)
            own["DATABASE_OWNER_URL"] = self.postgres.url(OWNER)
        if self.redis is not None:
            own["REDIS_URL"] = self.redis.url()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        given = {name: value for name, value in os.environ.items() if value}
        return {**own, **given, "PATH": path}


@contextmanager
def held_parts(folder: Path) -> Iterator[Parts]:
    """Run the parts of this folder as their only holder; somebody else's run is an error."""
    with _held(folder) as is_held:
        if not is_held:
            raise SandboxError(f"Flattr already runs from {folder}: stop that one first.")
        with _started(folder) as parts:
            parts.prepare()
            yield parts


@contextmanager
def attached_parts(folder: Path) -> Iterator[Parts]:
    """Use the parts of a sandbox that runs from this folder, or run them for this long.

    Either way the tables are there: the first command in a fresh clone need not be `make run`. Only
    a database that somebody else keeps is left as it is.
    """
    with _held(folder) as is_held:
        if not is_held:
            yield Parts(folder)
            return
        with _started(folder) as parts:
            if parts.postgres is not None:
                parts.prepare()
            yield parts


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold the folder and yield True, or yield False where a sandbox that is ready holds it.

    Waits for what is neither: a sandbox that starts, whose secrets and tables may not be there yet,
    or a command for which the parts were started, and which ends.
    """
    give_up_at = time.monotonic() + HELD_SECONDS
    while time.monotonic() < give_up_at:
        with _locked(folder / "lock") as lock:
            if lock is not None or (folder / "ready").exists():
                yield lock is not None
                return
        time.sleep(HELD_STEP_SECONDS)
    raise SandboxError(f"What runs from {folder} was neither ready nor done in {HELD_SECONDS} s.")


@contextmanager
def _started(folder: Path) -> Iterator[Parts]:
    # Only the lock's holder speaks for the folder: whoever is refused it touches nothing.
    (folder / "ready").unlink(missing_ok=True)
    parts = Parts(folder)
    parts.start()
    try:
        yield parts
    finally:
        parts.stop()


@contextmanager
def _locked(path: Path) -> Iterator[IO[str] | None]:
    """Hold a file lock, or yield None when another process does; the kernel frees it on death."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield lock


def _fingerprint_of_migrations() -> str:
    digest = hashlib.sha256()
    for file in sorted([*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/migrations/*.sql")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _secrets(file: Path) -> Mapping[str, str]:
    """Return this folder's random secrets, made on the first start and readable by nobody else."""
    if file.exists():
        kept: dict[str, str] = json.loads(file.read_text())
        return kept
    made = {name: secrets.token_hex(24) for name in (SUPERUSER, OWNER, APP, "redis")}
    made["secret_key"] = secrets.token_hex(32)
    made["stripe_key"] = f"sk_test_{secrets.token_hex(16)}"
    made["stripe_webhook"] = f"whsec_{secrets.token_hex(16)}"
    made["stripe_connect_webhook"] = f"whsec_{secrets.token_hex(16)}"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as output:
        json.dump(made, output, indent=1)
    return made


def _check_database(variable: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise SandboxError(
            f"{variable} must look like postgres://user:password@host:5432/name; unset it to use "
            "the embedded PostgreSQL."
        )
    try:
        psycopg2.connect(url, connect_timeout=5).close()
    except psycopg2.Error as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise SandboxError(f"{variable} does not lead to a database: {reason}") from error


def _check_redis(url: str) -> None:
    try:
        client = redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5)
        client.ping()
    except (ValueError, redis.RedisError) as error:
        raise SandboxError(f"REDIS_URL does not lead to a Redis server: {error}") from error
    client.close()


def test_parts() -> Parts:
    """Return the parts of one test run, in a folder of its own that the next run clears away.

    Runs side by side therefore never meet, and a killed one leaves no server: the kernel stops it.
    """
    runs = data_folder() / "tests"
    runs.mkdir(exist_ok=True)
    for old in runs.iterdir():
        if not Path(f"/proc/{old.name}").exists():
            shutil.rmtree(old, ignore_errors=True)
    folder = runs / str(os.getpid())
    folder.mkdir()
    return Parts(folder, is_for_tests=True)
