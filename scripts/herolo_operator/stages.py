"""The stages in which the number of hosts changes without a lost request. Between one host and several, the domain
moves to the balancer, or back, before anything is closed or removed. The state tells the stage that was reached, so
that the next run goes on with it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from .deployment import with_hosts

# The values of Terraform's variable `entry`: to where the domain leads, and from where the hosts take requests.
HOST = "host"  # to host 1; from anywhere
BOTH = "both"  # to the balancer; from anywhere
BALANCER = "balancer"  # to the balancer; from the balancer alone

MOST = 6  # hosts

# Resources that each stage may change, whatever was announced: the record and the rules of the firewall.
ENTRY_TYPES = frozenset(
    {
        "aws_route53_record",
        "aws_security_group",
        "aws_security_group_rule",
        "aws_vpc_security_group_egress_rule",
        "aws_vpc_security_group_ingress_rule",
    }
)


@dataclass(frozen=True)
class Shape:
    """How many hosts there are, and how requests reach them."""

    hosts: int
    entry: str

    @property
    def is_settled(self) -> bool:
        """Whether no change from one host to several, or back, is under way."""
        return self == settled(self.hosts)


@dataclass(frozen=True)
class Stage:
    """One change of the resources, and what follows it."""

    shape: Shape
    words: str  # for the operator, who confirms all stages at once
    drains: tuple[int, ...] = ()  # the hosts that leave before
    bypassed: tuple[int, ...] = ()  # the hosts to which the domain does not lead any more
    requires: tuple[int, ...] = ()  # the hosts that must be healthy before
    replaces: int = 0  # the host that is made anew
    awaits: bool = False  # the domain must have left the bypassed hosts before
    configures: bool = False  # runs Ansible on all hosts
    moves: bool = False  # the domain leads elsewhere from then on
    outlives: bool = False  # kept-alive connections to the former entry must have ended, too

    @property
    def leaving(self) -> tuple[int, ...]:
        """The hosts that get no more requests. What must hold before matters only if they are in service."""
        return self.drains or self.bypassed

    @property
    def arguments(self) -> list[str]:
        """Terraform's, for its plan."""
        return [f'-replace=aws_instance.host["{self.replaces}"]'] if self.replaces else []


def settled(hosts: int) -> Shape:
    """The shape of an environment with that many hosts once nothing is under way."""
    return Shape(hosts, HOST if hosts == 1 else BALANCER)


def read_shape(outputs: dict[str, Any], hosts: Collection[int] = ()) -> Shape | None:
    """The shape that the outputs have; None before the first deployment. A removal that was interrupted leaves outputs
    with more hosts than there are, whose numbers are given then."""
    values = with_hosts(outputs.get("deployment") or {})
    if "hosts" not in values:
        return None
    least = 1 if values["entry"] == HOST else 2
    return Shape(max(least, min(len(values["hosts"]), max(hosts, default=MOST))), values["entry"])


def plan_stages(now: Shape | None, wanted: int, in_service: Collection[int] | None = None) -> list[Stage]:
    """From the present shape to the wanted number of hosts. The last stage has what the form asks for. All hosts are in
    service and within reach, unless some are named."""
    if now is None:
        words = "makes everything" if wanted == 1 else f"makes {name_hosts(range(1, wanted + 1))} and the balancer"
        return [Stage(settled(wanted), words, configures=True)]
    serving = range(1, now.hosts + 1) if in_service is None else in_service
    if wanted == 1:
        return [_stay(now)] if now == settled(1) else _leave_balancer(now, serving)
    if now.entry == BALANCER:
        return [_grow(now, wanted)] if wanted >= now.hosts else _shrink(now, wanted, serving)
    return _enter_balancer(now, wanted)


def plan_replacement(now: Shape, number: int, in_service: Collection[int] | None = None) -> list[Stage]:
    """One host is made anew; with several, it leaves before, and the others must be well."""
    others = tuple(each for each in range(1, now.hosts + 1) if each != number)
    drains = (number,) if others else ()
    anew = Stage(now, f"makes host {number} anew", drains, requires=others, replaces=number, configures=True)
    return [*_update_before(now, drains, drains if in_service is None else in_service), anew]


