"""Clients that ask for large answers and never read them, at a replica and at the edge."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from endure.attackers import READERS, Target, ask_and_read_nothing
from endure.behind_edge import EdgeDeployment, why_not
from endure.deployment import Deployment, Prober, Threads
from endure.faults import Bench
from endure.holdings import Holdings, Memory, await_release, grown_counts, grown_memory
from endure.ledger import Attempt, Ledger
from endure.load import Client
from endure.logins import Pagers
from endure.report import NotRun, Row
from endure.settings import Settings
from endure.sockets import Endpoint, Held, Lifetimes
from support.services import until
from support.users import User, sign_up

NAME = "unread"
OTHERS = 8  # users, each with an inbox
SMALL, SMALL_MESSAGES = "How are you?", 20
LARGE, LARGE_MESSAGES = "x" * 40_000, 100  # a page of 4 MB
LARGE_SECONDS = 0.5  # between two large pages that one of the others reads
CALM = 5.0  # seconds of other requests before the attack, which fill caches
HOLD = 5.0  # seconds for which nothing is read at least
SOURCE = f"{READERS}1"  # the address of all attackers
REPLICAS = ("replica 1", "replica 2", "replica 3")
SUCCESS = b"HTTP/1.1 200"
# Attackers of each account that must have an answer to read: its share of a replica's memory for answers holds two
# pages. The others may be refused.
LEAST_OF_ACCOUNT = 2


@dataclasses.dataclass
class Observed:
    """What was seen of an attack on a replica, or on the edge."""

    place: str
    limit: float  # seconds after which each connection must have been closed; 0 is none
    others: Sequence[Attempt]
    connections: Sequence[Held]
    left: Sequence[Held]  # connections that were still held in the end
    answered: int  # attackers that had a large answer to read
    names: Sequence[str]  # of the processes
    before: Holdings
    between: Holdings  # before the last attack: what those before it leave in pools is not held for clients
    after: Holdings
    growth: Sequence[float]  # of the memory of each process, at most, MiB
    probes: Sequence[str]  # failures


class LargeReader(Threads):
    """A client that reads a large page to its end, again and again. A context."""

    def __init__(self, deployment: Deployment, user: User, ledger: Ledger) -> None:
        self.client, self.user = Client(deployment, ledger, 0), user
        super().__init__([self._read])

    def _read(self) -> None:
        while not self._over.wait(LARGE_SECONDS):
            self.client.ask("large page", "GET", f"/users/{self.user.name}/messages?per_page=100", self.user.token)
        self.client.close()


def leave_unread(bench: Bench) -> Row | NotRun:
    """The attack on one replica of three, and then on the edge before three others."""
    if reason := why_not(2 * bench.settings.times("unread-clients")):
        return NotRun(NAME, reason)
    begun, url = time.monotonic(), bench.database.url_file(bench.database.port)
    with Deployment(Path(bench.settings.binary), bench.folder / NAME, url) as deployment:
        names = sign_up_all(deployment, bench.settings.times("unread-accounts"))
        replica = deployment.replicas[0]
        target = Target(Endpoint(replica.address, replica.port), "herolo", "")
        at_replica = observe(bench, deployment, names, target, deployment.processes())
    with EdgeDeployment(bench, f"{NAME}-edge") as deployment:
        target = Target(deployment.server, deployment.tls_name, "", str(deployment.edge.authority))
        processes = [*deployment.processes(), deployment.edge.process()]
        at_edge = observe(bench, deployment, names, target, processes)
    return judge([at_replica, at_edge], bench.settings, time.monotonic() - begun)


def sign_up_all(deployment: Deployment, attackers: int) -> list[str]:
    """The names of the attackers' accounts and of one more, which have large messages, and of others."""
    large = [sign_up(deployment.replicas[0], f"unread-{number}") for number in range(attackers + 1)]
    small = [sign_up(deployment.replicas[0], f"unread-other-{number}") for number in range(OTHERS)]
    for users, text, number in ((large, LARGE, LARGE_MESSAGES), (small, SMALL, SMALL_MESSAGES)):
        for user, _ in itertools.product(users, range(number)):
            user.send(user.name, message=text)
    return [user.name for user in (*large, *small)]


