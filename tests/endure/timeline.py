"""What a load has met second by second, and when its fault lasted, to be drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from endure.ledger import Attempt


@dataclasses.dataclass(frozen=True)
class Interval:
    """An outage, in seconds from the beginning of the load."""

    begun: float
    ended: float
    replica: int | None = None  # the only one that it met
    healed: float | None = None  # seconds from its end; None if no later request tells


@dataclasses.dataclass(frozen=True)
class Timeline:
    """The requests by the second in which they ended, from the beginning of the load."""

    succeeded: list[int]
    failed: list[int]
    slowest: list[float]  # seconds that the slowest answer of that second took
    outages: list[Interval]

    @classmethod
    def of(cls, attempts: Iterable[Attempt], begun: float, outages: Iterable[Interval] = ()) -> Timeline:
        """That of a load which has begun at this time of `time.monotonic`."""
        places = [(int(attempt.ended - begun), attempt) for attempt in attempts]
        length = max((second for second, _ in places), default=-1) + 1
        line = cls([0] * length, [0] * length, [0.0] * length, list(outages))
        for second, attempt in places:
            counts = line.failed if attempt.has_failed else line.succeeded
            counts[second] += 1
            line.slowest[second] = max(line.slowest[second], round(attempt.seconds, 3))
        return line

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Timeline:
        """One that was written as JSON."""
        return cls(**{**fields, "outages": [Interval(**outage) for outage in fields["outages"]]})
