"""How near a badge comes to a view that returns constant bytes, both through the real web server.

`python -m benchmarks.embed` prints one JSON line last. Badge and bare view answer in turn, on one
server with the same middleware; the figures are medians. Beside them what a page with one button
loads in each layout until its count shows.
"""

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from urllib.parse import quote

from benchmarks.embed_bytes import as_served
from benchmarks.web import running_web
from benchmarks.world import World, data_folder, running_world, say
from sandbox.environment import ROOT
from sandbox.ports import LOOPBACK

BADGE = f"/badge.svg?url={quote('https://bench.example/1', safe='')}"
BARE = "/bare"
# The one name that the site of the benchmarks answers to.
HOST = "localhost"
CONNECTIONS = 4


def get_until(port: int, path: str, stop_at: float, done: list[int]) -> None:
    """Ask for one address over one connection again and again; add how often it was answered."""
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    count = 0
    with socket.create_connection((LOOPBACK, port)) as connection:
        answer = connection.makefile("rb")
        while time.perf_counter() < stop_at:
            connection.sendall(request)
            status = answer.readline()
            assert b" 200 " in status, status
            length = 0
            while (line := answer.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert len(answer.read(length)) == length
            count += 1
    done.append(count)


def requests_per_second(port: int, path: str, seconds: int) -> float:
    done: list[int] = []
    begun = time.perf_counter()
    threads = [
        threading.Thread(target=get_until, args=(port, path, begun + seconds, done))
        for _ in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == CONNECTIONS, "a connection broke"
    return sum(done) / (time.perf_counter() - begun)


def measure(world: World, rounds: int, seconds: int) -> dict[str, float]:
    with running_web(world) as port:
        # Both processes of the server import the site before anything is counted.
        for path in (BARE, BADGE):
            requests_per_second(port, path, seconds)
        badges, bares = [], []
        for place in range(1, rounds + 1):
            bares.append(requests_per_second(port, BARE, seconds))
            badges.append(requests_per_second(port, BADGE, seconds))
            say(f"round {place}: bare {bares[-1]:.0f}/s, badge {badges[-1]:.0f}/s")
        sizes = as_served(f"http://{HOST}:{port}")
    badge_rps, bare_rps = statistics.median(badges), statistics.median(bares)
    return {
        "badge_rps": round(badge_rps),
        "bare_rps": round(bare_rps),
        "ratio": round(badge_rps / bare_rps, 2),
        **sizes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each turn")
    options = parser.parse_args()
    folder = data_folder().with_name("bench-embed")
    shutil.rmtree(folder, ignore_errors=True)
    with running_world(folder) as world:
        say("making a month of 10,000 flattrs")
        world.prepare(10_000, 100)
        line = subprocess.run(
            [sys.executable, "-m", "benchmarks.embed_facts", BADGE],
            cwd=ROOT,
            env=world.environment("month"),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        result = measure(world, options.rounds, options.seconds) | json.loads(line)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
