"""Refuses plans that would take requests away from hosts that serve them."""

from __future__ import annotations

from .balancer import require_health
from .cloud import Cloud, read_deployment
from .console import Failure
from .in_service import examine
from .plans import FIRST_HOST, Plan
from .stages import BALANCER, Shape, Stage, name_hosts


def require_others(cloud: Cloud, stage: Stage) -> None:
    """Fails if hosts in service are to leave while others are not healthy."""
    deployment, environment = read_deployment(cloud), cloud.environment
    if examine(deployment, environment, cloud.options).in_service.intersection(stage.drains):
        require_health(deployment, environment, stage.requires, f"{name_hosts(stage.drains)} can leave only")


def refuse_interruption(stage: Stage, plan: Plan, now: Shape | None, environment: str) -> None:
    """Of several hosts, one at a time is made anew, and it drains before. The one to which the domain leads does not
    restart."""
    if stage.shape.hosts == 1:
        return
    if unprepared := sorted(set(plan.replaced_hosts) - set(stage.drains)):
        raise Failure(
            f"this would make {name_hosts(unprepared)} anew without draining: undo what you changed since the last "
            f"deployment, or make one host anew after the other, 'make deploy ENV={environment} "
            f"REPLACE={unprepared[0]}'"
        )
    if now and now.entry != BALANCER and FIRST_HOST in plan.restarted_hosts:
        raise Failure(
            "host 1 would restart while the domain leads to it: set instance_type back in the form until all hosts "
            "serve, or hosts = 1 until host 1 has restarted"
        )
