"""What grows by more than noise is told, and nothing else is."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from endure.report import Row
from endure.settings import parse
from endure.soak import judge
from endure.usage import PROC, Process, Usage, growth, sample, watch

HOUR, PAUSE = 3600, 5
Held = Callable[[int], float]  # what is held at a second of the load


def usage(
    memory: Held = lambda second: 40,
    files: Held = lambda second: 30,
    threads: Held = lambda second: 10,
    connections: Held = lambda second: 12,
    seconds: int = HOUR,
) -> Usage:
    """An hour of samples, in which the second of two replicas holds this, and the other one always the same."""
    found = Usage()
    for second in range(0, seconds + 1, PAUSE):
        found.seconds.append(second)
        found.memory.append([40, memory(second)])
        found.files.append([30, int(files(second))])
        found.threads.append([10, int(threads(second))])
        found.connections.append(int(connections(second)))
    return found


def grown(**held: Held) -> list[str]:
    """The names of what is told."""
    names = ("memory of replica 1", "memory of replica 2", "other open files", "threads", "connections to the database")
    misses = growth(usage(**held))[0]
    found = [name for miss in misses for name in names if miss.startswith(f"grown: {name} ")]
    assert len(found) == len(misses), misses
    return found


def test_what_stays_as_it_is_has_not_grown() -> None:
    """Nor has what a start fills, or what goes up and down."""
    dice = random.Random(1)
    assert grown() == []
    assert grown(memory=lambda second: min(40, 10 + second / 10), files=lambda second: min(30, second / 10)) == []
    assert grown(files=lambda second: 30 + dice.gauss(0, 4), connections=lambda second: 12 + dice.gauss(0, 5)) == []


def test_memory_may_grow_by_two_mib_or_a_tenth() -> None:
    """The larger of both."""
    assert grown(memory=lambda second: 40 + 3.9 * (second > 3000)) == []
    assert grown(memory=lambda second: 40 + 4.1 * (second > 3000)) == ["memory of replica 2"]
    assert grown(memory=lambda second: 10 + 1.9 * (second > 3000)) == []
    assert grown(memory=lambda second: 10 + 2.1 * (second > 3000)) == ["memory of replica 2"]


def test_a_slow_leak_of_one_replica_is_told() -> None:
    """Of files, threads or connections, also within noise."""
    dice = random.Random(1)
    assert grown(files=lambda second: 30 + second / 600) == ["other open files"]
    assert grown(files=lambda second: 30 + second / 100 + dice.gauss(0, 4)) == ["other open files"]
    assert grown(threads=lambda second: 10 + second / 600) == ["threads"]
    assert grown(connections=lambda second: 12 + second / 200, files=lambda second: 30 + second // 200) == [
        "connections to the database"
    ]


def test_files_that_are_connections_to_the_database_are_judged_once() -> None:
    """A pool that has grown by less than noise is none of the files'."""
    assert (
        grown(files=lambda second: 30 + 8 * (second > 3000), connections=lambda second: 12 + 8 * (second > 3000)) == []
    )


def judged(found: Usage, failed: int, *arguments: str) -> tuple[list[str], list[str]]:
    """The misses and the notes of a soak with so many failures that the trial has not judged."""
    row = Row("load", times=0, duration=HOUR, requests=9, failed=failed)
    judge(row, found, parse(["--binary", "b", "--mysql-image", "m", *arguments]))
    return row.misses, row.notes


def test_a_short_run_judges_failures_and_no_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be busy, but without a fault nothing may fail."""
    monkeypatch.setenv("SHORT", "1")
    leaking = usage(memory=lambda second: 40 + second, seconds=30)
    assert judged(leaking, 0) == ([], ["growth was not judged"])
    assert judged(leaking, 2)[0] == ["2 requests failed"]


def test_a_long_run_judges_growth() -> None:
    """It has missed if it is too short for that."""
    assert judged(usage(), 0)[0] == []
    assert judged(usage(memory=lambda second: 40 + second), 0)[0] == [
        "grown: memory of replica 2 487.5 MiB, at the end 3490.0 MiB"
    ]
    assert judged(usage(seconds=600), 0, "--soak-minutes", "10")[0] == [
        "growth was not judged: that takes 15 minutes of load"
    ]


def test_a_machine_without_proc_says_so(tmp_path: Path) -> None:
    """Connections are judged all the same."""
    found = Usage()
    for second in range(0, HOUR + 1, PAUSE):
        sample(found, second, [1, 2, 3], 10 + second // 100, tmp_path / "proc")
    misses, notes = judged(found, 0)
    assert misses == ["grown: connections to the database 14.0, at the end 44.0"]
    assert "memory, files and threads were not sampled, since this machine has no /proc" in notes


@pytest.mark.skipif(not PROC.is_dir(), reason="this machine has no /proc")
def test_a_process_is_sampled(tmp_path: Path) -> None:
    """A file that it opens is one more."""
    before = Process.read(os.getpid())
    with (tmp_path / "file").open("w"):
        after = Process.read(os.getpid())
    assert after.files == before.files + 1
    assert 5 < after.memory < 5000
    assert after.threads >= 1


@pytest.mark.skipif(not PROC.is_dir(), reason="this machine has no /proc")
def test_samples_are_taken_from_the_beginning_to_the_end() -> None:
    """Each has the processes that run then."""
    found = watch(lambda: [os.getpid(), os.getpid()], lambda: 7, 0.2, 0.1)
    assert len(found.seconds) == 3
    assert found.seconds == sorted(found.seconds)
    assert found.seconds[-1] >= 0.2
    assert found.connections == [7, 7, 7]
    assert [len(each) for each in (*found.memory, *found.files, *found.threads)] == [2] * 9


def refuse() -> int:
    """A database that does not answer."""
    raise RuntimeError


def test_a_soak_without_samples_has_missed() -> None:
    """The database did not answer when it was to be sampled."""
    found = watch(lambda: [os.getpid()], refuse, 0.1, 0.1)
    assert found == Usage()
    assert judged(found, 0)[0] == ["growth was not judged: there are no samples of the times that are compared"]


def test_a_sample_without_one_of_the_processes_is_none(tmp_path: Path) -> None:
    """It may just have ended, which the trial tells."""
    found = Usage()
    sample(found, 1, [2**22 + 1], 9)
    assert found == Usage()
    if PROC.is_dir():
        sample(found, 1, [os.getpid(), os.getpid()], 9)
        sample(found, 2, [os.getpid()], 9)
        assert found.seconds == [1]
