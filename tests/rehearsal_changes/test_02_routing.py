"""The edge's routing configuration is updated under load."""

import re

from rehearsal.processes import REPOSITORY, wait_until
from rehearsal.world import World
from rehearsal_changes.changes import Changes
from rehearsal_changes.settings import Settings

FILE = "/etc/herolo/edge/routing/routing.yml"
LIMIT = re.compile(r"average: (\d+)\n")  # requests a second of a client
# Outside of the folder that Traefik watches, on the same file system.
NEW_FILE = "/etc/herolo/edge/routing.yml.new"
# As Ansible replaces a file: at once, by another one.
REPLACE = f"cat >{NEW_FILE} && mv {NEW_FILE} {FILE}"


def configurations_loaded(world: World) -> int:
    """How many dynamic configurations Traefik has applied since its start."""
    url = "http://127.0.0.1:8082/metrics"
    text = world.in_network_of("edge_traefik", "curl", "--silent", "--show-error", url)
    return int(float(re.search(r"^traefik_config_reloads_total (\S+)$", text, re.MULTILINE)[1]))


def with_higher_limit(world: World) -> str:
    """The routing configuration, with a limit that is one higher than that on the host."""
    [limit] = LIMIT.findall(world.on_host("cat", FILE))
    text, number = LIMIT.subn(f"average: {int(limit) + 1}\n", (REPOSITORY / "traefik/routing.yml").read_text())
    assert number == 1
    return text


def test_no_request_fails_while_traefik_loads_another_routing(
    world: World, changes: Changes, settings: Settings, show
) -> None:
    """The first one comes by a deployment, which changes nothing else. The others replace the file on the host only."""

    def update(number: int) -> None:
        before, new = configurations_loaded(world), with_higher_limit(world)
        world.set_variables(edge_routing=new)  # also for the deployments to come
        if number == 1:
            said = world.deploy(world.release)
            assert said.succeeded, said.end
            assert world.changed_roles() == {"edge"}
        else:
            world.on_host("sh", "-c", REPLACE, input=new)
        wait_until(lambda: configurations_loaded(world) > before, "Traefik has loaded the routing")

    row = changes.repeat("routing-updates", "update of the routing", settings["routing-updates"], update)
    show(row.cells())
    assert not row.misses
