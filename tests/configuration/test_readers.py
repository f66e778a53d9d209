"""Validates the rendered files with the programs that read them, on Debian 13 as on a host. Misspelt files must be
rejected."""

import pathlib

import pytest
from configuration.parts import docker, image
from configuration.rendered import change, validations
from support.commands import attempt

FILTER = pathlib.Path("traefik/socket-filter.cfg")
PROGRAMS = "docker-cli docker.io nftables"

# Run in the machine with the number of connections that a client may have, itself being the client.
CONNECTIONS = """
import socket, sys

here, each = socket.gethostbyname(socket.gethostname()), int(sys.argv[1])
listener = socket.create_server((here, 443), backlog=1024)
held = [socket.create_connection((here, 443), 5) for _ in range(each)]
try:
    socket.create_connection((here, 443), 5)
    sys.exit(f"{each + 1} connections were taken")
except TimeoutError:
    pass
for connection in held:
    connection.close()
    listener.accept()[0].close()
socket.create_connection((here, 443), 30).close()
"""
# What is no connection to the edge, such as questions to a DNS server.
DATAGRAMS = """
import socket, sys

here, each = socket.gethostbyname(socket.gethostname()), int(sys.argv[1])
inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inbox.bind((here, 443))
inbox.settimeout(5)
held = []
for _ in range(each + 2):
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    held.append(asker)
    asker.sendto(b"?", (here, 443))
    inbox.recv(1)
"""
# Run in the machine with an address of its own in the networks of the balancer, the only source of health checks.
CHECKS = """
import socket, sys

here = socket.gethostbyname(socket.gethostname())
listener = socket.create_server((here, 8081))
socket.create_connection((here, 8081), 30, (sys.argv[1], 0)).close()
try:
    socket.create_connection((here, 8081), 5)
    sys.exit("a stranger's connection was taken")
except TimeoutError:
    pass
"""


@pytest.fixture(scope="module")
def host(machine):
    """The machine, once it has installed the programs; the packages are in its image."""
    options = "-qq -y --no-download --no-install-recommends"
    install = f"DEBIAN_FRONTEND=noninteractive apt-get install {options} {PROGRAMS}"
    machine.run("sh", "-c", f"{install} && ssh-keygen -A && install --directory /run/sshd")
    return machine


@pytest.fixture
def firewall(host, plain):
    """The host with the rules of the firewall."""
    host.copy(plain / "host/nftables.conf", "/nftables.conf")
    host.run("nft", "-f", "/nftables.conf")
    yield host
    host.run("nft", "delete", "table", "inet", "herolo")


def judged(host, file, command):
    """What a program says of a file, as a role asks it: its status, and the output."""
    host.copy(file, "/file")
    done = attempt(*host.command("sh", "-c", command.replace("%s", "/file")))
    return done.returncode, done.stdout + done.stderr


def judged_by_haproxy(network, file):
    """What HAProxy says of its configuration."""
    options = ("--label", network.label, "--network", "none", image("haproxy"))
    container = docker("create", *options, "haproxy", "-c", "-f", "/filter.cfg")
    docker("cp", "--quiet", file, f"{container}:/filter.cfg")
    done = attempt("docker", "start", "--attach", container)
    return done.returncode, done.stdout + done.stderr


def test_a_host_installs_the_programs(host):
    host.run("sh", "-c", "command -v docker dockerd nft sshd")


def test_every_file_that_a_program_can_judge_is_judged_by_its_role():
    files = {"host/daemon.json", "host/nftables.conf", "host/sshd.conf"}
    assert files <= {file for file, _ in validations()}


@pytest.mark.parametrize(("file", "command"), validations(), ids=[file for file, _ in validations()])
def test_its_program_accepts_a_file_as_the_role_asks_it(host, plain, file, command):
    status, output = judged(host, plain / file, command)
    assert status == 0, output


@pytest.mark.parametrize(("file", "command"), validations(), ids=[file for file, _ in validations()])
def test_its_program_refuses_a_misspelt_file(host, plain, tmp_path, file, command):
    misspelt = tmp_path / "misspelt"
    misspelt.write_text((plain / file).read_text(encoding="utf-8") + "}{ misspelt\n", encoding="utf-8")
    status, output = judged(host, misspelt, command)
    assert status != 0, output


def test_haproxy_accepts_the_socket_filter(network):
    status, output = judged_by_haproxy(network, FILTER.resolve())
    assert status == 0, output


def test_haproxy_refuses_a_misspelt_socket_filter(network, tmp_path):
    misspelt = tmp_path / "filter.cfg"
    misspelt.write_text(FILTER.read_text(encoding="utf-8"), encoding="utf-8")
    change(misspelt, "dontlog-normal", "dontlog-norm")
    status, output = judged_by_haproxy(network, misspelt)
    assert status != 0 and "dontlog-norm" in output, output


def test_the_firewall_takes_as_many_connections_of_a_client_as_it_says_and_not_one_more(firewall, rendered):
    firewall.run("python3", "-c", CONNECTIONS, str(rendered.connections_of_a_client()))


def test_the_firewall_counts_nothing_but_connections_to_the_edge(firewall, rendered):
    firewall.run("python3", "-c", DATAGRAMS, str(rendered.connections_of_a_client()))


def test_the_firewall_takes_health_checks_from_the_balancer_and_other_hosts_only(firewall):
    firewall.run("ip", "address", "add", "10.20.0.5/32", "dev", "lo")
    firewall.run("python3", "-c", CHECKS, "10.20.0.5")
