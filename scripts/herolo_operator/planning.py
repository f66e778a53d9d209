"""The stages of a deployment: from what is deployed to what the form says, or to a host in place of another."""

from __future__ import annotations

from . import console
from .cloud import Cloud, read_deployment
from .console import Failure
from .form import wanted_hosts
from .in_service import examine
from .stages import Shape, Stage, name_hosts, plan_replacement, plan_stages, read_shape


def read_present_shape(cloud: Cloud) -> Shape | None:
    """None before the first deployment."""
    state = cloud.check_state()
    return read_shape(state.outputs, state.hosts)


def find_stages(cloud: Cloud) -> list[Stage]:
    """Those of the form, or of REPLACE. Asks which hosts are in service, if some are to leave."""
    now, wanted, name = read_present_shape(cloud), wanted_hosts(cloud.environment), cloud.environment.name
    if not cloud.options.replace:
        in_service = _find_in_service(cloud) if now and wanted < now.hosts else None
        return _without_replacements(plan_stages(now, wanted, in_service), cloud)
    if not now or not now.is_settled or now.hosts != wanted:
        raise Failure(f"{name} does not have the hosts of the form yet: 'make deploy ENV={name}' without REPLACE first")
    in_service = _find_in_service(cloud) if now.hosts > 1 else None
    return _without_replacements(plan_replacement(now, int(cloud.options.replace), in_service), cloud)


def _find_in_service(cloud: Cloud) -> frozenset[int]:
    """Those that SSH reaches, too, so that they can be updated before some leave."""
    with console.phase("hosts", cloud.environment.work) as phase:
        fleet = examine(read_deployment(cloud), cloud.environment, cloud.options)
        phase.outcome = f"{name_hosts(sorted(fleet.in_service)) or 'none'} in service"
    return fleet.in_service - fleet.silent


def _without_replacements(stages: list[Stage], cloud: Cloud) -> list[Stage]:
    """Without the update before hosts drain, if that would make the same hosts anew."""
    first, last = stages[0], stages[-1]
    if len(stages) == 1 or not last.drains or first.shape.entry != last.shape.entry:
        return stages
    replaced = cloud.foresee(first.shape)[0].replaced_hosts
    return [last] if set(last.drains).intersection(replaced) else stages
