"""A database that moves to another address, as the DNS answers after a failover."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from shlex import quote

from endure.deployment import Deployment, Prober
from endure.faults import Bench
from endure.report import NotRun, Row
from support.services import clean_environment
from support.tcp_proxy import TcpProxy

NAME = "moved"
HOST = "database.herolo.test"  # `.test` is never a name of the public DNS
BEFORE, AFTER = "127.0.0.2", "127.0.0.3"
# The program that it starts has this file in place of /etc/hosts, and no other process has. `exec` keeps the id of the
# process, so that signals reach the service.
WITH_HOSTS = """#!/bin/sh
exec unshare --mount --map-root-user sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' {hosts} {program} "$@"
"""
LOOK_UP = f"import socket; print(socket.gethostbyname({HOST!r}))"
LOOK_UP_SECONDS = 30


class Hosts:
    """The names that programs of this folder see, instead of those of the machine."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.file = folder / "hosts"
        self.file.write_text(f"127.0.0.1 localhost\n{BEFORE} {HOST}\n")

    def lead_to_the_new_address(self) -> None:
        """From now on, the host is found there. One write in place: the mounts are of this file, and no reader sees a
        half of it."""
        text = self.file.read_bytes().replace(BEFORE.encode(), AFTER.encode())
        with self.file.open("r+b", buffering=0) as file:
            file.write(text)

    def program(self, program: Path | str) -> Path:
        """A program that starts this one, which sees those names."""
        script = self.folder / f"with-hosts-{Path(program).name}"
        script.write_text(WITH_HOSTS.format(hosts=quote(str(self.file)), program=quote(str(program))))
        script.chmod(0o700)
        return script

    def why_not(self) -> str:
        """Why this cannot be used here; empty if it can."""
        try:
            for address in (BEFORE, AFTER):
                socket.create_server((address, 0)).close()
            done = subprocess.run(
                [self.program(sys.executable), "-c", LOOK_UP],
                check=False,
                env=clean_environment(),
                capture_output=True,
                text=True,
                timeout=LOOK_UP_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as fault:
            return str(fault)
        if done.returncode:
            return (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return "" if done.stdout.strip() == BEFORE else f"{HOST} leads to {done.stdout.strip()}"


def move_database(bench: Bench) -> Row | NotRun:
    """The old address falls silent and stays so; later, the name leads to another one. Nothing is reset."""
    hosts = Hosts(bench.folder / NAME)
    if reason := hosts.why_not():
        needed = f"an /etc/hosts for the replicas alone (unshare, mount --bind), and the addresses {BEFORE} and {AFTER}"
        return NotRun(NAME, f"it needs {needed}: {reason}")
    port = bench.database.port
    with TcpProxy(port, BEFORE) as before, TcpProxy(port, AFTER, before.port) as after:
        url = bench.database.url_file(after.port, HOST)
        program = hosts.program(Path(bench.settings.binary).absolute())
        with Deployment(program, bench.folder / f"{NAME}-replicas", url) as deployment:
            return move_while_loaded(bench, deployment, hosts, before, after)


def move_while_loaded(bench: Bench, deployment: Deployment, hosts: Hosts, before: TcpProxy, after: TcpProxy) -> Row:
    """Nobody may connect to the new address before the move; all must have done so after it."""
    seconds = bench.settings["moved-seconds"]
    trial = bench.trial(f"database moved after {seconds:g} s of silence", deployment, "moved-heal-limit")
    with Prober(deployment) as prober, trial.load:
        early = after.accepted
        with trial.outage():
            before.swallow()
            time.sleep(seconds)
            hosts.lead_to_the_new_address()
        trial.load.await_successes(30)
        trial.calm()
    trial.notes.append(f"{after.accepted} connections were opened to the new address")
    row = trial.judge(bench.settings["answer-limit"], prober)
    if early:
        row.misses.append(f"{early} connections were opened to the new address before the move")
    return row
