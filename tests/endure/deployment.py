"""Replicas of the service that share a database."""

from __future__ import annotations

import functools
import http.client
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from support.services import Service
from support.users import User, sign_up

REPLICAS = 3
UNLIMITED = {f"HEROLO_LIMIT_{name}": "0" for name in ("LOGINS", "SIGN_UPS", "SENDS", "SEARCHES")}
TIMEOUT = 15  # seconds after which a client gives up
PROBE_SECONDS = 0.25
PROBE_LIMIT = 10  # seconds without an answer that count as none


class Deployment:
    """Three replicas. As a context, it starts and stops them."""

    def __init__(
        self,
        binary: Path,
        folder: Path,
        database_url: Path,
        settings: Mapping[str, str] | None = None,
        addresses: Sequence[str] = REPLICAS * ("127.0.0.1",),
        port: int = 0,
    ) -> None:
        """`settings` replace those without which requests are limited. Each replica listens on one of the addresses,
        and on a port of its own, unless one is given."""
        folder.mkdir()
        self.replicas: list[Service] = []
        settings = {**UNLIMITED, **(settings or {})}
        for number, address in enumerate(addresses, 1):
            place = folder / f"replica-{number}"
            place.mkdir()
            replica = Service(binary, place, database_url, settings, address, port)
            settings["HEROLO_TOKEN_KEYS_FILE"] = replica.environment["HEROLO_TOKEN_KEYS_FILE"]
            self.replicas.append(replica)

    def __enter__(self) -> Deployment:
        self.replicas[0].migrate()
        try:
            for replica in self.replicas:
                replica.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for replica in self.replicas:
            replica.stop(signal.SIGKILL)

    def connection(self, replica: int, timeout: float) -> http.client.HTTPConnection:
        """A connection to one of the replicas, which is opened by its first request."""
        target = self.replicas[replica]
        return http.client.HTTPConnection(target.address, target.port, timeout=timeout)

    def connections(self) -> list[Callable[[], http.client.HTTPConnection]]:
        """For each replica, what makes a connection that is not open yet."""
        return [functools.partial(self.connection, number, TIMEOUT) for number in range(len(self.replicas))]

    def sign_up(self, name: str) -> User:
        """A new user of this name."""
        return sign_up(self.replicas[0], name)

    def processes(self) -> list[int]:
        """The ids of the processes that run."""
        running = [replica.process for replica in self.replicas]
        return [process.pid for process in running if process and process.poll() is None]


class Threads:
    """Daemon threads that work until the context ends, which `_over` tells them."""

    patience = 60.0  # seconds for each to end

    def __init__(self, works: Iterable[Callable[[], None]]) -> None:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(self.patience)


class Prober(Threads):
    """Asks each replica for /livez again and again, as an orchestrator does, and keeps what was not a 200."""

    patience = 2 * PROBE_LIMIT

    def __init__(self, deployment: Deployment) -> None:
        self.failures: list[str] = []
        self.answers = 0
        self.slowest = 0.0
        self._lock = threading.Lock()
        super().__init__(functools.partial(self._probe, replica) for replica in deployment.replicas)

    def _probe(self, replica: Service) -> None:
        while not self._over.wait(PROBE_SECONDS):
            begun, result = time.monotonic(), "200"
            connection = http.client.HTTPConnection(replica.address, replica.port, timeout=PROBE_LIMIT)
            try:
                connection.request("GET", "/livez")
                result = str(connection.getresponse().status)
            except (OSError, http.client.HTTPException) as fault:
                result = repr(fault)
            finally:
                connection.close()
            with self._lock:
                self.answers += 1
                self.slowest = max(self.slowest, time.monotonic() - begun)
                if result != "200":
                    self.failures.append(result)
