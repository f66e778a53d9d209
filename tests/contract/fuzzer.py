"""Runs Schemathesis on the service's OpenAPI document: single requests and, beside them, series of requests.

It runs as the command, since its integration into pytest has neither the phases of the command nor a limit of examples
for each operation.
"""

from __future__ import annotations

import collections
import json
import subprocess
import sys
from pathlib import Path

from support.services import Service, clean_environment

HERE = Path(__file__).parent
COMMAND = Path(sys.executable).with_name("schemathesis")
# The share of the requests that are made in series, and how many Schemathesis makes of one example of a series.
SERIES_PERCENT = 30
CASES_PER_SERIES = 8
MOST_ROUNDS = 20
# The same for single requests, and the number of those that do not depend on the number of examples: the document's own
# examples, and the limits of each value.
CASES_PER_EXAMPLE = 15
FIXED_CASES = 1000
# A password is hashed slowly on purpose, so operations that take one are requested less often.
SLOW_OPERATIONS = (
    "createUser",
    "issueToken",
    "changePassword",
    "changeEmail",
    "deleteAccount",
    "completePasswordReset",
)
CASES_PER_SLOW_EXAMPLE = 250


class Answers:
    """The responses to requests of a kind: their number by operation and status, and what Schemathesis reports."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self.report = ""
        self.is_as_documented = True

    def add(self, status: int, statistics: Path, report: Path) -> None:
        """Adds those of an ended run of Schemathesis."""
        self.report += report.read_text(errors="replace")
        self.is_as_documented &= status == 0
        if statistics.exists():
            for operation, counts in json.loads(statistics.read_text()).items():
                self.counts[operation].update(counts)

    def total(self) -> int:
        """The number of responses."""
        return sum(counts.total() for counts in self.counts.values())

    def succeeded(self) -> set[str]:
        """The operations that have been answered with success at least once."""
        return {name for name, counts in self.counts.items() if any(status.startswith("2") for status in counts)}

    def table(self) -> list[str]:
        """A line for each operation."""
        return [
            f"  {name:20} " + ", ".join(f"{status}: {count}" for status, count in sorted(counts.items()))
            for name, counts in sorted(self.counts.items())
        ]


def linked_operations(document: dict) -> set[str]:
    """The operations that the links of responses lead to."""
    responses = [
        response
        for item in document["paths"].values()
        for operation in item.values()
        for response in operation["responses"].values()
    ]
    return {link["operationId"] for response in responses for link in response.get("links", {}).values()}


class Fuzzer:
    """Schemathesis with a number of requests and a seed. As a context it ends the processes that it has started."""

    def __init__(self, folder: Path, service: Service, cases: int, seed: int) -> None:
        self.folder, self.url, self.cases, self.seed = folder, service.url, cases, seed
        self.single, self.series = Answers("single requests"), Answers("requests in series")
        self.document = service.openapi_document()
        # From a file, since Schemathesis leaves out the operation from which it gets the document.
        (folder / "openapi.json").write_text(json.dumps(self.document))
        slow = ", ".join(f'"{name}"' for name in SLOW_OPERATIONS)
        (folder / "schemathesis.toml").write_text(
            (HERE / "schemathesis.toml").read_text() + f"\n[[operations]]\ninclude-operation-id = [{slow}]\n"
            f"generation.max-examples = {cases // CASES_PER_SLOW_EXAMPLE + 1}\n"
        )
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Fuzzer:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def run(self) -> None:
        """Makes all requests."""
        examples = (self.cases * (100 - SERIES_PERCENT) // 100 - FIXED_CASES) // CASES_PER_EXAMPLE
        process = self.start("single", self.seed, "examples,coverage,fuzzing", examples)
        self.run_series()
        self.finish("single", process, self.single)

    def run_series(self) -> None:
        """Makes series of requests, in rounds.

        Schemathesis gives up a series, and all that would follow it, if repeated requests get other responses; and a
        service has state. So there are rounds until there were enough requests, and all kinds of them.
        """
        wanted = self.cases * SERIES_PERCENT // 100
        linked = linked_operations(self.document)
        for number in range(MOST_ROUNDS):
            name = f"series-{number}"
            process = self.start(name, self.seed + number, "stateful", wanted // CASES_PER_SERIES)
            self.finish(name, process, self.series)
            is_enough = self.series.total() >= wanted and self.series.succeeded() >= linked
            if is_enough or not self.series.is_as_documented:
                return

    def start(self, name: str, seed: int, phases: str, examples: int) -> subprocess.Popen[bytes]:
        """Starts Schemathesis; the files of this name get its report and its statistics."""
        environment = {
            **clean_environment(),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.folder / "hypothesis"),
            "PYTHONPATH": str(HERE),
            "HEROLO_CONTRACT_URL": self.url,
            "HEROLO_CONTRACT_STATISTICS": str(self.folder / f"{name}.json"),
        }
        command = [COMMAND, "--config-file", "schemathesis.toml", "run", "openapi.json", "--url", self.url]
        options = ["--seed", str(seed), "--phases", phases, "--max-examples", str(max(examples, 1))]
        with (self.folder / f"{name}.txt").open("wb") as report:
            process = subprocess.Popen(
                [*command, *options],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=report,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def finish(self, name: str, process: subprocess.Popen[bytes], answers: Answers) -> None:
        """Waits until Schemathesis has ended, and adds its responses to the others."""
        status = process.wait()
        answers.add(status, self.folder / f"{name}.json", self.folder / f"{name}.txt")
