"""The results of faults as tables, and the document that has them."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping
from pathlib import Path

from endure.circumstances import Circumstances
from endure.settings import FAULTS, PLANNED
from endure.timeline import Timeline
from endure.usage import Usage
from support.markdown import heading, replaced, row

BEGIN = "<!-- `make endure REPORT=docs/reliability.md` writes what follows -->"
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
    timeline: Timeline | None = None
    usage: Usage | None = None

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


@dataclasses.dataclass
class Result:
    """What came of a fault, and where and how."""

    row: Row
    circumstances: Circumstances


def table(rows: list[Row]) -> list[str]:
    """The lines of the table, in Markdown, with what there is to say about each row below."""
    return [*lines_of(HEADING, [row.cells() for row in rows]), "", *remarks(rows)]


def document(results: Mapping[str, Result], others: list[NotRun], figures: list[str] | None = None) -> list[str]:
    """All results in the order of the matrix, in Markdown, with the lines of their figures, and then what has none.

    A column refers to the circumstances, which follow.
    """
    found = [results[name] for name in in_order(results)]
    runs = list(dict.fromkeys(result.circumstances.describe() for result in found))
    cells = [(*each.row.cells(), str(runs.index(each.circumstances.describe()) + 1)) for each in found]
    notes = [line for number, run in enumerate(runs, 1) for line in wrapped(run, f"{number}. ")]
    return [
        *([*lines_of((*HEADING, "run"), cells), ""] if cells else []),
        *introduced("Runs:", notes),
        *introduced("Remarks:", remarks([result.row for result in found])),
        *introduced("### Figures", figures or []),
        *introduced("### Not run", not_run(results, others)),
    ]


def in_order(results: Mapping[str, Result]) -> list[str]:
    """The names of the faults that have a result, in the order of the matrix."""
    matrix = (*FAULTS, *PLANNED)
    return [*(name for name in matrix if name in results), *(name for name in results if name not in matrix)]


def not_run(results: Mapping[str, Result], others: list[NotRun]) -> list[str]:
    """The table of what has no result; nothing if there is no such fault. The reason of a fault of the matrix may be
    among the others: that it could not be injected."""
    missing = [name for name in FAULTS if name not in results]
    reasons = {row.fault: row.reason for row in others}
    cells = [
        (f"`{name}`", reasons.get(name) or f'not measured yet: `make endure ARGS="--faults {name}"`')
        for name in missing
    ]
    cells += [(f"`{name}`", "not measured yet: `make rehearse-changes`") for name in PLANNED if name not in results]
    cells += [(row.fault, row.reason) for row in others if row.fault not in FAULTS]
    return lines_of(("fault", "why"), cells) if cells else []


def introduced(title: str, lines: list[str]) -> list[str]:
    """Lines of Markdown below their title; nothing if there are none."""
    return [title, "", *lines, ""] if lines else []


def lines_of(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A table in Markdown."""
    return [*heading(names), *map(row, rows)]


def remarks(rows: list[Row]) -> list[str]:
    """What there is to say about each row: first the limits that it has missed."""
    return [line for row in rows for line in wrapped(f"{row.fault}: {'; '.join([*row.misses, *row.notes])}", "- ")]


def wrapped(text: str, bullet: str) -> list[str]:
    """The lines of a list's item, which are broken at blanks alone."""
    indent = " " * len(bullet)
    return textwrap.wrap(
        text, 118, initial_indent=bullet, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def require_place(file: Path) -> None:
    """Ends the program unless the document has a place for the results."""
    found = file.read_text(encoding="utf-8").count(BEGIN) if file.is_file() else 0
    if found != 1:
        problem = f"has {found} times the line '{BEGIN}', not once" if file.is_file() else "does not exist"
        raise SystemExit(f"error: the report {file} {problem}: name docs/reliability.md, or a copy of it")


def write_report(file: Path, lines: list[str]) -> None:
    """Replaces the results in the document."""
    file.write_text(replaced(file.read_text(encoding="utf-8"), BEGIN, lines, file), encoding="utf-8")
