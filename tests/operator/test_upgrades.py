"""Steps by hand between two deployment formats."""

from __future__ import annotations

import io
import json
import sys

import pytest
from herolo_operator.console import Failure
from herolo_operator.environment import Environment, Options
from herolo_operator.history import Entry, read_history, recorded, show_history
from herolo_operator.upgrades import (
    RECORD,
    UPGRADES,
    Upgrade,
    announce_upgrades,
    current_format,
    refuse_newer_format,
    require_upgrades,
)

TABLE = (Upgrade(2, "Give the user the permission iam:PassRole."), Upgrade(4, "Remove the record at DuckDNS."))
DEPLOYED = {"url": "https://herolo.example.com"}  # in a format that recorded none


class Terminal(io.StringIO):
    """What is typed."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())


def test_the_table_ascends() -> None:
    formats = [1, *(upgrade.format for upgrade in UPGRADES)]
    assert formats == sorted(set(formats))


def test_the_format_is_that_of_the_newest_upgrade() -> None:
    assert current_format(()) == 1
    assert current_format(TABLE) == 4


@pytest.mark.parametrize("outputs", [{}, {**DEPLOYED, RECORD: 4}], ids=["new", "deployed in the current format"])
def test_nothing_is_asked_without_a_step(outputs: dict[str, object], environment: Environment) -> None:
    entry = Entry("deploy")
    require_upgrades(environment, Options(), outputs, entry, TABLE)
    assert entry.acknowledged == []


@pytest.mark.parametrize(
    ("outputs", "due"), [(DEPLOYED, [2, 4]), ({**DEPLOYED, RECORD: 1}, [2, 4]), ({**DEPLOYED, RECORD: 2}, [4])]
)
def test_the_steps_since_the_last_deployment_are_due(
    outputs: dict[str, object], due: list[int], environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    found = announce_upgrades(environment, outputs, TABLE)
    assert [upgrade.format for upgrade in found] == due
    assert len(capsys.readouterr().err.splitlines()) == len(due)


def test_a_step_stops_a_deployment_until_it_is_acknowledged(
    environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = Entry("deploy")
    with pytest.raises(Failure, match=r"needs a step by hand: .* set ACKNOWLEDGE=4$"):
        require_upgrades(environment, Options(), DEPLOYED, entry, TABLE)
    assert "before prod is deployed in format 2: Give the user the permission" in capsys.readouterr().err
    assert entry.acknowledged == []


def test_a_variable_acknowledges_the_steps_of_one_upgrade(environment: Environment) -> None:
    entry = Entry("deploy")
    require_upgrades(environment, Options(acknowledge="4"), DEPLOYED, entry, TABLE)
    assert entry.acknowledged == [2, 4]
    with pytest.raises(Failure, match=r"ACKNOWLEDGE=2 is not for this upgrade: .* set ACKNOWLEDGE=4"):
        require_upgrades(environment, Options(acknowledge="2"), DEPLOYED, entry, TABLE)


@pytest.mark.parametrize(("typed", "accepted"), [("done\n", True), ("yes\n", False), ("", False)])
def test_a_typed_word_acknowledges_the_steps(
    typed: str, accepted: bool, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    entry = Entry("deploy")
    if accepted:
        require_upgrades(environment, Options(), DEPLOYED, entry, TABLE)
        assert entry.acknowledged == [2, 4]
        return
    with pytest.raises(Failure, match="nothing was done"):
        require_upgrades(environment, Options(), DEPLOYED, entry, TABLE)


def test_the_history_records_what_was_acknowledged(
    environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(environment, "deploy") as entry:
        require_upgrades(environment, Options(acknowledge="4"), DEPLOYED, entry, TABLE)
    assert read_history(environment)[0]["acknowledged"] == [2, 4]
    show_history(environment, as_json=False)
    assert capsys.readouterr().out.endswith("succeeded (upgrades acknowledged: 2, 4)\n")


def test_an_entry_from_before_upgrades_is_shown(environment: Environment, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"user": "a", "host": "b", "time": "now", "command": "deploy", "release": "", "outcome": "succeeded"}
    environment.history.write_text(f"{json.dumps(entry)}\n")
    show_history(environment, as_json=False)
    assert capsys.readouterr().out.endswith("succeeded\n")


def test_an_older_version_refuses_what_a_newer_one_has_deployed(environment: Environment) -> None:
    refuse_newer_format(environment, {RECORD: 4}, Options(confirm="prod"), TABLE)
    with pytest.raises(
        Failure, match=r"format 4; this version knows 1\): update this one .*OVERRIDE=prod:older-version"
    ):
        refuse_newer_format(environment, {RECORD: 4}, Options(confirm="prod"), ())
    refuse_newer_format(environment, {RECORD: 4}, Options(override="prod:older-version"), ())
