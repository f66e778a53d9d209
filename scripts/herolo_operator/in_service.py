"""Which of several hosts are in service. One that was never set up, or that is dead, has no requests to lose: it leaves
without a drain, and nothing waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from .balancer import find_unhealthy, read_health
from .deployment import Deployment
from .environment import Environment, Options
from .host import find_hosts
from .release import is_set_up


@dataclass(frozen=True)
class Fleet:
    """The numbers of the hosts of a deployment."""

    in_service: frozenset[int]  # they serve requests, or could: such as one that has drained
    bare: frozenset[int]  # no release was deployed there
    dead: frozenset[int]  # SSH does not reach them, and the balancer does not call them healthy
    silent: frozenset[int] = frozenset()  # in service, although SSH does not reach them


def examine(deployment: Deployment, environment: Environment, options: Options) -> Fleet:
    """Asks the balancer, and the hosts over SSH."""
    health = read_health(deployment, environment) if deployment.balancer else {}
    healthy = frozenset(deployment.numbers) - find_unhealthy(health, deployment.numbers).keys()
    answers = {host.number: is_set_up(host) for host in find_hosts(deployment, environment, options)}
    set_up, bare, unreached = (_numbers_of(answers, answer) for answer in (True, False, None))
    return Fleet(healthy | set_up, bare - healthy, unreached - healthy, unreached & healthy)


def _numbers_of(answers: dict[int, bool | None], answer: bool | None) -> frozenset[int]:
    return frozenset(number for number, given in answers.items() if given is answer)
