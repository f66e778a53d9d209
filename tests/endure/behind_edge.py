"""Replicas behind the edge: Traefik with the configuration that is deployed, all limits and timeouts included."""

from __future__ import annotations

import http.client
import os
import resource
import secrets
import shutil
import socket
import ssl
from pathlib import Path

from configuration.edge import DOMAIN, Edge, addresses_of, run
from endure.deployment import REPLICAS, Deployment
from endure.faults import Bench
from endure.sockets import SOCKETS, Endpoint
from support.services import free_port

ADDRESS = "127.0.0.1"
SETTINGS = {"HEROLO_CLIENT_ADDRESS_HEADER": "X-Real-Ip"}  # as the service's stack has it
# From where the clients come that are no attackers: Traefik limits each address.
OTHERS = "127.0.8.1"
SPARE_FILES = 500  # besides the connections of the attackers


class EdgeConnection(http.client.HTTPSConnection):
    """A connection of a client that is no attacker."""

    def connect(self) -> None:
        """To the edge's address, whatever addresses its name has on this machine."""
        plain = socket.create_connection((ADDRESS, self.port), self.timeout, (OTHERS, 0))
        # As http.client has it: else, a request would wait for the acknowledgement of what ends the handshake.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


class EdgeDeployment(Deployment):
    """Replicas and Traefik. Connections lead to the edge, which chooses the replica."""

    def __init__(self, bench: Bench, name: str) -> None:
        folder, addresses, port = bench.folder / name, addresses_of(REPLICAS), free_port()
        url = bench.database.url_file(bench.database.port)
        super().__init__(Path(bench.settings.binary), folder, url, SETTINGS, addresses, port)
        self.edge = Edge(folder / "edge", addresses, f"herolo-test-{secrets.token_hex(6)}", port)
        self.tls = ssl.create_default_context(cafile=str(self.edge.authority))

    def __enter__(self) -> EdgeDeployment:
        super().__enter__()
        try:
            self.edge.start(self.edge.configuration())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.edge.stop()
        super().__exit__()

    @property
    def server(self) -> Endpoint:
        """What clients connect to."""
        return Endpoint(ADDRESS, self.edge.ports["websecure"])

    @property
    def tls_name(self) -> str:
        """The name in its certificate."""
        return DOMAIN

    def connection(self, replica: int, timeout: float) -> http.client.HTTPConnection:
        """A connection to the edge. Which replica answers is not the client's choice."""
        return EdgeConnection(DOMAIN, self.server.port, timeout=timeout, context=self.tls)


def why_not(connections: int) -> str:
    """Why an edge with so many connections cannot be started here; empty if it can. Raises the limit of open files of
    this process."""
    if not SOCKETS.is_file():
        return f"it needs Linux: what a server holds is read from {SOCKETS}"
    if not shutil.which("openssl"):
        return "it needs openssl, for the certificate of the edge"
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and most < connections + SPARE_FILES:
        return f"it needs {connections + SPARE_FILES:,} open files, and `ulimit -Hn` is {most:,}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if os.environ.get("DOCKER_HOST", "").startswith(("tcp:", "ssh:")):
        return "it needs Docker on this machine, whose network the edge shares"
    try:
        for address in (OTHERS, *addresses_of(REPLICAS)):
            socket.create_server((address, 0)).close()
        run("tests/deploy/image", "traefik")
    except OSError as fault:
        return f"it needs loopback addresses such as {OTHERS}: {fault}"
    except RuntimeError as fault:
        return f"it needs Traefik: {str(fault).splitlines()[-1]}"
    return ""
