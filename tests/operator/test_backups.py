"""Snapshots before migrations, the age of backups, and the snapshot that a new deployment is offered."""

from __future__ import annotations

import dataclasses
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from herolo_operator import backups, offer
from herolo_operator.aws import Aws
from herolo_operator.cloud import Cloud
from herolo_operator.console import Failure
from herolo_operator.databases import Databases, Origin
from herolo_operator.deployment import Deployment
from herolo_operator.environment import Environment, Options
from herolo_operator.history import recorded
from herolo_operator.host import Host
from herolo_operator.moving import Move
from herolo_operator.plans import State
from herolo_operator.snapshots import find_database, list_snapshots

HOST = Host("203.0.113.7", "admin", "22", Path("key"), Path("known_hosts"))
DEPLOYMENT = Deployment({"database": {"host": "herolo-prod.x.rds.amazonaws.com"}}, {})


def names(account: Aws) -> list[str]:
    return [item["DBSnapshotIdentifier"] for item in list_snapshots(account)]


@pytest.mark.parametrize(
    ("releases", "label", "schema", "needed"),
    [
        (["herolo:old"], 7, 6, True),
        (["herolo:old"], 6, 6, False),
        (["herolo:new", "herolo:old"], 7, 7, False),
        (["herolo:old"], None, 6, True),  # the image does not tell
        (["herolo:old", "herolo:new"], None, 6, False),  # a rollback
    ],
)
def test_a_snapshot_is_needed_before_migrations_that_the_database_lacks(
    releases: list[str],
    label: int | None,
    schema: int,
    needed: bool,
    account: Aws,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backups, "find_releases_on", lambda _: releases)
    monkeypatch.setattr(backups, "_newest_migration", lambda *_: label)
    monkeypatch.setattr(Move, "schema", lambda _: schema)
    assert backups.needs_backup(account, DEPLOYMENT, HOST, "herolo:new") is needed


