"""The client's own address behind the balancer."""

import secrets
import socket

from rehearsal.parts import image_of
from rehearsal.processes import wait_until
from rehearsal.world import World

HOSTS = (1, 2, 3)

# Run in a container of the private network: asks for a path, and prints its own address.
ASK = """
import http.client, socket, ssl, sys
address, domain, path = sys.argv[1:]
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
with tls.wrap_socket(socket.create_connection((address, 443), 20), server_hostname=domain) as connection:
    lines = [f"GET {path} HTTP/1.0", f"Host: {domain}", "X-Forwarded-For: 203.0.113.9", "", ""]
    connection.sendall("\\r\\n".join(lines).encode())
    connection.recv(1000)
    print(connection.getsockname()[0])
"""

# Likewise: prints how many of its requests, over plain HTTP, were refused by a limit, and how many there were.
FLOOD = """
import http.client, sys, threading
address, domain, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
statuses = []
def ask():
    connection = http.client.HTTPConnection(address, timeout=30)
    for _ in range(number):
        connection.request("GET", "/", headers={"Host": domain})
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
threads = [threading.Thread(target=ask) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(statuses.count(429), len(statuses))
"""


def log_lines(world: World, text: str) -> list[dict]:
    """The lines of the access logs of all hosts that contain a text."""
    return [line for number in HOSTS for line in world.access_log(text, number)]


def test_the_logs_have_the_address_of_the_client(world: World) -> None:
    path = f"/users/seen-{secrets.token_hex(6)}"
    balancer = world.parts.private_address("balancer")
    client = world.parts.run_beside(image_of("host"), "python3", "-c", ASK, balancer, world.domain, path).strip()
    wait_until(lambda: log_lines(world, path), "a host has logged the request")
    [line] = log_lines(world, path)
    assert line["ClientHost"] == client


def test_a_proxy_header_from_elsewhere_is_not_believed(world: World) -> None:
    path = f"/claimed-{secrets.token_hex(6)}"
    header = "PROXY TCP4 203.0.113.9 203.0.113.10 50000 80\r\n"
    with socket.create_connection((world.settings.address, 80), 20) as connection:
        connection.sendall(f"{header}GET {path} HTTP/1.0\r\nHost: {world.domain}\r\n\r\n".encode())
        connection.recv(1000)
    lines = log_lines(world, path)
    assert all(line["ClientHost"] != "203.0.113.9" for line in lines)


def test_limits_count_each_client_for_itself(world: World, show) -> None:
    balancer, image = world.parts.private_address("balancer"), image_of("host")
    flood = (image, "python3", "-c", FLOOD, balancer, world.domain)
    refused, sent = world.parts.run_beside(*flood, "250").split()
    refused_of_other, sent_by_other = world.parts.run_beside(*flood, "1").split()
    show(f"{refused} of {sent} requests of a client refused, {refused_of_other} of another's {sent_by_other}")
    assert int(refused) > 0
    assert int(refused_of_other) == 0
