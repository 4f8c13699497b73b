"""Loopback ports: free ones, remembered ones, taken ones."""

import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A port in TIME_WAIT from the last run is free for the servers, so it is here.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def remembered_port(file: Path) -> int:
    """Return the port of the last start while it is free, or remember a new one."""
    text = file.read_text().strip() if file.exists() else ""
    if text.isdigit() and is_free(int(text)):
        return int(text)
    port = free_port()
    file.write_text(f"{port}\n")
    return port
