"""What replicas and their database hold before an attack, during it and afterwards: memory, open files, threads, disk,
and connections to the database."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from endure.database import Database
from endure.deployment import Threads
from endure.usage import (
    CONNECTIONS_NOISE,
    FILES_NOISE,
    MEMORY_GROWTH,
    MEMORY_SHARE,
    PROC,
    THREADS_NOISE,
    Process,
)

SAMPLE_SECONDS = 1.0
DISK_NOISE = 1.0  # MiB; a temporary table of MySQL takes 80 KiB at least
PATIENCE = 60.0  # seconds until what was held must be given back, once the attackers have been cut off
MIB = 1024 * 1024
TEMPORARY_TABLES = (
    "SELECT COALESCE(SUM(size), 0) FROM information_schema.innodb_session_temp_tablespaces WHERE state = 'ACTIVE'"
)


@dataclasses.dataclass(frozen=True)
class Holdings:
    """What is held at a time."""

    memory: list[float]  # resident, MiB, of each process
    files: int  # of all processes, without connections to the database
    threads: int
    connections: int  # to the database
    disk: float  # MiB of files that the processes have open, and of temporary tables of the database

    @classmethod
    def read(cls, processes: Sequence[int], database: Database) -> Holdings:
        """What these processes and the database hold now."""
        found = [Process.read(pid) for pid in processes]
        connections = database.connections()
        temporary = database.administrate(TEMPORARY_TABLES).strip()
        if not temporary.isdecimal():
            raise RuntimeError(f"MySQL does not tell the size of its temporary tables: {temporary}")
        return cls(
            memory=[process.memory for process in found],
            files=sum(process.files for process in found) - connections,
            threads=sum(process.threads for process in found),
            connections=connections,
            disk=(int(temporary) + sum(map(bytes_on_disk, processes))) / MIB,
        )


def bytes_on_disk(pid: int, proc: Path = PROC) -> int:
    """Of the files that a process has open, deleted ones included."""
    total = 0
    for descriptor in (proc / str(pid) / "fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            file = os.stat(descriptor)
            total += 512 * file.st_blocks if stat.S_ISREG(file.st_mode) else 0
    return total


def grown_memory(before: Holdings, after: Holdings, count: int) -> list[str]:
    """Whether the first `count` processes still hold memory together, and may not. Each attack reaches them in other
    shares, so one of them can have more than after the attack before, and another one less."""
    was, now = sum(before.memory[:count]), sum(after.memory[:count])
    if now - was <= max(count * MEMORY_GROWTH, MEMORY_SHARE * was):
        return []
    return [f"still held: memory of {count} replicas {was:.1f} MiB, afterwards {now:.1f} MiB"]


def grown_counts(before: Holdings, after: Holdings) -> list[str]:
    """What else is still held, and may not be."""
    counts = (
        ("open files", before.files, after.files, FILES_NOISE),
        ("threads", before.threads, after.threads, THREADS_NOISE),
        ("connections to the database", before.connections, after.connections, CONNECTIONS_NOISE),
        ("MiB on disk", before.disk, after.disk, DISK_NOISE),
    )
    return [f"still held: {name} {was:g}, afterwards {now:g}" for name, was, now, noise in counts if now - was > noise]


def await_release(read: Callable[[], Holdings], before: Holdings, count: int, limit: float) -> Holdings:
    """What is held once nothing is too much, or at the end of the patience. Without a limit, nothing is judged, so that
    nothing is awaited."""
    deadline = time.monotonic() + (PATIENCE if limit else 0)
    while (grown_memory(before, after := read(), count) or grown_counts(before, after)) and time.monotonic() < deadline:
        time.sleep(SAMPLE_SECONDS)
    return after


class Memory(Threads):
    """Samples the memory of processes. A context."""

    def __init__(self, processes: Sequence[int]) -> None:
        self.processes = processes
        self.samples: list[list[float]] = []  # MiB, by time, and within it by process
        super().__init__([self._sample])

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, TypeError):  # one has ended
                self.samples.append([Process.read(pid).memory for pid in self.processes])

    def growth(self, before: Sequence[float]) -> list[float]:
        """By how much each process had at most more than before."""
        return [max(values) - was for values, was in zip(zip(*self.samples), before)]
