"""A proxy in front of PostgreSQL that knows where each statement begins and ends.

Worker and web process speak to it as to any server, so there is a fail-point at both sides of every
statement, BEGIN and COMMIT included, and not one line of the product is there for it.
"""

import contextlib
import os
import re
import socket
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
ENCRYPTION_REQUESTS = {80877103, 80877104}
CANCEL_REQUEST = 80877102
# What the server says of a login, and the client has to answer: password, SASL and its next step.
LOGIN_QUESTIONS = {3, 5, 10, 11}

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Point:
    """One side of a statement: before it reaches PostgreSQL, or after it, with the reply unread."""

    side: str
    statement: str
    nth: int

    def __str__(self) -> str:
        return f"{self.side} {self.nth}. {self.statement}"


# Does what is to go wrong to a process id, and says whether the connection is lost by it.
Strike = Callable[[int], bool]


class Proxy:
    """Listens on a port of its own; `passed` are the points since `watch`."""

    def __init__(self, postgres_port: int) -> None:
        self._postgres_port = postgres_port
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._target: Point | None = None
        self._strike: Strike | None = None
        self.passed: list[Point] = []
        self.is_hit = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def watch(self, target: Point | None = None, strike: Strike | None = None) -> None:
        """Count anew, and let the strike happen at the target, once."""
        with self._lock:
            self._counts.clear()
            self.passed = []
            self.is_hit.clear()
            self._target, self._strike = target, strike

    def disarm(self) -> bool:
        """Let no strike happen from here on; return whether one did, which is over then."""
        with self._lock:
            self._strike = None
            return self.is_hit.is_set()

    def stop(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # Whichever side is gone, the other is hung up on, as a broken line would.
        with (
            contextlib.suppress(OSError, EOFError),
            client,
            socket.create_connection((LOOPBACK, self._postgres_port)) as server,
        ):
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _greet(client, server):
                self._converse(client, server)

    def _converse(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            kind, message = _read_message(client)
            if kind != b"Q":
                assert kind == b"X", f"psycopg2 sends whole statements, not {kind!r}"
                server.sendall(message)
                return
            statement = label_of(message[5:-1].decode())
            if self._is_lost(BEFORE, statement, client):
                return
            server.sendall(message)
            reply = b""
            while kind != b"Z":
                kind, part = _read_message(server)
                reply += part
            if self._is_lost(AFTER, statement, client):
                return
            client.sendall(reply)

    def _is_lost(self, side: str, statement: str, client: socket.socket) -> bool:
        with self._lock:
            self._counts[side, statement] += 1
            point = Point(side, statement, self._counts[side, statement])
            self.passed.append(point)
            strike = self._strike if point == self._target else None
            if strike is None:
                return False
            self._strike = None
            # Within the lock, so that who disarms this knows whether something was killed.
            is_lost = strike(process_behind(client.getpeername()[1], self.port))
            self.is_hit.set()
            return is_lost


def label_of(statement: str) -> str:
    """Return a statement without comments and values, short enough for one line of a log."""
    text = re.sub(r"--[^\n]*", "", statement)
    text = re.sub(r"'(?:[^']|'')*'", "?", text)
    text = " ".join(re.sub(r"\d+", "?", text).split())
    text = re.sub(r"\(\?(?:, \?)+\)", "(?)", text)
    return f"{text[:60]} #{zlib.crc32(text.encode()):08x}"


def process_behind(port: int, to_port: int) -> int:
    """Return the process id at the other end of a connection of this machine."""
    inode = ""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        ends = [int(address.rpartition(":")[2], 16) for address in fields[1:3]]
        if ends == [port, to_port]:
            inode = f"socket:[{fields[9]}]"
    for folder in Path("/proc").glob("[0-9]*/fd"):
        # Processes and their files come and go meanwhile.
        with contextlib.suppress(OSError):
            for file in folder.iterdir():
                if os.readlink(file) == inode:
                    return int(folder.parent.name)
    raise AssertionError(f"nobody is behind port {port}")


def _greet(client: socket.socket, server: socket.socket) -> bool:
    """Let a client sign in; False where it only came to cancel, or was refused."""
    code = 0
    while not code or code in ENCRYPTION_REQUESTS:
        head = _read_exactly(client, 8)
        length, code = struct.unpack("!II", head)
        server.sendall(head + _read_exactly(client, length - 8))
        if code in ENCRYPTION_REQUESTS:
            client.sendall(_read_exactly(server, 1))
    while code != CANCEL_REQUEST:
        kind, message = _read_message(server)
        client.sendall(message)
        if kind == b"R" and struct.unpack("!I", message[5:9])[0] in LOGIN_QUESTIONS:
            server.sendall(_read_message(client)[1])
        if kind in (b"E", b"Z"):
            return kind == b"Z"
    return False


def _read_message(source: socket.socket) -> tuple[bytes, bytes]:
    head = _read_exactly(source, 5)
    return head[:1], head + _read_exactly(source, struct.unpack("!I", head[1:])[0] - 4)


def _read_exactly(source: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        part = source.recv(min(65_536, count - len(parts)))
        if not part:
            raise EOFError
        parts += part
    return parts
