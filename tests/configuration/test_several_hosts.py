"""What is special about several hosts behind a balancer: what they are given, and what Traefik does with it."""

import json
import pathlib
import shutil
from collections.abc import Callable, Iterator

import pytest
import yaml
from configuration.parts import REPLICA, Machine, Network, Traefik, docker, start_haproxy
from configuration.peers import LEAVING, ROUTING, Peer, renew, start_peer
from configuration.rendered import DOMAIN, Rendered, change
from support.certificates import make_certificate
from support.commands import attempt, wait_until

LIE = "198.51.100.8"  # the address that a PROXY header names which is not the balancer's
CHALLENGE = "/.well-known/acme-challenge/token"

# The balancer, whose only host is Traefik.
BALANCER = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
resolvers docker
  nameserver docker 127.0.0.11:53
listen https
  bind :443
  server host peer:443 send-proxy-v2 resolvers docker init-addr none
listen health
  bind :8081
  server host peer:8081 send-proxy-v2 resolvers docker init-addr none
"""


# A client that keeps its connection as long as it may: prints the number of requests until the server closes it, of 40
# within 10 s.
KEEPING = """
import http.client, socket, ssl, sys, time
where, domain = sys.argv[1:]
connection = http.client.HTTPSConnection(domain, context=ssl.create_default_context(cafile="/ca.pem"))
connection._create_connection = lambda *_: socket.create_connection((where, 443), 20)
for number in range(1, 41):
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    if answer.will_close: break
    time.sleep(0.25)
print(number)
"""


# --- What the hosts are given ---


def test_traefik_of_the_first_host_does_not_change_when_hosts_are_added(rendered, first):
    assert first.install_text == rendered.install_text and first.unrouted_text == rendered.unrouted_text
    assert first.texts["edge/stack.yml"] == rendered.texts["edge/stack.yml"]
    assert first.texts["service/stack.yml"] == rendered.texts["service/stack.yml"]


def test_only_the_first_host_orders_certificates(first, second):
    assert "certificatesResolvers" in first.install and "certificatesResolvers" not in second.install
    assert {**first.install, "certificatesResolvers": None} == {**second.install, "certificatesResolvers": None}
    labels = second.service["services"]["api"]["deploy"]["labels"]
    for name in ("herolo", "events", "pages"):
        assert labels[f"traefik.http.routers.{name}.tls"] == "true"
    assert not [label for label in labels if "certresolver" in label]


def test_health_is_asked_at_the_entry_point_that_is_neither_logged_nor_counted(rendered):
    [entry_point] = rendered.router("health")["entryPoints"]
    settings = rendered.install["entryPoints"][entry_point]
    assert settings["address"] == ":8081"
    assert settings["observability"] == {"accessLogs": False, "metrics": False, "tracing": False}


def test_a_traefik_that_has_not_read_its_files_yet_has_no_health_check(rendered):
    labels = rendered.service["services"]["api"]["deploy"]["labels"]
    name, _, provider = labels["traefik.http.routers.health.middlewares"].partition("@")
    assert provider == "file" and name in rendered.routing["middlewares"]


def test_a_drain_is_longer_than_the_balancer_may_open_connections_and_traefik_keeps_them(rendered, second):
    drain = json.loads(second.texts["drain/drain.json"])
    assert drain == {"hosts": 2, "seconds": 90, "domain": DOMAIN}
    for name in ("web", "websecure"):
        kept = rendered.install["entryPoints"][name]["transport"]["keepAliveMaxTime"]
        assert 10 + 40 + int(kept.removesuffix("s")) < drain["seconds"]
    assert "TimeoutStopSec=180" in second.texts["drain/herolo-drain.service"].splitlines()


def test_traefik_ends_within_its_grace_period(rendered):
    life = rendered.install["entryPoints"]["websecure"]["transport"]["lifeCycle"]
    seconds = [int(life[name].removesuffix("s")) for name in ("requestAcceptGraceTimeout", "graceTimeOut")]
    assert sum(seconds) < int(rendered.edge["services"]["traefik"]["stop_grace_period"].removesuffix("s"))


def test_hosts_are_upgraded_at_an_hour_of_their_own_and_never_by_debians_timer(rendered, first, second):
    own = 'APT::Periodic::Unattended-Upgrade "1";'
    assert own in rendered.texts["host/unattended-upgrades.conf"]
    assert 'Automatic-Reboot "true";' in rendered.texts["host/unattended-upgrades.conf"]
    for number, host in ((1, first), (2, second)):
        assert own not in host.texts["host/unattended-upgrades.conf"]
        assert 'Automatic-Reboot "false";' in host.texts["host/unattended-upgrades.conf"]
        assert f"OnCalendar=*-*-* 0{number}:00:00" in host.texts["upkeep/herolo-upkeep.timer"].splitlines()
    peers = [{"number": 1, "address": "10.20.0.1"}]
    assert json.loads(second.texts["upkeep/upkeep.json"]) == {"peers": peers}
    assert json.loads(rendered.texts["upkeep/upkeep.json"]) == {"peers": []}


def test_the_metrics_of_one_of_several_hosts_have_its_number(second):
    assert json.loads(second.texts["monitoring/monitoring.json"])["host"] == "2"


def test_the_second_host_gets_the_certificate_of_the_first(first, second):
    settings = json.loads(second.texts["certificates/certificate.json"])
    storage = first.install["certificatesResolvers"]["acme"]["acme"]["storage"].removeprefix("/acme/")
    assert settings == {
        "first": "10.20.0.1",
        "domain": DOMAIN,
        "storage": f"/var/lib/herolo/certificate/{storage}",
        "authority": "",
        "trusted": True,
    }


def test_hosts_are_deployed_one_by_one_and_a_failure_stops_that():
    plays = yaml.safe_load(pathlib.Path("ansible/site.yml").read_text(encoding="utf-8"))
    [deploy] = [play for play in plays if play["name"] == "Deploy Herolo"]
    assert deploy["serial"] == 1 and deploy["any_errors_fatal"] is True
    once = {role["role"] for role in deploy["roles"] if role.get("when") == "is_first"}
    assert once == {"dns", "database"}


# --- What Traefik does with it ---


@pytest.fixture(scope="module")
def host(network: Network) -> Peer:
    """Where the programs of the roles run, and also the first host."""
    return start_peer(network, "several")


@pytest.fixture(scope="module")
def balancer(network: Network) -> str:
    """The balancer's address. It waits for Traefik."""
    container = start_haproxy(network, "balancer", BALANCER)
    return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container)


