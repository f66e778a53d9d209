"""The databases of an environment, and the backups that an operator names."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from herolo_operator import snapshots
from herolo_operator.aws import Aws
from herolo_operator.console import Failure
from herolo_operator.databases import Databases, Origin, read_databases
from herolo_operator.environment import Environment
from herolo_operator.plans import State
from herolo_operator.snapshots import (
    choose_suffix,
    find_origin,
    list_manual_snapshots,
    list_snapshots,
    read_origin,
    remove_logs,
)

REGION = "eu-central-1"
REPOSITORY = Path(__file__).resolve().parents[2]
FAULTS = SimpleNamespace(DBSnapshotNotFoundFault=KeyError)


def state(current: str = "", **databases: dict[str, Any]) -> State:
    resources = [
        {"address": f'aws_db_instance.main["{name}"]', "index": name, "mode": "managed", "values": values}
        for name, values in databases.items()
    ]
    outputs = {"database_current": {"value": current}} if current else {}
    return State({"values": {"root_module": {"resources": resources}, "outputs": outputs}})


def test_before_the_first_deployment_there_is_to_be_an_empty_database() -> None:
    assert read_databases(State({})) == Databases({"first": Origin()}, "first")


def test_a_database_without_a_name_is_the_first() -> None:
    old = {"address": "aws_db_instance.main", "mode": "managed", "values": {}}
    assert read_databases(State({"values": {"root_module": {"resources": [old]}}})).origins == {"first": Origin()}


def test_the_state_remembers_from_which_backups_databases_were_made() -> None:
    point = {"source_db_instance_identifier": "herolo-prod", "restore_time": "2026-01-31T14:05:00Z"}
    databases = read_databases(
        state(
            "second",
            first={"snapshot_identifier": None, "restore_to_point_in_time": []},
            second={"snapshot_identifier": "nightly"},
            third={"restore_to_point_in_time": [point]},
        )
    )
    assert databases.current == "second"
    assert databases.origins == {
        "first": Origin(),
        "second": Origin(snapshot="nightly"),
        "third": Origin(source="herolo-prod", time="2026-01-31T14:05:00Z"),
    }


def test_an_interrupted_removal_leaves_the_name_of_the_current_database() -> None:
    assert read_databases(state("second", first={})).origins.keys() == {"first", "second"}


def test_the_database_of_a_drill_is_not_one_to_go_back_to() -> None:
    databases = Databases({"first": Origin(), "drill-1": Origin(snapshot="nightly")}, "first")
    assert databases.other == ""
    assert databases.adding("second", Origin()).other == "second"
    assert databases.adding("second", Origin()).beside("second") == "first"
    values = json.loads(databases.variables["TF_VAR_databases"])
    assert values["drill-1"]["drill"] and not values["first"]["drill"]


@pytest.mark.parametrize(
    ("wanted", "origin"),
    [
        ("latest", Origin(source="herolo-prod")),
        ("before-the-change", Origin(snapshot="before-the-change")),
        ("rds:herolo-prod-2026-01-31-02-05", Origin(snapshot="rds:herolo-prod-2026-01-31-02-05")),
        ("2026-01-31T14:05:00Z", Origin(source="herolo-prod", time="2026-01-31T14:05:00Z")),
        ("2026-01-31t15:05:00.5+01:00", Origin(source="herolo-prod", time="2026-01-31T14:05:00Z")),
    ],
)
def test_a_backup_is_the_latest_a_snapshot_or_a_time(wanted: str, origin: Origin) -> None:
    assert read_origin(wanted, "herolo-prod") == origin


@pytest.mark.parametrize("wanted", ["2026-01-31", "2026-13-31T14:05:00Z", "2026-01-31T14:05:00", "yesterday!", "-x"])
def test_anything_else_is_refused(wanted: str) -> None:
    with pytest.raises(Failure, match=f"^FROM='?{wanted}'? is not a "):
        read_origin(wanted, "herolo-prod")


@pytest.mark.parametrize(
    ("what", "value", "message"),
    [
        ("Engine", "postgres", r"^nightly is a snapshot of postgres, not of MySQL: name another$"),
        ("EngineVersion", "8.0.40", r"^nightly is a snapshot of MySQL 8\.0\.40, and databases have 8\.4 here: upgrade"),
        ("EngineVersion", "8.40.1", r"^nightly is a snapshot of MySQL 8\.40\.1, and databases have 8\.4 here"),
        ("MasterUsername", "root", r"^nightly is not a snapshot of a database of Herolo, .* rather than root: name"),
        ("Status", "creating", r"^the snapshot nightly is not complete \(creating\): run this again once it is$"),
        (
            "AllocatedStorage",
            35,
            r"^the disk of the snapshot nightly has 35 GiB, .*: set database_storage_gib = 35 in ",
        ),
    ],
)
def test_a_snapshot_of_which_no_database_of_the_form_can_be_made_is_refused_with_the_fix(
    what: str, value: object, message: str, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = {
        "DBSnapshotIdentifier": "nightly",
        "Status": "available",
        "Engine": "mysql",
        "EngineVersion": "8.4",
        "MasterUsername": "herolo_master",
        "AllocatedStorage": 20,
    }
    answers = [snapshot, {**snapshot, what: value}]
    rds = SimpleNamespace(describe_db_snapshots=lambda **_: {"DBSnapshots": [answers.pop(0)]}, exceptions=FAULTS)
    monkeypatch.setattr(Aws, "client", lambda *_: rds)
    monkeypatch.setattr(snapshots, "find_database", lambda *_: None)
    assert find_origin(Aws(environment), "nightly", "herolo-prod") == Origin(snapshot="nightly")
    with pytest.raises(Failure, match=message):
        find_origin(Aws(environment), "nightly", "herolo-prod")


def test_the_newest_snapshot_of_a_lost_database_is_checked_as_well(account: Aws, environment: Environment) -> None:
    take_snapshots("one")
    environment.form.write_text(f'region = "{REGION}"\ndatabase_storage_gib = 19\n', encoding="utf-8")
    with pytest.raises(Failure, match=r"^the disk of the snapshot one has 20 GiB"):
        find_origin(account, "latest", "herolo-prod-20260131-140500")


@pytest.mark.parametrize("wanted", ["latest", "2026-01-31T14:05:00Z"])
def test_a_disk_that_has_grown_needs_as_much_in_the_form(
    wanted: str, account: Aws, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_require_within_backups", lambda *_: None)
    account.client("rds").modify_db_instance(DBInstanceIdentifier="herolo-prod", AllocatedStorage=30)
    with pytest.raises(Failure, match=r"the disk of the database herolo-prod has 30 GiB.*database_storage_gib = 30 in"):
        find_origin(account, wanted, "herolo-prod")
    environment.form.write_text(f'region = "{REGION}"\ndatabase_storage_gib = 30\n', encoding="utf-8")
    assert find_origin(account, wanted, "herolo-prod").source == "herolo-prod"


def test_the_engine_and_the_master_user_are_those_of_terraform() -> None:
    text = (REPOSITORY / "infra/database.tf").read_text(encoding="utf-8")
    assert f'engine_version              = "{snapshots.ENGINE_VERSION}"\n' in text
    assert f'username            = "{snapshots.MASTER_USER}"\n' in text


def take_snapshots(*names: str, of: str = "herolo-prod") -> None:
    rds = boto3.client("rds", region_name=REGION)
    for name in names:
        rds.create_db_snapshot(DBInstanceIdentifier=of, DBSnapshotIdentifier=name)


def test_the_newest_snapshot_is_first_and_those_of_other_environments_are_not_ours(account: Aws) -> None:
    take_snapshots("one", "two")
    take_snapshots("three", of="herolo-prod-eu")
    assert [item["DBSnapshotIdentifier"] for item in list_snapshots(account)] == ["two", "one"]


def test_automated_snapshots_do_not_outlive_their_database(account: Aws) -> None:
    take_snapshots("one")
    account.client("rds").create_db_instance(
        DBInstanceIdentifier="herolo-prod-20260131-140500",
        DBInstanceClass="db.t4g.micro",
        Engine="mysql",
        MasterUsername="herolo_master",
        AllocatedStorage=20,
    )
    assert len(list_snapshots(account)) == 2
    assert [item["DBSnapshotIdentifier"] for item in list_manual_snapshots(account)] == ["one"]


def test_a_snapshot_that_is_not_there_is_answered_with_those_that_are(account: Aws) -> None:
    take_snapshots("one")
    assert find_origin(account, "one", "herolo-prod") == Origin(snapshot="one")
    with pytest.raises(Failure, match=r"^there is no snapshot 'won' in eu-central-1: the newest are one$"):
        find_origin(account, "won", "herolo-prod")


def test_a_time_without_backups_is_answered_with_the_times_that_have_some(account: Aws) -> None:
    with pytest.raises(Failure, match=r"^FROM=2001-01-01T00:00:00Z is not between 20.*give a time between them"):
        find_origin(account, "2001-01-01T00:00:00Z", "herolo-prod")


DAY = timedelta(days=1)
FORMER = {"Status": "retained", "RestoreWindow": {"EarliestTime": datetime.now(UTC) - 90 * DAY}}


@pytest.mark.parametrize(
    ("backups", "begin"),
    [
        ([FORMER, {"Status": "active", "RestoreWindow": {"EarliestTime": datetime.now(UTC) - 5 * DAY}}], 5),
        ([FORMER], 7),
        ([{"Status": "active"}], 7),
        ([], 7),
    ],
)
def test_a_time_before_the_oldest_backup_is_refused(
    backups: list[dict[str, Any]], begin: int, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the database was there."""
    now = datetime.now(UTC)
    database = {
        "DBInstanceIdentifier": "herolo-prod",
        "InstanceCreateTime": now - 100 * DAY,
        "LatestRestorableTime": now - DAY / 24 / 12,
        "BackupRetentionPeriod": 7,
        "AllocatedStorage": 20,
    }
    rds = SimpleNamespace(
        describe_db_instances=lambda **_: {"DBInstances": [database]},
        describe_db_instance_automated_backups=lambda **_: {"DBInstanceAutomatedBackups": backups},
        exceptions=SimpleNamespace(DBInstanceNotFoundFault=KeyError),
    )
    monkeypatch.setattr(Aws, "client", lambda *_: rds)
    inside, before = (f"{now - days * DAY:%Y-%m-%dT%H:%M:%SZ}" for days in (begin - 0.5, begin + 0.5))
    assert find_origin(Aws(environment), inside, "herolo-prod").time == inside
    with pytest.raises(Failure, match=rf"^FROM={before} is not between .*: give a time between them, or"):
        find_origin(Aws(environment), before, "herolo-prod")


