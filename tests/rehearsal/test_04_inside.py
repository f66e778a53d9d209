"""The rights inside."""

import json
import re
import subprocess

import pytest
from rehearsal.world import World

# Run on the host, in the network of the socket filter, as a Traefik in the hands of an attacker could: standard input
# has the requests, standard output the first lines of the answers.
ASK = """
import json, socket, sys
def ask(request):
    with socket.create_connection(("127.0.0.1", 2375), 20) as connection:
        connection.sendall(f"{request} HTTP/1.0\\r\\n\\r\\n".encode())
        return connection.makefile("rb").readline().decode().strip()
print(json.dumps({request: ask(request) for request in json.load(sys.stdin)}))
"""

ALLOWED = [
    f"GET {path}"
    for path in ("/_ping", "/version", "/v1.44/services", "/v1.44/tasks", "/v1.44/networks", "/v1.44/nodes")
]
READ_REFUSED = [
    f"GET {path}"
    for path in (
        *("/secrets", "/v1.44/secrets", "/configs", "/containers/json", "/v1.44/containers/json", "/images/json"),
        *("/info", "/events", "/swarm", "/services/x/logs", "/v1.44/services/herolo_api", "/tasks/x/logs"),
        *("/nodes/x/update", "/volumes", "/plugins", "/system/df", "/exec/x/json", "/session", "/build", "/auth"),
        *("/distribution/x/json", "/services/../secrets", "/services%2f..%2fsecrets", "//secrets"),
        "/v1.44//secrets",
    )
]
CHANGE_REFUSED = [
    f"{method} {path}"
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS")
    for path in (
        *("/services/create", "/v1.44/services/herolo_api/update", "/containers/create", "/nodes", "/services"),
        *("/swarm/leave", "/build"),
    )
]


@pytest.fixture(scope="module")
def filter_says(world: World) -> dict[str, str]:
    """The socket filter's answer to each request."""
    requests = json.dumps(ALLOWED + READ_REFUSED + CHANGE_REFUSED)
    return json.loads(world.in_network_of("edge_socket-filter", "python3", "-c", ASK, input=requests))


@pytest.mark.parametrize("request_line", ALLOWED)
def test_the_socket_filter_lets_traefik_read(filter_says: dict[str, str], request_line: str) -> None:
    assert " 200" in filter_says[request_line]


@pytest.mark.parametrize("request_line", READ_REFUSED + CHANGE_REFUSED)
def test_the_socket_filter_refuses_all_else(filter_says: dict[str, str], request_line: str) -> None:
    assert re.search(" 40[03]", filter_says[request_line])


def test_containers_run_without_root_capabilities_or_a_writable_root_and_cannot_gain_privileges(world: World) -> None:
    containers = world.on_host("docker", "ps", "--quiet").split()
    assert len(containers) >= 3
    for container in containers:
        name = world.on_host("docker", "inspect", "--format", "{{.Name}}", container)
        state = world.on_host("cat", f"/proc/{world.process_of(container)}/status")
        for line in (r"^Uid:\s+655", r"^CapEff:\s+0+$", r"^NoNewPrivs:\s+1$"):
            assert re.search(line, state, re.MULTILINE), name
        read_only = world.on_host("docker", "inspect", "--format", "{{.HostConfig.ReadonlyRootfs}}", container)
        assert read_only == "true", name


def ssh(world: World, user: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Tries to log in at the host, whose key is known from its disk."""
    known_hosts = world.folder / "known_hosts"
    keys = world.on_host("sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub")
    address, port = world.settings.address, world.settings.ssh_port
    name = address if port == 22 else f"[{address}]:{port}"
    known_hosts.write_text("".join(f"{name} {key}\n" for key in keys.splitlines()))
    always = ["-p", str(port), "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known_hosts}"]
    command = ["ssh", *always, "-o", "IdentitiesOnly=yes", *options, f"{user}@{address}", "true"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_the_key_of_the_operator_logs_in(world: World) -> None:
    assert ssh(world, "admin", "-i", str(world.folder / "ssh")).returncode == 0


def test_root_does_not_log_in_with_the_key_of_the_operator(world: World) -> None:
    refused = ssh(world, "root", "-i", str(world.folder / "ssh"))
    assert refused.returncode == 255
    assert "Permission denied" in refused.stderr


def test_only_keys_log_in_and_no_password(world: World) -> None:
    refused = ssh(world, "admin", "-v", "-o", "PubkeyAuthentication=no")
    assert refused.returncode == 255
    assert re.search(r"Authentications that can continue: publickey\.?$", refused.stderr, re.MULTILINE)


def test_the_databases_users_have_the_privileges_for_their_purpose_and_no_more(world: World) -> None:
    grants = world.parts.query_database("SHOW GRANTS FOR herolo_service; SHOW GRANTS FOR herolo_migrate;").splitlines()
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON `herolo`.* TO `herolo_service`@`%`" in grants
    assert sum(grant.startswith("GRANT USAGE ON *.* TO") for grant in grants) == 2
    assert len(grants) == 4


def test_the_databases_users_connect_over_tls_only(world: World) -> None:
    query = "SELECT ssl_type FROM mysql.user WHERE user LIKE 'herolo\\_%' AND user <> 'herolo_master';"
    assert world.parts.query_database(query).split() == ["ANY", "ANY"]
