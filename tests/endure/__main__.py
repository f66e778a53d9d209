"""Injects faults under load and prints what came of them; scripts/endure calls it."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from endure.database import Database
from endure.faults import Bench, database_faults, kill_connections, kill_mysql, kill_replicas, stay_calm
from endure.histories import check_histories
from endure.live import cut_streams
from endure.report import NotRun, Row, circumstances, table, write_report
from endure.settings import Settings, parse

DIRECT: dict[str, Callable[[Bench], Row]] = {
    "none": stay_calm,
    "kills": kill_replicas,
    "mysql-kills": kill_mysql,
    "connections": kill_connections,
    "histories": lambda bench: check_histories(bench.direct, bench.settings),
    "events": lambda bench: cut_streams(bench.direct, bench.settings),
}
# What the matrix has besides. Each is a row, so that nothing is left out silently.
ELSEWHERE = (
    NotRun("database out of disk, or moved to another address", "not part of the matrix yet"),
    NotRun("roll-outs, sick releases, rotations, updates of routing", "they need the deployment: `make rehearse`"),
    NotRun("edge: slow clients, floods, restarts of Traefik", "they need the edge: `make test-configuration`"),
    NotRun("random requests", "`make test-contract`, with HEROLO_CONTRACT_CASES=1000000"),
    NotRun("callers without permission", "each operation and each caller is in `make test-contract`"),
    NotRun("logins in a flood, and their times", "`make bench` measures the flood; enumeration is not measured yet"),
    NotRun("an hour of load", "not part of the matrix yet; `make bench` measures memory for ten minutes"),
)


def run(settings: Settings, folder: Path) -> list[Row | NotRun]:
    """Injects the chosen faults, one after another."""
    database = Database(settings.mysql_image, folder)
    rows: list[Row | NotRun] = []
    try:
        database.start()
        bench = Bench(settings, database, folder)
        with bench.direct:
            rows += [told(name, lambda fault=fault: fault(bench), settings) for name, fault in DIRECT.items()]
        with bench.proxy, bench.behind_proxy() as deployment:
            faults = database_faults(bench, deployment)
            rows += [told(name, fault, settings) for name, fault in faults.items()]
    finally:
        database.remove()
    return [*rows, *ELSEWHERE]


def told(name: str, fault: Callable[[], Row], settings: Settings) -> Row | NotRun:
    """Injects a fault if it is chosen, and says so."""
    if name not in settings.faults:
        return NotRun(name, "left out by --faults")
    print(f"==> {name}", file=sys.stderr, flush=True)
    try:
        return fault()
    except (AssertionError, RuntimeError) as failure:  # it did not heal, or has ended
        return Row(name, times=0, duration=0, requests=0, failed=0, misses=[str(failure)])


def main() -> int:
    """Prints the table; 1 if a figure misses its limit."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = parse(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="herolo-endure-") as folder:
        rows = run(settings, Path(folder))
    print("\n".join([circumstances(settings), "", *table(rows)]))
    if settings.report:
        write_report(Path(settings.report), rows, circumstances(settings))
    return int(any(isinstance(row, Row) and row.misses for row in rows))


if __name__ == "__main__":
    sys.exit(main())
