"""What people see, without a terminal."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from herolo_operator import console
from herolo_operator.console import Failure


def test_a_phase_is_one_line_with_its_outcome_and_its_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with console.phase("image", tmp_path) as phase:
        console.say("many words")
        phase.outcome = "herolo:1234"
    assert capsys.readouterr().err == f"  image        {'herolo:1234':<52}     0 s\n"
    assert (tmp_path / "image.log").read_text() == "many words\n"


def test_a_failed_phase_shows_the_end_of_its_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Failure), console.phase("infra", tmp_path):
        for number in range(100):
            console.say(f"line {number}")
        raise Failure("it broke: repair it")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "  infra        FAILED"
    assert lines[1:] == [f"line {number}" for number in range(40, 100)]
    assert (tmp_path / "infra.log").read_text().endswith("error: it broke: repair it\n")


def test_an_interrupted_phase_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), console.phase("cloud", tmp_path):
        console.say("many words")
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "  cloud        interrupted\n"


def test_a_question_without_a_terminal_fails_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    with pytest.raises(Failure, match="set YES=1"):
        console.ask("Apply?", "yes")


@pytest.mark.parametrize(("given", "message"), [("", "set CONFIRM=prod"), ("yes", "nothing was destroyed: 'yes'")])
def test_a_confirmation_takes_the_name_alone(given: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("prod\n"))
    with pytest.raises(Failure, match=message):
        console.confirm_by_name("prod", given, "Remove all.", "destroys prod", "nothing was destroyed")


def test_rows_are_columns(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_rows([("disk", "12 % used", "1 of 8"), ("service", "NOT COMPLETE", "")], [False, True])
    assert capsys.readouterr().out == "  disk           12 % used        1 of 8\n  service        NOT COMPLETE     \n"
