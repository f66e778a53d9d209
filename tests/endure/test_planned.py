"""What a load meets while planned changes are repeated is judged: no failure is excused, and none is overlooked."""

from __future__ import annotations

import contextlib
import functools
import http.client
import http.server
import itertools
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from endure.report import Row
from endure.results import Results
from rehearsal_changes import changes
from rehearsal_changes.settings import NUMBERS, Settings
from support.users import User, sign_up

NAME = "roll-outs"


class Server(http.server.ThreadingHTTPServer):
    """One that resets no connection when all clients begin at once."""

    request_queue_size = 128


class Api:
    """As much of the API as a load uses, in memory. `loses` and `refuses` change what is done with the next send."""

    def __init__(self) -> None:
        self.messages: dict[int, dict[str, Any]] = {}
        self.loses = self.refuses = False
        self._ids = itertools.count(1)
        self._server = Server(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def connections(self) -> list[Callable[[], http.client.HTTPConnection]]:
        """Two addresses."""
        return 2 * [functools.partial(http.client.HTTPConnection, "127.0.0.1", self._server.server_port, timeout=15)]

    def sign_up(self, name: str) -> User:
        """A new user of this name."""
        return sign_up(self, name)

    def request(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """The answer to a request."""
        _, user, *rest = [*urllib.parse.urlsplit(path).path.removeprefix("/").split("/"), "", ""]
        if method == "POST" and rest[0] == "messages":
            return self._send(user, body)
        if method == "POST":
            return 201, {"access_token": "token"}
        if len(rest) > 1 and rest[1]:
            return 200, self.messages[int(rest[1])]
        mine = [message for message in self.messages.copy().values() if message["receiver"] == user]
        return 200, {"messages": mine[::-1], "next": None}

    def _send(self, sender: str, body: dict[str, Any]) -> tuple[int, Any]:
        if self.refuses:
            self.refuses = False
            return 503, {}
        message = {"id": next(self._ids), "sender": sender, "read": False, **body}
        if self.loses:
            self.loses = False
        else:
            self.messages[message["id"]] = message
        return 201, message

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"] or 0))
                status, body = api.request(self.command, self.path, json.loads(content or b"null"))
                answer = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PATCH = _answer

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def stop(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """An API that does what it promises, under a load that is soon satisfied."""
    monkeypatch.setattr(changes, "CALM", 0.1)
    monkeypatch.setattr(changes, "ENOUGH", 20)
    with contextlib.closing(SimpleNamespace(close=(api := Api()).stop)):
        yield api


@pytest.fixture
def repeat(api: Api, tmp_path: Path) -> Callable[..., Row]:
    """Repeats a change, in a deployment whose replicas end at once."""
    world = SimpleNamespace(
        await_end_of_replaced=lambda: None, parts=SimpleNamespace(query_database=lambda statement: "8.4")
    )
    numbers = {name: int(number.short) for name, number in NUMBERS.items()}
    settings = Settings({**numbers, "rate": 400}, is_short=True, note="", results=tmp_path / "results.json")
    return functools.partial(changes.Changes(world, api, settings, 2).repeat, NAME, "roll-out")


def test_changes_that_no_request_notices_meet_all_limits(repeat: Callable[..., Row], tmp_path: Path) -> None:
    """They are counted, and kept."""
    made: list[int] = []
    row = repeat(3, made.append)
    assert made == [1, 2, 3]
    assert (row.times, row.failed, row.lost, row.doubled, row.misses) == (3, 0, 0, 0, [])
    assert Results(tmp_path / "results.json").load()[NAME].row == row


def test_a_request_that_fails_once_is_a_miss_although_its_repetition_succeeds(
    api: Api, repeat: Callable[..., Row]
) -> None:
    """The miss names it."""

    def fail(_: int) -> None:
        api.refuses = True

    row = repeat(1, fail)
    assert (row.failed, row.lost) == (1, 0)
    assert any("send 503 after" in miss for miss in row.misses)


def test_an_acknowledged_message_that_is_not_there_is_a_miss(api: Api, repeat: Callable[..., Row]) -> None:
    """No request has failed."""

    def lose(_: int) -> None:
        api.loses = True

    row = repeat(1, lose)
    assert (row.failed, row.lost) == (0, 1)
    assert row.misses


def test_a_change_that_does_not_come_about_is_a_miss_and_ends_the_series(repeat: Callable[..., Row]) -> None:
    """Those before it count."""

    def change(number: int) -> None:
        assert number < 2, "make deploy has failed"

    row = repeat(3, change)
    assert row.times == 1
    assert any("make deploy has failed" in miss for miss in row.misses)
