"""Nothing remains."""

import pytest
from rehearsal.processes import output, wait_until
from rehearsal.settings import DUCKDNS_DOMAIN, ENVIRONMENT
from rehearsal.world import World


def test_destroy_does_nothing_without_the_name(world: World) -> None:
    assert world.operate("destroy").refuses(f"CONFIRM={ENVIRONMENT}, which destroys")
    assert any(line.startswith("instance ") for line in world.cloud.left())


@pytest.fixture(scope="module")
def volumes(world: World) -> set[str]:
    """Those of the host and the database, which must go with them."""
    return world.parts.volumes()


@pytest.mark.prerequisite
def test_destroy_removes_everything_once_it_has_the_name(world: World, volumes: set[str]) -> None:
    assert volumes
    assert world.operate("destroy", CONFIRM=ENVIRONMENT).succeeded


def test_the_record_at_duckdns_leads_nowhere(world: World) -> None:
    assert world.names(DUCKDNS_DOMAIN, "A") == []


def test_nothing_is_left_in_the_api_of_aws(world: World) -> None:
    assert world.cloud.left() == []


def test_nothing_is_left_on_the_machine(world: World, volumes: set[str]) -> None:
    """The end of instance and database takes their containers along; then the parts of others are removed."""
    ours = {world.parts.name_of(part) for part in ("host", "database")}
    wait_until(lambda: not ours & set(world.parts.containers()), "the containers of host and database are gone")
    assert not volumes & set(output("docker", "volume", "ls", "--quiet").split())
    world.end()
    assert not world.runs()
    assert world.parts.containers() + world.parts.networks() == []
    assert not (world.environments / f".{ENVIRONMENT}").exists()
