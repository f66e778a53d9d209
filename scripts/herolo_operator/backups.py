"""Backups beside those that RDS takes by itself: a snapshot before migrations change the schema. And how old the newest
backup is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from . import process
from .aws import Aws
from .console import Failure
from .deployment import Deployment
from .environment import Environment
from .history import read_history
from .host import Host
from .moving import Move
from .release import find_releases_on
from .snapshots import find_database, list_snapshots, new_name
from .traces import find_deployment

BEFORE = "-before-"  # in the names of snapshots that are taken before migrations
KEPT = 3  # of them
REUSED = timedelta(hours=1)  # after an interruption, the snapshot of the first attempt is good enough
NEW = timedelta(hours=1)  # the age of a database that a first deployment has made, perhaps with interruptions
LABEL = "herolo.migrations"  # of an image: the number of its newest migration
RECENT = timedelta(hours=26)  # RDS takes a snapshot each day
DRILL = "restore-drill"

Row = tuple[str, str, str]


# --- Before migrations ---


def needs_backup(aws: Aws, deployment: Deployment, host: Host, release: str) -> bool:
    """Whether the release has migrations that the database lacks. If the image does not tell its migrations, a release
    that the host has not had before is taken to have some. A host without any release may be the successor of one that
    had some: it cannot ask the database yet, so all but a new one is taken to lack migrations."""
    releases = find_releases_on(host)
    if not releases:
        return not _is_new(aws, deployment)
    newest, database = _newest_migration(release, host), deployment.database
    if newest is None:
        return release not in releases
    try:
        return newest > Move(aws.environment, host, database, "", database["host"]).schema()
    except Failure:  # such as a password that is about to change
        return release not in releases


def identifier_at_aws(deployment: Deployment) -> str:
    """The identifier of the database that the service uses."""
    return str(deployment.database["host"]).partition(".")[0]


def _is_new(aws: Aws, deployment: Deployment) -> bool:
    """Whether a first deployment has just made the database, which so far holds nothing, or what its own backup holds.
    The history alone cannot tell: a folder without it, such as another operator's, may manage an old database."""
    if find_deployment(aws.environment):
        return False
    database = find_database(aws, identifier_at_aws(deployment)) or {}
    created: datetime | None = database.get("InstanceCreateTime")
    return created is not None and datetime.now(UTC) - created < NEW


def _newest_migration(release: str, host: Host) -> int | None:
    command = ["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', release]
    found = process.run(command, capture=True)
    if not found.succeeded:  # it is on the host only
        found = host.read(f"docker image inspect --format '{command[-2]}' {release}")
    number = found.output.strip()
    return int(number) if number.isdigit() else None


def back_up(aws: Aws, identifier: str, release: str) -> str:
    """Takes a snapshot, and returns its name once it is complete."""
    prefix = f"{identifier}{BEFORE}{_as_name(release.rpartition(':')[2])}-"
    taken = _list_backups(aws)
    if taken and taken[0]["DBSnapshotIdentifier"].startswith(prefix) and _age(taken[0]) < REUSED:
        return str(taken[0]["DBSnapshotIdentifier"])
    name = f"{prefix}{new_name()}"
    with aws.explained():
        rds = aws.client("rds")
        rds.create_db_snapshot(DBInstanceIdentifier=identifier, DBSnapshotIdentifier=name)
        rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier=name)
    return name


def _list_backups(aws: Aws) -> list[dict[str, Any]]:
    """The snapshots from before migrations, the newest first."""
    return [item for item in list_snapshots(aws) if BEFORE in item["DBSnapshotIdentifier"]]


def _as_name(tag: str) -> str:
    """As RDS takes it in the name of a snapshot: letters in lower case, digits, and single hyphens between them."""
    return re.sub(r"[^a-z0-9]+", "-", tag.lower())[:20].strip("-")


def remove_old_backups(aws: Aws) -> None:
    """Removes all but the newest snapshots of this kind. That is for the end of a deployment: one that fails, and is
    repeated for hours, removes none from before earlier migrations."""
    _remove(aws, _list_backups(aws)[KEPT:])


def remove_backups(aws: Aws) -> None:
    """Removes all snapshots of this kind."""
    _remove(aws, _list_backups(aws))


def _remove(aws: Aws, snapshots: list[dict[str, Any]]) -> None:
    with aws.explained():
        for item in snapshots:
            aws.client("rds").delete_db_snapshot(DBSnapshotIdentifier=item["DBSnapshotIdentifier"])


# --- How old ---


def show_backups(environment: Environment, aws: Aws, identifier: str) -> list[Row]:
    """Rows of the status: the newest backup, and the last drill."""
    return [_newest_backup(aws, identifier), _last_drill(environment)]


def _newest_backup(aws: Aws, identifier: str) -> Row:
    try:
        database, snapshots = find_database(aws, identifier), list_snapshots(aws)
    except Failure as failure:
        return ("backup", "not known", str(failure))
    latest = database and database.get("LatestRestorableTime")
    snapshot = snapshots[0] if snapshots else None
    details = f"the newest snapshot: {snapshot['DBSnapshotIdentifier']}" if snapshot else "no snapshot yet"
    times = [time for time in (latest, snapshot and snapshot["SnapshotCreateTime"]) if time]
    if not times:
        return (
            "backup",
            "NOT THERE",
            "neither a snapshot nor automated backups (a new database has some after minutes)",
        )
    age = datetime.now(UTC) - max(times)
    return (
        "backup",
        f"{_shown(age)} old" if age < RECENT else "NOT RECENT",
        f"{max(times):%Y-%m-%d %H:%M} UTC; {details}",
    )


def _last_drill(environment: Environment) -> Row:
    drills = [entry for entry in read_history(environment) if entry["command"] == DRILL]
    if not drills:
        return ("drill", "none yet", f"'make {DRILL} ENV={environment.name}' proves that a backup can be restored")
    last = drills[-1]
    state = "NOT PASSED" if last["outcome"] != "succeeded" else f"{_shown(_since(last['time']))} ago"
    return ("drill", state, f"{last['time']}: {last['outcome']}")


def _since(time: str) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(time)


def _age(snapshot: dict[str, Any]) -> timedelta:
    age: timedelta = datetime.now(UTC) - snapshot["SnapshotCreateTime"]
    return age


def _shown(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 72 * 60 else f"{minutes // 60 // 24} days"
