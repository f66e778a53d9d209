"""The reboot that Debian's updates require."""

from __future__ import annotations

from rehearsal.processes import wait_until
from rehearsal.world import World

UPKEEP = "herolo-upkeep.service"


def booted(world: World, number: int) -> str:
    """When the host was started."""
    return world.on_host("stat", "--format", "%Y", "/proc/1", number=number)


def reboot(world: World, number: int) -> None:
    """Lets the host upgrade itself as its timer does, and returns when it serves again after the reboot."""
    before = booted(world, number)
    world.on_host("touch", "/run/reboot-required", number=number)
    world.on_host("systemctl", "start", "--no-block", UPKEEP, number=number)
    wait_until(lambda: booted(world, number) != before, f"host {number} has rebooted", 600)
    assert world.health()[number] != "healthy"
    world.await_healthy(number)
