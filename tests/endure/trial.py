"""One fault under load: when it began and ended, and what the ledger says of it."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator

from endure.deployment import Deployment, Prober
from endure.ledger import Attempt
from endure.load import Load
from endure.report import Row

CALM = 3.0  # seconds of load after the last fault, in which nothing may fail any more
SHOWN = 3  # examples in a report


@dataclasses.dataclass
class Outage:
    """From when to when a fault lasted, and on which replica, if not on all."""

    begun: float
    ended: float
    replica: int | None = None


class Trial:
    """A fault, injected once or many times.

    A limit of 0 is none: on a busy machine, requests are late and fail without a fault, which is then only noted.
    """

    def __init__(self, name: str, deployment: Deployment, load: Load, heal_limit: float) -> None:
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

    def judge(self, answer_limit: float | None = None, prober: Prober | None = None, restarts: bool = False) -> Row:
        """Reads what has arrived, and compares all figures with their limits. The load must be over."""
        ledger = self.load.ledger
        findings = ledger.compare(self.load.read_inboxes())
        failures = [attempt for attempt in ledger.attempts if attempt.has_failed]
        slowest = max(ledger.attempts, key=lambda attempt: attempt.seconds)
        row = Row(
            fault=self.name,
            times=self.times,
            duration=time.monotonic() - self._begun,
            requests=len(ledger.attempts),
            failed=len(failures),
            lost=len(findings.lost),
            doubled=len(findings.doubled),
            worst=slowest.seconds,
            heal=self._time_to_heal(),
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
        if not restarts and len(self.deployment.processes()) != len(self.deployment.replicas):
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
            and outage.replica in (None, attempt.replica)
            for outage in self.outages
        )

    def _time_to_heal(self) -> float | None:
        """The longest time from the end of a fault to the last request that began after it and failed; if none did, to
        the first that succeeded. None if none succeeded after the last fault."""
        attempts = sorted(self.load.ledger.attempts, key=lambda attempt: attempt.begun)
        longest = 0.0
        for outage in self.outages:
            later = [other.begun for other in self.outages if other.begun > outage.begun]
            until = min(later, default=float("inf"))
            after = [
                attempt
                for attempt in attempts
                if outage.ended <= attempt.begun and attempt.ended < until
                if outage.replica in (None, attempt.replica)
            ]
            failed = [attempt.ended for attempt in after if attempt.has_failed]
            succeeded = [attempt.ended for attempt in after if not attempt.has_failed]
            if not succeeded and until == float("inf"):
                return None
            healed = max(failed, default=min(succeeded, default=outage.ended))
            longest = max(longest, healed - outage.ended)
        return longest
