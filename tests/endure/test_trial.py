"""A trial judges its ledger: each figure that misses its limit is told, and others are not."""

from __future__ import annotations

from endure.ledger import NO_ANSWER, Attempt, Ledger
from endure.trial import Outage, Trial

HEAL_LIMIT, ANSWER_LIMIT = 5, 3


class Inboxes:
    """A load that is over, and whose users have received nothing."""

    def __init__(self, attempts: list[Attempt]) -> None:
        self.ledger = Ledger()
        for attempt in attempts:
            self.ledger.note(attempt)

    def read_inboxes(self) -> dict[str, list[dict]]:
        """Nothing."""
        return {}


class Running:
    """A deployment whose replicas all run, or do not."""

    def __init__(self, running: int) -> None:
        self.replicas, self.running = [None] * 3, running

    def processes(self) -> list[int]:
        """Their ids."""
        return list(range(self.running))


def misses(
    attempts: list[tuple[float, float, int]], running: int = 3, replica: int | None = None, limit: float = 1
) -> list[str]:
    """What is told of these attempts (beginning, end, status), while a fault lasts from 10 to 20.

    The limits are multiplied by `limit`.
    """
    load = Inboxes([Attempt(begun, ended, "send", 0, status) for begun, ended, status in attempts])
    trial = Trial("fault", Running(running), load, limit * HEAL_LIMIT)
    trial.outages.append(Outage(10, 20, replica))
    return trial.judge(limit * ANSWER_LIMIT).misses


GOOD = [(0, 1, 201), (21, 22, 201)]


def test_failures_during_a_fault_and_shortly_after_it_are_none_of_the_service() -> None:
    """They are explained."""
    assert misses([*GOOD, (9, 11, NO_ANSWER), (15, 16, 503), (21, 22, 503)]) == []


def test_failures_without_a_fault_are_told() -> None:
    """Before it, long after it, and on a replica that it did not meet."""
    for attempt in ((1, 2, 503), (40, 41, NO_ANSWER)):
        assert any("no fault explains" in miss for miss in misses([*GOOD, attempt])), attempt
    assert any("no fault explains" in miss for miss in misses([*GOOD, (15, 16, 503)], replica=1))


def test_a_late_answer_is_told() -> None:
    """During a fault, too."""
    assert misses([*GOOD, (12, 12 + ANSWER_LIMIT + 1, 503)]) == ["1 answers took more than 3 s (send 503)"]


def test_what_heals_late_or_never_is_told() -> None:
    """Late is when the last failure is; never is without a success."""
    assert "it took more than 5 s to heal" in misses([*GOOD, (24, 26, 503)])
    assert "it did not heal" in misses([(0, 1, 201), (21, 22, 503)])


def test_without_limits_no_time_is_judged() -> None:
    """But what never heals is told."""
    late = [*GOOD, (12, 18, 503), (30, 31, 503)]
    assert len(misses(late)) == 3
    assert misses(late, limit=0) == []
    assert misses([(0, 1, 201), (21, 22, 503)], limit=0) == ["it did not heal"]


def test_a_replica_that_has_ended_is_told() -> None:
    """Although all requests were answered."""
    assert misses(GOOD, running=2) == ["a replica has ended"]
