#!/usr/bin/env python3
"""Writes the tables of docs/performance.md from what `measure` found: tables.py RESULTS DOCUMENT."""

import json
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "tests"))

from support.markdown import heading, replaced, row

BEGIN = "<!-- `make bench` writes what follows: {} -->"


def ratios(results):
    """Each operation beside its floor; with TLS, too, if that was measured on the same day."""
    stage, other = results["ratios"], results.get("ratios_tls", {})
    with_tls = other["operations"] if other.get("at", "")[:10] == stage["at"][:10] else {}
    yield from heading(
        (
            *("operation", "floor, /s", "service, /s", "ratio", *(["with TLS"] if with_tls else [])),
            *("p50, ms", "p99, ms", "µs of service, MySQL, wrk", "µs of MySQL, sysbench"),
        )
    )
    for name, found in stage["operations"].items():
        if "floor" not in found:
            continue
        floor, service = found["floor"], found["service"]
        shares = [f"{operations[name]['ratio']:.2f}" for operations in (stage["operations"], with_tls) if operations]
        rates = (f"{side['per_second']:,.0f}" for side in (floor, service))
        latencies = (f"{service[percentile]:.1f}" for percentile in ("p50_ms", "p99_ms"))
        parts = (", ".join(f"{side[part]:,.0f}" for part in names) for side, names in of_sides(floor, service))
        yield row((name, *rates, *shares, *latencies, *parts))


def of_sides(floor, service):
    """Both sides, with the names of the parts whose processor time is known."""
    return (service, ("service_us", "mysql_us", "tool_us")), (floor, ("mysql_us", "tool_us"))


def connections(results):
    """Rates and 99th percentiles by the number of connections."""
    runs = results["connections"]["runs"]
    numbers = sorted({run["connections"] for run in runs})
    yield from heading(("connections", *numbers))
    for name in dict.fromkeys(run["operation"] for run in runs):
        found = {run["connections"]: run for run in runs if run["operation"] == name}
        services = [found[number]["service"] for number in numbers]
        floors = [found[number]["floor"] for number in numbers]
        yield row((f"{name}, /s", *(f"{service['per_second']:,.0f}" for service in services)))
        shares = (service["per_second"] / floor["per_second"] for service, floor in zip(services, floors, strict=True))
        yield row((f"{name}, of the floor", *(f"{share:.2f}" for share in shares)))
        yield row((f"{name}, p99 in ms", *(f"{service['p99_ms']:.1f}" for service in services)))


def data(results):
    """Medians by the size of the data."""
    stage = results["data"]
    yield from heading(
        ("operation", *(f"p50 with {stage[size]:,} messages, ms" for size in ("small", "large")), "ratio")
    )
    for name, found in stage["operations"].items():
        medians = (f"{found[size]['p50_ms']:.2f}" for size in ("small", "large"))
        yield row((name, *medians, f"{found['ratio']:.2f}"))


EDGE_PARTS = ("traefik_us", "log_us", "replicas_us", "mysql_us", "tool_us")


def edge(results):
    """Each way to the replicas, and its processor time beside that of the direct one."""
    yield from heading(
        (
            *("operation", "way", "/s", "of direct", "p50, ms", "p99, ms"),
            *("µs of Traefik, log, replicas, MySQL, client", "direct time / this time"),
        )
    )
    for name, ways in results["edge"]["variants"]["shipped"].items():
        direct = sum(ways["direct"][part] for part in EDGE_PARTS)
        for way, found in ways.items():
            parts = [found[part] for part in EDGE_PARTS]
            latencies = (f"{found[percentile]:.0f}" for percentile in ("p50_ms", "p99_ms"))
            share = f"{found['per_second'] / ways['direct']['per_second']:.2f}"
            times = ", ".join(f"{part:,.0f}" for part in parts)
            yield row(
                (name, way, f"{found['per_second']:,.0f}", share, *latencies, times, f"{direct / sum(parts):.2f}")
            )


TABLES = {"ratios": ratios, "connections": connections, "data": data, "edge": edge}


def with_tables(text, results):
    """The document with its tables written anew."""
    for name, table in TABLES.items():
        text = replaced(text, BEGIN.format(name), [*table(results), ""], "the document")
    return text


def main():
    results, document = map(pathlib.Path, sys.argv[1:])
    found = json.loads(results.read_text(encoding="utf-8"))
    document.write_text(with_tables(document.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
