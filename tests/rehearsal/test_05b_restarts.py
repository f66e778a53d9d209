"""Docker is stopped, and the host restarts."""

import time
from collections.abc import Callable

from rehearsal.processes import run, wait_until
from rehearsal.settings import REPLICAS
from rehearsal.world import World

LIMIT = 300  # seconds


def seconds_until_served(world: World, is_new: Callable[[], bool]) -> int:
    """Waits until the host is in the new state, and all replicas and the edge serve again."""
    begin = time.monotonic()

    def serves() -> bool:
        complete = is_new() and world.replicas_of(world.release) == REPLICAS
        return complete and world.request("GET", "/livez").status == 200

    wait_until(serves, "all replicas run and the edge serves", LIMIT)
    return round(time.monotonic() - begin)


def started(world: World, unit: str) -> str:
    """When a unit has started; empty if it does not run."""
    state, when = world.on_host(
        "systemctl", "show", "--property=ActiveState,ActiveEnterTimestampMonotonic", "--value", unit
    ).splitlines()
    return when if state == "active" else ""


def test_docker_and_containerd_that_something_has_stopped_are_started_again_and_serve(world: World, show) -> None:
    units = ("containerd.service", "docker.service")
    before = [started(world, unit) for unit in units]
    assert all(before)
    world.on_host("systemctl", "stop", "docker.socket", *units)

    def is_new() -> bool:
        now = [started(world, unit) for unit in units]
        return all(now) and not set(now) & set(before)

    show(f"{seconds_until_served(world, is_new)} s until served after Docker was stopped")


def test_a_host_that_restarts_serves_again_by_itself(world: World, show) -> None:
    host = world.parts.name_of("host")
    before = world.on_host("stat", "--format", "%Y", "/proc/1")
    run("docker", "restart", "--time", str(LIMIT), host)
    seconds = seconds_until_served(world, lambda: world.on_host("stat", "--format", "%Y", "/proc/1") != before)
    show(f"{seconds} s until served after the host's boot")


def test_unattended_upgrades_accepts_its_settings_and_leaves_docker_alone(world: World) -> None:
    said = world.on_host("apt-config", "dump", "Unattended-Upgrade::Package-Blacklist", "--format", "%v%n")
    assert set(said.split()) == {"^containerd$", "^docker-cli$", "^docker.io$", "^runc$"}
