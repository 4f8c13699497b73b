"""What a month of any size needs: hours, hosts and terabytes, computed from measured costs.

`python -m benchmarks.simulate --patrons 10000000 --flattrs 300000000` prints what was measured,
what is assumed, what follows, and one JSON line last. Nothing is measured here: each cost is a
constant, so that whoever has measured another one can put it in (`docs/scale.md`).
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, replace

DAY_SECONDS = 86_400
MONTH_SECONDS = 30 * DAY_SECONDS
MEGABYTE, GIGABYTE, TERABYTE = 10**6, 10**9, 10**12


@dataclass(frozen=True)
class Measured:
    """Costs from `docs/performance.md` and `python -m benchmarks.storage`, on two cores."""

    # A close of 1,000,000 flattrs of 100,000 patrons with one worker took 5.1 s; of that, budgets'
    # transfers 1.4, statements of patrons 0.5 and the snapshot 0.6 are spent on patrons.
    close_microseconds_per_patron: float = 25.0
    close_microseconds_per_flattr: float = 2.6
    # Of that: adding up by thing and creator, and going through all shares, once for each slice of
    # the creators; one worker makes one.
    sum_up_microseconds_per_flattr: float = 0.55
    slice_microseconds_per_flattr: float = 0.17
    slices_measured: int = 1
    flattr_bytes: int = 242
    # In its patron's statement.
    share_bytes: int = 31
    transfer_bytes: int = 254
    patron_statement_bytes: int = 221
    thing_statement_bytes: int = 138
    creator_statement_bytes: int = 328
    snapshot_patron_bytes: int = 106
    log_bytes_per_flattr: int = 212
    worker_megabytes: int = 92
    # Rules of the code: the tick sends so many of each kind on their way, a host so many at most.
    statement_mails_per_tick: int = 500
    statement_mails_per_minute_and_host: int = 600


@dataclass(frozen=True)
class Assumed:
    """What nobody has measured yet."""

    patrons: int = 10_000_000
    flattrs: int = 300_000_000
    creators: int = 1_000_000
    things: int = 5_000_000
    close_hours_wanted: float = 1.0
    mail_hours_wanted: float = 24.0
    # A month does not fit into memory any more: what each row costs then, against what it did.
    slower_on_disk: float = 2.0
    # What a further worker brings, since all share one log and one set of buffers.
    worker_efficiency: float = 0.7
    slices_max: int = 4
    patrons_per_slice: int = 1_000_000
    processes_per_worker_host: int = 4
    log_megabytes_per_s: float = 300.0
    top_ups_and_withdrawals_per_patron: float = 1.2
    busiest_against_mean: float = 8.0
    badge_views_per_flattr: float = 200.0
    badges_past_the_edge_cache: float = 0.02
    badges_past_redis: float = 0.1
    click_core_milliseconds: float = 12.0
    badge_core_milliseconds: float = 3.0
    months_kept_hot: int = 13


def close_hours(measured: Measured, assumed: Assumed, workers: int) -> float:
    """Return how long a month's close takes with so many worker processes on one database."""
    slower = assumed.slower_on_disk / 1_000_000
    slices = min(assumed.slices_max, max(workers, 1 + assumed.patrons // assumed.patrons_per_slice))
    measured_sum_up = (
        measured.sum_up_microseconds_per_flattr
        + measured.slices_measured * measured.slice_microseconds_per_flattr
    )
    divide_and_pay = assumed.patrons * measured.close_microseconds_per_patron + assumed.flattrs * (
        measured.close_microseconds_per_flattr - measured_sum_up
    )
    sum_up = assumed.flattrs * (
        measured.sum_up_microseconds_per_flattr + slices * measured.slice_microseconds_per_flattr
    )
    return (
        (divide_and_pay / _hands(assumed, workers) + sum_up / _hands(assumed, min(workers, slices)))
        * slower
        / 3_600
    )


def _hands(assumed: Assumed, workers: int) -> float:
    """Return how much more so many workers do than one."""
    return 1 + (workers - 1) * assumed.worker_efficiency


def workers_for(measured: Measured, assumed: Assumed) -> int | None:
    """Return the fewest worker processes that close in time, or None where no number does."""
    for workers in range(1, 257):
        if close_hours(measured, assumed, workers) <= assumed.close_hours_wanted:
            return workers
    return None


def plan(measured: Measured, assumed: Assumed) -> dict[str, float | int | None]:
    """Return what follows from the costs and the assumptions."""
    transfers = assumed.patrons * (1 + assumed.top_ups_and_withdrawals_per_patron)
    transfers += 2 * assumed.creators
    bytes_per_month = (
        assumed.flattrs * (measured.flattr_bytes + measured.share_bytes)
        + transfers * measured.transfer_bytes
        + assumed.patrons * (measured.patron_statement_bytes + measured.snapshot_patron_bytes)
        + assumed.things * measured.thing_statement_bytes
        + assumed.creators * measured.creator_statement_bytes
    )
    log_bytes = assumed.flattrs * measured.log_bytes_per_flattr
    mails = assumed.patrons + assumed.creators
    mails_per_hour = 60 * measured.statement_mails_per_minute_and_host
    workers = workers_for(measured, assumed)
    clicks = assumed.flattrs / MONTH_SECONDS * assumed.busiest_against_mean
    badges = clicks * assumed.badge_views_per_flattr
    badges_here = badges * assumed.badges_past_the_edge_cache
    web_milliseconds = (
        clicks * assumed.click_core_milliseconds + badges_here * assumed.badge_core_milliseconds
    )
    return {
        "close_hours_1_worker": round(close_hours(measured, assumed, 1), 2),
        "close_hours_4_workers": round(close_hours(measured, assumed, 4), 2),
        "close_hours_16_workers": round(close_hours(measured, assumed, 16), 2),
        "workers_for_the_close": workers,
        "worker_hosts": max(2, -(-(workers or 0) // assumed.processes_per_worker_host)),
        "worker_memory_gb": round((workers or 0) * measured.worker_megabytes / 1_000, 1),
        "close_log_gb": round(log_bytes / GIGABYTE, 1),
        "close_log_hours": round(log_bytes / MEGABYTE / assumed.log_megabytes_per_s / 3_600, 2),
        "mails": mails,
        "mail_days_as_it_is": round(
            max(assumed.patrons, assumed.creators) / measured.statement_mails_per_tick / 1_440, 1
        ),
        "hosts_for_the_mails": -int(-mails // (mails_per_hour * assumed.mail_hours_wanted)),
        "clicks_per_s_peak": round(clicks),
        "badges_per_s_peak": round(badges),
        "badges_at_the_web_per_s_peak": round(badges_here),
        "badges_at_the_database_per_s_peak": round(badges_here * assumed.badges_past_redis),
        "web_cores": -int(-web_milliseconds // 1_000),
        "rows_per_month": round(
            assumed.flattrs + transfers + 2 * assumed.patrons + assumed.things + assumed.creators
        ),
        "gb_per_month": round(bytes_per_month / GIGABYTE, 1),
        "tb_hot": round(bytes_per_month * assumed.months_kept_hot / TERABYTE, 2),
        "transfers_per_year": round(transfers * 12),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulate", description=__doc__)
    for name, value in asdict(Assumed()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    measured = Measured()
    assumed = replace(Assumed(), **vars(parser.parse_args()))
    result = plan(measured, assumed)
    for title, facts in (("Measured", measured), ("Assumed", assumed)):
        sys.stdout.write(f"{title}\n{_lines(asdict(facts))}\n")
    sys.stdout.write(f"What follows\n{_lines(result)}\n")
    sys.stdout.write(json.dumps({**asdict(assumed), **result}) + "\n")


def _lines(facts: dict[str, float | int | None]) -> str:
    return "".join(
        f"  {name.replace('_', ' '):<44}{'no number' if value is None else f'{value:>16,}'}\n"
        for name, value in facts.items()
    )


if __name__ == "__main__":
    main()
