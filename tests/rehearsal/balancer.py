"""AWS's Network Load Balancer, played by HAProxy: what it was told becomes HAProxy's configuration, and what HAProxy's
health checks find decides to which hosts new connections go.

Its servers for connections have no checks of their own. They follow those of the section `checks`, as AWS's data plane
follows its health checks: at once, or some seconds after a host has failed (`Lag`). Connections stay when the state of
their host changes. If no host is healthy, all of them get connections.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from support.cloud import Balancer, Host

MOST_HOSTS = 6
ADMIN_PORT = 9999
NOWHERE = "192.0.2.1"  # of a server that no host has
PAUSE = 0.25  # seconds between two looks at the checks
AWS_LAG = 40  # seconds, as measured of AWS's balancer: see `Lag`

CONFIGURATION = """\
global
  log stdout format raw local0 notice
  maxconn 8000
  stats socket ipv4@0.0.0.0:{admin} level admin

defaults
  mode tcp
  log global
  # A connection that cannot be made is not made elsewhere.
  retries 0
  timeout connect 10s
  timeout client 350s
  timeout server 350s

backend checks
  option httpchk GET {path}
  http-check expect status {matcher}
  timeout check {timeout}s
  server-template host 1-{hosts} {nowhere}:{health_port} check inter {interval}s rise {rise} fall {fall} disabled
"""

SERVICE = """
listen port-{port}
  bind :{port}
  balance roundrobin
  server-template host 1-{hosts} {nowhere}:{target} {options} disabled
"""


def configuration(balancer: Balancer) -> str:
    """HAProxy's. The checks of all target groups are the same, so they are done once."""
    groups = balancer.services
    checks = {(g.path, g.matcher, g.health_port, g.interval, g.timeout, g.rise, g.fall) for g in groups.values()}
    if len(checks) != 1 or any(group.preserves_addresses for group in groups.values()):
        raise ValueError(f"the stand-in of the balancer does not know how to play {balancer}")
    [(path, matcher, health_port, interval, timeout, rise, fall)] = checks
    constant = {"hosts": MOST_HOSTS, "nowhere": NOWHERE}
    text = CONFIGURATION.format(
        path=path,
        matcher=matcher,
        health_port=health_port,
        interval=interval,
        timeout=timeout,
        rise=rise,
        fall=fall,
        admin=ADMIN_PORT,
        **constant,
    )
    for port, group in sorted(groups.items()):
        options = "send-proxy-v2" if group.sends_addresses else ""
        text += SERVICE.format(port=port, target=group.port, options=options, **constant)
    return text


class Lag:
    """For how many seconds the balancer goes on sending new connections to a host after its checks have failed. In a
    file, which a test changes while the balancer runs."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "balancer-lag"

    def set(self, seconds: float) -> None:
        new = self._file.with_name("balancer-lag.new")
        new.write_text(str(seconds))
        new.rename(self._file)

    def get(self) -> float:
        return float(self._file.read_text()) if self._file.is_file() else 0


@dataclasses.dataclass
class Target:
    """A registered host as the balancer sees it."""

    host: Host
    state: str = "initial"  # as AWS names it, or `healthy` or `unhealthy`
    failed_at: float = 0  # when it was healthy last

    def takes_connections(self, lag: float) -> bool:
        """Whether new connections go to it."""
        return self.state == "healthy" or (
            self.state == "unhealthy" and self.failed_at > 0 and time.monotonic() < self.failed_at + lag
        )


class Control:
    """Registers hosts at a HAProxy that runs, and lets its servers follow the checks."""

    def __init__(self, address: str, ports: Iterable[int], lag: Lag, health: Path) -> None:
        host, port = address.rsplit(":", 1)
        self._address = (host, int(port))
        self._ports, self._lag, self._health = sorted(ports), lag, health
        self._targets: dict[int, Target] = {}
        self._busy = threading.Lock()
        self._over = threading.Event()

    def answers(self) -> bool:
        """Whether HAProxy runs."""
        return "Uptime" in self._command("show info")

    def register(self, hosts: list[Host]) -> None:
        """Makes these the targets. One that stays keeps its state; a new one is unhealthy until its checks succeed."""
        with self._busy:
            for number in range(1, MOST_HOSTS + 1):
                host = next((host for host in hosts if host.number == number), None)
                known = self._targets.get(number)
                if known and known.host != host:
                    self._remove(number)
                if host and number not in self._targets:
                    self._add(host)
            self._follow()

    def start(self) -> None:
        """Follows the checks in the background."""
        threading.Thread(target=self._work, daemon=True).start()

    def stop(self) -> None:
        """Ends that."""
        self._over.set()

    def _work(self) -> None:
        while not self._over.wait(PAUSE):
            try:
                with self._busy:
                    self._look()
                    self._follow()
            except OSError as fault:
                if not self._over.is_set():
                    print("the balancer does not answer:", fault, flush=True)

    def _remove(self, number: int) -> None:
        for section in self._sections():
            self._command(f"set server {section}/host{number} state maint")
        del self._targets[number]

    def _add(self, host: Host) -> None:
        for section in self._sections():
            self._command(f"set server {section}/host{host.number} addr {host.private_address}")
        self._command(f"set server checks/host{host.number} state ready")
        self._command(f"set server checks/host{host.number} health down")
        self._targets[host.number] = Target(host)

    def _sections(self) -> list[str]:
        return ["checks", *(f"port-{port}" for port in self._ports)]

    def _look(self) -> None:
        for row in self._rows("checks"):
            target = self._targets.get(int(row["svname"].removeprefix("host")))
            if not target:
                continue
            # "UP 1/2" is one that has failed once, "DOWN 1/2" one that has succeeded once.
            if row["status"].startswith("UP"):
                target.state, target.failed_at = "healthy", time.monotonic()
            elif target.state == "healthy" or row["check_status"].removeprefix("* ").startswith("L"):
                target.state = "unhealthy"

    def _follow(self) -> None:
        lag = self._lag.get()
        chosen = {number for number, target in self._targets.items() if target.takes_connections(lag)}
        chosen = chosen or set(self._targets)  # all are unhealthy: better to try than to refuse
        for port in self._ports:
            for row in self._rows(f"port-{port}"):
                wanted = int(row["svname"].removeprefix("host")) in chosen
                if wanted == row["status"].startswith("MAINT"):
                    self._command(f"set server port-{port}/{row['svname']} state {'ready' if wanted else 'maint'}")
        states = json.dumps({target.host.id: target.state for target in self._targets.values()})
        if not self._health.is_file() or self._health.read_text() != states:
            print(time.strftime("%H:%M:%S"), "targets", states, "connections go to", sorted(chosen), flush=True)
            new = self._health.with_name(f"{self._health.name}.new")
            new.write_text(states)
            new.rename(self._health)

    def _rows(self, section: str) -> list[dict[str, str]]:
        """The statistics of the section's servers."""
        table = self._command(f"show stat {section} 4 -1").removeprefix("# ")
        return list(csv.DictReader(table.strip().splitlines()))

    def _command(self, words: str) -> str:
        with socket.create_connection(self._address, 5) as connection:
            connection.sendall(f"{words}\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        if words.startswith("set ") and answer.strip() and "changed" not in answer:
            raise OSError(f"{words}: {answer.strip()}")
        return answer