@pytest.fixture(scope="module")
def peer(
    start: Callable[[str, pathlib.Path], Traefik],
    files: pathlib.Path,
    second: Rendered,
    balancer: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Traefik:
    """Traefik of the second host, which trusts the balancer alone, and for which the replica is the first host, too."""
    folder = pathlib.Path(shutil.copytree(files, tmp_path_factory.mktemp("peer") / "files"))
    (folder / "traefik.yml").write_text(second.install_text, encoding="utf-8")
    change(folder / "traefik.yml", r"10\.20\.0\.0/20", f"{balancer}/32")
    (folder / "routing/unrouted.yml").write_text(second.unrouted_text, encoding="utf-8")
    change(folder / "routing/unrouted.yml", r"http://10\.20\.0\.1", f"http://{REPLICA}:8000")
    peer = start("peer", folder)
    wait_until(lambda: peer.status("/") == 200, 180, f"Traefik does not answer:\n{peer.logs()}")
    return peer


@pytest.fixture
def served(peer: Traefik, second: Rendered, tmp_path: pathlib.Path) -> Iterator[None]:
    """While a replica runs, whose labels have the router of the health check."""
    file = tmp_path / "health.yml"
    file.write_text(json.dumps({"http": {"routers": {"health": second.router("health")}}}), encoding="utf-8")
    peer.put(file, "health.yml")
    yield
    peer.remove("health.yml")


def asked(machine: Machine, where: str, url: str, *options: str) -> str:
    """The answer that a client gets which takes the domain for that host."""
    reach = ("--silent", "--max-time", "20", "--cacert", "/ca.pem", "--connect-to", f"{DOMAIN}::{where}:")
    return attempt(*machine.command("curl", *reach, *options, url)).stdout


def health(machine: Machine, where: str = "peer") -> str:
    """The status of the health check of that host."""
    written = ("--output", "/dev/null", "--write-out", "%{http_code}")
    return asked(machine, where, f"http://{DOMAIN}:8081/healthz", *written)


def test_traefik_of_another_host_has_nothing_to_complain_about(peer):
    assert peer.complaints() == []


def test_the_address_that_the_balancer_names_is_believed(peer, machine):
    own = machine.run("hostname", "-i").split()[0]
    wait_until(
        lambda: asked(machine, "balancer", f"https://{DOMAIN}/client") == own,
        120,
        "the balancer's header is not believed",
    )


def test_the_address_that_anything_else_names_is_not_believed(peer, machine):
    own = machine.run("hostname", "-i").split()[0]
    assert asked(machine, "peer", f"https://{DOMAIN}/client") == own
    for header in ("--haproxy-protocol", f"--haproxy-clientip={LIE}"):
        assert asked(machine, "peer", f"https://{DOMAIN}/client", *header.split("=")) == own


def test_the_access_log_names_the_client_rather_than_the_balancer(peer, machine):
    for where in ("balancer", "peer"):
        asked(machine, where, f"https://{DOMAIN}/own/404?{where}")
    named = [line for line in peer.logs().splitlines() if '"RequestPath":"/own/404"' in line]
    hosts = [json.loads(line)["ClientHost"] for line in named]
    assert hosts == [machine.run("hostname", "-i").split()[0]] * 2


def test_a_host_is_not_healthy_before_a_replica_runs(peer, machine):
    assert health(machine) in ("404", "503")


def test_a_host_is_healthy_while_a_replica_runs_also_for_the_balancer(peer, machine, served):
    wait_until(lambda: health(machine) == "200", 120, "the host is not healthy")
    wait_until(lambda: health(machine, "balancer") == "200", 120, "the host is not healthy for the balancer")


def test_a_host_that_drains_is_not_healthy_and_goes_on_serving(peer, machine, served, host, tmp_path):
    wait_until(lambda: health(machine) == "200", 120, "the host is not healthy")
    host.write("/etc/herolo/drain.json", json.dumps({"hosts": 2, "seconds": 0, "domain": DOMAIN}))
    host.run("herolo-drain", "start")
    docker("cp", "--quiet", f"{host.container}:{LEAVING}", tmp_path / "leaving.yml")
    peer.put(tmp_path / "leaving.yml", "leaving.yml")
    try:
        wait_until(lambda: health(machine) == "503", 120, "the host stays healthy")
        assert peer.status("/") == 200
    finally:
        peer.remove("leaving.yml")
    wait_until(lambda: health(machine) == "200", 120, "the host does not become healthy again")


@pytest.mark.parametrize(("kept", "ends"), [("keepAliveMaxTime: 1s", True), ("", False)])
def test_clients_change_to_another_host_during_a_drain_because_connections_are_not_kept_for_ever(
    start, files, second, balancer, machine, tmp_path, kept, ends
):
    """Without that option of Traefik, a connection would last until Traefik ends, and its next request would fail."""
    folder = pathlib.Path(shutil.copytree(files, tmp_path / "files"))
    (folder / "traefik.yml").write_text(second.install_text, encoding="utf-8")
    change(folder / "traefik.yml", r"10\.20\.0\.0/20", f"{balancer}/32")
    change(folder / "traefik.yml", "keepAliveMaxTime: 30s", kept)
    traefik = start("kept" if ends else "kept-for-ever", folder)
    wait_until(lambda: traefik.status("/") == 200, 180, f"Traefik does not answer:\n{traefik.logs()}")
    number = int(machine.run("python3", "-c", KEEPING, traefik.name, DOMAIN))
    assert (number < 40) is ends


def test_a_challenge_of_the_authority_reaches_the_first_host_and_nothing_else_does(peer, machine):
    assert asked(machine, "peer", f"http://{DOMAIN}{CHALLENGE}") == "ok"
    assert "Plain HTTP is not served" in asked(machine, "peer", f"http://{DOMAIN}/")


def fingerprint(traefik: Traefik) -> str:
    """Of the certificate that Traefik serves."""
    hello = attempt("openssl", "s_client", "-connect", traefik.address(443), "-servername", DOMAIN).stdout
    return hello[hello.find("-----BEGIN") : hello.find("-----END")]


def test_the_certificate_of_the_first_host_is_served_and_replaced(
    start, files, second, host, authority, tmp_path, tmp_path_factory
):
    folder = pathlib.Path(shutil.copytree(files, tmp_path / "files"))
    (folder / "traefik.yml").write_text(second.install_text, encoding="utf-8")
    change(folder / "routing/test.yml", r"(?s)^tls:\n  certificates:.*", "")
    traefik = start("inline", folder)
    host.clear()
    host.copy(authority, "/ca.pem")
    served = tmp_path / "first"
    served.mkdir()
    make_certificate(authority, DOMAIN, served)
    renew(authority, served, tmp_path / "renewed")
    host.know(served / "server.key")
    for certificate in (served, tmp_path / "renewed"):
        host.serve(certificate)
        assert host.run("herolo-fetch-certificate") == "installed"
        docker("cp", "--quiet", f"{host.container}:{ROUTING}/certificate.yml", tmp_path / "certificate.yml")
        traefik.put(tmp_path / "certificate.yml", "certificate.yml")
        text = (certificate / "server.pem").read_text(encoding="ascii")
        wait_until(lambda text=text: fingerprint(traefik) and fingerprint(traefik) in text, 180, "it is not served")
