"""What replicas hold while a load lasts: memory, open files, threads, and connections to the database."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PROC = Path("/proc")
EARLY = (300.0, 600.0)  # seconds: the first five minutes fill caches and pools
LATE = 300.0  # the last seconds, whose mean is compared with that of the early ones
ENOUGH = 900.0  # seconds of load without which the two would overlap
# MiB, and a share of the early mean; the larger is allowed, since an allocator keeps some of what it is given back.
MEMORY_GROWTH, MEMORY_SHARE = 2.0, 0.1
# A count may grow by three standard deviations of its early samples. A steady leak does not hide in them: within five
# minutes it causes a deviation of 5 / sqrt(12) minutes of itself, and in the 50 minutes of the long form it grows by 35
# times that. A count that hardly changes early has less deviation than noise, so some growth is none in any case, for
# all replicas together: of files a probe of each at the time of a sample; of threads one of each that has blocked on
# a file; of connections a quarter of the 48 that the pools may have, since a pool keeps for four minutes what a burst
# of requests has opened. In 16 minutes on a machine with much other work, the means of single minutes were 100 to 104
# other files (deviation of samples 1.4), always 6 threads, and 36 to 48 connections.
DEVIATIONS = 3
FILES_NOISE, THREADS_NOISE, CONNECTIONS_NOISE = 3.0, 3.0, 12.0


@dataclasses.dataclass
class Usage:
    """Samples: a list by time, and within it one by replica."""

    seconds: list[float] = dataclasses.field(default_factory=list)  # from the beginning of the load
    memory: list[list[float]] = dataclasses.field(default_factory=list)  # resident, MiB
    files: list[list[int]] = dataclasses.field(default_factory=list)
    threads: list[list[int]] = dataclasses.field(default_factory=list)
    connections: list[int] = dataclasses.field(default_factory=list)  # of all replicas

    @property
    def has_processes(self) -> bool:
        """Whether there was a /proc to read."""
        return bool(self.memory)

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Usage:
        """One that was written as JSON."""
        return cls(**fields)


@dataclasses.dataclass(frozen=True)
class Process:
    """A sample of one process."""

    memory: float
    files: int
    threads: int

    @classmethod
    def read(cls, pid: int, proc: Path = PROC) -> Process:
        """From /proc, as Linux has it."""
        status = (proc / str(pid) / "status").read_text()
        memory, threads = (
            int(re.search(rf"^{name}:\s*(\d+)", status, re.MULTILINE)[1]) for name in ("VmRSS", "Threads")
        )
        return cls(round(memory / 1024, 2), len(os.listdir(proc / str(pid) / "fd")), threads)


def sample(usage: Usage, seconds: float, processes: Sequence[int], connections: int, proc: Path = PROC) -> None:
    """Adds a sample, unless a process has ended, which the trial tells. Without /proc it is connections alone."""
    found: list[Process] = []
    if proc.is_dir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, TypeError):  # a zombie has no memory
            found = [Process.read(pid, proc) for pid in processes]
        if not found or len(found) != len(usage.memory[0] if usage.memory else found):
            return
        usage.memory.append([process.memory for process in found])
        usage.files.append([process.files for process in found])
        usage.threads.append([process.threads for process in found])
    usage.seconds.append(round(seconds, 1))
    usage.connections.append(connections)


def watch(
    processes: Callable[[], Sequence[int]], connections: Callable[[], int], seconds: float, pause: float
) -> Usage:
    """Samples at the beginning, and then after each pause, for so many seconds."""
    usage, begun = Usage(), time.monotonic()
    for number in range(round(seconds / pause) + 1):
        time.sleep(max(0.0, begun + number * pause - time.monotonic()))
        with contextlib.suppress(RuntimeError):  # one sample that is missing tells nothing of the service
            sample(usage, time.monotonic() - begun, processes(), connections())
    return usage


def growth(usage: Usage) -> tuple[list[str], list[str]]:
    """What has grown by more than it may, and what is to be said besides."""
    misses, notes = [], []
    if not all(windows(usage, usage.connections)):
        return ["growth was not judged: there are no samples of the times that are compared"], notes
    for number in range(len(usage.memory[0]) if usage.has_processes else 0):
        early, late = windows(usage, [each[number] for each in usage.memory])
        before, after = statistics.fmean(early), statistics.fmean(late)
        text = f"memory of replica {number + 1} {before:.1f} MiB, at the end {after:.1f} MiB"
        is_grown = after - before > max(MEMORY_GROWTH, MEMORY_SHARE * before)
        (misses if is_grown else notes).append(text)
    for name, values, noise in counts(usage):
        early, late = windows(usage, values)
        before, after = statistics.fmean(early), statistics.fmean(late)
        is_grown = after - before > max(noise, DEVIATIONS * statistics.pstdev(early))
        (misses if is_grown else notes).append(f"{name} {before:.1f}, at the end {after:.1f}")
    return [f"grown: {miss}" for miss in misses], notes


def counts(usage: Usage) -> list[tuple[str, list[int], float]]:
    """What is counted: its name, the values of all replicas together, and the growth that is none."""
    found = [("connections to the database", usage.connections, CONNECTIONS_NOISE)]
    if usage.has_processes:
        # Those to the database are judged themselves.
        files = [sum(each) - connections for each, connections in zip(usage.files, usage.connections)]
        found += [("other open files", files, FILES_NOISE), ("threads", list(map(sum, usage.threads)), THREADS_NOISE)]
    return found


def windows(usage: Usage, values: Sequence[float]) -> tuple[list[float], list[float]]:
    """The early and the late ones of the values."""
    end = max(usage.seconds, default=0.0)
    pairs = list(zip(usage.seconds, values))
    return (
        [value for second, value in pairs if EARLY[0] <= second < EARLY[1]],
        [value for second, value in pairs if second >= end - LATE],
    )
