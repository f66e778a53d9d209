"""A steady load for an hour, which must leave memory, files, threads and connections as they are."""

from __future__ import annotations

from endure.deployment import Prober
from endure.faults import Bench
from endure.report import Row
from endure.settings import Settings
from endure.usage import ENOUGH, Usage, growth, watch

SAMPLE_SECONDS = 5.0


def soak(bench: Bench) -> Row:
    """Samples what the replicas hold while the load lasts."""
    seconds = 60 * bench.settings["soak-minutes"]
    trial = bench.trial("load", bench.direct)
    with Prober(bench.direct) as prober, trial.load:
        usage = watch(bench.direct.processes, bench.database.connections, seconds, SAMPLE_SECONDS)
    row = trial.judge(prober=prober)
    row.fault, row.heal = f"load for {seconds / 60:g} min", None
    judge(row, usage, bench.settings)
    return row


def judge(row: Row, usage: Usage, settings: Settings) -> None:
    """Tells what has grown, and what has failed: without a fault, nothing may, in a short run either."""
    row.usage = usage
    if row.failed and not settings["heal-limit"]:  # else the trial has told it
        row.misses.append(f"{row.failed} requests failed")
    if usage.seconds and not usage.has_processes:
        row.notes.append("memory, files and threads were not sampled, since this machine has no /proc")
    if not settings["heal-limit"]:
        row.notes.append("growth was not judged")
    elif 60 * settings["soak-minutes"] < ENOUGH:
        row.misses.append(f"growth was not judged: that takes {ENOUGH / 60:g} minutes of load")
    else:
        misses, notes = growth(usage)
        row.misses += misses
        row.notes += notes
