"""Results stay between runs until their fault is injected again, and the document has all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from endure.__main__ import Keeper
from endure.circumstances import Circumstances, circumstances
from endure.report import BEGIN, NotRun, Result, Row, document, require_place, write_report
from endure.results import Results
from endure.settings import FAULTS, PLANNED, Settings, parse
from endure.timeline import Interval, Timeline
from endure.usage import Usage
from support.markdown import END

CIRCUMSTANCES = Circumstances("2026-11-27", "a machine", "a release build", "abc", "8.4", 400, False, True, {})
PROGRAM = ["--binary", "target/debug/herolo", "--mysql-image", "mysql"]


def row(fault: str, **figures: object) -> Row:
    """The result of a fault that was injected once."""
    return Row(fault, **{"times": 1, "duration": 2.5, "requests": 3, "failed": 0, **figures})


def settings(*arguments: str) -> Settings:
    """Those of a command line."""
    return parse([*PROGRAM, *arguments])


def injected(results: Results, chosen: Settings, faults: dict[str, Callable[[], Row]]) -> list[Row]:
    """A run that injects these faults as far as they are chosen."""
    keeper = Keeper(chosen, results, circumstances(chosen, "8.4"))
    for name, fault in faults.items():
        keeper.inject(name, fault)
    return keeper.rows


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Also the figures that it does not have."""
    timeline = Timeline([1, 0], [0, 2], [0.5, 2.25], [Interval(0.5, 1.5), Interval(1.75, 2, 1, 0.25)])
    result = Result(row("database silent", heal=0.25, misses=["one"], notes=["two"], timeline=timeline), CIRCUMSTANCES)
    result.row.usage = Usage([0.5], [[10.25, 11]], [[40, 41]], [[9, 9]], [7])
    Results(tmp_path / "folder" / "results.json").keep("hole", result)
    assert Results(tmp_path / "folder" / "results.json").load() == {"hole": result}


def test_a_run_replaces_the_results_of_its_faults_alone(tmp_path: Path) -> None:
    """The others keep their own circumstances."""
    results = Results(tmp_path / "results.json")
    older = dataclasses.replace(CIRCUMSTANCES, date="2026-01-01")
    for name in ("kills", "hole"):
        results.keep(name, Result(row(name), older))
    results.keep("kills", Result(row("kills", failed=1), CIRCUMSTANCES))
    assert results.load() == {
        "kills": Result(row("kills", failed=1), CIRCUMSTANCES),
        "hole": Result(row("hole"), older),
    }


def test_an_interrupted_run_keeps_the_faults_that_have_ended(tmp_path: Path) -> None:
    """The one that was under way has no result, or its older one."""

    def interrupt() -> Row:
        raise KeyboardInterrupt

    results = Results(tmp_path / "results.json")
    results.keep("hole", Result(row("older"), CIRCUMSTANCES))
    with pytest.raises(KeyboardInterrupt):
        injected(results, settings(), {"kills": lambda: row("killed"), "hole": interrupt})
    assert {name: result.row.fault for name, result in results.load().items()} == {"kills": "killed", "hole": "older"}


def test_a_fault_that_does_not_end_as_it_should_is_a_result(tmp_path: Path) -> None:
    """It has missed, and the next one is injected all the same."""

    def fail() -> Row:
        raise AssertionError("not within 120 s: 30 further requests succeed")

    results = Results(tmp_path / "results.json")
    rows = injected(results, settings(), {"kills": fail, "hole": lambda: row("silent")})
    assert [each.misses for each in rows] == [["not within 120 s: 30 further requests succeed"], []]
    assert results.load()["kills"].row.misses


def test_a_fault_that_is_not_chosen_keeps_its_result(tmp_path: Path) -> None:
    """It is not injected."""
    results = Results(tmp_path / "results.json")
    results.keep("kills", Result(row("older"), CIRCUMSTANCES))
    injected(results, settings("--faults", "hole"), {"kills": lambda: row("newer"), "hole": lambda: row("silent")})
    assert results.load()["kills"].row.fault == "older"


def test_a_fault_that_cannot_be_injected_is_told_with_its_reason(tmp_path: Path) -> None:
    """In the run and in the document; it is no result."""
    results, chosen = Results(tmp_path / "results.json"), settings()
    keeper = Keeper(chosen, results, circumstances(chosen, "8.4"))
    keeper.inject("moved", lambda: NotRun("moved", "no mount namespace"))
    assert not keeper.rows and not results.load()
    assert "| `moved` | no mount namespace |" in document({}, keeper.not_run)


def test_results_of_a_newer_version_can_be_read(tmp_path: Path) -> None:
    """Without the fields that this version does not know."""
    results = Results(tmp_path / "results.json")
    results.keep("hole", Result(row("silent"), CIRCUMSTANCES))
    text = results.file.read_text()
    results.file.write_text(text.replace('"fault"', '"unheard":1,"fault"').replace('"date"', '"of":2,"date"'))
    assert results.load() == {"hole": Result(row("silent"), CIRCUMSTANCES)}


