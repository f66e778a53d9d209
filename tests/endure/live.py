"""Event streams that are cut again and again, and resumed on another replica, while messages arrive."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import time
from collections.abc import Callable

from endure.deployment import Deployment
from endure.load import USERS, Load
from endure.report import Row
from endure.settings import Settings
from endure.timeline import Timeline
from support.listener import Listener
from support.services import until

PATIENCE = 60  # seconds for what must still arrive
CUT_SECONDS = 0.2  # between two cuts, of which each meets one stream
PAUSE = 0.02  # seconds before a stream is resumed


def connections(deployment: Deployment, start: int) -> Callable[[], socket.socket]:
    """Opens a connection to the next replica, each time that it is called."""
    turns = itertools.count(start)

    def connect() -> socket.socket:
        port = deployment.replicas[next(turns) % len(deployment.replicas)].port
        return socket.create_connection(("127.0.0.1", port), 15)

    return connect


def cut_streams(deployment: Deployment, settings: Settings) -> Row:
    """Sends so many messages, and compares what each stream has announced with what was acknowledged."""
    begun, cuts = time.monotonic(), 0
    load = Load(deployment, settings["rate"], "events")
    listeners = [
        Listener(connections(deployment, index), "herolo", user.name, user.token, PAUSE)
        for index, user in enumerate(load.users)
    ]
    for listener in listeners:
        listener.start()
    try:
        with load:
            while len(load.ledger.sends) < settings["events"]:
                time.sleep(CUT_SECONDS * random.uniform(0.5, 1.5))
                random.choice(listeners).cut()
                cuts += 1
        expected = [
            {send.id for send in load.ledger.sends.values() if send.receiver == user.name and send.id is not None}
            for user in load.users
        ]
        missed, doubled = compare(expected, listeners)
    finally:
        for listener in listeners:
            listener.stop()
    attempts = load.ledger.attempts
    failed = [f"{attempt.kind} {attempt.status or attempt.fault}" for attempt in attempts if attempt.has_failed]
    failed += [failure.text for listener in listeners for failure in listener.failures]
    row = Row(
        fault="event streams cut",
        times=cuts,
        duration=time.monotonic() - begun,
        requests=len(attempts) + sum(listener.streams for listener in listeners),
        failed=len(failed),
        lost=missed,
        doubled=doubled,
        worst=max(attempt.seconds for attempt in attempts),
        notes=[
            f"{sum(map(len, expected)):,} messages announced by {USERS} streams, which were resumed "
            f"{sum(listener.streams for listener in listeners) - USERS:,} times"
        ],
        timeline=Timeline.of(attempts, begun),
    )
    if missed or doubled:
        row.misses.append(f"{missed} events missed and {doubled} doubled")
    if load.ledger.wrong:
        row.misses.append(f"{len(load.ledger.wrong)} wrong answers: {load.ledger.wrong[:3]}")
    if failed:
        told = row.misses if settings["heal-limit"] else row.notes
        told.append(f"{len(failed)} requests failed ({', '.join(sorted(set(failed))[:3])})")
    return row


def compare(expected: list[set[int]], listeners: list[Listener]) -> tuple[int, int]:
    """Waits until all is announced, and counts what is missing, and what came twice or was not for that listener."""
    with contextlib.suppress(AssertionError):  # the numbers say it
        until(lambda: all(ids <= set(one.heard) for ids, one in zip(expected, listeners)), "events", PATIENCE)
    missed = sum(len(ids - set(one.heard)) for ids, one in zip(expected, listeners))
    return missed, sum(len(one.heard) - len(ids & set(one.heard)) for ids, one in zip(expected, listeners))
