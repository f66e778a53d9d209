"""Messages that must outlive a change of the deployment."""

from __future__ import annotations

import hashlib
import json
import urllib.parse
from typing import Any

from rehearsal.world import Account, World

NUMBER = 30
SIZES = (1, 200, 5_000, 25_000)  # characters, of up to four bytes each
TEXT = "Grüße, 挨拶, 👋 – \t\r\n"
KEPT = ("id", "sender", "receiver", "subject", "message", "created_at", "read")  # a newer release may add fields


class Mailbox:
    """Two accounts, with messages of all kinds between them: long and short, read and unread, some deleted by their
    receiver."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sender, self._receiver = world.sign_up("sender"), world.sign_up("receiver")
        for number in range(NUMBER):
            self._send(number)
        self._before = self._digests()
        assert len(self._before) == 2 * NUMBER - len(range(2, NUMBER, 5))

    def _send(self, number: int) -> None:
        size = SIZES[number % len(SIZES)]
        text = (f"{number} {TEXT}" * size)[:size]
        sent = self._world.send(self._sender, self._receiver, f"{number} – {TEXT.strip()}", text)
        assert sent.status == 201, sent
        path = f"/users/{self._receiver.name}/messages/{sent.json()['id']}"
        if number % 5 == 1:
            assert self._world.request("PATCH", path, {"read": True}, self._receiver.token).status == 200
        elif number % 5 == 2:
            assert self._world.request("DELETE", path, token=self._receiver.token).status == 204

    def changes(self) -> dict[str, str]:
        """What differs now: boxes and ids of messages that are lost, new or not the same. The tokens must still be
        valid."""
        now = self._digests()
        names = self._before.keys() | now.keys()
        return {
            name: f"{self._before.get(name)} -> {now.get(name)}"
            for name in names
            if now.get(name) != self._before.get(name)
        }

    def __str__(self) -> str:
        return f"{len(self._before)} copies of messages from before"

    def _digests(self) -> dict[str, str]:
        """A hash for each message of both boxes."""
        return {
            **{f"inbox {item['id']}": _digest(item) for item in self._list(self._receiver, "inbox")},
            **{f"outbox {item['id']}": _digest(item) for item in self._list(self._sender, "sent")},
        }

    def _list(self, account: Account, box: str) -> list[dict[str, Any]]:
        path = f"/users/{account.name}/messages?per_page=10" + ("&box=sent" if box == "sent" else "")
        items: list[dict[str, Any]] = []
        while path:
            page = self._world.request("GET", path, token=account.token)
            assert page.status == 200, page
            items += page.json()["messages"]
            address = urllib.parse.urlsplit(page.json()["next"] or "")
            path = f"{address.path}?{address.query}" if address.path else ""
        return items


def _digest(item: dict[str, Any]) -> str:
    kept = json.dumps([item[field] for field in KEPT])
    return hashlib.sha256(kept.encode()).hexdigest()
