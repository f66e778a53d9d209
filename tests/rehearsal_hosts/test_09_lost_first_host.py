"""The first host dies under load, is gone for good, and is made anew.

The balancer goes on sending to it for 40 s after its health checks have failed, as AWS's was measured to do.
"""

import time

import pytest
from rehearsal.balancer import AWS_LAG
from rehearsal.clients import FRESH
from rehearsal.load import TIMEOUT
from rehearsal.processes import run, wait_until
from rehearsal.world import World

HOSTS = (1, 2, 3)
DETECTION = 15  # seconds: two checks with an interval of 5, and their time-out
# Until the last request that was sent to a dead host has failed for its client.
WINDOW = DETECTION + AWS_LAG + TIMEOUT


@pytest.mark.prerequisite
def test_it_costs_no_acknowledged_message_and_fails_requests_for_a_minute_at_most(world: World, show) -> None:
    before, certificate = world.issued(), world.certificate()["serialNumber"]
    world.set_lag(AWS_LAG)
    with world.under_load(*HOSTS) as counts:
        killed = time.monotonic()
        run("docker", "kill", world.parts.name_of("host"))
        wait_until(lambda: world.health()[1] != "healthy", "the balancer has noticed", DETECTION + 15)
        said = world.operate("deploy", YES="1", IMAGE=world.release, REPLACE="1")
        assert said.succeeded
        world.await_healthy(*HOSTS)
    world.set_lag(0)
    assert counts.load
    failures = counts.load.failures
    fresh = [failure for failure in failures if failure.kind == FRESH]
    last = max((failure.at - killed for failure in failures), default=0)
    show(f"{counts}; {len(fresh)} of those that failed on fresh connections, the last after {last:.0f} s")
    assert (counts.lost, counts.duplicated) == (0, 0), counts
    assert all(failure.at < killed + WINDOW for failure in failures), [str(failure) for failure in failures]
    # A connection that was kept breaks once, and is made anew.
    assert len(failures) - len(fresh) <= len(HOSTS) * 4, [str(failure) for failure in failures]
    assert world.certificates()[1]["serialNumber"] == certificate
    show(f"{world.issued() - before} new orders")
    assert world.issued() == before
