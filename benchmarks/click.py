"""How near a recorded flattr comes to a view that loads session and user and inserts one row.

`python -m benchmarks.click` prints one JSON line last. Both answer in turn on one real web server
with the same middleware; the figures are medians. With `--things 1` all patrons press on one thing.
"""

import argparse
import json
import shutil
import socket
import statistics
import sys
import threading
import time
from dataclasses import dataclass, field
from queue import SimpleQueue
from urllib.parse import urlencode

from benchmarks.web import running_web
from benchmarks.world import World, data_folder, running_world, say
from sandbox.ports import LOOPBACK
from sandbox.postgres import APP

CONNECTIONS = 4
BARE, PRESS = "/bare-insert", "/submit/press/"
FLATTRS = 100_000
CREATORS = 1_000

# Every patron can be asked by mail, as everybody who presses has been.
MAILS = """
INSERT INTO account_emailaddress (user_id, email, verified, "primary")
SELECT id, email, true, true FROM accounts_user
"""
BARE_TABLE = f"""
CREATE TABLE bare_click (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patron_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE INDEX ON bare_click (patron_id);
GRANT INSERT ON bare_click TO {APP};
"""


@dataclass
class Turn:
    """What one turn of the clients saw."""

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)

    @property
    def rps(self) -> float:
        return len(self.took) / self.seconds


def press_until(
    port: int, path: str, presses: "SimpleQueue[dict[str, str]]", stop_at: float, took: list[float]
) -> None:
    """Send one prepared press after another over one connection; remember how long each took."""
    with socket.create_connection((LOOPBACK, port)) as connection:
        answer = connection.makefile("rb")
        while time.perf_counter() < stop_at:
            press = presses.get(timeout=1)
            body = urlencode(
                {
                    "url": press["url"],
                    "nonce": press["nonce"],
                    "csrfmiddlewaretoken": press["csrf"],
                }
            )
            request = (
                f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
                f"Cookie: {press['cookie']}\r\n"
                f"Content-Type: application/x-www-form-urlencoded\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}"
            )
            begun = time.perf_counter()
            connection.sendall(request.encode())
            status = answer.readline()
            length = 0
            while (line := answer.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            page = answer.read(length)
            assert b" 302 " in status, (status, page[:500])
            took.append(time.perf_counter() - begun)
            if path == BARE:
                # Nothing of it was spent.
                presses.put(press)


def turn(port: int, path: str, presses: "SimpleQueue[dict[str, str]]", seconds: int) -> Turn:
    found = Turn()
    begun = time.perf_counter()
    threads = [
        threading.Thread(
            target=press_until, args=(port, path, presses, begun + seconds, found.took)
        )
        for _ in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.seconds = time.perf_counter() - begun
    assert found.seconds >= seconds, "the prepared presses were used up"
    return found


def prepared_presses(world: World, count: int, things: int) -> "SimpleQueue[dict[str, str]]":
    """Let a process of the site sign the patrons in and issue the nonces of their forms."""
    path = world.folder / "presses.json"
    options = [f"--count={count}", f"--things={things}", f"--file={path}"]
    assert world.python("month", "-m", "benchmarks.click_presses", *options) == 0
    presses: SimpleQueue[dict[str, str]] = SimpleQueue()
    for press in json.loads(path.read_text()):
        presses.put(press)
    return presses


def measure(world: World, rounds: int, seconds: int, things: int) -> dict[str, float]:
    world.execute("month", MAILS, BARE_TABLE)
    presses = prepared_presses(world, FLATTRS // 10, things)
    clicks, bares = [], []
    with running_web(world) as port:
        for path in (BARE, PRESS):
            turn(port, path, presses, 1)
        for place in range(1, rounds + 1):
            # A press is a row for the one and spent for good for the other.
            bares.append(turn(port, BARE, presses, seconds))
            clicks.append(turn(port, PRESS, presses, seconds))
            say(f"round {place}: bare {bares[-1].rps:.0f}/s, click {clicks[-1].rps:.0f}/s")
    [(recorded,)] = world.execute("month", "SELECT count(*) FROM buttons_flattr")
    pressed = sum(len(found.took) for found in clicks)
    assert recorded - FLATTRS >= pressed, "each answered press is a flattr"
    took = sorted(second for found in clicks for second in found.took)
    click_rps = statistics.median(found.rps for found in clicks)
    bare_rps = statistics.median(found.rps for found in bares)
    return {
        "things": things,
        "click_rps": round(click_rps),
        "bare_rps": round(bare_rps),
        "ratio": round(click_rps / bare_rps, 2),
        "p50_ms": round(took[len(took) // 2] * 1_000, 1),
        "p99_ms": round(took[len(took) * 99 // 100] * 1_000, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.click", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2, help="of each turn")
    parser.add_argument("--things", type=int, default=CREATORS, help="how many are pressed on")
    options = parser.parse_args()
    folder = data_folder().with_name("bench-click")
    shutil.rmtree(folder, ignore_errors=True)
    with running_world(folder) as world:
        say(f"making a month of {FLATTRS:,} flattrs")
        world.prepare(FLATTRS, CREATORS)
        result = measure(world, options.rounds, options.seconds, options.things)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
