"""One fault under load: when it began and ended, and what the ledger says of it."""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import time
from collections.abc import Iterator

from endure.deployment import Deployment, Prober
from endure.ledger import Attempt
from endure.load import Load
from endure.report import Row
from endure.timeline import Interval, Timeline

CALM = 3.0  # seconds of load without a fault
SHOWN = 3  # examples in a report


@dataclasses.dataclass
class Outage:
    """From when to when a fault lasted, and on which replica, if not on all."""

    begun: float
    ended: float
    replica: int | None = None

    def meets(self, replica: int | None) -> bool:
        """Whether it met this replica, or any of all."""
        return None in (self.replica, replica) or self.replica == replica


class Trial:
    """A fault, injected once or many times.

    `deployment` has the replicas that must not end; without one, they may. A limit of 0 is none: on a busy machine,
    requests are late and fail without a fault, which is then only noted.
    """

    def __init__(self, name: str, deployment: Deployment | None, load: Load, heal_limit: float) -> None:
        self.name, self.deployment, self.load, self.heal_limit = name, deployment, load, heal_limit
        self.outages: list[Outage] = []
        self.notes: list[str] = []
        self.times = 0
        self._begun = time.monotonic()

    @contextlib.contextmanager
    def outage(self, replica: int | None = None, times: int = 1) -> Iterator[None]:
        """The fault lasts as long as the block."""
        begun = time.monotonic()
        yield
        self.outages.append(Outage(begun, time.monotonic(), replica))
        self.times += times

    def calm(self) -> None:
        """Lets the load go on until failures are no longer explained, and then for a while."""
        time.sleep(self.heal_limit + CALM)

    def judge(self, answer_limit: float | None = None, prober: Prober | None = None) -> Row:
        """Reads what has arrived, and compares all figures with their limits. The load must be over."""
        ledger = self.load.ledger
        findings = ledger.compare(self.load.read_inboxes())
        failures = [attempt for attempt in ledger.attempts if attempt.has_failed]
        slowest = max(ledger.attempts, key=lambda attempt: attempt.seconds)
        healed = self._times_to_heal()
        row = Row(
            fault=self.name,
            times=self.times,
            duration=time.monotonic() - self._begun,
            requests=len(ledger.attempts),
            failed=len(failures),
            lost=len(findings.lost),
            doubled=len(findings.doubled),
            worst=slowest.seconds,
            heal=None if None in healed[-1:] else max((each for each in healed if each is not None), default=0.0),
            timeline=Timeline.of(ledger.attempts, self._begun, self._intervals(healed)),
        )
        row.notes += [
            f"{findings.acknowledged:,} messages acknowledged, {row.requests / row.duration:.0f} requests a second",
            f"slowest: {slowest.kind} {slowest.status or 'without an answer'}",
            *self.notes,
        ]
        self._judge_contents(row, findings.unresolved)
        self._judge_times(row, answer_limit)
        self._judge_failures(row, failures)
        if prober:
            row.notes.append(f"/livez answered {prober.answers:,} times, in {prober.slowest:.2f} s at most")
            if prober.failures:
                row.misses.append(f"/livez failed {len(prober.failures)} times: {prober.failures[:SHOWN]}")
        if self.deployment and len(self.deployment.processes()) != len(self.deployment.replicas):
            row.misses.append("a replica has ended")
        return row

    def _judge_contents(self, row: Row, unresolved: int) -> None:
        wrong = self.load.ledger.wrong
        if row.lost or row.doubled:
            row.misses.append(f"{row.lost} lost and {row.doubled} doubled")
        if wrong:
            row.misses.append(f"{len(wrong)} wrong answers: {wrong[:SHOWN]}")
        if unresolved:
            row.misses.append(f"{unresolved} sends were never acknowledged")

    def _judge_times(self, row: Row, answer_limit: float | None) -> None:
        if answer_limit and row.worst is not None and row.worst > answer_limit:
            late = [attempt for attempt in self.load.ledger.attempts if attempt.seconds > answer_limit]
            kinds = sorted({f"{attempt.kind} {attempt.status}" for attempt in late})
            row.misses.append(f"{len(late)} answers took more than {answer_limit:g} s ({', '.join(kinds)})")
        if row.heal is None:
            row.misses.append("it did not heal")
        elif self.heal_limit and row.heal > self.heal_limit:
            row.misses.append(f"it took more than {self.heal_limit:g} s to heal")

    def _judge_failures(self, row: Row, failures: list[Attempt]) -> None:
        stray = [attempt for attempt in failures if not self._is_explained(attempt)]
        if stray:
            shown = ", ".join(sorted({f"{attempt.kind} {attempt.status or 'without an answer'}" for attempt in stray}))
            told = row.misses if self.heal_limit else row.notes
            told.append(f"{len(stray)} requests failed that no fault explains ({shown})")

    def _is_explained(self, attempt: Attempt) -> bool:
        """Whether a fault was there while the request was, or had just ended."""
        return any(
            attempt.ended >= outage.begun
            and attempt.begun <= outage.ended + self.heal_limit
            and outage.meets(attempt.replica)
            for outage in self.outages
        )

    def _intervals(self, healed: list[float | None]) -> list[Interval]:
        """The outages, from the beginning of the trial."""
        return [
            Interval(
                *(round(outage.begun - self._begun, 3), round(outage.ended - self._begun, 3), outage.replica),
                None if seconds is None else round(seconds, 3),
            )
            for outage, seconds in zip(self.outages, healed)
        ]

    def _begin_of_next(self, outage: Outage) -> float:
        """When the next fault has met a replica that this one has met."""
        later = [other for other in self.outages if other.begun > outage.begun and other.meets(outage.replica)]
        return min((other.begun for other in later), default=float("inf"))

    def _times_to_heal(self) -> list[float | None]:
        """For each fault the time from its end to the last request that began after it and failed; if none did, to the
        first that succeeded. None if none succeeded, nor failed before the next fault.

        After the last fault, a failure without any success is None, too: it has not healed.
        """
        attempts = sorted(self.load.ledger.attempts, key=lambda attempt: attempt.begun)
        begun = [attempt.begun for attempt in attempts]
        times: list[float | None] = []
        for outage in self.outages:
            until = self._begin_of_next(outage)
            # A long run has half a million requests, so only those between two faults are looked at.
            near = attempts[bisect.bisect_left(begun, outage.ended) : bisect.bisect_left(begun, until)]
            after = [each for each in near if each.ended < until and outage.meets(each.replica)]
            failed = [attempt.ended for attempt in after if attempt.has_failed]
            succeeded = [attempt.ended for attempt in after if not attempt.has_failed]
            is_unhealed = not after or (not succeeded and until == float("inf"))
            times.append(None if is_unhealed else max(failed, default=min(succeeded, default=0)) - outage.ended)
        return times
