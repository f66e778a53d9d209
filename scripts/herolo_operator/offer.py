"""The first database of a deployment: an empty one, or one from a snapshot that `destroy` has left."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from .aws import Aws
from .cloud import Cloud
from .console import Failure, read_answer, step
from .databases import Databases, identifier_of, read_databases
from .environment import Environment
from .plans import FIRST, State
from .secrets_file import read_secrets
from .snapshots import LATEST, find_origin, list_snapshots, set_master_password
from .traces import find_deployment

EMPTY = "empty"
OFFERED = 5  # snapshots, the newest


def choose_first_database(cloud: Cloud) -> Databases | None:
    """What the operator has given as FROM, or answers; None if there is a database already, or no snapshot. If there is
    a snapshot, an empty database is a choice as well."""
    environment, wanted, state = cloud.environment, cloud.options.backup, cloud.check_state()
    if state.databases:
        if wanted and not _has_begun_with(wanted, environment, state):
            name = environment.name
            raise Failure(f"{name} has a database: 'make restore ENV={name} FROM={wanted}' restores a backup")
        return None
    aws = Aws(environment, state.account)
    if not wanted and (snapshots := list_snapshots(aws)):
        wanted = _offer(cloud, snapshots[:OFFERED])
    if not wanted or wanted == EMPTY:
        return None
    origin = find_origin(aws, wanted, identifier_of(environment, FIRST))
    step(f"the database is made from {origin}")
    return Databases({FIRST: origin}, FIRST)


def _has_begun_with(wanted: str, environment: Environment, state: State) -> bool:
    """Whether a first deployment that was interrupted has made its database from what is wanted now."""
    if find_deployment(environment):
        return False
    databases = read_databases(state)
    snapshot = databases.origins[databases.current].snapshot
    return wanted in (snapshot, LATEST) if snapshot else wanted == EMPTY


def _offer(cloud: Cloud, snapshots: Sequence[dict[str, Any]]) -> str:
    """The answer: the name of one of these snapshots, the newest first, or EMPTY."""
    name, names = cloud.environment.name, [str(item["DBSnapshotIdentifier"]) for item in snapshots]
    if cloud.options.yes or not sys.stdin.isatty():
        raise Failure(
            f"{name} has no database, but {_count(names)} at AWS: FROM={names[0]} makes the database from the newest, "
            f"FROM={EMPTY} makes an empty one"
        )
    for item in snapshots:
        step(f"there is a snapshot of {name}, {item['DBSnapshotIdentifier']}, of {item['SnapshotCreateTime']:%Y-%m-%d}")
    answer = read_answer(f"Type its name to make the database from it, or {EMPTY} for an empty one:")
    if answer not in (*names, EMPTY):
        raise Failure(f"nothing was done: '{answer}' is neither the name of a snapshot above nor '{EMPTY}'")
    return answer


def _count(names: Sequence[str]) -> str:
    return "a snapshot" if len(names) == 1 else "snapshots"


def lacks_own_password(cloud: Cloud) -> bool:
    """Whether the database may still have the password of the snapshot from which it was made: until a deployment has
    succeeded, since one that ends in between leaves it so."""
    if find_deployment(cloud.environment):
        return False
    cloud.state()
    return bool(cloud.databases.origins[cloud.databases.current].snapshot)


def set_own_password(cloud: Cloud) -> None:
    """Gives the database the master password of the secrets."""
    aws = Aws(cloud.environment, cloud.terraform.account)
    password = read_secrets(cloud.environment)["database_master_password"]
    set_master_password(aws, identifier_of(cloud.environment, cloud.databases.current), password)
