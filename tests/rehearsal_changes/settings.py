"""The numbers of a run, which are options of pytest: make rehearse-changes ARGS="--roll-outs 3"."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from endure.settings import RESULTS, SHORT_RESULTS, Number
from support.services import REPOSITORY

NUMBERS = {
    "rate": Number(48, 200, "requests a second of the load, half of them sends"),
    "roll-outs": Number(2, 10, "roll-outs of another release"),
    "sick-releases": Number(1, 5, "roll-outs of a release that never becomes healthy, and is rolled back"),
    "rotations": Number(1, 5, "rotations of every secret that `make rotate` knows"),
    "routing-updates": Number(1, 5, "updates of the edge's routing configuration"),
    "least-requests": Number(100, 30_000, "requests that all kinds of changes must have met together"),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How many of each change to make, under which load, and where its results are kept."""

    numbers: dict[str, int]
    is_short: bool
    note: str
    results: Path

    def __getitem__(self, name: str) -> int:
        return self.numbers[name]

    def differing(self) -> dict[str, float]:
        """The numbers that are not those of the form that runs. The rate is told apart."""
        return {
            name: value
            for name, value in self.numbers.items()
            if name != "rate" and value != default_of(NUMBERS[name], self.is_short)
        }


def default_of(number: Number, is_short: bool) -> int:
    """What a number is if no option sets it."""
    return int(number.short if is_short else number.long)


def results_file(given: str, is_short: bool) -> Path:
    """The file that keeps the results. A short run never replaces those of the long form."""
    return Path(given) if given else REPOSITORY / (SHORT_RESULTS if is_short else RESULTS)
