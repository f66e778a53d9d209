"""Clients that send random requests and judge the answers, in processes of their own."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from endure.random_requests import grammar
from endure.random_requests.grammar import Account, Draft, World
from endure.random_requests.malformed import malformed, unframed
from endure.random_requests.requests import Request, changed, parts_of, written
from endure.random_requests.verdict import Contract, is_shed, parsed
from endure.random_requests.wire import NO_ANSWER, SILENCE, Answer, Connection, answers_in

# Shares of the requests.
MALFORMED, VALID = 0.03, 0.47
PIPELINED = 0.05  # of the turns
LARGE = 400_000  # bytes of a request, while which are sent a connection may end without an answer that is read
LONG_SILENCE, LONG_SILENCES = 12.0, 0.003  # seconds, longer than a body may take; the share of the malformed ones
SHED_PAUSE = 1.0  # seconds that a client waits after a 503, as Retry-After has it
MOST_FAILURES = 200  # of a client, which then gives up
NONE = 0  # the status of no answer


@dataclasses.dataclass(frozen=True)
class Failure:
    """A request that was not answered as it should have been."""

    reason: str
    port: int
    data: bytes
    before: bytes = b""  # what was sent before it on its connection


@dataclasses.dataclass
class Tally:
    """What came of the requests of some clients."""

    answers: collections.Counter[tuple[str, str, int]]  # by the kind of request, its operation and the status
    shed: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)  # by what a 503 said
    failures: list[Failure] = dataclasses.field(default_factory=list)
    slowest: float = 0.0  # seconds
    bytes_sent: int = 0

    def add(self, other: Tally) -> None:
        """Adds what came of others."""
        self.answers += other.answers
        self.shed += other.shed
        self.failures += other.failures
        self.slowest = max(self.slowest, other.slowest)
        self.bytes_sent += other.bytes_sent


@dataclasses.dataclass(frozen=True)
class Task:
    """What a process has to do."""

    seed: int
    document: dict[str, Any]
    ports: tuple[int, ...]
    names: tuple[str, ...]  # of the own accounts of all clients
    clients: tuple[int, ...]  # the numbers of those of this process
    spare: tuple[tuple[str, ...], ...]  # the names of accounts that each of these may spend
    requests: tuple[int, ...]  # how many each of these sends


def run(task: Task) -> Tally:
    """Sends all requests of a process, each client in a thread."""
    contract, total = Contract(task.document), Tally(collections.Counter())
    clients = [
        Client(task, contract, number, spare, requests)
        for number, spare, requests in zip(task.clients, task.spare, task.requests)
    ]
    threads = [threading.Thread(target=client.work, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    for thread, client in zip(threads, clients):
        thread.join()
        total.add(client.tally)
    return total


class Client:
    """One client, with connections to all replicas. Its choices depend on the seed and its number, and on the answers
    that it gets."""

    def __init__(self, task: Task, contract: Contract, number: int, spare: Sequence[str], requests: int) -> None:
        self.ports, self.contract, self.requests = task.ports, contract, requests
        self.dice = Random(f"{task.seed}/{number}")
        own, others = Account(task.names[number]), [name for name in task.names if name != task.names[number]]
        accounts = [Account(name) for name in spare]
        self.world = World(self.dice, own, others, accounts, f"made-{number}")
        self.connections: dict[int, Connection] = {}
        self.tally = Tally(collections.Counter())
        self.sent = 0
        self.first: Iterator[Draft] = grammar.each_once(self.world) if number == 0 else iter(())

    def work(self) -> None:
        """Sends its requests."""
        try:
            while self.sent < self.requests and len(self.tally.failures) < MOST_FAILURES:
                try:
                    self._turn()
                except OSError as fault:  # no connection, say since the replica has ended
                    self.tally.failures.append(Failure(f"no connection: {fault!r}", 0, b""))
        except Exception as fault:  # a fault of this program must not look like a service without faults
            self.tally.failures.append(Failure(f"the client has failed: {fault!r}", 0, b""))
        finally:
            for port in list(self.connections):
                self._close(port)

    def _turn(self) -> None:
        """A request, or some on one connection before the first is answered."""
        port, chance = self.dice.choice(self.ports), self.dice.random()
        if (first := next(self.first, None)) is not None:
            self._exchange(port, [self._valid(first)])
        elif chance < MALFORMED:
            self._exchange_malformed(port, malformed(self.dice, self._valid(grammar.draft(self.world))))
        elif chance < MALFORMED + PIPELINED:
            requests = [self._valid(grammar.draft(self.world)) for _ in range(self.dice.choice((2, 3, 4)))]
            self._exchange(port, [request for request in requests if request.operation != "streamEvents"])
        elif chance < MALFORMED + VALID:
            self._exchange(port, [self._valid(grammar.draft(self.world))])
        else:
            parts = parts_of(grammar.draft(self.world), self.contract.endpoints)
            request = written(self.dice, changed(self.dice, self.world, parts), "changed")
            if request.is_http:
                self._exchange(port, [request])
            else:  # where it ends is not known, so nothing may follow it
                self._exchange_malformed(port, unframed(request))

    def _valid(self, draft: Draft) -> Request:
        return written(self.dice, parts_of(draft, self.contract.endpoints), "valid")

    def _exchange(self, port: int, requests: Sequence[Request]) -> None:
        """Sends requests on a kept connection, and judges their answers."""
        left = list(requests)
        while left:
            connection = self.connections.get(port) or Connection(port)
            self.connections[port] = connection
            was_used = connection.answers > 0
            connection.send(b"".join(request.data for request in left))
            answered = self._receive(port, connection, left)
            del left[:answered]
            if left and not answered and not was_used:  # a used one may have been closed meanwhile
                self._judge_none(port, left.pop(0))

    def _receive(self, port: int, connection: Connection, requests: Sequence[Request]) -> int:
        """How many of the requests were answered before the connection ended, and was closed."""
        for number, request in enumerate(requests):
            try:
                answer = connection.receive(request.method)
            except ConnectionError:
                self._close(port)
                return number
            except NO_ANSWER as fault:
                self._fail(port, request, f"no complete answer: {fault!r}")
                self._close(port)
                return number + 1
            self._judge(port, request, answer)
            if answer.closes:
                self._close(port)
                return number + 1
        return len(requests)

    def _exchange_malformed(self, port: int, request: Request) -> None:
        """Sends bytes on a connection of their own, and judges all answers on it."""
        connection, received = Connection(port), b""
        try:
            connection.send(request.data)
            received = connection.receive_all(LONG_SILENCE if self.dice.random() < LONG_SILENCES else SILENCE)
            answers = answers_in(received, request.method)
        except NO_ANSWER as fault:  # what came back is no HTTP, or the connection was kept
            self._count(request, NONE)
            self._fail(port, request, f"malformed: {fault!r}: {received[:300]!r}")
            return
        finally:
            connection.close()
        if not answers:
            self._count(request, NONE)
        for answer in answers:
            self._judge(port, request, answer)

    def _judge(self, port: int, request: Request, answer: Answer) -> None:
        self._count(request, answer.status)
        self.tally.slowest = max(self.tally.slowest, answer.seconds)
        if is_shed(answer):
            problem = parsed(answer.body)
            self.tally.shed[str(problem["detail"]) if isinstance(problem, dict) else "to HEAD"] += 1
            time.sleep(SHED_PAUSE)
        if fault := self.contract.fault(request, answer):
            self._fail(port, request, fault)
        answered = parsed(answer.body) if answer.status < 300 else None
        grammar.learn(self.world, request.draft, request.kind != "valid", answer.status, answered)
        if tag := answer.headers.get("ETag"):
            self.world.own.tags = [tag, *self.world.own.tags[:5]]

    def _judge_none(self, port: int, request: Request) -> None:
        """No answer: only to what is no HTTP, or is refused before it has been sent."""
        self._count(request, NONE)
        if request.is_http and len(request.data) < LARGE:
            self._fail(port, request, "no answer")

    def _count(self, request: Request, status: int) -> None:
        self.sent += 1
        self.tally.answers[request.kind, request.operation, status] += 1
        self.tally.bytes_sent += len(request.data)

    def _fail(self, port: int, request: Request, reason: str) -> None:
        before = self.connections[port].before if port in self.connections else b""
        self.tally.failures.append(Failure(f"{request.kind}: {reason}", port, request.data, before))

    def _close(self, port: int) -> None:
        if connection := self.connections.pop(port, None):
            connection.close()
