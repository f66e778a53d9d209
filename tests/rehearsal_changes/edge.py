"""The edge of a deployment as a load reaches it: from several client addresses, over connections of its own."""

from __future__ import annotations

import functools
import http.client
import itertools
import json
import math
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rehearsal.clients import https_connection
from support.users import User, sign_up

# Requests a second of a client address: half of what traefik/routing.yml grants one (`limit-rate`), since the threads
# of a load do not keep in step, and repeat what has failed.
RATE_OF_ADDRESS = 50


def addresses_for(rate: int) -> int:
    """How many client addresses a load of that many requests a second needs."""
    return math.ceil(rate / RATE_OF_ADDRESS)


class Edge:
    """What a load is sent to, at the domain."""

    def __init__(self, domain: str, authority: Path, addresses: list[tuple[str, int]]) -> None:
        """`addresses` lead to the edge, each by another client address."""
        tls = ssl.create_default_context(cafile=authority)
        self._makers = [functools.partial(https_connection, domain, address, tls) for address in addresses]
        self._turns = itertools.count()

    def connections(self) -> list[Callable[[], http.client.HTTPConnection]]:
        """For each client address, what makes a connection that is not open yet."""
        return list(self._makers)

    def sign_up(self, name: str) -> User:
        """A new user of this name."""
        return sign_up(self, name)

    def request(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Sends one request from the next address, and returns the status and the JSON of its answer. Raises OSError or
        http.client.HTTPException if there is none."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        connection = self._makers[next(self._turns) % len(self._makers)]()
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()
