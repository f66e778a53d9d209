"""Clients that send and read messages at a steady rate, on all replicas or from all addresses in turn, and keep the
ledger."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from endure.ledger import NO_ANSWER, Attempt, Ledger, Send
from support.services import until
from support.users import User

WRITERS, READERS = 16, 8
USERS = 8
PATIENCE = 60  # seconds for the sends that are left when the load ends
# Seconds before a retry. The guide has clients wait longer; this finds the end of a fault sooner.
PAUSE = 0.2
# What may come of a request while a fault lasts. All others are failures of the service's promises.
ALLOWED = (NO_ANSWER, 503)
MOST_WRONG = 1000


class Target(Protocol):
    """What a load is sent to: replicas, or the edge in front of them."""

    def connections(self) -> list[Callable[[], http.client.HTTPConnection]]:
        """For each replica, or each client address at the edge, what makes a connection that is not open yet."""

    def sign_up(self, name: str) -> User:
        """A new user of this name."""


class Client:
    """The connections of one thread, one for each replica or client address. They are kept, unless each request is to
    have a fresh one."""

    def __init__(self, target: Target, ledger: Ledger, number: int, *, is_fresh: bool = False) -> None:
        self.makers = target.connections()
        self.ledger, self.is_fresh = ledger, is_fresh
        self.connections: dict[int, http.client.HTTPConnection] = {}
        self.turns = itertools.count(number)

    def ask(
        self, kind: str, method: str, path: str, token: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Sends a request on the next connection. Returns the status, or NO_ANSWER, and the body of a success."""
        replica = next(self.turns) % len(self.makers)
        begun = time.monotonic()
        status, fault, answer = NO_ANSWER, "", None
        try:
            status, content = self._exchange(replica, method, path, token, body, headers or {})
            answer = json.loads(content) if content and 200 <= status < 300 else None
            fault = "" if answer is not None else content[:200].decode(errors="replace")
        except (OSError, http.client.HTTPException) as exception:
            fault = repr(exception)
            self._close(replica)
        self.ledger.note(Attempt(begun, time.monotonic(), kind, replica, status, fault))
        return status, answer

    def _exchange(
        self, replica: int, method: str, path: str, token: str, body: Any, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection = self.connections.get(replica)
        if connection is None:
            connection = self.connections[replica] = self.makers[replica]()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
        if response.will_close or self.is_fresh:
            self._close(replica)
        return response.status, content

    def _close(self, replica: int) -> None:
        connection = self.connections.pop(replica, None)
        if connection:
            connection.close()

    def close(self) -> None:
        """Closes all connections."""
        for replica in list(self.connections):
            self._close(replica)


class Load:
    """The clients, on a deployment. As a context, it begins with it and ends with all sends resolved.

    Their connections are kept; `with_fresh`, every second client opens one for each request.
    """

    def __init__(self, target: Target, rate: float, prefix: str, *, with_fresh: bool = False) -> None:
        self.target, self.rate, self.ledger, self.with_fresh = target, rate, Ledger(), with_fresh
        self.users = [target.sign_up(f"{prefix}-{number}") for number in range(USERS)]
        self._over, self._patience_ends = threading.Event(), threading.Event()
        self._threads = [
            *(threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(WRITERS)),
            *(threading.Thread(target=self._read, args=(n,), daemon=True) for n in range(READERS)),
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.await_successes(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._patience_ends.set()

    def _client(self, number: int) -> Client:
        return Client(self.target, self.ledger, number, is_fresh=self.with_fresh and number % 2 == 1)

    def await_successes(self, number: int) -> None:
        """Goes on until so many further requests have succeeded."""
        wanted = self._successes() + number
        until(lambda: self._successes() >= wanted, f"{number} further requests succeed", 120)

    def _successes(self) -> int:
        return self.ledger.successes

    def _paced(self, number: int, workers: int, rate: float, work: Callable[[], None]) -> None:
        """Does the work at the worker's share of the rate."""
        pause = workers / rate
        due = time.monotonic() + pause * number / workers
        while not self._over.wait(max(0.0, due - time.monotonic())) and len(self.ledger.wrong) < MOST_WRONG:
            # A fault delays it; what was not asked then is not made up for.
            due = max(due, time.monotonic() - pause) + pause
            work()

    def _write(self, number: int) -> None:
        client = self._client(number)
        sender = self.users[number % USERS]

        def send() -> None:
            self._deliver(client, self.ledger.new_send(sender.name, random.choice(self.users).name), sender)

        self._paced(number, WRITERS, self.rate / 2, send)
        client.close()

    def _deliver(self, client: Client, send: Send, sender: User) -> None:
        """Repeats a send with its key until it is acknowledged."""
        body = {"receiver": send.receiver, "subject": "Endurance", "message": send.text}
        while send.id is None and not self._patience_ends.is_set():
            status, answer = client.ask(
                "send", "POST", f"/users/{sender.name}/messages", sender.token, body, {"Idempotency-Key": send.key}
            )
            if status == 201:
                self.ledger.acknowledge(send, answer)
                return
            if status not in ALLOWED:
                self.ledger.complain(f"a send was answered with {status}")
                return
            time.sleep(PAUSE * random.uniform(0.5, 1.5))

    def _read(self, number: int) -> None:
        client = self._client(number)
        user = self.users[number % USERS]
        known: list[Send] = []

        def read() -> None:
            turn = next(turns) % 3
            if turn == 0 or not known:
                self._read_page(client, user, known)
            else:
                self._read_one(client, user, random.choice(known), is_marked=turn == 1)

        turns = itertools.count(number)
        self._paced(number, READERS, self.rate / 2, read)
        client.close()

    def _read_page(self, client: Client, user: User, known: list[Send]) -> None:
        status, answer = client.ask("page", "GET", f"/users/{user.name}/messages?per_page=20", user.token)
        if answer is not None:
            self.ledger.check_inbox(user.name, answer["messages"])
            keys = [message["message"].split(" ")[-1] for message in answer["messages"]]
            known[:] = [send for key in keys if (send := self.ledger.sends.get(key)) and send.id is not None]
        elif status not in ALLOWED:
            self.ledger.complain(f"a page was answered with {status}")

    def _read_one(self, client: Client, user: User, send: Send, is_marked: bool) -> None:
        path = f"/users/{user.name}/messages/{send.id}"
        if is_marked:
            status, answer = client.ask("mark", "PATCH", path, user.token, {"read": True})
        else:
            status, answer = client.ask("read", "GET", path, user.token)
        if answer is not None and answer["message"] != send.text:
            self.ledger.complain(f"instead of '{send.text}', message {send.id} has '{answer['message']}'")
        elif answer is None and status not in ALLOWED:
            self.ledger.complain(f"acknowledged message {send.id} was answered with {status}")

    def read_inboxes(self) -> dict[str, list[dict]]:
        """All messages that the users can read."""
        return {user.name: read_inbox(user) for user in self.users}


def read_inbox(user: User) -> list[dict]:
    """A whole inbox, page by page."""
    messages: list[dict] = []
    path: str | None = "/messages?per_page=100"
    while path:
        page = user.ask("GET", path)
        messages += page["messages"]
        path = page["next"] and page["next"].removeprefix(f"/users/{user.name}")
    return messages
