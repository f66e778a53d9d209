"""The ledger of a load: every request, every idempotency key, and what came of them.

A message is *acknowledged* when a complete 201 for it was received. A send that timed out, was cut off or was refused
is repeated with the same key until it is acknowledged, as the guide tells clients to. At the end, all inboxes are read
through the API: an acknowledged message that is not there is lost, and one that is there more than once is doubled.
"""

from __future__ import annotations

import collections
import dataclasses
import secrets
import threading
import time
from collections.abc import Iterable

NO_ANSWER = 0  # the status of a request that was refused, cut off or timed out


@dataclasses.dataclass(frozen=True, slots=True)  # a long run has more than a million
class Attempt:
    """One request. Times are those of `time.monotonic`."""

    begun: float
    ended: float
    kind: str
    replica: int
    status: int
    fault: str = ""

    @property
    def seconds(self) -> float:
        """How long the client waited."""
        return self.ended - self.begun

    @property
    def has_failed(self) -> bool:
        """Whether it was not answered with success."""
        return not 200 <= self.status < 300


@dataclasses.dataclass
class Send:
    """A message to be sent, with the key that all its attempts have."""

    sender: str
    receiver: str
    key: str
    text: str
    id: int | None = None  # once it is acknowledged


@dataclasses.dataclass
class Findings:
    """What the comparison of the ledger with the inboxes has found."""

    acknowledged: int
    unresolved: int  # sends whose outcome nobody knows, because the load ended
    lost: list[str]
    doubled: list[str]


class Ledger:
    """All that a load has done. Threads share it."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.successes = 0
        self.sends: dict[str, Send] = {}
        self.wrong: list[str] = []  # answers that no client may get
        self._lock = threading.Lock()

    def new_send(self, sender: str, receiver: str) -> Send:
        """A message with a text of its own, which names its receiver."""
        key = secrets.token_hex(12)
        send = Send(sender, receiver, key, f"{receiver} {key}")
        with self._lock:
            self.sends[key] = send
        return send

    def note(self, attempt: Attempt) -> None:
        """Records a request."""
        with self._lock:
            self.attempts.append(attempt)
            self.successes += not attempt.has_failed

    def acknowledge(self, send: Send, answer: dict) -> None:
        """Records the 201 of a send, which must be about this message."""
        if answer.get("message") != send.text or answer.get("receiver") != send.receiver:
            self.complain(f"the 201 for '{send.text}' is about '{answer.get('message')}'")
            return
        send.id = answer["id"]

    def complain(self, text: str) -> None:
        """Records an answer that no client may get."""
        with self._lock:
            self.wrong.append(f"{time.strftime('%H:%M:%S')} {text}")

    def check_inbox(self, receiver: str, messages: Iterable[dict]) -> None:
        """Complains about messages of other users in an inbox."""
        for message in messages:
            if message["receiver"] != receiver or not message["message"].startswith(f"{receiver} "):
                self.complain(f"the inbox of {receiver} has '{message['message']}' for {message['receiver']}")

    def compare(self, inboxes: dict[str, list[dict]]) -> Findings:
        """Compares the sends with what the receivers can read."""
        found: collections.Counter[tuple[str, str]] = collections.Counter()
        ids: dict[str, set[int]] = collections.defaultdict(set)
        for receiver, messages in inboxes.items():
            self.check_inbox(receiver, messages)
            for message in messages:
                found[receiver, message["message"]] += 1
                ids[message["message"]].add(message["id"])
        sends = self.sends.values()
        acknowledged = [send for send in sends if send.id is not None]
        return Findings(
            acknowledged=len(acknowledged),
            unresolved=len(self.sends) - len(acknowledged),
            lost=[send.text for send in acknowledged if send.id not in ids[send.text]],
            doubled=[text for (_, text), times in found.items() if times > 1],
        )