def _stay(now: Shape) -> Stage:
    return Stage(now, "changes what the form says", configures=True)


def _update_before(now: Shape, leaving: Collection[int], in_service: Collection[int]) -> list[Stage]:
    """A restart of one of the hosts that stay is made up for by those that leave, while they are there. Ansible must
    reach all hosts."""
    if not leaving or not set(leaving) <= set(in_service):
        return []
    return [Stage(now, "brings the hosts up to date, one after the other", configures=True)]


def _grow(now: Shape, wanted: int) -> Stage:
    if wanted == now.hosts:
        return _stay(now)
    return Stage(settled(wanted), f"makes {name_hosts(range(now.hosts + 1, wanted + 1))}", configures=True)


def _shrink(now: Shape, wanted: int, in_service: Collection[int]) -> list[Stage]:
    removal = _remove(now, wanted)
    return [*_update_before(now, removal.drains, in_service), removal]


def _remove(now: Shape, wanted: int) -> Stage:
    leaving, staying = tuple(range(wanted + 1, now.hosts + 1)), tuple(range(1, wanted + 1))
    words = f"drains {name_hosts(leaving)}, and removes {'it' if len(leaving) == 1 else 'them'}"
    return Stage(replace(now, hosts=wanted), words, leaving, requires=staying, configures=True)


def _remove_bypassed(now: Shape, wanted: int) -> Stage:
    """While the domain leads to host 1, no other host needs to drain."""
    leaving = tuple(range(wanted + 1, now.hosts + 1))
    words = f"removes {name_hosts(leaving)}{' and the balancer' if wanted == 1 else ''}"
    return Stage(Shape(wanted, HOST), words, bypassed=leaving, awaits=True, configures=True)


def _enter_balancer(now: Shape, wanted: int) -> list[Stage]:
    """Hosts that are not wanted go first, because they may be those on which an earlier run has failed."""
    every = tuple(range(1, wanted + 1))
    moved = Stage(Shape(wanted, BOTH), "leads the domain to the balancer", requires=every, moves=True)
    closed = Stage(Shape(wanted, BALANCER), "closes the hosts' ports 80 and 443 to all but the balancer")
    if now.entry == BOTH and now.hosts > wanted:
        return [replace(_remove(now, wanted), moves=True), closed]
    if now.entry == BOTH:  # an earlier run was interrupted there, and the form may have changed since
        return [replace(moved, requires=(), configures=True), closed]
    if now.hosts > wanted:
        return [_remove_bypassed(now, wanted), moved, closed]
    new = range(now.hosts + 1, wanted + 1)
    made = f"makes {name_hosts(new)} and the balancer" if new else "completes the hosts and the balancer"
    return [Stage(Shape(wanted, HOST), made, configures=True), moved, closed]


def _leave_balancer(now: Shape, in_service: Collection[int]) -> list[Stage]:
    others = tuple(range(2, now.hosts + 1))
    if now.entry == HOST:
        return [_remove_bypassed(now, 1)]
    removed = replace(_remove_bypassed(now, 1), awaits=False)
    updates = now.entry == BALANCER and bool(_update_before(now, others, in_service))
    opened = Stage(Shape(now.hosts, BOTH), "opens the hosts' ports 80 and 443 to all", configures=updates)
    moved = Stage(
        Shape(now.hosts, HOST),
        "leads the domain to host 1",
        bypassed=others,
        requires=(1,),
        moves=True,
        outlives=True,
    )
    return [opened, moved, removed]


def name_hosts(numbers: range | tuple[int, ...] | list[int]) -> str:
    """Such as "host 2", "hosts 2 and 3" or "hosts 2 to 4"."""
    given = list(numbers)
    if len(given) < 2:
        return f"host {given[0]}" if given else ""
    if len(given) > 2 and given == list(range(given[0], given[-1] + 1)):
        return f"hosts {given[0]} to {given[-1]}"
    return f"hosts {', '.join(map(str, given[:-1]))} and {given[-1]}"