def test_a_file_that_is_not_json_is_named_and_left(tmp_path: Path) -> None:
    """It may have the results of hours."""
    results = Results(tmp_path / "results.json")
    results.file.write_text('{"kills":')
    with pytest.raises(SystemExit, match=r"results\.json is not JSON"):
        results.keep("hole", Result(row("silent"), CIRCUMSTANCES))
    assert results.file.read_text() == '{"kills":'


def test_a_short_run_keeps_its_results_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a file is named, which says that it is meant."""
    long = settings().results
    monkeypatch.setenv("SHORT", "1")
    assert settings().results != long
    assert settings("--results", str(long)).results == long


def test_a_short_run_writes_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless its results are named."""
    monkeypatch.setenv("SHORT", "1")
    with pytest.raises(SystemExit):
        settings("--report", "docs/reliability.md")
    assert settings("--report", "docs/reliability.md", "--results", "short.json").report


def test_a_run_needs_a_program_and_rendering_does_not() -> None:
    """Rendering starts nothing."""
    with pytest.raises(SystemExit):
        parse([])
    assert parse(["--render"]).renders_only


def test_a_program_may_be_named_from_the_current_folder() -> None:
    """Replicas run in folders of their own."""
    assert settings().binary == str(Path("target/debug/herolo").absolute())


def test_the_circumstances_say_which_numbers_were_not_the_usual_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the form that has run."""
    assert "in the long form, but kills 7, answer-limit 4:" in described("--answer-limit", "4", "--kills", "7")
    assert "in the long form:" in described("--rate", "30")
    assert "30 requests offered a second" in described("--rate", "30")
    assert "not judged" not in described()
    monkeypatch.setenv("SHORT", "1")
    assert "with the small numbers of `SHORT=1`, but kills 500:" in described("--kills", "500")
    assert "were not judged" in described()


def described(*arguments: str) -> str:
    """The circumstances of a run with these arguments."""
    return circumstances(settings(*arguments), "8.4").describe()


def test_the_document_has_all_faults_in_the_order_of_the_matrix() -> None:
    """Below those with a result, those without one, and those that are tested elsewhere. Planned changes follow."""
    results = {name: Result(row(f"title of {name}"), CIRCUMSTANCES) for name in ("roll-outs", "hole", "kills")}
    lines = document(results, [NotRun("random requests", "they are another suite")])
    cells = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")]
    missing = [f"`{name}`" for name in (*FAULTS, *PLANNED) if name not in results]
    told = [*("fault", "title of kills", "title of hole", "title of roll-outs"), "fault", *missing, "random requests"]
    assert cells == told


def test_a_document_without_results_has_no_empty_table() -> None:
    """All faults are told as not run."""
    lines = document({}, [])
    assert lines[0] == "### Not run"
    assert sum(line.startswith("| `") for line in lines) == len(FAULTS) + len(PLANNED)


def test_each_row_of_the_document_refers_to_its_circumstances() -> None:
    """Which are written once for all rows of a run."""
    older = dataclasses.replace(CIRCUMSTANCES, date="2026-01-01")
    results = {"kills": older, "connections": CIRCUMSTANCES, "hole": older}
    lines = document({name: Result(row(name), of) for name, of in results.items()}, [])
    assert [line.split(" | ")[-1] for line in lines if line.startswith(("| kills", "| connections", "| hole"))] == [
        *("1 |", "2 |", "1 |")
    ]
    assert [line[:21] for line in lines if line[:1].isdigit()] == ["1. Begun on 2026-01-0", "2. Begun on 2026-11-2"]


def test_the_report_replaces_what_is_between_its_marks(tmp_path: Path) -> None:
    """What stands around them stays."""
    file = tmp_path / "document.md"
    file.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    write_report(file, ["new", ""])
    assert file.read_text() == f"before\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"
    file.write_text("without marks\n")
    with pytest.raises(SystemExit):
        write_report(file, ["new"])


def test_a_document_without_a_place_for_results_is_refused_before_the_run(tmp_path: Path) -> None:
    """Which may take hours."""
    file = tmp_path / "document.md"
    with pytest.raises(SystemExit, match="does not exist"):
        require_place(file)
    file.write_text("without marks\n")
    with pytest.raises(SystemExit, match="0 times"):
        require_place(file)
    file.write_text(f"{BEGIN}\n{END}\n")
    require_place(file)


@pytest.mark.parametrize(("option", "value"), [("--kills", "0"), ("--kills", "1.5"), ("--rate", "x"), ("--rate", "-1")])
def test_a_number_that_means_nothing_is_refused(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With an example."""
    with pytest.raises(SystemExit):
        settings(option, value)
    assert "such as" in capsys.readouterr().err


def test_a_limit_of_nothing_is_none() -> None:
    """Other numbers are positive."""
    assert settings("--heal-limit", "0")["heal-limit"] == 0
