"""Looking at it, and repairing it."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from rehearsal.processes import wait_until
from rehearsal.settings import REPLICAS
from rehearsal.world import World


def test_status_shows_replicas_certificate_database_and_disk_all_well(world: World) -> None:
    said = world.operate("status")
    assert said.succeeded
    assert len(re.findall(rf"^  replica +ready +{world.release}, Up ", said.text, re.MULTILINE)) == REPLICAS
    assert said.says(rf"^  certificate +valid +{world.domain}, \d+ days left, .*Pebble")
    assert said.says(r"^  database +reached ")
    assert said.says(r"^  disk +\d+ % used ")
    assert said.says(r"^  https +answers +200 ")


def test_doctor_finds_nothing_wrong(world: World) -> None:
    said = world.operate("doctor")
    assert said.succeeded
    assert said.says(r"^  delegation +ok ")
    assert said.says(r"^  ipv6 +ok +no AAAA record")
    assert said.says(rf"^  address record +ok +{world.domain} leads to the host, {world.settings.address}")


def test_logs_shows_the_lines_of_every_replica_and_of_traefik(world: World) -> None:
    said = world.operate("logs", TAIL="50")
    assert said.succeeded
    assert len(set(re.findall(r"herolo_api\.\d+", said.text))) >= REPLICAS
    assert "edge_traefik" in said.text


def test_ssh_leads_onto_the_host_as_root(world: World) -> None:
    said = world.operate("ssh", CMD="hostname; id -u")
    assert said.succeeded
    assert said.says("^herolo$")
    assert said.says("^0$")


def test_while_no_replica_responds_a_request_is_a_503_that_says_when_to_retry(world: World) -> None:
    """Of Traefik, which finds none of them healthy."""
    replicas = world.containers_of("herolo_api")
    world.on_host("docker", "pause", *replicas)
    try:
        wait_until(lambda: is_unavailable(world, "/livez"), "Traefik says that no replica is available")
    finally:
        world.on_host("docker", "unpause", *replicas)
    wait_until(lambda: world.request("GET", "/livez").status == 200, "the replicas are found again")


def is_unavailable(world: World, path: str) -> bool:
    """Whether a request gets a problem document with the status 503; raises CommandFailed without an answer."""
    answer = world.request("GET", path, options=("--max-time", "2"))
    if answer.status != 503:
        return False
    assert answer.values("content-type") == ["application/problem+json"]
    assert answer.values("retry-after") == ["1"]
    assert answer.json()["type"] == "urn:problem-type:herolo:unavailable"
    assert answer.json()["instance"] == path
    return True


def test_status_fails_and_names_the_fault_when_the_service_has_been_stopped(world: World) -> None:
    world.on_host("docker", "service", "scale", "--detach", "herolo_api=0")

    def names_fault() -> bool:
        said = world.operate("status")
        return said.refuses("^  service +NOT COMPLETE +0 of 0") and said.says("^  https +NOT WELL")

    wait_until(names_fault, "make status fails and names both faults", 120)


def test_while_no_replica_runs_a_request_is_a_503_that_says_when_to_retry(world: World) -> None:
    wait_until(lambda: is_unavailable(world, "/users"), "Traefik says that no replica is available")


def let_migrations_go_on(world: World, over: threading.Event) -> None:
    """Once the deployment waits for them, or in any case before it gives up."""
    waits = r"FAILED - RETRYING: .*Wait for the end of the job of an interrupted deployment"

    def is_waiting() -> bool:
        if re.search(waits, world.ansible_log.read_text()):
            return True
        assert not over.is_set(), "the deployment has ended, and has not waited for them"
        return False

    try:
        wait_until(is_waiting, "the deployment waits for them", 1200)
    finally:
        world.on_host("touch", "/var/tmp/go-on")


@pytest.mark.prerequisite
def test_deploy_repairs_that(world: World) -> None:
    """And waits for the migrations of a deployment that was interrupted. A job of their name plays them, since those of
    the release are over too soon."""
    image = ("--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}", "edge_problems")  # one with a shell in it
    world.on_host(
        *("docker", "service", "create", "--detach", "--name=herolo_migrate", "--mode=replicated-job"),
        *("--no-resolve-image", "--restart-condition=none", "--mount=type=bind,source=/var/tmp,target=/left"),
        *("--user=0", "--entrypoint=sh", world.on_host("docker", "service", "inspect", *image)),
        *("-c", "until [ -e /left/go-on ]; do sleep 1; done; echo ended >/left/migrations"),
    )
    over = threading.Event()
    with ThreadPoolExecutor() as pool:
        waited = pool.submit(let_migrations_go_on, world, over)
        try:
            said = world.deploy(world.release)
        finally:
            over.set()
    assert said.succeeded
    waited.result()
    assert world.replicas_of(world.release) == REPLICAS
    assert world.on_host("sh", "-c", "cd /var/tmp && cat migrations && rm migrations go-on") == "ended"
    assert "herolo_migrate" not in world.on_host("docker", "service", "ls", "--format", "{{.Name}}").split()
