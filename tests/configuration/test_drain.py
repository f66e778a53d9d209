"""How a host of several leaves the balancer and joins it again, and what it does at night."""

import json
from collections.abc import Iterator

import pytest
from configuration.parts import Network, begin, docker
from configuration.peers import LEAVING, Peer, start_peer
from configuration.rendered import DOMAIN
from support.commands import attempt, wait_until

# Another host, whose health check has the status of a file.
HEALTH = """
import http.server, pathlib

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(pathlib.Path("/state/peer").read_text()))
        self.send_header("Content-Length", "0")
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", 8081), Health).serve_forever()
"""
HERE = f"[ -e {LEAVING} ] && here=drained || here=serving"
CURL = "echo asked >>/state/asked; [ ! -e /state/serving ] || echo '{\"started\":true}'"
STAND_INS = {
    "apt-get": "echo apt-get >>/state/calls",
    "unattended-upgrade": f"""
[ "$1" = --dry-run ] && {{ cat /state/found; cp /state/later /state/peer 2>/dev/null; exit 0; }}
{HERE}; echo "upgrade $here" >>/state/calls; [ ! -e /state/fails ]""",
    "systemctl": f"""
[ "$1" = is-system-running ] && {{ cat /state/system; exit 1; }}
{HERE}; echo "$* $here" >>/state/calls""",
    "docker": f"""
[ "$1" = ps ] && {{ echo "${{4##*=}}"; exit 0; }}
{HERE}; echo "docker $* $here" >>/state/calls""",
    "curl": CURL,
}


@pytest.fixture(scope="module")
def host(network: Network) -> Peer:
    """A host of several."""
    host = start_peer(network, "drained")
    host.run("mkdir", "-p", "/state")
    host.write("/health.py", HEALTH)
    host.write("/state/peer", "200")
    docker("exec", "--detach", host.container, "python3", "/health.py")
    return host


@pytest.fixture
def peer(host: Peer) -> Iterator[Peer]:
    """The same, as it is before each test: it serves, and so does the other host."""
    host.clear()
    for program, body in STAND_INS.items():
        host.stand_in(program, body)
    host.write("/state/peer", "200")
    host.write("/state/found", "Packages that will be upgraded: libc6")
    host.run("touch", "/state/serving", "/state/calls")
    host.write("/etc/herolo/upkeep.json", json.dumps({"peers": [{"number": 2, "address": "127.0.0.1"}]}))
    configure(host)
    yield host


def configure(peer: Peer, hosts: int = 2, seconds: int = 1) -> None:
    """Writes the settings of the drain."""
    settings = {"hosts": hosts, "seconds": seconds, "domain": DOMAIN}
    peer.write("/etc/herolo/drain.json", json.dumps(settings))


def failure_of(peer: Peer, *command: str) -> str:
    """What a command says that must fail."""
    done = attempt(*peer.command(*command))
    assert done.returncode == 1, done.stdout + done.stderr
    return (done.stdout + done.stderr).strip()


def calls(peer: Peer) -> list[str]:
    """What the stand-ins were told."""
    return peer.run("cat", "/state/calls").splitlines()


# --- Draining ---


def test_a_drain_lasts_as_long_as_the_settings_say(peer):
    configure(peer, seconds=2)
    assert peer.run("herolo-drain", "start").splitlines() == ["draining for 2 s", "drained"]
    assert peer.run("herolo-drain", "status") == "drained"
    assert peer.run("sh", "-c", f"[ $(($(date +%s) - $(stat -c %Y {LEAVING}))) -ge 2 ] && echo waited") == "waited"


def test_a_drain_that_was_interrupted_goes_on_from_its_beginning(peer):
    configure(peer, seconds=3600)
    interrupted = begin(peer.command("sh", "-c", "echo $$ >/state/drain; exec herolo-drain start"))
    wait_until(lambda: peer.has(LEAVING), 120, "the health check does not fail")
    peer.run("sh", "-c", "kill $(cat /state/drain)")
    interrupted.communicate(timeout=180)
    assert peer.run("herolo-drain", "status") == "draining"
    peer.run("touch", "--date", "1 hour ago", LEAVING)
    assert peer.run("herolo-drain", "start") == "drained"


