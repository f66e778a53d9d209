"""A release that never becomes healthy, together with a changed database password, under steady load."""

import pytest
from rehearsal.processes import wait_until
from rehearsal.settings import REPLICAS
from rehearsal.world import Account, World


@pytest.mark.prerequisite
def test_the_swarm_goes_back_by_itself_without_a_failed_request_and_the_deployment_says_so(
    world: World, sick_release: str, show
) -> None:
    world.forget_secret("database_service_password")
    with world.under_load() as counts:
        said = world.deploy(sick_release)
    show(counts)
    assert said.refuses("Swarm has gone back to the release before")
    assert counts.show_no_loss(), counts


@pytest.mark.prerequisite
def test_all_replicas_run_the_release_before(world: World) -> None:
    assert world.replicas_of(world.release) == REPLICAS


def test_the_replicas_open_new_connections_to_the_database(world: World, bob: Account) -> None:
    world.parts.end_connections("herolo_service")
    wait_until(lambda: world.operate("status").succeeded, "every replica reaches the database", 120)
    assert world.request("GET", f"/users/{bob.name}/messages", token=bob.token).status == 200
