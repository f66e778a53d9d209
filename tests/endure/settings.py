"""The numbers of a run."""

from __future__ import annotations

import argparse
import dataclasses
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from support.services import REPOSITORY

# In the order of the matrix in docs/reliability.md.
FAULTS = (
    *("none", "kills", "mysql-kills", "connections", "histories", "events", "soak"),
    *("refused", "hole", "slow", "read-only", "too-many-connections"),
    *("disk-full", "moved", "login-flood", "enumeration", "slow-clients", "unread", "random"),
)
# Planned changes of a deployment, which have results of the same form. `make rehearse-changes` makes them.
PLANNED = ("routing-updates", "roll-outs", "sick-releases", "rotations")
# A short run has a file of its own, so that it never replaces a result of the long form.
RESULTS, SHORT_RESULTS = "docs/reliability/results.json", "target/endure/short.json"


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
    "disk-full-seconds": Number(10, 60, "seconds for which the file system of the database is full"),
    "moved-seconds": Number(6, 30, "seconds from the end of a database to the new address of its host name"),
    "flood-seconds": Number(5, 60, "seconds of each flood of logins, of the time before it, and of that after it"),
    "flood-rate": Number(200, 200, "logins a second of a flood"),
    "flood-clients": Number(4, 10, "client addresses from which they come"),
    "flood-pages": Number(20, 60, "pages that are read a second meanwhile"),
    "slow-clients": Number(60, 2000, "slow connections to the edge at a time"),
    "slow-clients-addresses": Number(1, 3, "client addresses of each kind of them: heads, bodies, unread answers"),
    "slow-clients-seconds": Number(15, 120, "seconds of slow connections, and as many in all without them"),
    "unread-clients": Number(16, 64, "clients that never read a large answer"),
    "unread-accounts": Number(2, 4, "accounts that they have"),
    "unread-rounds": Number(1, 3, "attacks on each place; nothing that is held may grow with the last one"),
    "others-rate": Number(20, 60, "pages a second of others beside slow clients and those that read nothing"),
    "pairs": Number(20, 2000, "pairs of requests whose answers must not tell what exists, of each kind"),
    "random-requests": Number(5000, 1_000_000, "random requests, most of them mutations of valid ones"),
    "histories": Number(10, 200, "histories of concurrent requests that are compared with the model"),
    "events": Number(400, 100_000, "messages that event streams must announce over their reconnects"),
    "soak-minutes": Number(0.5, 60, "minutes of load without a fault, which must leave memory and files as they are"),
    "answer-limit": Number(
        0, 3, "seconds that an answer may take while the database is away or slow, and one to a login of a flood"
    ),
    "heal-limit": Number(0, 5, "seconds from the end of a fault to the last request that fails"),
    "kill-heal-limit": Number(0, 1, "the same after a replica or mysqld was killed, which is soon killed again"),
    "hole-heal-limit": Number(0, 10, "the same after the database was silent"),
    "moved-heal-limit": Number(0, 10, "the same after the database has moved to another address"),
    "page-ratio-limit": Number(0, 1.5, "the 99th percentile of pages during a flood of logins, by that without it"),
    "refusal-limit": Number(0, 0.05, "seconds that a refusal of a login may take, at the 99th percentile"),
    "slow-clients-ratio-limit": Number(0, 2, "the 99th percentile of others beside slow clients, by that without them"),
    "slow-clients-memory-limit": Number(0, 64, "MiB by which the memory of the replicas together may grow meanwhile"),
    "sender-cut-limit": Number(0, 15, "seconds for which the edge may hold a connection of a slow sender"),
    "reader-cut-limit": Number(0, 310, "seconds for which the edge may hold one whose client does not read"),
    "replica-cut-limit": Number(
        0, 55, "the same for a replica without an edge: an export waits up to 30 s for memory, and 20 s for its client"
    ),
    "median-limit": Number(0, 0.01, "the share by which the medians of such a pair may differ"),
    "distribution-limit": Number(0, 0.01, "the least probability of their times, if their distributions are the same"),
    "disk-full-heal-limit": Number(0, 65, "the same after the disk was full: MySQL looks again each 60 s"),
}


