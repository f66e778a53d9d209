"""Backups of the databases of an environment at AWS: snapshots, and automated backups of every second."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from .aws import Aws
from .console import Failure
from .databases import Origin
from .environment import Options
from .form import setting_or_default

LATEST = "latest"
# As in infra/database.tf.
ENGINE_VERSION, MASTER_USER = "8.4", "herolo_master"
LONGEST, PAUSE = 1800, 10  # seconds until a password is changed, and between two questions
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
SNAPSHOT = re.compile(r"(rds:)?[A-Za-z][A-Za-z0-9-]*")
GENERATED = r"(-(drill-)?\d{8}-\d{6})?"  # the end of identifiers that `new_name` has made


def new_name(prefix: str = "") -> str:
    """A unique name for a database."""
    return f"{prefix}{datetime.now(UTC):%Y%m%d-%H%M%S}"


def read_origin(wanted: str, current: str) -> Origin:
    """The backup that the operator means: "latest", the name of a snapshot, or a time. `current` is the identifier of
    the current database, which has the automated backups."""
    if wanted == LATEST:
        return Origin(source=current)
    if TIME.fullmatch(wanted):
        return Origin(source=current, time=f"{_time(wanted):%Y-%m-%dT%H:%M:%SZ}")
    if SNAPSHOT.fullmatch(wanted):
        return Origin(snapshot=wanted)
    raise Failure(
        f"FROM='{wanted}' is not a backup: give 'latest', the name of a snapshot, or a time such as "
        "2026-01-31T14:05:00Z"
    )


def check_backup(options: Options) -> None:
    """Fails if FROM is given and can be no backup, before anything is asked."""
    if options.backup:
        read_origin(options.backup, current="")


def _time(wanted: str) -> datetime:
    try:
        return datetime.fromisoformat(wanted.upper()).astimezone(UTC)
    except ValueError as error:
        raise Failure(f"FROM={wanted} is not a valid time: {error}") from error


def find_origin(aws: Aws, wanted: str, current: str) -> Origin:
    """The same, if AWS has that backup. Without the database, the latest one is the newest snapshot."""
    origin, database = read_origin(wanted, current), find_database(aws, current)
    if origin.snapshot:
        _require_snapshot(aws, origin.snapshot)
    elif database:
        if origin.time:
            _require_within_backups(aws, origin.time, database)
        _require_room(database["AllocatedStorage"], f"the database {current}", aws)
    else:
        snapshots = list_snapshots(aws)
        names = ", ".join(item["DBSnapshotIdentifier"] for item in snapshots[:5]) or "none"
        if origin.time or not snapshots:
            raise Failure(
                f"the database {current} is not at AWS in {aws.region}, and its automated backups went with it: name a "
                f"snapshot by FROM=... (the newest: {names})"
            )
        newest = str(snapshots[0]["DBSnapshotIdentifier"])
        _require_snapshot(aws, newest)
        return Origin(snapshot=newest)
    return origin


def _require_within_backups(aws: Aws, time: str, database: dict[str, Any]) -> None:
    end = database.get("LatestRestorableTime")
    if end and not (begin := _begin_of_backups(aws, database)) <= _time(time) <= end:
        raise Failure(
            f"FROM={time} is not between {begin:%Y-%m-%dT%H:%M:%SZ} and {end:%Y-%m-%dT%H:%M:%SZ}, the earliest and the "
            "latest time that can be restored: give a time between them, or the name of a snapshot"
        )


def _begin_of_backups(aws: Aws, database: dict[str, Any]) -> datetime:
    """The earliest time that can be restored; unless AWS tells it, by the days for which backups are kept."""
    with aws.explained():
        found = aws.client("rds").describe_db_instance_automated_backups(
            DBInstanceIdentifier=database["DBInstanceIdentifier"]
        )["DBInstanceAutomatedBackups"]
    windows = [backups.get("RestoreWindow", {}) for backups in found if backups["Status"] == "active"]
    told: list[datetime] = [window["EarliestTime"] for window in windows if "EarliestTime" in window]
    made: datetime = database["InstanceCreateTime"]
    return min(told) if told else max(made, datetime.now(UTC) - timedelta(days=database["BackupRetentionPeriod"]))


def _require_snapshot(aws: Aws, name: str) -> None:
    with aws.explained():
        rds = aws.client("rds")
        try:
            (snapshot,) = rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"]
        except rds.exceptions.DBSnapshotNotFoundFault as fault:
            ours = ", ".join(item["DBSnapshotIdentifier"] for item in list_snapshots(aws)[:5]) or "none"
            raise Failure(f"there is no snapshot '{name}' in {aws.region}: the newest are {ours}") from fault
    if snapshot["Status"] != "available":
        raise Failure(f"the snapshot {name} is not complete ({snapshot['Status']}): run this again once it is")
    _require_own_kind(snapshot)
    _require_room(snapshot["AllocatedStorage"], f"the snapshot {name}", aws)


def _require_own_kind(snapshot: dict[str, Any]) -> None:
    """RDS would make the database, and Terraform or Ansible would fail with it."""
    name, version = snapshot["DBSnapshotIdentifier"], snapshot["EngineVersion"]
    if snapshot["Engine"] != "mysql":
        raise Failure(f"{name} is a snapshot of {snapshot['Engine']}, not of MySQL: name another")
    if snapshot["MasterUsername"] != MASTER_USER:
        raise Failure(
            f"{name} is not a snapshot of a database of Herolo, whose master user is {MASTER_USER} rather than "
            f"{snapshot['MasterUsername']}: name another"
        )
    if f"{version}.".startswith(f"{ENGINE_VERSION}."):
        return
    raise Failure(
        f"{name} is a snapshot of MySQL {version}, and databases have {ENGINE_VERSION} here: upgrade a copy of it in "
        "AWS's console (RDS, Snapshots, Upgrade snapshot) and name that, or name another"
    )


def _require_room(gib: int, backup: str, aws: Aws) -> None:
    """RDS makes no database with a smaller disk than that of its backup, which may have grown by itself."""
    wanted = int(setting_or_default(aws.environment, "database_storage_gib"))
    if wanted < gib:
        form = aws.environment.shown(aws.environment.form)
        raise Failure(
            f"the disk of {backup} has {gib} GiB, and no database that is made from it can have {wanted}: set "
            f"database_storage_gib = {gib} in {form}"
        )


def find_database(aws: Aws, identifier: str) -> dict[str, Any] | None:
    """What AWS says of a database, or None if there is none."""
    with aws.explained():
        rds = aws.client("rds")
        try:
            found: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
        except rds.exceptions.DBInstanceNotFoundFault:
            return None
    return found


def list_snapshots(aws: Aws) -> list[dict[str, Any]]:
    """The complete snapshots of this environment's databases, the newest first."""
    name = re.compile(f"herolo-{aws.environment.name}{GENERATED}")
    with aws.explained():
        pages = aws.client("rds").get_paginator("describe_db_snapshots").paginate()
        found = [snapshot for page in pages for snapshot in page["DBSnapshots"]]
    ours = [item for item in found if name.fullmatch(item["DBInstanceIdentifier"]) and item["Status"] == "available"]
    return sorted(ours, key=lambda item: item["SnapshotCreateTime"], reverse=True)


