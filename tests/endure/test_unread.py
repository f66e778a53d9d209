"""Clients that read nothing are judged by what others see, by when they are cut off, and by what is held afterwards."""

from __future__ import annotations

import dataclasses

from endure.holdings import Holdings
from endure.ledger import Attempt
from endure.sockets import Endpoint, Held
from endure.unread import REPLICAS, Observed, judge

SETTINGS = {"unread-clients": 8, "unread-accounts": 2}
HELD = Holdings(memory=[20, 20, 20], files=100, threads=12, connections=12, disk=0)
OTHERS = [Attempt(begun, begun + 0.01, "page", 0, 200) for begun in range(9)]
HERE = [Held(Endpoint("127.0.3.1", 40000), 1, 21)]
GOOD = Observed("a replica", 30, OTHERS, HERE, [], 4, REPLICAS, HELD, HELD, HELD, [5, 0, 0], [])


def misses(**changes: object) -> list[str]:
    """What is told of an attack that the service has withstood, but for the changes."""
    return judge([GOOD, dataclasses.replace(GOOD, place="the edge", **changes)], SETTINGS, 60).misses


def still(**changes: object) -> list[str]:
    """What is told if this is held afterwards."""
    return misses(after=dataclasses.replace(HELD, **changes))


def test_clients_that_are_cut_off_and_leave_nothing_behind_are_accepted() -> None:
    """The remarks say what they cost."""
    row = judge([GOOD], SETTINGS, 60)
    assert row.misses == []
    assert row.requests == len(OTHERS)
    assert "replica 1 20 MiB, at most 25, before the last attack 20, afterwards 20" in row.notes[0]


def test_a_failure_of_others_is_told() -> None:
    """With what was asked, at which place; a short run only notes it."""
    failed = [Attempt(9, 10, "large page", 0, 503), Attempt(9, 10, "page", 0, 0)]
    assert misses(others=[*OTHERS, *failed]) == [
        "at the edge: 2 requests of others failed (large page 503, page without an answer)"
    ]
    assert misses(limit=0, others=[*OTHERS, *failed], probes=["500"]) == []
    assert misses(probes=["500"]) == ["at the edge: /livez of a replica failed 1 times: ['500']"]


def test_a_connection_that_is_not_cut_off_is_told() -> None:
    """Whether it was closed too late or never; a short run does not wait for it."""
    late = [Held(HERE[0].client, 1, 31)]
    assert misses(connections=late) == ["at the edge: connections were held for more than 30 s, 0 of them to the end"]
    assert misses(left=HERE) == ["at the edge: connections were held for more than 30 s, 1 of them to the end"]
    assert misses(limit=0, connections=late, left=late) == []


def test_what_is_held_afterwards_is_told() -> None:
    """Memory, files, threads, connections and disk, each beyond noise."""
    assert still(memory=[25.9, 20, 20], files=103, threads=15, connections=24, disk=1) == []
    assert still(memory=[20, 26.1, 20]) == [
        "at the edge: still held: memory of 3 replicas 60.0 MiB, afterwards 66.1 MiB"
    ]
    # The attack has reached another replica than the one before.
    assert still(memory=[14, 26.1, 20]) == []
    assert still(files=104) == ["at the edge: still held: open files 100, afterwards 104"]
    assert still(threads=16) == ["at the edge: still held: threads 12, afterwards 16"]
    assert still(connections=25) == ["at the edge: still held: connections to the database 12, afterwards 25"]
    assert still(disk=1.5) == ["at the edge: still held: MiB on disk 0, afterwards 1.5"]


def test_what_is_held_is_compared_with_that_before_the_last_attack() -> None:
    """What the first ones leave with the allocator and in the pool of connections is not held for clients."""
    more = dataclasses.replace(HELD, memory=[30, 20, 20], connections=25)
    assert misses(between=more, after=more) == []
    assert misses(between=more, after=dataclasses.replace(more, connections=38)) == [
        "at the edge: still held: connections to the database 25, afterwards 38"
    ]
    assert misses(between=more, after=dataclasses.replace(HELD, memory=[37.1, 20, 20])) == [
        "at the edge: still held: memory of 3 replicas 70.0 MiB, afterwards 77.1 MiB"
    ]


def test_an_attack_without_answers_to_leave_unread_is_none() -> None:
    """All clients may have been refused."""
    assert misses(limit=0, answered=1) == []
    assert misses(limit=0, answered=0) == [
        "at the edge: only 0 clients had an answer to read, so it was no such attack"
    ]
    assert misses(answered=3) == ["at the edge: only 3 clients had an answer to read, so it was no such attack"]
