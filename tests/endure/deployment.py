"""Replicas of the service that share a database."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from pathlib import Path

from support.services import Service

REPLICAS = 3
UNLIMITED = {f"HEROLO_LIMIT_{name}": "0" for name in ("LOGINS", "SIGN_UPS", "SENDS", "SEARCHES")}
PROBE_SECONDS = 0.25
PROBE_LIMIT = 10  # seconds without an answer that count as none


class Deployment:
    """Three replicas. As a context, it starts and stops them."""

    def __init__(self, binary: Path, folder: Path, database_url: Path) -> None:
        folder.mkdir()
        self.replicas: list[Service] = []
        settings = dict(UNLIMITED)
        for number in range(REPLICAS):
            place = folder / f"replica-{number + 1}"
            place.mkdir()
            replica = Service(binary, place, database_url, settings)
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

    def processes(self) -> list[int]:
        """The ids of the processes that run."""
        running = [replica.process for replica in self.replicas]
        return [process.pid for process in running if process and process.poll() is None]


class Prober:
    """Asks each replica for /livez again and again, as an orchestrator does, and keeps what was not a 200."""

    def __init__(self, deployment: Deployment) -> None:
        self.failures: list[str] = []
        self.answers = 0
        self.slowest = 0.0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._probe, args=(replica.port,), daemon=True) for replica in deployment.replicas
        ]

    def __enter__(self) -> Prober:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(2 * PROBE_LIMIT)

    def _probe(self, port: int) -> None:
        while not self._over.wait(PROBE_SECONDS):
            begun, result = time.monotonic(), "200"
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_LIMIT)
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