WHOLE = frozenset(
    (
        *("kills", "mysql-kills", "connection-kills", "flood-clients", "pairs"),
        *("random-requests", "histories", "events"),
        *("slow-clients", "slow-clients-addresses", "unread-clients", "unread-accounts", "unread-rounds"),
    )
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to run, and how much of it."""

    faults: tuple[str, ...]
    numbers: dict[str, float]
    binary: str
    mysql_image: str
    report: str
    note: str
    seed: int
    results: Path
    is_short: bool
    renders_only: bool

    def __getitem__(self, name: str) -> float:
        return self.numbers[name]

    def times(self, name: str) -> int:
        """A number that counts something."""
        return int(self.numbers[name])

    def differing(self) -> dict[str, float]:
        """The numbers that are not those of the form that runs. The rate is told apart."""
        defaults = {name: number.short if self.is_short else number.long for name, number in NUMBERS.items()}
        return {name: self[name] for name in NUMBERS if name != "rate" and self[name] != defaults[name]}


def parse(arguments: Sequence[str]) -> Settings:
    """The settings of a command line."""
    is_short = os.environ.get("SHORT", "0") not in ("", "0")
    parser = new_parser(is_short)
    options = parser.parse_args(arguments)
    faults = tuple(options.faults.split(","))
    for fault in faults:
        if fault not in FAULTS:
            parser.error(f"unknown fault '{fault}'; the faults are {', '.join(FAULTS)}")
    if not options.render and not (options.binary and options.mysql_image):
        parser.error("--binary and --mysql-image are needed to inject faults (scripts/endure names them)")
    if is_short and options.report and not options.results:
        parser.error("a short run does not replace a report: leave out REPORT, or name its results with --results")
    numbers = {name: getattr(options, name.replace("-", "_")) for name in NUMBERS}
    binary = str(Path(options.binary).resolve()) if options.binary else ""  # each replica runs in its own folder
    results = Path(options.results) if options.results else REPOSITORY / (SHORT_RESULTS if is_short else RESULTS)
    return Settings(
        *(faults, numbers, binary, options.mysql_image, options.report, options.note, options.seed),
        *(results, is_short, options.render),
    )


def number_of(name: str) -> Callable[[str], float]:
    """Reads the number of that name. A limit may be 0, which is none; others are positive."""
    example = f"such as {NUMBERS[name].long:g}"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError as fault:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number, {example}") from fault
        if not (0 < value < float("inf") or (value == 0 and name.endswith("-limit"))):
            raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0, {example}")
        if name in WHOLE and not value.is_integer():
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number, {example}")
        return value

    return read


def new_parser(is_short: bool) -> argparse.ArgumentParser:
    """The options, with the numbers of the form that runs."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,  # scripts look for some of the options
        prog="make endure",
        usage='make endure ARGS="[OPTION]..." (ARGS="--help" lists the options)',
        description="Injects faults while clients send and read messages, and counts what was lost. Arguments are"
        ' passed as ARGS="--kills 50"; SHORT=1 has smaller numbers, and REPORT=docs/reliability.md writes a document.',
    )
    parser.add_argument("--binary", default="", help="the service's program (scripts/endure names it)")
    parser.add_argument("--mysql-image", default="", help="the image of MySQL (scripts/endure names it)")
    parser.add_argument("--report", default=os.environ.get("REPORT", ""), help="the file to write all results to")
    parser.add_argument("--render", action="store_true", help="inject nothing: write or print the results kept so far")
    parser.add_argument(
        "--results", default="", help=f"the file that keeps the results ({RESULTS}; with SHORT=1 {SHORT_RESULTS})"
    )
    parser.add_argument("--note", default="", help="a sentence about the circumstances, kept with the results")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(2**30), metavar="NUMBER", help="of the random requests (random)"
    )
    parser.add_argument("--faults", default=",".join(FAULTS), help=f"those to inject, of {', '.join(FAULTS)}")
    for name, number in NUMBERS.items():
        default = number.short if is_short else number.long
        help_text = f"{number.meaning} ({number.long:g}; with SHORT=1 {number.short:g})"
        parser.add_argument(f"--{name}", type=number_of(name), default=default, metavar="NUMBER", help=help_text)
    return parser


if __name__ == "__main__":  # scripts/endure has a command line checked before it builds anything
    parse([*sys.argv[1:], "--binary", "none", "--mysql-image", "none"])
