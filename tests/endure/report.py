"""The table of a run, and the document that keeps it."""

from __future__ import annotations

import dataclasses
import datetime
import os
import platform
import re
import textwrap
from pathlib import Path

from endure.settings import Settings

BEGIN, END = "<!-- `make endure REPORT=docs/reliability.md` writes what follows -->", "<!-- end -->"
HEADING = (
    *("fault", "times", "seconds", "requests", "failed", "lost", "doubled"),
    *("worst answer, s", "time to heal, s", "result"),
)


@dataclasses.dataclass
class Row:
    """The result of one fault. None is for what has no such figure."""

    fault: str
    times: int
    duration: float  # seconds
    requests: int
    failed: int
    lost: int | None = None
    doubled: int | None = None
    worst: float | None = None
    heal: float | None = None
    misses: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        """As they are in the table."""
        return (
            *(self.fault, f"{self.times:,}", f"{self.duration:,.0f}", f"{self.requests:,}", f"{self.failed:,}"),
            *("—" if number is None else f"{number:,}" for number in (self.lost, self.doubled)),
            *("—" if seconds is None else f"{seconds:.2f}" for seconds in (self.worst, self.heal)),
            "**missed**" if self.misses else "met",
        )


@dataclasses.dataclass
class NotRun:
    """A fault that was not injected, and why."""

    fault: str
    reason: str

    def cells(self) -> tuple[str, ...]:
        """As they are in the table."""
        return (self.fault, *[""] * (len(HEADING) - 2), f"not run: {self.reason}")


def table(rows: list[Row | NotRun]) -> list[str]:
    """The lines of the table, in Markdown, with what there is to say about each row below."""
    lines = [markdown(HEADING), "|" + "---|" * len(HEADING)]
    lines += [markdown(row.cells()) for row in rows]
    remarks = [
        line
        for row in rows
        if isinstance(row, Row)
        for line in textwrap.wrap(f"- {row.fault}: {'; '.join([*row.misses, *row.notes])}", 118, subsequent_indent="  ")
    ]
    return [*lines, "", *remarks]


def markdown(cells: tuple[str, ...]) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"


def machine() -> str:
    """The machine that this runs on."""
    name, memory = platform.processor() or platform.machine(), ""
    processors, information = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    if processors.exists() and (found := re.search(r"model name\s*: (.+)", processors.read_text())):
        name = found[1]
    if information.exists() and (found := re.search(r"MemTotal:\s*(\d+) kB", information.read_text())):
        memory = f", {int(found[1]) / 1024**2:.0f} GiB"
    return f"{os.cpu_count()} processors ({name}{memory}, {platform.system()} {platform.release()})"


def circumstances(settings: Settings) -> str:
    """Where and how this was measured, in a sentence or two."""
    build = "the release build" if "release" in Path(settings.binary).parts else "a debug build"
    note = f" {settings.note}" if settings.note else ""
    rate = f"{settings['rate']:g} requests offered a second"
    judged = "" if settings["heal-limit"] else " Times, and requests that fail without a fault, were not judged."
    return f"Measured on {datetime.date.today().isoformat()} on {machine()}, with {build} and {rate}.{judged}{note}"


def write_report(file: Path, rows: list[Row | NotRun], introduction: str) -> None:
    """Replaces the results in the document."""
    text = file.read_text(encoding="utf-8")
    new = "\n".join((BEGIN, "", *textwrap.wrap(introduction, 118), "", *table(rows), "", END))
    text, found = re.subn(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", lambda _: new, text, flags=re.DOTALL)
    if found != 1:
        raise SystemExit(f"error: {file} has {found} times the line '{BEGIN}', not once")
    file.write_text(text, encoding="utf-8")
