"""Debian's updates and a reboot of hosts 2 and 3, under load. (The first one reboots in a later phase.)"""

import pytest
from rehearsal.load import Counts
from rehearsal.processes import CommandFailed, wait_until
from rehearsal.world import World
from rehearsal_hosts.reboot import UPKEEP, booted, reboot

pytestmark = pytest.mark.long

HOSTS = (1, 2, 3)


def test_with_a_peer_that_does_not_serve_nothing_is_upgraded(world: World) -> None:
    before = booted(world, 2)
    world.on_host("sh", "-c", "timeout 1 herolo-drain start || true", number=3)  # which only an interruption shortens
    try:
        wait_until(lambda: world.health()[3] != "healthy", "host 3 does not serve")
        world.on_host("touch", "/run/reboot-required", number=2)
        with pytest.raises(CommandFailed):
            world.on_host("systemctl", "start", UPKEEP, number=2)
        journal = world.on_host("journalctl", "--unit", UPKEEP, "--no-pager", number=2)
        assert "host 3 does not serve" in journal
        assert booted(world, 2) == before
        assert world.on_host("herolo-drain", "status", number=2) == "serving"
    finally:
        world.on_host("herolo-drain", "stop", number=3)
    world.await_healthy(*HOSTS)


@pytest.mark.prerequisite
def test_hosts_reboot_one_after_the_other_without_a_failed_request(world: World, show, planned: list[Counts]) -> None:
    with world.under_load(*HOSTS) as counts:
        for number in HOSTS[1:]:
            reboot(world, number)
    show(counts)
    planned.append(counts)
    assert counts.show_no_loss(), counts
