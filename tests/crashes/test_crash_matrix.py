"""Everything is killed at both sides of every statement, and comes out right by the next ticks.

A flow is run once as it is, which lists its fail-points; then again for each cell of the matrix: a
point and what dies there. The log (`crashes.log` in the test's folder) names each point that was
hit and the process id behind it. `SOAK=1` (`make soak`) hits every point of every flow, each flow
beside the others, with 500 kills at least; SOAK_KILLS stops it sooner. Without it a handful of
cells is tried.
"""

import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from random import Random
from threading import Event

import pytest
from django.db import OperationalError, connections
from kombu.exceptions import OperationalError as BrokerError

from payouts.check_books import run_checks
from sandbox.children import wait_until
from tests.crashes.flows import FLOWS, Flow
from tests.crashes.instance import KINDS, Instance
from tests.crashes.proxy import AFTER, BEFORE, Point, label_of

IS_SOAK = os.environ.get("SOAK") == "1"
# A smaller number tries the machinery, and leaves points out.
KILLS_OF_A_FLOW = int(os.environ.get("SOAK_KILLS", "500")) // len(FLOWS)
IS_SHORTENED = "SOAK_KILLS" in os.environ
TRIES_MAX = 5
TICKS_MAX = 20
TICK_SECONDS = 8

Cell = tuple[str, Point, str]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def instance(stripe_sandbox, tmp_path) -> Iterator[Instance]:
    instance = Instance(tmp_path)
    try:
        instance.start()
        with instance.in_use():
            yield instance
    finally:
        instance.stop()