def test_the_latest_backup_of_a_lost_database_is_the_newest_snapshot(account: Aws) -> None:
    with pytest.raises(Failure, match=r"^the database herolo-prod-20260131-140500 is not at AWS"):
        find_origin(account, "latest", "herolo-prod-20260131-140500")
    take_snapshots("one", "two")
    assert find_origin(account, "latest", "herolo-prod-20260131-140500") == Origin(snapshot="two")
    with pytest.raises(Failure, match=r"its automated backups went with it.*the newest: two, one"):
        find_origin(account, "2026-01-31T14:05:00Z", "herolo-prod-20260131-140500")


def test_a_final_snapshot_gets_another_name_if_its_own_is_taken(account: Aws) -> None:
    take_snapshots("herolo-prod-final-1")
    assert choose_suffix(account, ["herolo-prod-final-2"]) == ""
    assert choose_suffix(account, ["herolo-prod-final-1"]) not in ("", "1")
    assert choose_suffix(account, []) == ""


def test_logs_that_come_after_the_removal_are_removed_and_those_of_other_environments_stay(account: Aws) -> None:
    logs = boto3.client("logs", region_name=REGION)
    for name in ("herolo-prod", "herolo-prod-20260131-140500", "herolo-prod-drill-20260131-140500", "herolo-prod-eu"):
        logs.create_log_group(logGroupName=f"/aws/rds/instance/{name}/error")
    remove_logs(account)
    left = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    assert left == ["/aws/rds/instance/herolo-prod-eu/error"]


