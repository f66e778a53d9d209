"""Which database `make restore` moves the service to, in which order, and what it does not do."""

from __future__ import annotations

import dataclasses
import functools
import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from herolo_operator import restore, traces
from herolo_operator.cloud import Cloud
from herolo_operator.console import Failure
from herolo_operator.databases import Databases, Origin
from herolo_operator.drill import Drill
from herolo_operator.environment import Environment, Options
from herolo_operator.history import Entry, recorded
from herolo_operator.host import find_hosts
from herolo_operator.moving import Move
from herolo_operator.plans import Plan, State
from herolo_operator.restore import Restorer
from herolo_operator.snapshots import read_origin
from herolo_operator.upgrades import Upgrade, require_upgrades
from support.commands import errors_of, operate
from support.fleet import deployment

FROM_SNAPSHOT = Origin(snapshot="nightly")
FROM_BACKUPS = Origin(source="herolo-prod")
AS_OF = Origin(source="herolo-prod", time="2026-01-31T14:05:00Z")


class FakeBook:
    """Notes on which hosts Ansible runs, and fails when it is to."""

    def __init__(self, *_: object) -> None:
        pass

    def apply(self, _release: str, *arguments: str) -> None:
        EVENTS.append("verify the first" if "--limit" in arguments else "verify")
        if EVENTS[-1] == FAILING[0]:
            raise Failure("the deployment stopped there")


EVENTS: list[str] = []
FAILING = [""]


