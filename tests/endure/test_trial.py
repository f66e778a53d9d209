"""A trial judges its ledger: each figure that misses its limit is told, and others are not."""

from __future__ import annotations

from endure.ledger import NO_ANSWER, Attempt, Ledger
from endure.report import Row
from endure.timeline import Interval, Timeline
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


# Of a request: beginning, end, status, and the replica unless it is the first.
Request = tuple[float, float, int] | tuple[float, float, int, int]


def judged(requests: list[Request], outages: list[Outage], running: int = 3, limit: float = 1) -> Row:
    """What a trial that has begun at 0 tells of these requests. The limits are multiplied by `limit`."""
    attempts = [
        Attempt(begun, ended, "send", *(replica or [0]), status=status) for begun, ended, status, *replica in requests
    ]
    load = Inboxes(attempts)
    trial = Trial("fault", Running(running), load, limit * HEAL_LIMIT)
    trial._begun = 0
    trial.outages += outages
    return trial.judge(limit * ANSWER_LIMIT)


def misses(requests: list[Request], running: int = 3, replica: int | None = None, limit: float = 1) -> list[str]:
    """What is told of these requests while a fault lasts from 10 to 20."""
    return judged(requests, [Outage(10, 20, replica)], running, limit).misses


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


def test_each_fault_has_its_own_time_to_heal() -> None:
    """The longest is the row's. A request that fails because of the next fault is none of this one."""
    requests = [(0, 1, 201), (2, 3, 201), (12, 12.5, 503), (13, 13.25, 201), (14, 20.5, 503), (22, 22.5, 201)]
    row = judged(requests, [Outage(1, 2), Outage(10, 11.5), Outage(20, 21)])
    assert [outage.healed for outage in row.timeline.outages] == [1, 1, 1.5]
    assert row.heal == 1.5


def test_the_next_fault_of_another_replica_does_not_end_the_time_to_heal() -> None:
    """A replica that fails a request has not healed before, although another one has been met meanwhile."""
    requests = [(2, 2.5, 201, 0), (5, 5.5, 503, 0), (6, 6.5, 201, 0), (6, 6.5, 201, 1), (12, 13, 201, 0)]
    row = judged(requests, [Outage(1, 2, 0), Outage(3, 4, 1), Outage(10, 11, 0)])
    assert [outage.healed for outage in row.timeline.outages] == [3.5, 2.5, 2]


def test_a_fault_without_a_request_before_the_next_has_no_time_to_heal() -> None:
    """Nor has one of another replica, of whose requests nothing follows. The row has that of the others."""
    row = judged([(2, 3, 201, 1), (23, 24, 201)], [Outage(0, 1, 0), Outage(4, 5), Outage(20, 22)])
    assert [outage.healed for outage in row.timeline.outages] == [None, None, 2]
    assert row.heal == 2


def test_the_timeline_counts_requests_by_the_second_in_which_they_end() -> None:
    """From the beginning of the trial, with the slowest answer of each second."""
    row = judged([(0, 0.5, 201), (0, 2.25, 201), (1, 2.5, 503), (2, 2.75, 200)], [Outage(0.5, 1.5, 0)])
    assert row.timeline == Timeline([1, 0, 2], [0, 0, 1], [0.5, 0, 2.25], [Interval(0.5, 1.5, 0, 1.25)])