class Matrix:
    """Runs flows on one instance, and remembers every point that was hit."""

    def __init__(self, instance: Instance, stripe_sandbox, log: Path) -> None:
        self.instance = instance
        self.stripe = stripe_sandbox
        self.log = log
        self.points: dict[str, list[Point]] = {}

    def record(self, name: str) -> list[Point]:
        """Run a flow in which nothing goes wrong, and return its fail-points.

        Twice: how often somebody looks again while nothing is to do differs each time.
        """
        runs = []
        for _ in range(2):
            self.run(name, None, "")
            self.instance.wait_until_idle()
            runs.append(dict.fromkeys(self.instance.proxy.passed))
        self.points[name] = [point for point in runs[0] if point in runs[1]]
        return self.points[name]

    def try_cell(self, cell: Cell) -> None:
        name, point, kind = cell
        self.run(name, point, kind)

    def run(self, name: str, point: Point | None, kind: str) -> None:
        instance = self.instance
        instance.wait_until_idle()
        instance.empty()
        flow = FLOWS[name](self.stripe)
        connections.close_all()

        def strike(pid: int) -> bool:
            with self.log.open("a") as log:
                log.write(f"{name} | {point} | {kind} | pid {pid}\n")
            return instance.strike(kind)(pid)

        instance.proxy.watch(point, strike if point else None)
        is_hit = instance.proxy.is_hit
        is_mended = point is None
        for tick in range(TICKS_MAX):
            if tick:
                flow.two_minutes_pass()
            go_on(flow, instance)
            if not is_hit.is_set() or is_mended:
                tick_once(flow, instance)
                wait_until(partial(is_over, flow, None if is_mended else is_hit), TICK_SECONDS)
            if not is_mended:
                # What is hit may also follow the end.
                wait_until(lambda: is_hit.is_set() or instance.is_idle(), TICK_SECONDS)
            if is_hit.is_set() and not is_mended:
                connections.close_all()
                instance.start_again()
                is_mended = True
            elif flow.is_done():
                break
        # The worker may come by the point when everything is done, after the last look at it.
        if instance.proxy.disarm() and not is_mended:
            connections.close_all()
            instance.start_again()
        assert flow.is_done(), f"{name} does not converge after {point}, {kind}"
        flow.check()
        assert run_checks() == [], f"{name}: {point}, {kind}"

    def hits(self) -> list[str]:
        """Return what was hit: flow, point and kind, one for each kill."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.rpartition(" | ")[0] for line in lines]

    def hit_points(self) -> set[str]:
        return {hit.rpartition(" | ")[0] for hit in self.hits()}


def go_on(flow: Flow, instance: Instance) -> None:
    try:
        flow.go_on(instance.web)
    except OperationalError:
        # PostgreSQL died under a web process just now.
        assert instance.proxy.is_hit.is_set()
        connections.close_all()


def tick_once(flow: Flow, instance: Instance) -> None:
    """Do what beat does; what Redis does not take is sent again with the next minute."""
    try:
        instance.tick(*flow.tasks)
    except BrokerError:
        # The first task of the tick came so far that Redis was dead before the second was sent.
        assert wait_until(instance.proxy.is_hit.is_set, TICK_SECONDS)


def is_over(flow: Flow, is_hit: Event | None) -> bool:
    """Say whether there is nothing to wait for: it is done, or something died."""
    if is_hit and is_hit.is_set():
        return True
    try:
        return flow.is_done()
    except OperationalError:
        # PostgreSQL died just now.
        connections.close_all()
        return False


COMMIT = label_of("COMMIT")
# Each kind once, where money moves: what is committed and what is not differ there.
A_HANDFUL: list[Cell] = [
    ("top-up", Point(BEFORE, COMMIT, 4), "child"),
    ("withdrawal", Point(AFTER, COMMIT, 4), "reply lost"),
    ("refund", Point(BEFORE, COMMIT, 3), "child"),
    ("close", Point(AFTER, COMMIT, 5), "redis"),
    ("close", Point(AFTER, COMMIT, 8), "postgres"),
    ("close", Point(BEFORE, COMMIT, 6), "parent"),
]


def every_cell(matrix: Matrix) -> Iterator[Cell]:
    """Give each point until it was hit, kinds in turn, and then points at random for ever."""
    kinds = cycle(KINDS)
    points = [(name, point) for name, flow in matrix.points.items() for point in flow]
    for _ in range(TRIES_MAX):
        for name, point in points:
            if f"{name} | {point}" not in matrix.hit_points():
                yield name, point, kind_for(point, kinds)
    random = Random(0)
    while True:
        name, point = random.choice(points)
        yield name, point, kind_for(point, kinds)


def kind_for(point: Point, kinds: Iterator[str]) -> str:
    """Return the next kind; a reply can be lost only after there is one."""
    kind = next(kinds)
    return next(kinds) if kind == "reply lost" and point.side == BEFORE else kind


@pytest.mark.skipif(IS_SOAK, reason="the soak tries them all")
def test_whatever_dies_the_next_ticks_make_up_for_it_exactly_once(
    instance, stripe_sandbox, tmp_path
):
    matrix = Matrix(instance, stripe_sandbox, tmp_path / "crashes.log")
    for cell in A_HANDFUL:
        matrix.try_cell(cell)
    assert matrix.hits() == [" | ".join(map(str, cell)) for cell in A_HANDFUL]
    assert {kind for *_, kind in A_HANDFUL} == set(KINDS)


@pytest.mark.skipif(not IS_SOAK, reason="`make soak` runs it")
@pytest.mark.parametrize("name", FLOWS)
def test_every_fail_point_of_a_flow_is_hit(name, instance, stripe_sandbox, tmp_path, capsys):
    matrix = Matrix(instance, stripe_sandbox, tmp_path / "crashes.log")
    begun = time.monotonic()
    every = {f"{name} | {point}" for point in matrix.record(name)}
    say(capsys, f"{name}: {len(every)} fail-points")
    for cell in every_cell(matrix):
        matrix.try_cell(cell)
        kills, missed = len(matrix.hits()), every - matrix.hit_points()
        if kills % 10 == 0:
            say(capsys, f"{name}: {kills} kills, {len(missed)} to hit, {seconds_since(begun)} s")
        if kills >= KILLS_OF_A_FLOW and (not missed or IS_SHORTENED or kills > len(every) * 2):
            break
    say(
        capsys,
        f"{name}: {kills} kills hit {len(every) - len(missed)} of {len(every)} fail-points in "
        f"{seconds_since(begun)} s, and each time everything came out right; see {matrix.log}",
    )
    assert IS_SHORTENED or not missed


def seconds_since(begun: float) -> int:
    return round(time.monotonic() - begun)


def say(capsys, text: str) -> None:
    with capsys.disabled():
        sys.stderr.write(f"crash matrix: {text}\n")
        sys.stderr.flush()
