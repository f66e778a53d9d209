"""Each result has the figure that fits it, and the document shows it."""

from __future__ import annotations

from endure.circumstances import Circumstances
from endure.figures import figures, shown, timelines, times_to_heal, usages
from endure.report import Result, Row, document
from endure.timeline import Interval, Timeline
from endure.usage import Usage

CIRCUMSTANCES = Circumstances("2026-11-27", "a machine", "a release build", "abc", "8.4", 400, False, True, {})


def result(outages: int, usage: Usage | None = None) -> Result:
    """Of a fault that was there so often."""
    timeline = Timeline([9], [1], [0.5], [Interval(number, number + 0.5) for number in range(outages)])
    row = Row("title", times=outages, duration=9, requests=10, failed=1, timeline=timeline, usage=usage)
    return Result(row, CIRCUMSTANCES)


RESULTS = {
    "hole": result(1),
    "kills": result(500),
    "soak": result(0, Usage([1], [[2]], [[3]], [[4]], [5])),
    "mysql-kills": result(200),
    "none": result(0),
    "histories": Result(Row("histories", times=1, duration=9, requests=10, failed=1), CIRCUMSTANCES),
}


def test_a_fault_has_a_timeline_and_many_kills_have_a_distribution() -> None:
    """A run without a fault has neither, and samples are a figure of their own."""
    assert [figure.faults for figure in timelines(RESULTS)] == [("hole",)]
    assert [figure.faults for figure in times_to_heal(RESULTS)] == [("kills", "mysql-kills")]
    assert [figure.faults for figure in usages(RESULTS)] == [("soak",)]
    assert times_to_heal({}) == []


def test_the_document_shows_each_figure_once() -> None:
    """From the folder beside it."""
    lines = document(RESULTS, [], shown(RESULTS, "reliability"))
    links = [line.split("](")[1].rstrip(")") for line in lines if line.startswith("![")]
    assert links == ["reliability/times-to-heal.svg", "reliability/hole.svg", "reliability/soak.svg"]
    assert len(links) == len({figure.file for figure in figures(RESULTS)})
