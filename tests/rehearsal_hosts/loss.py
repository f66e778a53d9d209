"""What a host that dies under load may cost."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from rehearsal.balancer import AWS_LAG
from rehearsal.load import CLIENTS, HTTP2_CLIENTS, TIMEOUT, Counts
from rehearsal.processes import run, wait_until
from rehearsal.world import World

HOSTS = (1, 2, 3)
DETECTION = 15  # seconds: two checks with an interval of 5, and their time-out
# Until the last request that was sent to a dead host has failed for its client.
WINDOW = DETECTION + AWS_LAG + TIMEOUT
KEEPING_CLIENTS = CLIENTS // 2 + HTTP2_CLIENTS  # half of the former keep their connections


@dataclasses.dataclass
class Death:
    """A host that was killed."""

    at: float  # by the monotonic clock, in seconds

    def verify_cost(self, counts: Counts, show: Callable[[object], None]) -> None:
        """Shows what failed. Fails if an acknowledged message was lost or doubled, if a request has failed after the
        window, or if more connections than those to this host broke. Until the window ends, the balancer sends new
        connections to the host, also those of clients whose connections broke."""
        assert counts.load
        failures = counts.load.failures
        broken = [failure for failure in failures if not failure.is_first]
        last = max((failure.at - self.at for failure in failures), default=0)
        fresh = len(failures) - len(broken)
        show(f"{counts}; {fresh} of those that failed on fresh connections, the last after {last:.0f} s")
        assert (counts.lost, counts.duplicated) == (0, 0), counts
        assert all(failure.at < self.at + WINDOW for failure in failures), [str(failure) for failure in failures]
        assert len(broken) <= KEEPING_CLIENTS, [str(failure) for failure in broken]


def kill(world: World, number: int) -> Death:
    """Ends a host without a word, and returns when the balancer has noticed."""
    death = Death(time.monotonic())
    run("docker", "kill", world.parts.name_of(world.parts.host_part(number)))
    wait_until(lambda: world.health()[number] != "healthy", "the balancer has noticed", DETECTION + 15)
    return death
