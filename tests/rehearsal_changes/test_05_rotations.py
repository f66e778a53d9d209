"""Every secret that `make rotate` knows is replaced under load, again and again."""

from rehearsal.world import World
from rehearsal_changes.changes import Changes
from rehearsal_changes.settings import Settings

USERS = ("master", "migrate", "service")


def test_no_request_fails_while_every_secret_is_replaced(
    world: World, changes: Changes, settings: Settings, show
) -> None:
    def rotate(_: int) -> None:
        before, token = world.read_secrets(), world.make_duckdns_token()
        said = world.operate("rotate", YES="1", input=f"{token}\n")
        assert said.succeeded, said.end
        after = world.read_secrets()
        for user in USERS:
            name = f"database_{user}_password"
            assert world.parts.database_accepts(f"herolo_{user}", after[name])
            assert not world.parts.database_accepts(f"herolo_{user}", before[name])
        assert signing_key(after) != signing_key(before)
        assert after["duckdns_token"] == token

    row = changes.repeat("rotations", "rotation of every secret", settings["rotations"], rotate)
    show(row.cells())
    assert not row.misses


def signing_key(lines: dict[str, str]) -> str:
    """The key that signs access tokens."""
    return lines["token_keys"].partition(",")[0]
