"""The numbers of a run."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Sequence

FAULTS = (
    *("none", "kills", "mysql-kills", "connections", "refused", "hole", "slow", "read-only", "too-many-connections"),
    *("histories", "events"),
)


@dataclasses.dataclass(frozen=True)
class Number:
    """A number that can be set."""

    short: float
    long: float
    meaning: str


# A limit of 0 is none; without that to heal, no failed request is judged. A short run judges no times, because the
# machine may be busy with other tests.
NUMBERS = {
    "rate": Number(60, 400, "requests a second of the load, half of them sends"),
    "calm-seconds": Number(5, 60, "seconds of load without a fault, with which the others are compared"),
    "kills": Number(6, 500, "times that a replica is killed (SIGKILL)"),
    "mysql-kills": Number(3, 200, "times that mysqld is killed (SIGKILL) and started again with its data"),
    "connection-kills": Number(60, 2000, "database connections that are killed (KILL)"),
    "refused-seconds": Number(6, 60, "seconds for which the database refuses connections"),
    "hole-seconds": Number(10, 120, "seconds for which nothing from the database arrives, without a reset"),
    "slow-seconds": Number(10, 60, "seconds for which each answer of the database takes 2 s longer"),
    "read-only-seconds": Number(6, 60, "seconds for which the database is read-only"),
    "connections-seconds": Number(6, 60, "seconds for which the database has no connection left"),
    "histories": Number(10, 200, "histories of concurrent requests that are compared with the model"),
    "events": Number(400, 100_000, "messages that event streams must announce over their reconnects"),
    "answer-limit": Number(0, 3, "seconds that an answer may take while the database is away or slow"),
    "heal-limit": Number(0, 5, "seconds from the end of a fault to the last request that fails"),
    "hole-heal-limit": Number(0, 10, "the same after the database was silent"),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to run, and how much of it."""

    faults: tuple[str, ...]
    numbers: dict[str, float]
    binary: str
    mysql_image: str
    report: str
    note: str

    def __getitem__(self, name: str) -> float:
        return self.numbers[name]

    def times(self, name: str) -> int:
        """A number that counts something."""
        return int(self.numbers[name])


def parse(arguments: Sequence[str]) -> Settings:
    """The settings of a command line."""
    is_short = bool(os.environ.get("SHORT"))
    parser = argparse.ArgumentParser(
        prog="make endure",
        description="Injects faults while clients send and read messages, and counts what was lost. Arguments are"
        ' passed as ARGS="--kills 50"; SHORT=1 has smaller numbers, and REPORT=docs/reliability.md writes a document.',
    )
    parser.add_argument("--binary", required=True, help="the service's program (scripts/endure names it)")
    parser.add_argument("--mysql-image", required=True, help="the image of MySQL (scripts/endure names it)")
    parser.add_argument("--report", default=os.environ.get("REPORT", ""), help="the file to write the results to")
    parser.add_argument("--note", default="", help="a sentence about the circumstances, for that file")
    parser.add_argument("--faults", default=",".join(FAULTS), help=f"those to inject, of {', '.join(FAULTS)}")
    for name, number in NUMBERS.items():
        default = number.short if is_short else number.long
        help_text = f"{number.meaning} ({number.long:g}; with SHORT=1 {number.short:g})"
        parser.add_argument(f"--{name}", type=float, default=default, metavar="NUMBER", help=help_text)
    options = parser.parse_args(arguments)
    faults = tuple(options.faults.split(","))
    for fault in faults:
        if fault not in FAULTS:
            parser.error(f"'{fault}' is no fault: there are {', '.join(FAULTS)}")
    numbers = {name: getattr(options, name.replace("-", "_")) for name in NUMBERS}
    return Settings(faults, numbers, options.binary, options.mysql_image, options.report, options.note)
