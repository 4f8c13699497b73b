"""The simulation runs, says what it assumes, and computes what a person would with a pencil."""

import json
import subprocess
import sys
from dataclasses import asdict, fields, replace

import pytest

from benchmarks.simulate import Assumed, Measured, close_hours, plan, workers_for
from sandbox.environment import ROOT

SMALL = Assumed(
    patrons=100_000, flattrs=1_000_000, creators=10_000, things=50_000, slower_on_disk=1.0
)


def simulated(*arguments: str) -> tuple[str, dict[str, float]]:
    command = [sys.executable, "-m", "benchmarks.simulate", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout, json.loads(done.stdout.splitlines()[-1])


def test_it_prints_every_cost_and_assumption_and_ends_with_json():
    text, result = simulated()
    for field in (*fields(Measured), *fields(Assumed)):
        assert f"  {field.name.replace('_', ' ')} " in text
    assert (result["patrons"], result["flattrs"]) == (10_000_000, 300_000_000)


def test_an_assumption_can_be_changed():
    _, result = simulated("--flattrs", "1000000", "--patrons", "100000", "--months-kept-hot", "1")
    assert result["flattrs"] == 1_000_000
    assert result["tb_hot"] == round(result["gb_per_month"] / 1_000, 2)


def test_it_agrees_with_the_measurement_it_stands_on():
    """One worker took 5.1 s for a million flattrs of 100,000 patrons."""
    assert close_hours(Measured(), SMALL, 1) * 3_600 == pytest.approx(5.1)


def test_more_workers_are_faster_and_never_faster_than_going_through_a_slice():
    hours = [close_hours(Measured(), Assumed(), workers) for workers in (1, 2, 4, 16, 1_000_000)]
    assert hours == sorted(hours, reverse=True)
    slice_of_all = Assumed().flattrs * Measured().slice_microseconds_per_flattr
    assert hours[-1] * 3_600 > slice_of_all / 1_000_000


def test_the_fewest_workers_that_are_in_time_are_found():
    workers = workers_for(Measured(), Assumed())
    assert workers and close_hours(Measured(), Assumed(), workers) <= 1
    assert workers == 1 or close_hours(Measured(), Assumed(), workers - 1) > 1


def test_what_no_number_of_workers_does_is_said():
    assert workers_for(Measured(), replace(Assumed(), close_hours_wanted=0.001)) is None


def test_storage_is_the_sum_of_the_rows():
    rows = plan(Measured(), replace(SMALL, top_ups_and_withdrawals_per_patron=0))
    computed = 1_000_000 * (242 + 31) + 120_000 * 254 + 100_000 * (221 + 106) + 10_000 * 328
    computed += 50_000 * 138
    assert rows["gb_per_month"] == round(computed / 10**9, 1)


def test_the_document_holds_what_the_simulation_says():
    document = (ROOT / "docs" / "scale.md").read_text()
    for name, value in plan(Measured(), Assumed()).items():
        assert f"| `{name}` | {value:,} |" in document
    assert asdict(Assumed())["patrons"] == 10_000_000
