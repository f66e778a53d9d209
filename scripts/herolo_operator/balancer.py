"""The balancer in front of several hosts: which of them are healthy in its view."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from .aws import Aws
from .console import Failure
from .deployment import Deployment
from .environment import Environment
from .stages import name_hosts

HEALTHY = "healthy"
UNREGISTERED = "not registered"
LIMIT = 300  # seconds, in which a host that works becomes healthy
PAUSE = 5  # seconds between two questions

Row = tuple[str, str, str]


def read_health(deployment: Deployment, environment: Environment) -> dict[int, dict[str, str]]:
    """The state of each host by target group, such as {2: {"http": "healthy", "https": "unhealthy (Target.Timeout)"}}.
    Hosts that are not registered are "not registered"."""
    numbers = {host["id"]: host["number"] for host in deployment.hosts}
    groups: dict[str, str] = deployment.balancer["target_groups"]
    found: dict[int, dict[str, str]] = {number: dict.fromkeys(groups, UNREGISTERED) for number in numbers.values()}
    aws = Aws(environment)
    with aws.explained():
        client = aws.client("elbv2")
        for name, arn in groups.items():
            for target in _describe_targets(client, arn):
                if number := numbers.get(target["Target"]["Id"]):
                    found[number][name] = _describe(target["TargetHealth"])
    return found


def _describe_targets(client: Any, group: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = client.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    except client.exceptions.TargetGroupNotFoundException:  # a removal of the balancer was interrupted
        return []
    return found


def _describe(health: dict[str, Any]) -> str:
    return f"{health['State']} ({health['Reason']})" if health.get("Reason") else str(health["State"])


def find_unhealthy(health: dict[int, dict[str, str]], numbers: Sequence[int]) -> dict[int, str]:
    """What the balancer says of those of the hosts that are not healthy in every target group."""
    states = {number: health.get(number, {"balancer": UNREGISTERED}) for number in numbers}
    return {
        number: _join(found) for number, found in states.items() if any(state != HEALTHY for state in found.values())
    }


def _join(states: dict[str, str]) -> str:
    return ", ".join(f"{name}: {state}" for name, state in states.items())


def await_health(deployment: Deployment, environment: Environment, numbers: Sequence[int]) -> str:
    """Waits until the balancer calls these hosts healthy. Returns a summary."""
    deadline = time.monotonic() + LIMIT
    while unhealthy := find_unhealthy(read_health(deployment, environment), numbers):
        if time.monotonic() >= deadline:
            raise Failure(
                f"{complain(unhealthy)} after {LIMIT} s: 'make status ENV={environment.name}' says why; fix that and "
                "run this again, which resumes there"
            )
        time.sleep(PAUSE)
    return f"{name_hosts(list(numbers))} healthy"


def require_health(deployment: Deployment, environment: Environment, numbers: Sequence[int], purpose: str) -> None:
    """Fails unless the balancer calls these hosts healthy now; the purpose begins the message."""
    if unhealthy := find_unhealthy(read_health(deployment, environment), numbers):
        raise Failure(
            f"{purpose} while all others are healthy, but {complain(unhealthy)}: see 'make status "
            f"ENV={environment.name}'"
        )


def complain(unhealthy: dict[int, str]) -> str:
    """Such as "host 2 is not healthy in the balancer's view (http: healthy, https: initial)"."""
    return " and ".join(
        f"host {number} is not healthy in the balancer's view ({text})" for number, text in unhealthy.items()
    )


def show_balancer(deployment: Deployment, environment: Environment) -> list[Row]:
    """A row for each host, for `status`; none if there is no balancer."""
    if not deployment.balancer:
        return []
    try:
        health = read_health(deployment, environment)
    except Failure as failure:
        return [("balancer", "unknown", str(failure))]
    unhealthy = find_unhealthy(health, deployment.numbers)
    return [
        (f"balancer, {number}", "NOT HEALTHY" if number in unhealthy else HEALTHY, _join(states))
        for number, states in health.items()
    ]
