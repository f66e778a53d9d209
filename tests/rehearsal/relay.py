"""Lets the host, and nobody else, reach the stand-in of the AWS API, which listens on a loopback address."""

from __future__ import annotations

import ipaddress
import socket
import socketserver
import threading


class Relay(socketserver.ThreadingTCPServer):
    """Passes connections from the private network to a port of this machine. It listens on the network's gateway
    address, and closes connections of other networks: a machine elsewhere may have a route to that address."""

    daemon_threads = True

    def __init__(self, gateway: str, network: str, port: int) -> None:
        super().__init__((gateway, 0), _Connection)
        self.network, self.target = ipaddress.ip_network(network), ("127.0.0.1", port)

    @property
    def url(self) -> str:
        """What clients on the private network ask."""
        return f"http://{self.server_address[0]}:{self.server_address[1]}"

    def verify_request(self, request: object, client_address: tuple[str, int]) -> bool:
        """Whether the client is on the private network."""
        return ipaddress.ip_address(client_address[0]) in self.network

    def start(self) -> None:
        """Serves in the background until the process ends."""
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Connection(socketserver.BaseRequestHandler):
    server: Relay
    request: socket.socket

    def handle(self) -> None:
        try:
            target = socket.create_connection(self.server.target)
        except ConnectionRefusedError:
            return  # the client's connection is closed, too
        with target:
            back = threading.Thread(target=pass_on, args=(target, self.request), daemon=True)
            back.start()
            pass_on(self.request, target)
            back.join()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copies until the source has no more to say."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # one of them has closed