@pytest.fixture
def bare(account: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """The account, with a host that has had no release, and cannot ask the database."""
    monkeypatch.setattr(backups, "find_releases_on", lambda _: [])
    monkeypatch.setattr(Move, "schema", refuse)
    return account


def refuse(_: Move) -> int:
    raise Failure("the databases cannot be reached from the host")


def let_database_be_of(minutes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS says that it made the database so long ago."""
    created = datetime.now(UTC) - timedelta(minutes=minutes)
    monkeypatch.setattr(
        backups, "find_database", lambda *asked: {**(find_database(*asked) or {}), "InstanceCreateTime": created}
    )


def test_a_first_deployment_takes_no_snapshot_of_the_database_that_it_has_made(bare: Aws) -> None:
    assert not backups.needs_backup(bare, DEPLOYMENT, HOST, "herolo:new")
    with pytest.raises(Failure), recorded(bare.environment, "deploy"):
        raise Failure("it is interrupted, and repeated")
    assert not backups.needs_backup(bare, DEPLOYMENT, HOST, "herolo:new")


def test_a_host_that_was_made_anew_does_not_migrate_a_database_without_a_snapshot(
    bare: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_database_be_of(59, monkeypatch)
    assert not backups.needs_backup(bare, DEPLOYMENT, HOST, "herolo:new")
    let_database_be_of(61, monkeypatch)
    assert backups.needs_backup(bare, DEPLOYMENT, HOST, "herolo:new")


def test_a_database_that_was_just_made_is_not_new_once_a_deployment_has_succeeded(bare: Aws) -> None:
    with recorded(bare.environment, "deploy"):
        pass
    assert backups.needs_backup(bare, DEPLOYMENT, HOST, "herolo:new")


def test_a_database_that_aws_does_not_find_is_not_taken_for_a_new_one(bare: Aws) -> None:
    lost = Deployment({"database": {"host": "herolo-prod-20260131-140500.x.rds.amazonaws.com"}}, {})
    assert backups.needs_backup(bare, lost, HOST, "herolo:new")


def test_the_newest_three_snapshots_before_migrations_are_kept_and_all_others_of_the_operator(account: Aws) -> None:
    boto3.client("rds", region_name="eu-central-1").create_db_snapshot(
        DBInstanceIdentifier="herolo-prod", DBSnapshotIdentifier="mine"
    )
    taken = [backups.back_up(account, "herolo-prod", f"herolo:{number}") for number in range(5)]
    assert names(account) == [*reversed(taken), "mine"]  # until a deployment has succeeded
    backups.remove_old_backups(account)
    assert names(account) == [*reversed(taken[2:]), "mine"]
    backups.remove_backups(account)
    assert names(account) == ["mine"]


def test_an_interrupted_deployment_does_not_take_a_second_one(account: Aws) -> None:
    first = backups.back_up(account, "herolo-prod", "herolo:abc")
    assert backups.back_up(account, "herolo-prod", "herolo:abc") == first
    assert names(account) == [first]


@pytest.mark.parametrize(
    ("release", "part"),
    [
        ("ghcr.io/herolo/herolo:v1.2.3", "v1-2-3"),
        ("herolo:A_Branch--of-mine.2026-11-26", "a-branch-of-mine-202"),
        ("localhost:5000/herolo", "5000-herolo"),
        ("herolo:a-name-that-is-long-x", "a-name-that-is-long"),
    ],
)
def test_the_name_of_a_snapshot_is_one_that_rds_accepts(release: str, part: str, account: Aws) -> None:
    first = backups.back_up(account, "herolo-prod", release)
    assert re.fullmatch(rf"herolo-prod-before-{part}-\d{{8}}-\d{{6}}", first)
    assert backups.back_up(account, "herolo-prod", release) == first


def test_the_status_shows_the_newest_backup_and_the_last_drill(account: Aws, environment: Environment) -> None:
    backup, drill = backups.show_backups(environment, account, "herolo-prod")
    assert backup[:2] == ("backup", "0 min old") and drill[:2] == ("drill", "none yet")
    with recorded(environment, "restore-drill"):
        pass
    assert backups.show_backups(environment, account, "herolo-prod")[1][1] == "0 min ago"
    with pytest.raises(Failure), recorded(environment, "restore-drill"):
        raise Failure("no backup")
    assert backups.show_backups(environment, account, "herolo-prod")[1][1] == "NOT PASSED"


def test_a_database_without_any_backup_is_a_fault(account: Aws, environment: Environment) -> None:
    backup, _ = backups.show_backups(environment, account, "herolo-prod-20260131-140500")
    assert backup[1] == "NOT THERE"


@dataclasses.dataclass
class FakeCloud:
    """A deployment whose state is known."""

    environment: Environment
    options: Options
    values: dict[str, Any] | None = None  # of the database, if there is one

    def check_state(self) -> State:
        resources: list[dict[str, Any]] = [
            {"address": 'aws_db_instance.main["first"]', "index": "first", "mode": "managed", "values": values}
            for values in [self.values]
            if values is not None
        ]
        return State({"values": {"root_module": {"resources": resources}}})


def choose(environment: Environment, options: Options, values: dict[str, Any] | None = None) -> Databases | None:
    return offer.choose_first_database(cast(Cloud, FakeCloud(environment, options, values)))


def test_a_deployment_after_a_removal_gets_the_database_of_the_snapshot_that_is_named(
    account: Aws, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    backups.back_up(account, "herolo-prod", "herolo:1")
    (snapshot,) = names(account)
    chosen = Databases({"first": Origin(snapshot=snapshot)}, "first")
    assert choose(environment, Options(backup=snapshot)) == chosen
    assert f"the database is made from the snapshot {snapshot}\n" in capsys.readouterr().err
    assert choose(environment, Options(backup="empty")) is None


def test_without_a_snapshot_nothing_is_asked(account: Aws, environment: Environment) -> None:
    assert choose(environment, Options()) is None


@pytest.mark.parametrize("options", [Options(), Options(yes=True), Options(yes=True, confirm="prod")])
def test_an_empty_database_beside_snapshots_is_a_choice_without_a_terminal_too(
    options: Options, account: Aws, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(account, "one", "two")
    monkeypatch.setattr("sys.stdin", io.StringIO("empty\n"))
    message = (
        "^prod has no database, but snapshots at AWS: FROM=two makes .* from the newest, FROM=empty makes an empty"
    )
    with pytest.raises(Failure, match=message):
        choose(environment, options)


@pytest.mark.parametrize(("typed", "snapshot"), [("two", "two"), ("one", "one"), ("empty", None)])
def test_each_of_the_newest_snapshots_is_offered(
    typed: str,
    snapshot: str | None,
    account: Aws,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    take(account, "one", "two")
    answer(monkeypatch, typed)
    chosen = choose(environment, Options())
    assert chosen == (Databases({"first": Origin(snapshot=snapshot)}, "first") if snapshot else None)
    assert [line.split(", ")[1] for line in capsys.readouterr().err.splitlines()[:2]] == ["two", "one"]


@pytest.mark.parametrize("typed", ["no", "yes", "", "prod", "zero"])
def test_any_other_answer_makes_no_database(
    typed: str, account: Aws, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(account, "one", "two")
    answer(monkeypatch, typed)
    with pytest.raises(
        Failure, match=f"^nothing was done: '{typed}' is neither the name of a snapshot above nor 'empty'"
    ):
        choose(environment, Options())


def take(account: Aws, *names: str) -> None:
    for name in names:
        account.client("rds").create_db_snapshot(DBInstanceIdentifier="herolo-prod", DBSnapshotIdentifier=name)


def answer(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(offer, "read_answer", lambda _: typed)


@pytest.mark.parametrize(
    ("wanted", "values", "goes_on"),
    [
        ("nightly", {"snapshot_identifier": "nightly"}, True),
        ("latest", {"snapshot_identifier": "nightly"}, True),
        ("other", {"snapshot_identifier": "nightly"}, False),
        ("empty", {"snapshot_identifier": "nightly"}, False),
        ("empty", {}, True),
        ("latest", {}, False),
    ],
)
def test_a_first_deployment_that_was_interrupted_goes_on_with_the_database_that_it_has_made(
    wanted: str, values: dict[str, Any], goes_on: bool, account: Aws, environment: Environment
) -> None:
    if goes_on:
        assert choose(environment, Options(backup=wanted), values) is None
        with recorded(environment, "deploy"):
            pass
    with pytest.raises(Failure, match=rf"^prod has a database: 'make restore ENV=prod FROM={wanted}'"):
        choose(environment, Options(backup=wanted), values)


def test_a_database_from_a_snapshot_lacks_its_password_until_a_deployment_has_succeeded(
    environment: Environment,
) -> None:
    origins = Databases({"first": Origin(snapshot="nightly")}, "first")
    cloud = cast(Cloud, SimpleNamespace(environment=environment, state=lambda: None, databases=origins))
    assert offer.lacks_own_password(cloud)
    with pytest.raises(KeyboardInterrupt), recorded(environment, "deploy"):
        raise KeyboardInterrupt
    assert offer.lacks_own_password(cloud)
    with recorded(environment, "deploy"):
        pass
    assert not offer.lacks_own_password(cloud)
    with recorded(environment, "destroy"):
        pass
    assert offer.lacks_own_password(cloud)
    empty = Databases({"first": Origin()}, "first")
    assert not offer.lacks_own_password(cast(Cloud, SimpleNamespace(**{**vars(cloud), "databases": empty})))


def test_a_database_that_is_there_is_not_replaced_by_a_deployment(account: Aws, environment: Environment) -> None:
    assert choose(environment, Options(), {}) is None
    with pytest.raises(Failure, match=r"^prod has a database: 'make restore ENV=prod FROM=nightly'"):
        choose(environment, Options(backup="nightly"), {})
