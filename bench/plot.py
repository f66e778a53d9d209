#!/usr/bin/env python3
"""Draws what `measure` found: plot.py RESULTS FOLDER writes SVG files into the folder, one for each stage."""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
# The same results give the same files.
matplotlib.rcParams["svg.hashsalt"] = "herolo"
matplotlib.rcParams["svg.fonttype"] = "none"

from matplotlib import pyplot  # noqa: E402  (the back end comes first)

FLOOR, SERVICE = "#999999", "#1f5fa8"


def connections(results, folder):
    """Throughput and latency by the number of connections."""
    for operation in dict.fromkeys(run["operation"] for run in results["connections"]["runs"]):
        runs = [run for run in results["connections"]["runs"] if run["operation"] == operation]
        at = [run["connections"] for run in runs]
        figure, (rates, latencies) = pyplot.subplots(1, 2, figsize=(10, 4))
        for side, colour in (("floor", FLOOR), ("service", SERVICE)):
            rates.plot(at, [run[side]["per_second"] for run in runs], "o-", color=colour, label=side)
            for percentile, style in (("p50_ms", "o-"), ("p99_ms", "o--")):
                label = f"{side}, {percentile[:3]}"
                latencies.plot(at, [run[side][percentile] for run in runs], style, color=colour, label=label)
        rates.set(title=f"{operation}: a second", xscale="log", xlabel="connections", ylim=(0, None))
        latencies.set(title=f"{operation}: latency in ms", xscale="log", yscale="log", xlabel="connections")
        for axes in (rates, latencies):
            axes.set_xticks(at, at)
            axes.minorticks_off()
            axes.grid(alpha=0.3)
            axes.legend()
        save(figure, folder / f"connections-{operation}.svg")


def data(results, folder):
    """Median latency by the size of the data."""
    stage = results["data"]
    names = list(stage["operations"])
    figure, axes = pyplot.subplots(figsize=(10, 4))
    for offset, size, colour in ((-0.2, "small", FLOOR), (0.2, "large", SERVICE)):
        medians = [stage["operations"][name][size]["p50_ms"] for name in names]
        places = [number + offset for number in range(len(names))]
        axes.bar(places, medians, 0.4, color=colour, label=f"{stage[size]:,} messages")
    axes.set(title=f"median latency in ms, {stage['connections']} connections")
    axes.set_xticks(range(len(names)), names)
    axes.grid(axis="y", alpha=0.3)
    axes.legend()
    save(figure, folder / "data.svg")


def depth(results, folder):
    """Latency of a page by its depth."""
    stage = results["depth"]
    figure, axes = pyplot.subplots(figsize=(10, 4))
    for key, label, colour in (("by_next", "following next", SERVICE), ("by_number", "page=N", FLOOR)):
        points = stage[key]
        axes.plot(
            [one["page"] for one in points], [one["median_ms"] for one in points], "o-", color=colour, label=label
        )
    axes.set(title="latency of a page in ms", xscale="log", yscale="log", xlabel="page")
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, folder / "depth.svg")


def ratios(results, folder):
    """Each operation as a share of its floor."""
    figure, axes = pyplot.subplots(figsize=(10, 4))
    for offset, stage, colour, label in ((-0.2, "ratios", SERVICE, "no TLS"), (0.2, "ratios_tls", FLOOR, "TLS")):
        if stage not in results:
            continue
        shares = {name: one["ratio"] for name, one in results[stage]["operations"].items() if "ratio" in one}
        places = [number + offset for number in range(len(shares))]
        axes.bar(places, list(shares.values()), 0.4, color=colour, label=label)
        axes.set_xticks(range(len(shares)), list(shares))
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set(title="throughput of the service as a share of its floor")
    axes.legend()
    save(figure, folder / "ratios.svg")


def memory(results, folder):
    """Memory under load, by time."""
    samples = results["memory"]["samples_kib"]
    figure, axes = pyplot.subplots(figsize=(10, 3))
    axes.plot([10 * number for number in range(1, len(samples) + 1)], [one / 1024 for one in samples], color=SERVICE)
    axes.set(title="memory under load in MiB", xlabel="seconds", ylim=(0, None))
    axes.grid(alpha=0.3)
    save(figure, folder / "memory.svg")


def save(figure, path):
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    print(path)


def main():
    results = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for stage in (ratios, connections, data, depth, memory):
        if stage.__name__ in results:
            stage(results, folder)


if __name__ == "__main__":
    main()
