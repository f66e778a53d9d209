"""A kind of planned change, which is made again and again under one load, and what the ledger says of it.

The load and the ledger are those of `make endure`. No fault is there, so each request that is not answered with success
is a miss, also if its repetition succeeds.
"""

from __future__ import annotations

import datetime
import os
import secrets
import statistics
import time
from collections.abc import Callable, Sequence

from endure.circumstances import Circumstances, machine, revision
from endure.ledger import Attempt
from endure.load import Load
from endure.report import Result, Row
from endure.results import Results
from endure.trial import Trial
from rehearsal.world import NEW_RELEASE, World
from rehearsal_changes.edge import Edge
from rehearsal_changes.settings import Settings

CALM = 20.0  # seconds of load before the first change, with whose answers those from then on are compared
ENOUGH = 200  # requests that succeed after each change before the next one
SHOWN = 10  # failed requests in a report
# Seconds that a failure could be explained by a fault, if there were one. Not 0, by which no failure is judged.
JUDGED = 1.0


class Changes:
    """Makes planned changes of a deployment under load, and keeps the result of each kind as soon as it is known."""

    def __init__(self, world: World, edge: Edge, settings: Settings, addresses: int) -> None:
        self.world, self.edge, self.settings = world, edge, settings
        self.rows: list[Row] = []
        self._results = Results(settings.results)
        self._circumstances = circumstances(world, settings, addresses)

    def repeat(self, name: str, title: str, times: int, change: Callable[[int], None]) -> Row:
        """Makes a change so many times under one load: `change` gets the number of each, from 1, and raises
        AssertionError or TimeoutError if it does not come about. Returns the result, whose misses are to be judged."""
        load_average = os.getloadavg()[0]
        load = Load(self.edge, self.settings["rate"], f"{name}-{secrets.token_hex(3)}", with_fresh=True)
        trial, durations, misses = Trial(title, None, load, JUDGED), [], []
        with load:
            time.sleep(CALM)
            first = time.monotonic()
            try:
                for number in range(1, times + 1):
                    durations.append(self._make(change, number))
                    trial.times += 1
                    load.await_successes(ENOUGH)
            except (AssertionError, TimeoutError) as failure:
                misses.append(f"change {len(durations) + 1} did not come about: {first_line(failure)}")
        trial.notes += [took(durations), compared(load.ledger.attempts, first)]
        trial.notes.append(f"the load average was {load_average:.1f} before, and {os.getloadavg()[0]:.1f} at the end")
        row = trial.judge()
        row.heal = None  # nothing was ill
        row.misses += [*misses, *failures(load.ledger.attempts)]
        self.rows.append(row)
        self._results.keep(name, Result(row, self._circumstances))
        return row

    def _make(self, change: Callable[[int], None], number: int) -> float:
        """Seconds that it took, with the end of the replicas that it has replaced."""
        begun = time.monotonic()
        change(number)
        self.world.await_end_of_replaced()
        return time.monotonic() - begun


def circumstances(world: World, settings: Settings, addresses: int) -> Circumstances:
    """Those of now."""
    notes = [f"By `make rehearse-changes`, from {addresses} client addresses.", settings.note]
    return Circumstances(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=machine(),
        build=f"the image {NEW_RELEASE}" if NEW_RELEASE else "a release build",
        revision=revision(),
        mysql=world.parts.query_database("SELECT VERSION()"),
        rate=settings["rate"],
        is_short=settings.is_short,
        is_judged=True,
        differing=settings.differing(),
        note=" ".join(filter(None, notes)),
    )


def took(durations: Sequence[float]) -> str:
    """How long the changes took."""
    if not durations:
        return "no change came about"
    middle = statistics.median(durations)
    return f"a change took {min(durations):.0f} to {max(durations):.0f} s (median {middle:.0f} s)"


def compared(attempts: Sequence[Attempt], first: float) -> str:
    """The durations of the answers before the first change began, and from then on."""
    calm = [attempt.seconds for attempt in attempts if attempt.ended < first]
    later = [attempt.seconds for attempt in attempts if attempt.ended >= first]
    before, after = (f"{1000 * percentile(seconds, 0.99):.0f} ms" for seconds in (calm, later))
    return f"99th percentile {before} before the first change, {after} from then on"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed; 0 of none."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else 0.0


def first_line(failure: Exception) -> str:
    """What it says, without pytest's own lines about an assertion, which follow."""
    return (str(failure).splitlines() or [type(failure).__name__])[0]


def failures(attempts: Sequence[Attempt]) -> list[str]:
    """The first requests that have failed, with the time of day at which each ended."""
    offset = time.time() - time.monotonic()
    return [
        f"{datetime.datetime.fromtimestamp(attempt.ended + offset, datetime.UTC):%H:%M:%S.%f} UTC {attempt.kind} "
        f"{attempt.status or 'without an answer'} after {attempt.seconds:.2f} s: {attempt.fault}"
        for attempt in [attempt for attempt in attempts if attempt.has_failed][:SHOWN]
    ]