@pytest.fixture
def move(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Moves a service with that many hosts, of which Ansible fails at the given event, and returns what was done."""
    for action in ("raise_ids", "move", "open"):
        monkeypatch.setattr(Move, action, lambda _, action=action: EVENTS.append(action))
    monkeypatch.setattr(Move, "start", lambda self: EVENTS.append(f"start {self.host.number}"))
    monkeypatch.setattr(restore, "Playbook", FakeBook)
    monkeypatch.setattr("herolo_operator.host.find_ssh_key", lambda *_: "key")
    monkeypatch.setattr(Restorer, "_apply", lambda *_: EVENTS.append("record"))

    def run(hosts: int, failing: str = "") -> list[str]:
        EVENTS.clear()
        FAILING[0] = failing
        found = deployment(hosts)
        monkeypatch.setattr(restore, "read_deployment", lambda _: found)
        restorer: Any = object.__new__(Restorer)
        restorer.environment, restorer.options = environment, Options()
        restorer.cloud = FakeCloud(Databases({"first": Origin(), "second": FROM_SNAPSHOT}, "first"))
        machines = find_hosts(found, environment, Options())
        moved = Move(environment, machines[0], {}, "former.example.com", "next.example.com")
        try:
            restorer._move(moved, "second", machines, "herolo:1234")
        except Failure:
            EVENTS.append("failed")
        return list(EVENTS)

    return run


def test_one_host_moves_and_goes_back_if_the_release_does_not_work(move: Any) -> None:
    assert move(1) == ["raise_ids", "record", "move", "verify"]
    assert move(1, "verify") == ["raise_ids", "record", "move", "verify", "open", "failed"]


def test_of_several_hosts_the_first_one_moves_first(move: Any) -> None:
    begin = ["raise_ids", "record", "move", "verify the first"]
    assert move(3) == [*begin, "start 2", "start 3", "verify"]
    assert move(3, "verify the first") == [*begin, "open", "failed"]


def test_once_one_of_several_hosts_has_moved_the_former_database_stays_closed(move: Any) -> None:
    """Else two hosts would acknowledge messages in two databases."""
    assert move(3, "verify")[-2:] == ["verify", "failed"]


@dataclasses.dataclass
class FakeCloud:
    """With these databases in its state."""

    databases: Databases


@pytest.fixture
def choose(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What `make restore FROM=...` would move to, by the databases that there are. AWS has all but one named "lost"."""
    monkeypatch.setattr(restore, "new_name", lambda: "new")
    monkeypatch.setattr(restore, "find_origin", lambda _, wanted, current: read_origin(wanted, current))
    monkeypatch.setattr(restore, "find_database", lambda _, identifier: None if "lost" in identifier else {"a": 1})

    def choose(backup: str, current: str, **origins: Origin) -> tuple[Databases, str]:
        restorer: Any = object.__new__(Restorer)
        restorer.environment, restorer.aws, restorer.options = environment, None, Options(backup=backup)
        restorer.cloud = FakeCloud(Databases(origins, current))
        chosen: tuple[Databases, str] = restorer._choose_target()
        return chosen

    return choose


@pytest.mark.parametrize(("backup", "origin"), [("nightly", FROM_SNAPSHOT), ("latest", FROM_BACKUPS)])
def test_a_new_database_is_made_beside_the_current_one(choose: Any, backup: str, origin: Origin) -> None:
    databases, target = choose(backup, "first", first=Origin())
    assert target == "new" and databases.current == "first"
    assert databases.origins == {"first": Origin(), "new": origin}


def test_a_lost_database_is_not_made_anew_beside_the_restored_one(choose: Any) -> None:
    databases, target = choose("nightly", "lost", lost=Origin())
    assert databases == Databases({"new": FROM_SNAPSHOT}, "new") and target == "new"


@pytest.mark.parametrize("current", ["first", "second"])
@pytest.mark.parametrize(
    ("backup", "origin"),
    [("nightly", FROM_SNAPSHOT), ("latest", FROM_BACKUPS), ("2026-01-31T14:05:00Z", AS_OF)],
)
def test_a_second_run_goes_on_with_the_database_that_the_first_has_made(
    choose: Any, backup: str, origin: Origin, current: str
) -> None:
    """Whether the first was interrupted before it had moved the service, or in the midst of that."""
    assert choose(backup, current, first=Origin(), second=origin)[1] == "second"


def test_back_is_the_other_database(choose: Any) -> None:
    assert choose("back", "second", first=Origin(), second=FROM_SNAPSHOT)[1] == "first"
    with pytest.raises(Failure, match=r"^prod has one database only"):
        choose("back", "first", first=Origin())


def test_a_third_database_is_refused_with_what_to_do_about_the_second(choose: Any) -> None:
    with pytest.raises(Failure, match=r"another database already, herolo-prod-second.*'make restore-finish ENV=prod'"):
        choose("latest", "first", first=Origin(), second=FROM_SNAPSHOT)


def test_without_a_backup_the_ways_to_name_one_are_told(choose: Any) -> None:
    with pytest.raises(Failure, match=r"^say which backup: FROM=latest"):
        choose("", "first", first=Origin())


@pytest.mark.parametrize("command", ["restore", "finish", "run"])
def test_a_step_by_hand_is_due_before_a_restore(
    command: str, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose plans record the format, so that the next deployment would not show it."""
    table = (Upgrade(2, "Give the user the permission iam:PassRole."),)
    monkeypatch.setattr(restore, "require_upgrades", functools.partial(require_upgrades, upgrades=table))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    restorer: Any = object.__new__(Drill if command == "run" else Restorer)
    restorer.environment, restorer.options = environment, Options()
    restorer.cloud = SimpleNamespace(check_state=lambda: State({"values": {"outputs": {"url": {"value": "x"}}}}))
    with pytest.raises(Failure, match="set ACKNOWLEDGE=2"):
        getattr(restorer, command)(Entry("restore"))


def test_a_restore_changes_databases_alone(environment: Environment) -> None:
    environment.plan.touch()
    changes = [{"address": "aws_instance.host", "change": {"actions": ["update"]}}]
    restorer: Any = object.__new__(Restorer)
    restorer.environment, restorer.state = environment, State({})
    plan = Plan({"applyable": True, "resource_changes": changes})
    restorer.cloud = SimpleNamespace(plan=lambda databases: None, saved_plan=lambda: plan)
    with pytest.raises(Failure, match=r"other changes that are not deployed \(aws_instance\.host\): deploy them first"):
        restorer._plan(Databases({}, "first"))
    assert not environment.plan.exists()


@pytest.mark.parametrize(("deployed", "message"), [(True, "^prod was deployed at"), (False, "^prod is not deployed")])
def test_a_lost_state_is_told_from_an_environment_that_was_never_deployed(
    deployed: bool, message: str, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    if deployed:
        with recorded(environment, "deploy"):
            pass
    monkeypatch.setattr(traces, "find_resources", lambda _: [])
    monkeypatch.setattr(restore, "find_ssh_key", lambda *_: None)
    monkeypatch.setattr(restore, "check_form", lambda _: None)
    monkeypatch.setattr(Cloud, "state", lambda _: State({}))
    monkeypatch.setattr(Cloud, "has_state", lambda _: False)
    with pytest.raises(Failure, match=message):
        Restorer(environment, Options())


@pytest.mark.parametrize(
    ("command", "backup", "fix"),
    [
        ("restore", "", "say which backup: FROM=latest"),
        *(
            (command, "2026-01-31", "is not a backup: give 'latest'")
            for command in ("restore", "restore-drill", "deploy")
        ),
        ("restore", "2026-01-32T00:00:00Z", "is not a valid time"),
    ],
)
def test_what_can_be_no_backup_is_refused_before_anything_is_asked(
    tmp_path: Path, command: str, backup: str, fix: str
) -> None:
    (tmp_path / "prod.tfvars").touch()
    (error,) = errors_of(*operate(command, "prod"), env={"HEROLO_ENVIRONMENTS": str(tmp_path), "FROM": backup})
    assert fix in error
    assert [path.name for path in tmp_path.iterdir()] == ["prod.tfvars"]
