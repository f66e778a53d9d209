"""The database's standby takes over, under load."""

import time

from rehearsal.world import World

HOSTS = (1, 2, 3)


def starts(world: World) -> list[str]:
    """When each replica was started, on every host."""
    found = []
    for number in HOSTS:
        for container in world.containers_of("herolo_api", number):
            found.append(world.on_host("docker", "inspect", "-f", "{{.State.StartedAt}}", container, number=number))
    return sorted(found)


def test_the_standby_takes_over_and_nothing_acknowledged_is_lost(world: World, show) -> None:
    [name] = [order[2] for order in world.cloud.orders() if order[0] == "standby"]
    before = starts(world)
    with world.under_load(*HOSTS) as counts:
        world.parts.fail_over(name)
        begin = time.monotonic()
        world.wait_for_write()
        seconds = time.monotonic() - begin
    assert counts.load
    failures = counts.load.failures
    slowest = max([counts.slowest_ms / 1000, *(failure.at - failure.begun for failure in failures)])
    show(f"writes {seconds:.1f} s after the new database took over, each answer within {slowest:.1f} s; {counts}")
    # An answer later than the client waits for (TIMEOUT) has failed otherwise.
    others = [str(failure) for failure in failures if "503" not in failure.text]
    assert not others, others
    assert (counts.lost, counts.duplicated) == (0, 0), counts
    assert starts(world) == before
