"""What a host answers from its start on."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import threading
from collections.abc import Iterator

from rehearsal.processes import CommandFailed, wait_until
from rehearsal.world import World

ENOUGH = 50  # answers of a healthy host
PREPARED = "/etc/herolo/acme-ca.pem"  # what a client of the test authority needs

# Runs on the host: looks at the health check again and again. Prints its status, and once it is 200, what a client gets
# that asks for the domain at that moment: a status, or the reason why there is none.
LOOK = """
import http.client, socket, ssl, sys, time

domain, authority, enough = sys.argv[1], sys.argv[2], int(sys.argv[3])
tls = ssl.create_default_context(cafile=authority)
def health():
    connection = http.client.HTTPConnection("127.0.0.1", 8081, timeout=5)
    connection.request("GET", "/healthz")
    return connection.getresponse().status
def ask():
    plain = socket.create_connection(("127.0.0.1", 443), 5)
    with tls.wrap_socket(plain, server_hostname=domain) as connection:
        connection.sendall(f"GET /livez HTTP/1.0\\r\\nHost: {domain}\\r\\n\\r\\n".encode())
        return connection.recv(1000).split()[1].decode()
def outcome(action):
    try:
        return str(action())
    except Exception as fault:  # whichever it was, the host did not answer
        return repr(fault)
while enough:
    status = outcome(health)
    answer = outcome(ask) if status == "200" else ""
    enough -= bool(answer)
    print(status, answer, sep="|", flush=True)
    time.sleep(0.05)
"""


@dataclasses.dataclass
class Start:
    """What was seen."""

    before: list[str] = dataclasses.field(default_factory=list)  # health checks that failed
    answers: list[str] = dataclasses.field(default_factory=list)  # of the domain, while the health check succeeded

    def note(self, line: str) -> None:
        """Notes a line that the host has printed."""
        status, _, answer = line.strip().partition("|")
        (self.answers if answer else self.before).append(answer or status)


@contextlib.contextmanager
def watch_start(world: World, number: int) -> Iterator[Start]:
    """Looks at a host that does not exist yet. What was seen is complete at the end."""
    start = Start()
    watcher = threading.Thread(target=_watch, args=(world, number, start), daemon=True)
    watcher.start()
    yield start
    watcher.join(120)
    assert not watcher.is_alive(), f"host {number} is not healthy: {start.before[-1:]}"


def _watch(world: World, number: int, start: Start) -> None:
    def prepared() -> bool:
        return bool(world.on_host("ls", PREPARED, number=number))

    with contextlib.suppress(TimeoutError, CommandFailed):
        wait_until(prepared, f"host {number} is prepared", 900)
        command = ["docker", "exec", world.parts.name_of(world.parts.host_part(number)), "python3", "-c", LOOK]
        with subprocess.Popen(
            [*command, world.domain, PREPARED, str(ENOUGH)], stdout=subprocess.PIPE, text=True
        ) as looking:
            assert looking.stdout
            for line in looking.stdout:
                start.note(line)
