"""Injects faults under load and prints what came of them; scripts/endure calls it."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from endure.database import Database
from endure.faults import Bench, database_faults, kill_connections, kill_mysql, kill_replicas
from endure.report import NotRun, Row, table, write_report
from endure.settings import FAULTS, Settings, parse

DIRECT: dict[str, Callable[[Bench], Row]] = {
    "kills": kill_replicas,
    "mysql-kills": kill_mysql,
    "connections": kill_connections,
}


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
    return rows


def told(name: str, fault: Callable[[], Row], settings: Settings) -> Row | NotRun:
    """Injects a fault if it is chosen, and says so."""
    if name not in settings.faults:
        return NotRun(name, "left out by --faults")
    print(f"==> {name}", file=sys.stderr, flush=True)
    return fault()


def main() -> int:
    """Prints the table; 1 if a figure misses its limit."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = parse(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="herolo-endure-") as folder:
        rows = run(settings, Path(folder))
    print("\n".join(table(rows)))
    if settings.report:
        write_report(Path(settings.report), rows, "")
    return int(any(isinstance(row, Row) and row.misses for row in rows))


if __name__ == "__main__":
    sys.exit(main())
