"""Injects faults under load and prints what came of them; scripts/endure calls it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from endure.circumstances import Circumstances, circumstances
from endure.database import Database
from endure.disk import fill_disk
from endure.enumeration import compare_answers
from endure.faults import Bench, database_faults, kill_connections, kill_mysql, kill_replicas, stay_calm
from endure.figures import shown
from endure.histories import check_histories
from endure.live import cut_streams
from endure.logins import flood_with_logins
from endure.moved import move_database
from endure.random_requests.fault import send_random_requests
from endure.report import NotRun, Result, Row, document, require_place, table, write_report
from endure.results import Results
from endure.settings import Settings, parse
from endure.slow_clients import attack_slowly
from endure.soak import soak
from endure.unread import leave_unread
from support.services import REPOSITORY

DIRECT: dict[str, Callable[[Bench], Row]] = {
    "none": stay_calm,
    "kills": kill_replicas,
    "mysql-kills": kill_mysql,
    "connections": kill_connections,
    "histories": lambda bench: check_histories(bench.direct, bench.settings),
    "events": lambda bench: cut_streams(bench.direct, bench.settings),
    "soak": soak,
}
# Those that start replicas of their own, when no others run.
ALONE: dict[str, Callable[[Bench], Row | NotRun]] = {
    "disk-full": fill_disk,
    "moved": move_database,
    "login-flood": flood_with_logins,
    "enumeration": compare_answers,
    "slow-clients": attack_slowly,
    "unread": leave_unread,
    "random": send_random_requests,
}
# What the matrix has besides. Each is told, so that nothing is left out silently.
ELSEWHERE = (
    NotRun(
        "floods and restarts at the edge",
        "they need the edge: `make test-configuration`, `make rehearse`",
    ),
    NotRun("requests that Schemathesis makes of the OpenAPI document", "`make test-contract`: 5,000 in each run"),
    NotRun("inputs that parsers do not expect", "`make fuzz`, for ten minutes each"),
    NotRun("callers without permission", "each operation and each caller is in `make test-contract`"),
)


def run(settings: Settings, results: Results, folder: Path) -> Keeper:
    """Injects the chosen faults, one after another, and keeps the result of each as soon as it has ended."""
    database = Database(settings.mysql_image, folder)
    try:
        database.start()
        bench = Bench(settings, database, folder)
        keeper = Keeper(settings, results, circumstances(settings, database.version()))
        with bench.direct:
            for name, fault in DIRECT.items():
                keeper.inject(name, lambda fault=fault: fault(bench))
        with bench.proxy, bench.behind_proxy() as deployment:
            for name, fault in database_faults(bench, deployment).items():
                keeper.inject(name, fault)
        for name, fault in ALONE.items():
            keeper.inject(name, lambda fault=fault: fault(bench))
    finally:
        database.remove()
    return keeper


class Keeper:
    """Injects the faults that are chosen, and keeps what comes of them."""

    def __init__(self, settings: Settings, results: Results, conditions: Circumstances) -> None:
        self.settings, self.results, self.conditions = settings, results, conditions
        self.rows: list[Row] = []
        self.not_run: list[NotRun] = []

    def inject(self, name: str, fault: Callable[[], Row | NotRun]) -> None:
        """Injects a fault, if it is chosen, and writes its result, or says why it cannot be injected here."""
        if name not in self.settings.faults:
            return
        print(f"==> {name}", file=sys.stderr, flush=True)
        load_average = os.getloadavg()[0]
        try:
            row = fault()
        except (AssertionError, RuntimeError) as failure:  # it did not heal, or has ended
            row = Row(name, times=0, duration=0, requests=0, failed=0, misses=[str(failure)])
        if isinstance(row, NotRun):
            print(f"==> not run: {row.reason}", file=sys.stderr, flush=True)
            self.not_run.append(row)
            return
        row.notes.append(f"the load average was {load_average:.1f} before")
        self.rows.append(row)
        self.results.keep(name, Result(row, self.conditions))


def report(file: Path, results: Results, not_run: list[NotRun]) -> None:
    """Writes all results into a document, and their figures into the folder beside it that has its name."""
    kept, folder = results.load(), file.with_suffix("")
    write_report(file, document(kept, [*not_run, *ELSEWHERE], shown(kept, folder.name)))
    if not kept:
        return
    # Matplotlib is large, and nothing else here needs it, so it is not in the set of packages that runs this.
    try:
        found = subprocess.run([REPOSITORY / "scripts/python", "bench"], check=True, stdout=subprocess.PIPE, text=True)
        python = Path(found.stdout.strip()) / "python"
        subprocess.run([python, "-m", "endure.draw", results.file, folder], check=True)
    except subprocess.CalledProcessError as failure:
        raise SystemExit(f"error: {file} is written, but its figures are not drawn: see above") from failure


def main() -> int:
    """Prints the table; 1 if a figure misses its limit."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = parse(sys.argv[1:])
    if settings.report:
        require_place(Path(settings.report))
    results = Results(settings.results)
    rows: list[Row] = []
    not_run: list[NotRun] = []
    if settings.renders_only:
        print("\n".join(document(results.load(), list(ELSEWHERE))))
    else:
        with tempfile.TemporaryDirectory(prefix="herolo-endure-") as folder:
            keeper = run(settings, results, Path(folder))
        rows, not_run = keeper.rows, keeper.not_run
        print("\n".join(table(rows)))
        print(f"==> kept in {settings.results}", file=sys.stderr)
    if settings.report:
        report(Path(settings.report), results, not_run)
    return int(any(row.misses for row in rows))


if __name__ == "__main__":
    sys.exit(main())
