"""Slow connections are judged by what others see, by when they are cut off, and by what they cost."""

from __future__ import annotations

import dataclasses

from endure.holdings import Holdings
from endure.ledger import Attempt
from endure.slow_clients import KINDS, Observed, judge
from endure.sockets import Endpoint, Held

BEGUN, ENDED = 100.0, 220.0
SETTINGS = {"slow-clients": 30, "slow-clients-seconds": 120}
LIMITS = {
    "slow-clients-ratio-limit": 2,
    "slow-clients-memory-limit": 64,
    "sender-cut-limit": 15,
    "reader-cut-limit": 310,
}
NO_LIMITS = dict.fromkeys(LIMITS, 0)
HELD = Holdings(memory=[20, 20, 20, 90], files=100, threads=12, connections=12, disk=0)


def pages(seconds: float, status: int = 200) -> list[Attempt]:
    """Those of others: 10 ms before the attack and after it, and this many seconds during it."""
    calm = [Attempt(begun, begun + 0.01, "page", 0, 200) for begun in (*range(90, 99), *range(600, 609))]
    return [*calm, *(Attempt(begun, begun + seconds, "page", 0, status) for begun in range(101, 200))]


def connections(sender: float = 10, reader: float = 300) -> list[Held]:
    """One of each kind, held for so long."""
    return [
        Held(Endpoint(f"{prefix}1", 40000), BEGUN, reader if name == "unread answers" else sender)
        for prefix, name in KINDS.items()
    ]


def seen(**changes: object) -> Observed:
    """An attack that the service has withstood, but for the changes."""
    counts = [(BEGUN + second, 29) for second in range(120)]
    good = Observed(
        BEGUN, ENDED, pages(0.01), connections(), counts, [], HELD, HELD, [1, 1, 1, 50], "running 0 false", []
    )
    return dataclasses.replace(good, **changes)


def misses(limits: dict[str, float] = LIMITS, **changes: object) -> list[str]:
    """What is told of it."""
    return judge(seen(**changes), {**SETTINGS, **limits}, 300).misses


def test_attackers_that_are_cut_off_and_slow_nobody_are_accepted() -> None:
    """Others may take twice as long."""
    assert misses() == []
    assert misses(pages=pages(0.019)) == []


def test_a_failure_of_others_is_told() -> None:
    """Where limits are judged: elsewhere it is only noted."""
    assert misses(pages=pages(0.01, 429)) == ["99 requests of others failed (429)"]
    assert misses(probes=["503"]) == ["/livez of a replica failed 1 times: ['503']"]
    row = judge(seen(pages=pages(0.01, 429)), {**SETTINGS, **NO_LIMITS}, 300)
    assert (row.misses, row.notes[0]) == ([], "99 requests of others failed (429)")


def test_others_that_become_slow_are_told() -> None:
    """While connections were opened: what is asked while the last ones are still held belongs to neither side."""
    assert misses(pages=pages(0.03)) == ["the 99th percentile of others is more than 2 times as long"]
    assert misses(pages=[*pages(0.01), *[Attempt(300, 301, "page", 0, 200)] * 99]) == []
    assert misses(NO_LIMITS, pages=pages(0.03)) == []


def test_a_connection_that_is_not_cut_off_is_told() -> None:
    """Each kind has its limit."""
    assert misses(connections=connections(sender=16)) == [
        "heads: 1 connections were held for more than 15 s",
        "bodies: 1 connections were held for more than 15 s",
    ]
    assert misses(connections=connections(reader=311)) == [
        "unread answers: 1 connections were held for more than 310 s"
    ]
    assert misses(left=connections()[:1]) == ["1 connections were never closed"]
    assert misses(NO_LIMITS, connections=connections(900, 900), left=connections()) == []


def test_too_few_connections_are_no_attack() -> None:
    """Those at the beginning do not count. In a short run there must be some."""
    few = [(BEGUN + 1, 5), (BEGUN + 11, 26)]
    assert misses(counts=few) == ["only 26 connections were open, so it was no such attack"]
    assert misses(NO_LIMITS, counts=few) == []
    assert misses(NO_LIMITS, counts=few[:1]) == ["only 0 connections were open, so it was no such attack"]


def test_memory_that_grows_is_told() -> None:
    """That of the replicas together; of Traefik, that it was killed."""
    assert misses(growth=[22, 21, 21, 300]) == []
    assert misses(growth=[22, 21, 22, 0]) == ["the replicas' memory grew by more than 64 MiB"]
    assert misses(edge="running 1 true") == ["Traefik ended (state, restarts, out of memory: running 1 true)"]


def test_what_is_still_held_is_told() -> None:
    """Memory has a limit of its own, since the first attack on a process leaves some in its allocator."""
    assert misses(after=dataclasses.replace(HELD, memory=[20, 20, 40, 200])) == []
    assert misses(after=dataclasses.replace(HELD, files=104)) == ["still held: open files 100, afterwards 104"]
