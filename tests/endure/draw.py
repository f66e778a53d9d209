"""Draws the results that are kept: `python -m endure.draw RESULTS FOLDER` writes SVG files into the folder.

It needs Matplotlib, which is in the set of packages of the bench (scripts/python bench).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# The same results give the same files.
matplotlib.rcParams["svg.hashsalt"] = "herolo"
matplotlib.rcParams["svg.fonttype"] = "none"

from endure.figures import MANY, Figure, timelines, times_to_heal, usages  # noqa: E402  (the back end comes first)
from endure.report import Result  # noqa: E402
from endure.results import Results  # noqa: E402
from endure.usage import EARLY, LATE, Usage  # noqa: E402
from matplotlib import pyplot  # noqa: E402

SUCCESS, FAILURE, SLOWEST, SHADE = "#1f5fa8", "#c0392b", "#555555", "#dddddd"
REPLICAS = ("#1f5fa8", "#d98c1f", "#4b8b3b")
# Points of a line, so that a file stays below 60 KB.
MOST_SECONDS, MOST_OUTAGES, MOST_SAMPLES = 150, 200, 60


def draw_timeline(figure: Figure, results: dict[str, Result], folder: Path) -> None:
    """Requests a second by what came of them, and the slowest answer, with the fault shaded."""
    row = results[figure.faults[0]].row
    line = row.timeline
    length = max(1, len(line.succeeded) - 1)  # not the last second, which the load did not fill
    edges = [*binned(range(length), MOST_SECONDS, min), length]
    plot, (rates, slowest) = pyplot.subplots(2, 1, figsize=(10, 5), sharex=True, height_ratios=(2, 1))
    for values, colour, label in ((line.succeeded, SUCCESS, "success"), (line.failed, FAILURE, "failure")):
        rates.stairs(binned(values[:length], MOST_SECONDS), edges, color=colour, label=label, linewidth=1.5)
    slowest.stairs(binned(line.slowest[:length], MOST_SECONDS, max), edges, color=SLOWEST, linewidth=1.5)
    rates.set_title(row.fault, loc="left")
    rates.set(ylabel="requests a second", ylim=(0, None))
    slowest.set(ylabel="slowest answer, s", xlabel="seconds of load", ylim=(0, None), xlim=(0, length))
    for axes in (rates, slowest):
        for number, outage in enumerate(line.outages):
            label = "fault" if number == 0 and axes is rates else None
            axes.axvspan(outage.begun, outage.ended, color=SHADE, label=label, zorder=0)
        axes.grid(alpha=0.3)
    rates.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)  # above, where no line is
    save(plot, folder / figure.file)


def draw_times_to_heal(figure: Figure, results: dict[str, Result], folder: Path) -> None:
    """The share of outages that had healed, by the time since their end."""
    plot, axes = pyplot.subplots(figsize=(10, 4))
    longest = 0.0
    for name, colour in zip(figure.faults, [*REPLICAS, SLOWEST, FAILURE] * len(figure.faults)):
        row = results[name].row
        known = sorted(outage.healed for outage in row.timeline.outages if outage.healed is not None)
        if len(known) < MANY:  # overlapping outages have one end
            continue
        shares = binned([100 * number / len(known) for number in range(1, len(known) + 1)], MOST_OUTAGES, max)
        label = f"{row.fault}: {len(known):,} outages, longest {known[-1]:.2f} s"
        axes.step([0, *binned(known, MOST_OUTAGES, max)], [0, *shares], where="post", color=colour, label=label)
        longest = max(longest, known[-1])
    axes.set(title="healed by the time since the end of the fault", xlabel="seconds", ylabel="% of outages")
    axes.set(xlim=(0, 1.05 * longest or 1), ylim=(0, 101))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    save(plot, folder / figure.file)


def draw_usage(figure: Figure, results: dict[str, Result], folder: Path) -> None:
    """What the replicas held, with the times whose means are compared."""
    row = results[figure.faults[0]].row
    usage = row.usage
    minutes = [second / 60 for second in binned(usage.seconds, MOST_SAMPLES)]
    plot, axes = pyplot.subplots(2, 2, figsize=(10, 6), sharex=True)
    panels = (
        ("resident memory, MiB", by_replica(usage.memory)),
        ("open files", by_replica(usage.files)),
        ("threads", by_replica(usage.threads)),
        ("connections to the database, all replicas", [usage.connections]),
    )
    for panel, (title, lines) in zip(axes.flat, panels):
        for number, (values, colour) in enumerate(zip(lines, REPLICAS), 1):
            panel.plot(
                minutes,
                binned(values, MOST_SAMPLES),
                color=colour,
                label=f"replica {number}" if len(lines) > 1 else None,
            )
        highest = max((max(values) for values in lines), default=1)
        panel.set(title=title, ylim=(0, 1.15 * highest))
        panel.locator_params(nbins=6)
        panel.grid(alpha=0.3)
        shade_windows(panel, usage)
    for panel in axes[1]:
        panel.set(xlabel="minutes of load")
    if usage.has_processes:
        axes[0][0].legend(loc="lower right")
    plot.suptitle(row.fault)
    save(plot, folder / figure.file)


def shade_windows(panel: pyplot.Axes, usage: Usage) -> None:
    """Those whose means are compared, if the load was long enough."""
    end = usage.seconds[-1]
    if end - LATE >= EARLY[1]:
        for begun, ended in (EARLY, (end - LATE, end)):
            panel.axvspan(begun / 60, ended / 60, color=SHADE, zorder=0)


def by_replica(samples: Sequence[Sequence[float]]) -> list[list[float]]:
    """A list for each replica instead of one for each time."""
    return [list(values) for values in zip(*samples)]


def mean(values: Sequence[float]) -> float:
    """Of some numbers."""
    return sum(values) / len(values)


def binned(values: Sequence[float], most: int, of: Callable[[Sequence[float]], float] = mean) -> list[float]:
    """At most so many values: each is that of its neighbours, by default their mean."""
    size = -(-len(values) // most) or 1
    return [of(values[start : start + size]) for start in range(0, len(values), size)]


def save(plot: pyplot.Figure, path: Path) -> None:
    """Writes the file."""
    plot.tight_layout()
    plot.savefig(path, metadata={"Date": None})
    pyplot.close(plot)


def main() -> None:
    """Draws all that there is."""
    results, folder = Results(Path(sys.argv[1])).load(), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    kinds = ((times_to_heal, draw_times_to_heal), (timelines, draw_timeline), (usages, draw_usage))
    for listed, draw in kinds:
        for figure in listed(results):
            draw(figure, results, folder)
            print(folder / figure.file, file=sys.stderr)


if __name__ == "__main__":
    main()