def observe(
    bench: Bench, deployment: Deployment, names: Sequence[str], target: Target, processes: Sequence[int]
) -> Observed:
    """The attack, and what others see of it."""
    at_edge = isinstance(deployment, EdgeDeployment)
    limit = bench.settings["reader-cut-limit" if at_edge else "replica-cut-limit"]
    users = [User(deployment.replicas[0], name) for name in names]
    attackers, reader, others = users[: -OTHERS - 1], users[-OTHERS - 1], users[-OTHERS:]
    lifetimes, memory = Lifetimes(target.server, (READERS,)), Memory(processes)
    pagers = Pagers(deployment, others, bench.settings["others-rate"])
    with Prober(deployment) as prober, pagers, LargeReader(deployment, reader, pagers.ledger), lifetimes, memory:
        time.sleep(CALM)
        before = after = Holdings.read(processes, bench.database)
        answers, left = [], []
        for _ in range(bench.settings.times("unread-rounds")):
            between = after
            with attacked(target, attackers, bench.settings.times("unread-clients")) as connections:
                time.sleep(HOLD)
                with contextlib.suppress(AssertionError):  # what is left is told
                    until(lambda: not limit or not lifetimes.open(), "the connections are closed", limit)
                left += lifetimes.open()
                answers.append(sum(map(has_answer, connections)))
            after = await_release(lambda: Holdings.read(processes, bench.database), between, len(REPLICAS), limit)
    return Observed(
        *("the edge" if at_edge else "a replica", limit, pagers.ledger.attempts, lifetimes.all(), left),
        *(min(answers), (*REPLICAS, "Traefik") if at_edge else REPLICAS, before, between, after),
        *(memory.growth(before.memory), prober.failures),
    )


@contextlib.contextmanager
def attacked(target: Target, users: Sequence[User], number: int) -> Iterator[list[socket.socket]]:
    """So many connections on each of which an answer is left unread: every second one an export, the others pages."""
    context, connections = target.context(), []
    try:
        for index in range(number):
            user = users[index // 2 % len(users)]
            path = f"/users/{user.name}/{'export' if index % 2 else f'messages?per_page={LARGE_MESSAGES}'}"
            one = dataclasses.replace(target, path=path, token=user.token, closes=True)
            connections.append(ask_and_read_nothing(one, SOURCE, context))
        yield connections
    finally:
        for connection in connections:
            connection.close()


def has_answer(connection: socket.socket) -> bool:
    """Whether a success waits there to be read. What has arrived can be read after the end of the connection, too."""
    connection.settimeout(0.1)
    try:
        return connection.recv(len(SUCCESS)) == SUCCESS
    except OSError:
        return False


def judge(found: Sequence[Observed], settings: Settings, duration: float) -> Row:
    """Nobody else has failed, each attacker was cut off, and nothing is held any more."""
    others = [attempt for seen in found for attempt in seen.others]
    row = Row(
        fault=f"{settings['unread-clients']:g} clients that never read",
        times=len(found),
        duration=duration,
        requests=len(others),
        failed=sum(attempt.has_failed for attempt in others),
        worst=max(attempt.seconds for attempt in others),
    )
    for seen in found:
        misses, notes = judge_place(seen, settings)
        row.misses += [f"at {seen.place}: {miss}" for miss in misses]
        row.notes += [f"at {seen.place}: {note}" for note in notes]
    return row


def judge_place(seen: Observed, settings: Settings) -> tuple[list[str], list[str]]:
    """What is to be said of one attack: the limits that it has missed, and its figures."""
    misses, notes = [], [figures(seen)]
    told = misses if seen.limit else notes  # on a busy machine, requests fail without an attack
    if failed := [attempt for attempt in seen.others if attempt.has_failed]:
        kinds = ", ".join(sorted({f"{attempt.kind} {attempt.status or 'without an answer'}" for attempt in failed}))
        told.append(f"{len(failed)} requests of others failed ({kinds})")
    if seen.probes:
        told.append(f"/livez of a replica failed {len(seen.probes)} times: {seen.probes[:3]}")
    if seen.answered < (LEAST_OF_ACCOUNT * settings["unread-accounts"] if seen.limit else 1):
        misses.append(f"only {seen.answered} clients had an answer to read, so it was no such attack")
    longest = max((held.seconds for held in seen.connections), default=0.0)
    if seen.limit and (seen.left or longest > seen.limit):
        misses.append(f"connections were held for more than {seen.limit:g} s, {len(seen.left)} of them to the end")
    if seen.limit:
        misses += grown_counts(seen.between, seen.after)
        misses += grown_memory(seen.between, seen.after, len(REPLICAS))
    return misses, notes


def figures(seen: Observed) -> str:
    """What was held, and for how long."""
    longest = max((held.seconds for held in seen.connections), default=0.0)
    memory = ", ".join(
        f"{name} {was:.0f} MiB, at most {was + more:.0f}, before the last attack {then:.0f}, afterwards {now:.0f}"
        for name, was, more, then, now in zip(
            seen.names, seen.before.memory, seen.growth, seen.between.memory, seen.after.memory
        )
    )
    counts = ", ".join(
        f"{getattr(seen.before, name):g} {label}, before the last attack {getattr(seen.between, name):g}, "
        f"afterwards {getattr(seen.after, name):g}"
        for name, label in (("files", "other open files"), ("threads", "threads"), ("connections", "connections"))
    )
    return (
        f"{seen.answered} answers were left unread, connections were held for up to {longest:.0f} s; memory of "
        f"{memory}; {counts}"
    )
