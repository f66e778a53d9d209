"""A release that never becomes healthy is rolled out under load, again and again."""

from rehearsal.world import World
from rehearsal_changes.changes import Changes
from rehearsal_changes.settings import Settings


def test_no_request_fails_while_it_is_rolled_back(
    world: World, sick_release: str, changes: Changes, settings: Settings, show
) -> None:
    def roll_out(number: int) -> None:
        said = world.deploy(sick_release)
        assert said.refuses("Swarm has gone back to the release before"), said.end
        assert world.replicas_of(world.release) == world.settings.replicas

    row = changes.repeat("sick-releases", "roll-out of a sick release", settings["sick-releases"], roll_out)
    show(row.cells())
    assert not row.misses
