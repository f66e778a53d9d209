"""Tells a lost state from an environment that was never deployed: what is deployed leaves traces at AWS and in the
history."""

from __future__ import annotations

from typing import Any

from .aws import Aws
from .console import Failure
from .environment import Environment
from .history import read_history

DEPLOYING = ("deploy", "rollback", "infra apply")
DESTROYING = ("destroy", "infra destroy")


def refuse_lost_state(environment: Environment, *, has_state: bool, consequence: str) -> None:
    """Fails if the environment seems to exist, although Terraform manages nothing of it. There may be a state without
    resources, as a destruction leaves it. The consequence ends the message."""
    if found := find_resources(environment):
        raise Failure(
            f"{environment.name} has resources at AWS, {' and '.join(found)}, {_fix(environment)}{consequence}"
        )
    if not has_state and (time := find_deployment(environment)):
        raise Failure(_explain_history(environment, time) + consequence)


def explain_missing_outputs(environment: Environment, *, has_state: bool) -> str:
    """Why there are no outputs: the state is lost, or nothing is deployed yet."""
    if not has_state and (time := find_deployment(environment)):
        return _explain_history(environment, time)
    return f"{environment.name} is not deployed: type 'make deploy ENV={environment.name}'"


def find_deployment(environment: Environment) -> str:
    """The time of the last deployment that succeeded, or "" if there was none, or if it was destroyed since."""
    time = ""
    for entry in read_history(environment):
        if entry["outcome"] == "succeeded" and entry["command"] in DEPLOYING:
            time = entry["time"]
        elif entry["outcome"] == "succeeded" and entry["command"] in DESTROYING:
            time = ""
    return time


def find_resources(environment: Environment) -> list[str]:
    """The networks and the database that have this environment's tags or name: the first and the last resources of a
    deployment's life."""
    aws = Aws(environment)
    filters = [
        {"Name": "tag:Project", "Values": ["herolo"]},
        {"Name": "tag:Environment", "Values": [environment.name]},
    ]
    with aws.explained():
        networks = aws.client("ec2").describe_vpcs(Filters=filters)["Vpcs"]
    return [f"the network {network['VpcId']}" for network in networks] + _find_database(aws)


def _find_database(aws: Aws) -> list[str]:
    rds: Any = aws.client("rds")
    identifier = f"herolo-{aws.environment.name}"
    with aws.explained():
        try:
            rds.describe_db_instances(DBInstanceIdentifier=identifier)
        except rds.exceptions.DBInstanceNotFoundFault:
            return []
    return [f"the database {identifier}"]


def _explain_history(environment: Environment, time: str) -> str:
    return f"{environment.name} was deployed at {time} by its history, {_fix(environment)}"


def _fix(environment: Environment) -> str:
    backup = environment.state.with_name(f"{environment.state.name}.backup")
    copies = "your copy"
    if backup.is_file() and not environment.s3_backend.is_file():
        copies += f" or from {environment.shown(backup)}, Terraform's copy from before its last change"
    return f"but {environment.shown_state} is missing or empty: restore it from {copies}"
