"""Concurrent requests about one message on three replicas, compared with a model of the message.

Each history is linearizable if all requests could have happened one after another, each at a moment between its
beginning and its end, with the answers that they got (Wing and Gong, "Testing and Verifying Concurrent Objects", 1993).
"""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections.abc import Sequence

from endure.deployment import Deployment
from endure.ledger import Ledger
from endure.load import Client
from endure.report import Row
from endure.settings import Settings
from support.users import User, sign_up

CLIENTS, REQUESTS = 6, 5  # clients of a history, and what each of them asks
GONE = 404
UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class State:
    """A message as its receiver and its sender have it."""

    is_read: bool = False
    received: bool = True  # whether the receiver still has it
    sent: bool = True  # whether the sender still has it


@dataclasses.dataclass(frozen=True)
class Event:
    """A request with its answer. Times are those of `time.monotonic`."""

    begun: float
    ended: float
    action: str
    answer: object  # True or False for a message that is read or unread, None for a success without more, GONE


def after(state: State, action: str) -> tuple[State, object]:
    """The model: the state after an action, and the answer to it."""
    if action in ("mark", "unmark", "read", "list", "remove"):
        if not state.received:
            return state, GONE
        if action == "remove":
            return dataclasses.replace(state, received=False), None
        if action in ("mark", "unmark"):
            state = dataclasses.replace(state, is_read=action == "mark")
        return state, state.is_read
    if not state.sent:
        return state, GONE
    if action == "delete":  # by the sender: the receiver loses it, too
        return dataclasses.replace(state, sent=False, received=False), None
    assert action == "look", action  # by the sender, who sees whether it was read
    return state, state.is_read


def is_linearizable(events: Sequence[Event], start: State) -> bool:
    """Whether the events have an order that the model allows."""
    events = sorted(events, key=lambda event: event.begun)
    seen: set[tuple[int, State]] = set()
    everything = (1 << len(events)) - 1

    def search(done: int, state: State) -> bool:
        if done == everything:
            return True
        if (done, state) in seen:
            return False
        seen.add((done, state))
        left = [number for number in range(len(events)) if not done >> number & 1]
        # One that began after another had ended cannot come before it.
        earliest_end = min(events[number].ended for number in left)
        for number in left:
            event = events[number]
            if event.begun > earliest_end:
                break
            state_then, answer = after(state, event.action)
            if answer == event.answer and type(answer) is type(event.answer) and search(done | 1 << number, state_then):
                return True
        return False

    return search(0, start)


class Histories:
    """Makes histories on a deployment, and checks each of them."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment, self.ledger = deployment, Ledger()
        self.sender, self.receiver = (sign_up(deployment.replicas[0], f"histories-{n}") for n in ("s", "r"))
        self.unchecked = 0  # because a request failed, so nobody knows whether it took effect
        self.violations: list[str] = []
        self.failures: list[str] = []

    def make(self, number: int) -> None:
        """One history: a message is sent, and then clients do all that can be done to it."""
        message = self.sender.send(self.receiver.name, f"history {number}", str(number))
        events: list[Event] = []
        barrier = threading.Barrier(CLIENTS)
        threads = [
            threading.Thread(target=self._play, args=(message, seed, barrier, events), daemon=True)
            for seed in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if any(event.answer is UNKNOWN for event in events):
            self.unchecked += 1
        elif not is_linearizable(events, State()):
            lines = (
                f"{event.begun:.4f} to {event.ended:.4f} {event.action}: {event.answer}"
                for event in sorted(events, key=lambda event: event.begun)
            )
            self.violations.append(f"message {message}: " + ", ".join(lines))

    def _play(self, message: int, seed: int, barrier: threading.Barrier, events: list[Event]) -> None:
        client = Client(self.deployment, self.ledger, seed)
        barrier.wait()
        for turn in range(REQUESTS):
            # Deletions are rare, and late: nothing much happens to a message afterwards.
            ends = ["remove", "delete"] if turn == REQUESTS - 1 else []
            action = random.choice(["mark", "unmark", "read", "list", "look", *ends])
            begun = time.monotonic()
            answer = self._ask(client, action, message)
            events.append(Event(begun, time.monotonic(), action, answer))
        client.close()

    def _ask(self, client: Client, action: str, message: int) -> object:
        user = self.sender if action in ("delete", "look") else self.receiver
        if action == "list":
            return self._list(client, user, message)
        method, body = {
            "mark": ("PATCH", {"read": True}),
            "unmark": ("PATCH", {"read": False}),
            "remove": ("DELETE", None),
            "delete": ("DELETE", None),
        }.get(action, ("GET", None))
        path = f"/users/{user.name}/messages/{message}"
        status, answer = client.ask(action, method, path, user.token, body)
        if status not in (200, 204, GONE):
            self.failures.append(f"{action}: {status}")
            return UNKNOWN
        return GONE if status == GONE else answer and answer["read"]

    def _list(self, client: Client, user: User, message: int) -> object:
        status, page = client.ask("list", "GET", f"/users/{user.name}/messages?per_page=20", user.token)
        if page is None:
            self.failures.append(f"list: {status}")
            return UNKNOWN
        return next((found["read"] for found in page["messages"] if found["id"] == message), GONE)


def check_histories(deployment: Deployment, settings: Settings) -> Row:
    """Makes so many histories, and tells of those that the model does not allow."""
    begun, number = time.monotonic(), settings.times("histories")
    histories = Histories(deployment)
    for index in range(number):
        histories.make(index)
    attempts = histories.ledger.attempts
    row = Row(
        fault="concurrent changes of one message",
        times=number,
        duration=time.monotonic() - begun,
        requests=len(attempts),
        failed=len(histories.failures),
        worst=max(attempt.seconds for attempt in attempts),
        notes=[f"{number - histories.unchecked} histories of {CLIENTS * REQUESTS} requests checked"],
    )
    if histories.violations:
        row.misses.append(f"{len(histories.violations)} histories violate the model: {histories.violations[:1]}")
    if histories.failures:
        told = row.misses if settings["heal-limit"] else row.notes
        told.append(f"{len(histories.failures)} requests failed ({', '.join(sorted(set(histories.failures)))})")
    if histories.unchecked == number:
        row.misses.append("no history could be checked")
    return row
