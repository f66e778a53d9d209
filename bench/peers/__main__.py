"""Measures Herolo and other messaging systems side by side; docs/performance.md explains it.

Systems take turns (A B A B), so that what else happens on the machine meets all. Prints a table in Markdown, and what
has to be known to read it.
"""

import argparse
import asyncio
import datetime
import os
import pathlib
import platform
import signal
import statistics
import sys

import load
from systems import SYSTEMS, Problem

COLUMNS = ("operation", "connections", "system", "N", "/s", "spread", "ratio", "p50, ms", "p99, ms", "client")
LEGEND = """
Medians of {} runs of {:g} s, in turn; N operations in all. Each connection has one request in progress. *ratio*: of
the rate, to that of {}. *live*: from the send until the message arrives on a stream; sent at random times, so its rate
is no limit. *client*: its share of a processor; near 100 %, the client is the limit rather than the system."""


def parse():
    parser = argparse.ArgumentParser(
        prog="bench-peers", description=__doc__.splitlines()[0], allow_abbrev=False, exit_on_error=False
    )
    for name in SYSTEMS:
        parser.add_argument(f"--{name}", metavar="URL", help=f"where {name} listens")
        parser.add_argument(f"--{name}-note", metavar="TEXT", help="how it is configured, for the output")
    parser.add_argument("--operations", nargs="+", choices=load.OPERATIONS, default=list(load.OPERATIONS))
    parser.add_argument("--connections", nargs="+", type=int, default=[1, 16], help="numbers of them (1 16)")
    parser.add_argument("--seconds", type=float, default=5, help="of each run (5)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each system (3)")
    options, others = parser.parse_known_args()
    if others:
        what = f"'{others[0]}' is no option, and no system that there is an adapter for ({', '.join(SYSTEMS)})"
        raise Problem(f"{what}: for another system, add a class to bench/peers/systems.py")
    options.systems = {name: getattr(options, name).rstrip("/") for name in SYSTEMS if getattr(options, name)}
    for name, url in options.systems.items():
        if not url.startswith(("http://", "https://")):
            raise Problem(f"'{url}' is no URL: begin it with http:// or https://, such as --{name} http://{url}")
    if not options.systems:
        raise Problem("no system is named: name some, such as --herolo http://127.0.0.1:8000")
    is_bounded = 0 < options.seconds <= 60 and 1 <= options.rounds <= 20
    if not is_bounded or not all(1 <= number <= 256 for number in options.connections):
        raise Problem("the load is out of range: use 1 to 256 connections, up to 60 seconds and up to 20 rounds")
    return options


async def compare(options):
    systems = [SYSTEMS[name](url) for name, url in options.systems.items()]
    try:
        for system in systems:
            await load.prepare(system)
        print(f"{machine()}\n\n{row(COLUMNS)}\n{row('---' for _ in COLUMNS)}", flush=True)
        for operation in options.operations:
            for connections in options.connections:
                await compare_one(systems, operation, connections, options)
    finally:
        for system in systems:
            await clean_up(system)
    print(LEGEND.format(options.rounds, options.seconds, systems[0].name))
    for system in systems:
        note = getattr(options, f"{system.name}_note") or f"not stated (--{system.name}-note states it)"
        print(f"\n- {system.name} {system.version} at {system.url}\n  - configured: {note}")
        print(f"  - acknowledged: {system.acknowledges}\n  - authenticated: {system.authenticates}")
        print(f"  - different: {system.differs}")


async def clean_up(system):
    """Removes what was made, or says that it is left: the error that ended the run is the more important one."""
    try:
        async with load.session(system):
            await system.clean_up()
    except Problem as problem:
        print(f"warning: accounts of the run are left: {problem}", file=sys.stderr)


async def compare_one(systems, operation, connections, options):
    """An operation of all systems in turn, and the lines of the table."""
    runs = {system.name: [] for system in systems}
    for _ in range(options.rounds):
        for system in systems:
            runs[system.name].append(await load.run(system, operation, connections, options.seconds))
    rates = {name: [len(times) / seconds for times, seconds, _ in found] for name, found in runs.items()}
    for name, found in runs.items():
        times = sorted(time * 1e3 for times, _, _ in found for time in times)
        client = sum(processor for _, _, processor in found) / sum(seconds for _, seconds, _ in found)
        cells = (f"{statistics.median(times):.2f}", f"{times[int(len(times) * 0.99)]:.2f}", f"{client:.0%}")
        speed = rate_cells(rates[name], rates[systems[0].name])
        print(row((operation, connections, name, f"{len(times):,}", *speed, *cells)), flush=True)


def rate_cells(rates, first):
    ratio = statistics.median(own / other for own, other in zip(rates, first))
    return f"{statistics.median(rates):,.0f}", f"{min(rates):,.0f}-{max(rates):,.0f}", f"{ratio:.2f}"


def row(cells):
    return f"| {' | '.join(map(str, cells))} |"


def machine():
    """What the client runs on."""
    file = pathlib.Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} × {model}, {platform.system()} "
        f"{platform.release().split('-')[0]}, Python {platform.python_version()}, load before {os.getloadavg()[0]:.1f}"
    )


def main():
    # Who ends it has the accounts removed, too; also in the background, where shells ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        asyncio.run(compare(parse()))
    except (Problem, argparse.ArgumentError) as problem:
        sys.exit(f"error: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)


main()
