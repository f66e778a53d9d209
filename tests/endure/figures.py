"""Which figures there are of the results, by their files. `draw` makes them, and the document shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from endure.report import Result, in_order

MANY = 5  # outages of a fault, from which on their times to heal are a distribution, and a timeline shows nothing


@dataclasses.dataclass(frozen=True)
class Figure:
    """A file, what it shows, and the faults whose results it shows."""

    file: str
    caption: str
    faults: tuple[str, ...]


def timelines(results: Mapping[str, Result]) -> list[Figure]:
    """One for each fault that was there a few times."""
    return [
        Figure(f"{name}.svg", f"{results[name].row.fault}: requests a second, slowest answer", (name,))
        for name in in_order(results)
        if 0 < outages_of(results[name]) < MANY
    ]


def times_to_heal(results: Mapping[str, Result]) -> list[Figure]:
    """One for all faults that were there many times."""
    names = tuple(name for name in in_order(results) if outages_of(results[name]) >= MANY)
    return (
        [Figure("times-to-heal.svg", "times to heal of faults that were injected many times", names)] if names else []
    )


def usages(results: Mapping[str, Result]) -> list[Figure]:
    """One for each fault during which the replicas were sampled."""
    return [
        Figure(
            f"{name}.svg",
            f"{results[name].row.fault}: memory, open files, threads and connections; shaded what is compared",
            (name,),
        )
        for name in in_order(results)
        if results[name].row.usage
    ]


def figures(results: Mapping[str, Result]) -> list[Figure]:
    """All of them."""
    return [*times_to_heal(results), *timelines(results), *usages(results)]


def shown(results: Mapping[str, Result], folder: str) -> list[str]:
    """The lines of Markdown that show them from the folder."""
    return "\n\n".join(f"![{figure.caption}]({folder}/{figure.file})" for figure in figures(results)).splitlines()


def outages_of(result: Result) -> int:
    """How many outages are known of a fault."""
    return len(result.row.timeline.outages) if result.row.timeline else 0
