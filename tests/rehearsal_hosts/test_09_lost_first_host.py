"""The first host dies under load, is gone for good, and is made anew.

The balancer goes on sending to it for 40 s after its health checks have failed, as AWS's was measured to do.
"""

import pytest
from rehearsal.balancer import AWS_LAG
from rehearsal.world import World
from rehearsal_hosts.loss import HOSTS, kill


@pytest.mark.prerequisite
def test_it_costs_no_acknowledged_message_and_fails_requests_for_a_minute_at_most(world: World, show) -> None:
    before, certificate = world.issued(), world.certificate()["serialNumber"]
    world.set_lag(AWS_LAG)
    with world.under_load(*HOSTS) as counts:
        death = kill(world, 1)
        said = world.operate("deploy", YES="1", IMAGE=world.release, REPLACE="1")
        assert said.succeeded
        world.await_healthy(*HOSTS)
    world.set_lag(0)
    death.verify_cost(counts, show)
    assert world.certificates()[1]["serialNumber"] == certificate
    show(f"{world.issued() - before} new orders")
    assert world.issued() == before
