"""Releases are rolled out under load, one after another."""

from rehearsal.world import World
from rehearsal_changes.changes import Changes
from rehearsal_changes.settings import Settings


def test_no_request_fails_while_every_replica_is_replaced(
    world: World, changes: Changes, settings: Settings, show
) -> None:
    # The same program as other releases.
    recipes = [f"FROM {world.release}\nLABEL herolo.next={n}\n" for n in range(1, settings["roll-outs"] + 1)]
    releases = [world.build_release(f"next-{n}", recipe) for n, recipe in enumerate(recipes, 1)]

    def roll_out(number: int) -> None:
        release = releases[number - 1]
        said = world.deploy(release)
        assert said.succeeded, said.end
        world.learn(release=release)
        assert world.replicas_of(release) == world.settings.replicas

    row = changes.repeat("roll-outs", "roll-out of a release", len(releases), roll_out)
    show(row.cells())
    assert not row.misses
