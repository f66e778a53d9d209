"""The history of an environment, one JSON document a line: who changed it, when, to which release, and how it ended. It
outlives the environment."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from .console import Failure, Refusal, step
from .environment import Environment
from .identity import current_host, current_time, current_user

LONGEST = 200  # characters of a failure's message


@dataclass
class Entry:
    """A command that changes the environment."""

    command: str
    time: str = field(default_factory=current_time)
    user: str = field(default_factory=current_user)
    host: str = field(default_factory=current_host)
    release: str = ""
    outcome: str = ""
    seconds: int = 0
    acknowledged: list[int] = field(default_factory=list)  # the upgrades whose steps by hand were confirmed


@contextlib.contextmanager
def recorded(environment: Environment, command: str) -> Iterator[Entry]:
    """Appends an entry when the command ends, however it does, unless it was refused before it has begun."""
    entry, begin = Entry(command), time.monotonic()
    try:
        yield entry
    except Refusal:
        raise
    except Failure as failure:
        entry.outcome = f"failed: {' '.join(str(failure).split())[:LONGEST]}"
        raise
    except KeyboardInterrupt:
        entry.outcome = "interrupted"
        raise
    except BaseException as error:
        entry.outcome = f"failed: {type(error).__name__}"
        raise
    else:
        entry.outcome = "succeeded"
    finally:
        if entry.outcome:
            entry.seconds = round(time.monotonic() - begin)
            _append(environment, entry)


def read_history(environment: Environment) -> list[dict[str, Any]]:
    """The entries, oldest first."""
    try:
        lines = environment.history.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [_entry(environment, number, line) for number, line in enumerate(lines, 1) if line]


def _entry(environment: Environment, number: int, line: str) -> dict[str, Any]:
    shown = environment.shown(environment.history)
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise Failure(f"{shown} line {number} is damaged: remove that line") from error
    if not isinstance(entry, dict) or not {"user", "host", "time", "command", "release", "outcome"} <= entry.keys():
        raise Failure(f"{shown} line {number} is not an entry of the history: remove that line")
    return entry


def show_history(environment: Environment, *, as_json: bool) -> None:
    """Lines of columns, or a JSON document."""
    entries = read_history(environment)
    if as_json:
        print(json.dumps(entries, indent=2))
        return
    if not entries:
        step(f"no history of {environment.name}")
    for entry in entries:
        who = f"{entry['user']}@{entry['host']}"
        outcome = entry["outcome"]
        if entry.get("acknowledged"):
            outcome += f" (upgrades acknowledged: {', '.join(map(str, entry['acknowledged']))})"
        print(f"{entry['time']}  {entry['command']:<16} {who:<24} {entry['release'] or '-':<24} {outcome}")


def _append(environment: Environment, entry: Entry) -> None:
    """In one write, so that lines of two commands never mix; on a line of its own, also if the last one has no end."""
    line = json.dumps(asdict(entry)).encode() + b"\n"
    descriptor = os.open(environment.history, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        is_cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, b"\n" * is_cut + line)
    finally:
        os.close(descriptor)
