"""One command at a time, and the history of all."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest
from herolo_operator.console import Failure
from herolo_operator.environment import Environment, Options
from herolo_operator.form import InvalidForm
from herolo_operator.history import read_history, recorded, show_history
from herolo_operator.host import find_ssh_key, require_number
from herolo_operator.identity import current_host
from herolo_operator.lock import exclusive
from herolo_operator.record import longest_wait
from herolo_operator.rotate import choose_parts


class Terminal(io.StringIO):
    """What is typed."""

    def isatty(self) -> bool:
        return True


def hold(environment: Environment, **changes: Any) -> None:
    """As another command does."""
    holder = {"command": "deploy", "user": "alice", "host": "laptop", "pid": 1, "since": "2026-11-26T07:00:00+00:00"}
    (environment.work / "lock").write_text(json.dumps({**holder, **changes}))


def test_a_lock_is_held_and_released(environment: Environment) -> None:
    with exclusive(environment, "deploy"):
        assert json.loads((environment.work / "lock").read_text())["command"] == "deploy"
    assert not (environment.work / "lock").exists()


def test_a_lock_is_released_after_a_failure(environment: Environment) -> None:
    with pytest.raises(Failure), exclusive(environment, "deploy"):
        raise Failure("it broke")
    assert not (environment.work / "lock").exists()


def test_a_second_command_names_the_first(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    hold(environment)
    with (
        pytest.raises(Failure, match=r"locked by 'deploy' of alice on laptop \(process 1, since 2026.*remove environ"),
        exclusive(environment, "plan"),
    ):
        pytest.fail("the lock was not respected")
    assert (environment.work / "lock").exists()


def test_a_running_command_on_this_machine_keeps_its_lock(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with (
        exclusive(environment, "deploy"),
        pytest.raises(Failure, match="prod is locked by 'deploy'"),
        exclusive(environment, "rollback"),
    ):
        pytest.fail("the lock was not respected")


def test_the_lock_of_a_process_that_is_gone_is_broken(environment: Environment) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    hold(environment, host=current_host(), pid=gone.pid)
    with exclusive(environment, "deploy"):
        pass


@pytest.mark.parametrize(("typed", "broken"), [("break\n", True), ("yes\n", False), ("", False)])
def test_another_lock_is_broken_by_a_typed_word(
    typed: str, broken: bool, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    hold(environment)
    if broken:
        with exclusive(environment, "deploy"):
            pass
        return
    with pytest.raises(Failure, match="nothing was done"), exclusive(environment, "deploy"):
        pytest.fail("the lock was not respected")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "succeeded"),
        (Failure("it broke:\nrepair it"), "failed: it broke: repair it"),
        (KeyboardInterrupt(), "interrupted"),
        (ValueError("odd"), "failed: ValueError"),
    ],
)
def test_every_end_of_a_command_is_recorded(
    error: BaseException | None, outcome: str, environment: Environment
) -> None:
    for _ in range(2):
        try:
            with recorded(environment, "deploy") as entry:
                entry.release = "herolo:1234"
                if error:
                    raise error
        except BaseException as raised:
            assert raised is error
    entries = read_history(environment)
    assert [(entry["command"], entry["release"], entry["outcome"]) for entry in entries] == [
        ("deploy", "herolo:1234", outcome)
    ] * 2


def test_a_command_that_an_invalid_form_has_stopped_is_not_in_the_history(environment: Environment) -> None:
    with pytest.raises(InvalidForm), recorded(environment, "destroy"):
        raise InvalidForm(["environments/prod.tfvars line 1: Type a host name"])
    assert read_history(environment) == []


def test_a_command_that_was_refused_for_an_option_is_not_in_the_history(environment: Environment) -> None:
    refusals = (
        lambda: longest_wait(Options(wait="soon")),
        lambda: require_number("REPLACE", "x", [1], "prod"),
        lambda: choose_parts("nonsense", environment),
        lambda: choose_parts("duckdns", environment),
        lambda: find_ssh_key(environment, Options(ssh_key="/none")),
    )
    for refuse in refusals:
        with pytest.raises(Failure), recorded(environment, "deploy"):
            refuse()
    assert read_history(environment) == []


def test_the_history_is_shown(environment: Environment, capsys: pytest.CaptureFixture[str]) -> None:
    show_history(environment, as_json=True)
    assert json.loads(capsys.readouterr().out) == []
    with recorded(environment, "destroy"):
        pass
    show_history(environment, as_json=False)
    columns = capsys.readouterr().out.split()
    assert columns[1] == "destroy"
    assert columns[3:] == ["-", "succeeded"]


def test_a_lock_that_another_command_has_taken_over_is_not_released(environment: Environment) -> None:
    lock = environment.work / "lock"
    with exclusive(environment, "deploy"):
        taken_over = {**json.loads(lock.read_text()), "command": "rollback"}
        lock.write_text(json.dumps(taken_over))
    assert json.loads(lock.read_text()) == taken_over


@pytest.mark.parametrize("pid", ['"abc"', "0", "100000000000000000000"])
def test_a_lock_without_a_process_is_refused(environment: Environment, pid: str) -> None:
    holder = f'{{"command": "deploy", "user": "a", "host": "b", "pid": {pid}, "since": "now"}}'
    (environment.work / "lock").write_text(holder)
    with pytest.raises(Failure, match="is not a lock of this tool"), exclusive(environment, "deploy"):
        pass


@pytest.mark.parametrize("line", ["not json", "[]", '{"user": "a"}'])
def test_a_damaged_line_of_the_history_is_named(environment: Environment, line: str) -> None:
    environment.history.write_text(f"{line}\n")
    with pytest.raises(Failure, match=r"history\.jsonl line 1 .*remove that line"):
        read_history(environment)


def test_an_entry_has_a_line_of_its_own_after_one_that_was_cut_off(environment: Environment) -> None:
    environment.history.write_text('{"user": "al')
    with recorded(environment, "deploy"):
        pass
    cut, entry = environment.history.read_text().splitlines()
    assert cut == '{"user": "al' and json.loads(entry)["outcome"] == "succeeded"