def test_the_only_host_and_a_host_that_serves_nothing_yet_do_not_drain(peer):
    configure(peer, hosts=1)
    assert "only host" in peer.run("herolo-drain", "start")
    configure(peer)
    peer.run("rm", "-r", "/etc/herolo/edge")
    assert "nothing serves" in peer.run("herolo-drain", "start")


def test_a_host_that_has_stopped_draining_serves(peer):
    peer.run("herolo-drain", "start")
    assert peer.run("herolo-drain", "stop") == "joined"
    assert not peer.has(LEAVING) and peer.run("herolo-drain", "status") == "serving"
    assert peer.run("herolo-drain", "stop") == "serving"


def test_a_host_does_not_join_before_it_serves_requests(peer):
    peer.run("herolo-drain", "start")
    peer.run("rm", "/state/serving")
    joining = begin(peer.command("herolo-drain", "join"))
    asked = "[ $(cat /state/asked 2>/dev/null | wc -l) -ge 3 ] && echo yes || echo no"
    wait_until(lambda: peer.run("sh", "-c", asked) == "yes", 180, "the host does not ask itself")
    assert peer.has(LEAVING) and joining.poll() is None
    peer.run("touch", "/state/serving")
    assert joining.communicate(timeout=180)[0].strip() == "joined"
    assert not peer.has(LEAVING)


def test_a_host_that_shuts_down_drains_and_stops_traefik_before_the_replicas(peer):
    peer.write("/state/system", "stopping")
    peer.run("herolo-drain", "shutdown")
    assert calls(peer) == [
        "docker stop --time 20 edge_traefik drained",
        "docker stop --time 30 herolo_api drained",
    ]


@pytest.mark.parametrize(("system", "hosts"), [("running", 2), ("stopping", 1)])
def test_a_unit_that_is_stopped_alone_and_the_only_host_go_on(peer, system, hosts):
    configure(peer, hosts=hosts)
    peer.write("/state/system", system)
    peer.run("herolo-drain", "shutdown")
    assert calls(peer) == [] and not peer.has(LEAVING)


# --- Upgrades at night ---


def test_a_host_is_upgraded_while_drained_and_joins_again(peer):
    assert peer.run("herolo-upkeep").splitlines()[-1] == "upgraded"
    assert calls(peer) == ["apt-get", "upgrade drained"]
    assert not peer.has(LEAVING)


def test_a_host_that_an_upgrade_has_to_reboot_joins_after_that_only(peer):
    peer.run("touch", "/run/reboot-required")
    peer.run("herolo-upkeep")
    assert calls(peer) == ["apt-get", "upgrade drained", "--no-block reboot drained"]
    assert peer.run("herolo-drain", "status") == "drained"


def test_a_host_without_upgrades_does_not_drain(peer):
    peer.write("/state/found", "No packages found that can be upgraded unattended and no pending auto-removals")
    assert peer.run("herolo-upkeep") == "nothing to upgrade"
    assert calls(peer) == ["apt-get"]


@pytest.mark.parametrize(("address", "reason"), [("127.0.0.1", "status 503"), ("127.0.0.2", "refused")])
def test_nothing_is_upgraded_while_another_host_does_not_serve(peer, address, reason):
    peer.write("/state/peer", "503")
    peer.write("/etc/herolo/upkeep.json", json.dumps({"peers": [{"number": 3, "address": address}]}))
    said = failure_of(peer, "herolo-upkeep")
    assert said.startswith("error: host 3 does not serve (") and reason in said, said
    assert calls(peer) == []


def test_nothing_is_upgraded_if_another_host_fails_during_the_drain(peer):
    peer.write("/state/later", "503")
    assert "host 2 does not serve" in failure_of(peer, "herolo-upkeep")
    assert calls(peer) == ["apt-get"] and not peer.has(LEAVING)


def test_nothing_is_upgraded_on_a_host_that_something_else_drains(peer):
    peer.run("herolo-drain", "start")
    assert "has left the balancer already" in failure_of(peer, "herolo-upkeep")
    assert calls(peer) == [] and peer.has(LEAVING)


def test_a_host_whose_upgrade_fails_joins_again(peer):
    peer.run("touch", "/state/fails")
    assert "unattended-upgrade --verbose failed with status 1" in failure_of(peer, "herolo-upkeep")
    assert not peer.has(LEAVING)