def list_manual_snapshots(aws: Aws) -> list[dict[str, Any]]:
    """Those that outlive their database: final ones, those from before migrations, and the operator's."""
    return [item for item in list_snapshots(aws) if item["SnapshotType"] == "manual"]


def choose_suffix(aws: Aws, names: Collection[str]) -> str:
    """An end for the names of final snapshots, or "" if those names are free."""
    if not names:
        return ""
    taken = {item["DBSnapshotIdentifier"] for item in list_snapshots(aws)}
    return new_name() if taken.intersection(names) else ""


def remove_logs(aws: Aws) -> None:
    """RDS makes the log group of a database again when it still writes to it after Terraform has removed it. The next
    deployment could not create it then."""
    prefix = f"/aws/rds/instance/herolo-{aws.environment.name}"
    name = re.compile(f"{prefix}{GENERATED}/error")
    with aws.explained():
        logs = aws.client("logs")
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        groups = [group["logGroupName"] for page in pages for group in page["logGroups"]]
        for group in groups:
            if name.fullmatch(group):
                logs.delete_log_group(logGroupName=group)


def set_master_password(aws: Aws, identifier: str, password: str) -> None:
    """A restored database has the password of its backup."""
    with aws.explained():
        rds = aws.client("rds")
        _await(rds, identifier)  # after a run that was interrupted, AWS may still be making it
        rds.modify_db_instance(DBInstanceIdentifier=identifier, MasterUserPassword=password, ApplyImmediately=True)
        _await(rds, identifier)


def _await(rds: Any, identifier: str) -> None:
    """Until it has taken its password, also while it is said to be available."""
    deadline = time.monotonic() + LONGEST
    while _is_pending(rds, identifier):
        if time.monotonic() > deadline:
            raise Failure(f"{identifier} does not take its password within {LONGEST} s: run this again")
        time.sleep(PAUSE)


def _is_pending(rds: Any, identifier: str) -> bool:
    (database,) = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    return database["DBInstanceStatus"] != "available" or "MasterUserPassword" in database.get(
        "PendingModifiedValues", {}
    )