class Rds:
    """Makes a database, and changes its password after a while, in which it is available, as RDS is at first."""

    def __init__(self) -> None:
        self.modified_at = 0
        self.answers = [
            {"DBInstanceStatus": "creating", "PendingModifiedValues": {"MasterUserPassword": "****"}},
            {"DBInstanceStatus": "available", "PendingModifiedValues": {}},
            {"DBInstanceStatus": "available", "PendingModifiedValues": {"MasterUserPassword": "****"}},
            {"DBInstanceStatus": "resetting-master-credentials", "PendingModifiedValues": {}},
            {"DBInstanceStatus": "available", "PendingModifiedValues": {}},
        ]

    def modify_db_instance(self, **_: object) -> None:
        """Accepts it, unless the database is still made."""
        self.modified_at = len(self.answers)

    def describe_db_instances(self, **_: object) -> dict[str, object]:
        """How far it is."""
        return {"DBInstances": [self.answers.pop(0)]}


def test_a_password_is_set_once_rds_has_changed_it(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    rds = Rds()
    monkeypatch.setattr(Aws, "client", lambda *_: rds)
    monkeypatch.setattr(snapshots, "PAUSE", 0)
    snapshots.set_master_password(Aws(environment), "herolo-prod", "secret")
    assert rds.modified_at == 3 and not rds.answers
