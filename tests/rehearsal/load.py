"""Sends steady load to the API of a deployment on this machine, and counts failures.

Eight clients: four keep their connection, four open one for each request. Each writes, reads and changes messages in
turn. A request that gets another answer than the API promises has failed, and so has one without an answer; no request
is repeated. At the end, every message whose creation was acknowledged must be in the inbox, once, as it was sent.

A load can have two kinds of clients more: over HTTP/2, and listeners to streams of events, which resume. Each listener
must have heard of every acknowledged message, once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import secrets
import ssl
import threading
import time
from pathlib import Path

from rehearsal.clients import FRESH, KEPT, TIMEOUT, Http2Client, Resolver, connections, https_connection
from rehearsal.processes import wait_until
from support.listener import Failure, Listener

CLIENTS = 8
HTTP2_CLIENTS = 2
RATE = 48  # requests a second of all clients together
ENOUGH = 100  # requests before the change under test, and after it
MOST_FAILURES = 1000  # after which nothing new is learnt


@dataclasses.dataclass
class Counts:
    """The result of a load. It is complete when the load has ended."""

    requests: int = 0
    failed: int = 0
    per_second: float = 0
    acknowledged: int = 0
    lost: int = 0
    duplicated: int = 0
    p99_ms: int = 0
    slowest_ms: int = 0
    http2: int = 0  # requests over HTTP/2, which are among the others
    streams: int = 0  # streams of events, which are not
    failures: list[str] = dataclasses.field(default_factory=list)  # the first of them
    load: Load | None = None

    def __str__(self) -> str:
        more = f" ({self.http2} over HTTP/2), {self.streams} streams" if self.streams else ""
        return (
            f"{self.requests} requests{more}, {self.per_second} a second, {self.failed} failed; "
            f"{self.acknowledged} messages acknowledged, {self.lost} lost; p99 {self.p99_ms} ms"
        )

    def show_no_loss(self) -> bool:
        """Whether all requests were answered as promised, and all acknowledged messages are there."""
        return bool(self.requests and self.acknowledged) and not (self.failed or self.lost or self.duplicated)


class UnexpectedAnswer(Exception):
    """The API answered otherwise than promised."""


class Load:
    """The clients. `start` returns when their first requests have been answered, `finish` after further ones."""

    def __init__(self, resolver: Resolver, domain: str, authority: Path, *, all_kinds: bool = False) -> None:
        self._resolver, self._domain, self._authority = resolver, domain, authority
        self._all_kinds = all_kinds
        self._http2: list[Http2Client] = []
        self._listeners: list[Listener] = []
        self._tls = ssl.create_default_context(cafile=authority)
        self._lock, self._over = threading.Lock(), threading.Event()
        self._sent: dict[int, str] = {}
        self._durations: list[float] = []
        self._failures: list[Failure] = []
        self._workers = [threading.Thread(target=self._work, args=(n,), daemon=True) for n in range(CLIENTS)]

    def start(self) -> None:
        """Signs up a sender and a receiver, and begins."""
        self._sender, self._receiver = (f"load-{secrets.token_hex(6)}" for _ in range(2))
        self._sender_token, self._receiver_token = map(self._sign_up, (self._sender, self._receiver))
        self._begin = time.monotonic()
        if self._all_kinds:
            self._start_other_kinds()
        for worker in self._workers:
            worker.start()
        self._await_requests()

    def _start_other_kinds(self) -> None:
        client = (self._resolver, self._domain, self._authority)
        path = f"/users/{self._receiver}/messages?per_page=1"
        self._http2 = [Http2Client(*client, path, self._receiver_token) for _ in range(HTTP2_CLIENTS)]
        account = (self._domain, self._receiver, self._receiver_token)
        self._listeners = [Listener(connections(*client), *account) for _ in range(2)]
        for other in (*self._listeners, *self._http2):
            other.start()

    def finish(self) -> Counts:
        """Goes on for a while, ends, and counts."""
        self._await_requests()
        self.stop()
        seconds = time.monotonic() - self._begin
        there = self._read_inbox()
        durations = sorted(self._durations) or [0.0]
        http2 = sum(client.answers + len(client.failures) for client in self._http2)
        requests = len(self._durations) + len(self._failures) + http2
        unheard, heard_twice = self._compare_streams()
        return Counts(
            requests=requests,
            failed=len(self.failures),
            per_second=round(requests / seconds, 1),
            acknowledged=len(self._sent),
            lost=len(set(self._sent.items()) - set(there)) + unheard,
            duplicated=len(there) - len(set(there)) + heard_twice,
            p99_ms=round(durations[len(durations) * 99 // 100] * 1000),
            slowest_ms=round(durations[-1] * 1000),
            http2=http2,
            streams=sum(listener.streams for listener in self._listeners),
            failures=[str(failure) for failure in self.failures[:10]],
            load=self,
        )

    @property
    def failures(self) -> list[Failure]:
        """All failures so far."""
        return self._failures + [failure for client in (*self._http2, *self._listeners) for failure in client.failures]

    def _compare_streams(self) -> tuple[int, int]:
        """The numbers of acknowledged messages that a listener has not heard of, and has heard of twice."""
        sent = set(self._sent)

        def complete() -> bool:
            return all(sent <= set(listener.heard) for listener in self._listeners)

        with contextlib.suppress(TimeoutError):
            wait_until(complete, "all listeners have heard of all messages")
        self.stop_listening()
        unheard = sum(len(sent - set(listener.heard)) for listener in self._listeners)
        return unheard, sum(len(listener.heard) - len(set(listener.heard)) for listener in self._listeners)

    def stop(self) -> None:
        """Ends the clients after their requests under way; listeners go on until `finish` has compared."""
        self._over.set()
        for worker in self._workers:
            if worker.ident:
                worker.join(2 * TIMEOUT)
        for client in self._http2:
            client.stop()

    def stop_listening(self) -> None:
        """Ends the streams of events."""
        for listener in self._listeners:
            listener.stop()

    def _await_requests(self) -> None:
        wanted = self._tried() + ENOUGH
        wait_until(lambda: self._tried() >= wanted, f"{ENOUGH} further requests of the load have ended", 300)

    def _tried(self) -> int:
        return len(self._durations) + len(self._failures)

    # --- One client

    def _work(self, number: int) -> None:
        connection: http.client.HTTPSConnection | None = None
        mine: list[int] = []
        pause = CLIENTS / RATE
        due = time.monotonic() + pause * number / CLIENTS
        turn = number
        while not self._over.wait(max(0, due - time.monotonic())) and len(self._failures) < MOST_FAILURES:
            due += pause
            turn += 1
            start, is_first = time.monotonic(), connection is None
            try:
                connection = connection or self._connect()
                closes = self._one_request(connection, turn % 4 if mine else 0, mine)
                with self._lock:
                    self._durations.append(time.monotonic() - start)
            except Exception as fault:  # whichever it was, a client would have seen it
                closes = True
                self._note_failure(fault, start, number, is_first)
            if connection and (closes or not self._keeps_connection(number)):
                connection.close()
                connection = None

    @staticmethod
    def _keeps_connection(number: int) -> bool:
        return number % 2 == 0

    def _note_failure(self, fault: Exception, start: float, number: int, is_first: bool) -> None:
        kind = KEPT if self._keeps_connection(number) else FRESH
        with self._lock:
            self._failures.append(Failure(kind, start, repr(fault), is_first))

    def _one_request(self, connection: http.client.HTTPSConnection, kind: int, mine: list[int]) -> bool:
        """Sends one request and checks its answer. Returns whether the server closes the connection."""
        if kind == 0:
            return self._send(connection, mine)
        path = f"/users/{self._receiver}/messages"
        token = self._receiver_token
        if kind == 1:
            answer, closes = self._call(connection, "GET", f"{path}?per_page=20", 200, token)
            self._require(answer["messages"], "the inbox is empty")
        elif kind == 2:
            answer, closes = self._call(connection, "GET", f"{path}/{mine[-1]}", 200, token)
            self._require(answer["message"] == self._sent[mine[-1]], "another text than was sent")
        else:
            answer, closes = self._call(connection, "PATCH", f"{path}/{mine[-1]}", 200, token, {"read": True})
            self._require(answer["read"] is True, "not marked as read")
        return closes

    def _send(self, connection: http.client.HTTPSConnection, mine: list[int]) -> bool:
        text = secrets.token_urlsafe(40)
        body = {"receiver": self._receiver, "subject": "load", "message": text}
        path = f"/users/{self._sender}/messages"
        created, closes = self._call(connection, "POST", path, 201, self._sender_token, body)
        mine.append(created["id"])
        with self._lock:
            self._sent[created["id"]] = text
        return closes

    @staticmethod
    def _require(condition: object, complaint: str) -> None:
        if not condition:
            raise UnexpectedAnswer(complaint)

    # --- Requests

    def _connect(self) -> http.client.HTTPSConnection:
        return https_connection(self._domain, (self._resolver.one(), 443), self._tls)

    def _call(self, connection, method, path, wanted, token=None, body=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != wanted:
            raise UnexpectedAnswer(f"status {answer.status} instead of {wanted}: {content[:200]!r}")
        return json.loads(content), answer.will_close

    def _sign_up(self, name: str) -> str:
        password = "a long pass phrase"
        account = {"username": name, "email": f"{name}@example.com", "password": password}
        self._call(self._connect(), "POST", "/users", 201, None, account)
        token, _ = self._call(self._connect(), "POST", f"/users/{name}/token", 201, None, {"password": password})
        return token["access_token"]

    def _read_inbox(self) -> list[tuple[int, str]]:
        """The whole inbox, slowly enough for the rate limit."""
        there, page = [], 1
        path = f"/users/{self._receiver}/messages?per_page=100&page="
        while page:
            answer, _ = self._call(self._connect(), "GET", f"{path}{page}", 200, self._receiver_token)
            there += [(message["id"], message["message"]) for message in answer["messages"]]
            page = page + 1 if answer["next"] else 0
            time.sleep(0.02)
        return there
