"""A deployment with several hosts in which everything can fail: AWS, Ansible, the record and the hosts are a model,
whose rules say when requests are lost. The stages are those of the operator's commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from herolo_operator.console import Failure
from herolo_operator.deployment import Deployment
from herolo_operator.environment import Environment, Options
from herolo_operator.in_service import examine
from herolo_operator.interruption import refuse_interruption
from herolo_operator.plans import Plan
from herolo_operator.rollout import Rollout
from herolo_operator.stages import (
    BALANCER,
    HOST,
    Shape,
    plan_replacement,
    plan_stages,
    read_shape,
    settled,
)
from support.fleet import deployment


class Interrupted(Exception):
    """The command ends here, as by Ctrl-C or a failure of AWS."""


@dataclass
class Machine:
    """One host."""

    type: str
    set_up: bool = False
    drained: bool = False
    reachable: bool = True
    due: bool = False  # a restart, by the next run of Ansible

    @property
    def serves(self) -> bool:
        """Whether it answers requests."""
        return self.set_up and self.reachable


class World:
    """The machines by number, how the domain and the firewall lead to them, and the requests that were lost."""

    def __init__(self, environment: Environment, options: Options) -> None:
        self.environment, self.options = environment, options
        self.machines: dict[int, Machine] = {}
        self.shape: Shape | None = None  # of the outputs
        self.terminated: set[int] = set()  # in the console, so the state still has them
        self.leads_to = HOST
        self.type = "small"
        self.losses: list[str] = []
        self.actions: list[str] = []
        self.interrupted_at: int | None = None
        self.new_are_reachable = True
        self._planned: tuple[Shape, tuple[str, ...]] = (settled(1), ())
        self.databases = {"first": {}}

    # --- What the operator does

    def deploy(self, wanted: int, *, replace: int = 0) -> None:
        """As `make deploy` with `hosts` in the form, and REPLACE."""
        now = read_shape(self.outputs(), {*self.machines, *self.terminated})
        in_service = None
        if self.shape:
            in_service = examine(deployment_of(self.shape), self.environment, self.options).in_service
        stages = plan_replacement(now, replace, in_service) if now and replace else plan_stages(now, wanted, in_service)
        announced = self._find_changes(stages[-1].shape, stages[-1].arguments)
        self.plan(shape=stages[0].shape, arguments=stages[0].arguments)
        plan = self.saved_plan()
        refuse_interruption(stages[0], plan, now, self.environment.name)
        Rollout(self, self.configure).perform(stages, announced, plan.summary)  # type: ignore[arg-type]

    def terminate(self, number: int) -> None:
        """In the console."""
        del self.machines[number]
        self.terminated.add(number)

    # --- As Cloud

    def plan(self, *, shape: Shape, arguments: Any = ()) -> str:
        self._planned = (shape, tuple(arguments))
        return ""

    def saved_plan(self) -> Plan:
        changes = self._find_changes(*self._planned)
        return Plan(
            {
                "applyable": bool(changes) or self._planned[0] != self.shape,
                "resource_changes": [
                    {
                        "address": address,
                        "type": "aws_instance",
                        "index": address.split('"')[1],
                        "change": {
                            "actions": actions,
                            "before": {"instance_type": "other"},
                            "after": {"instance_type": self.type},
                        },
                    }
                    for address, actions in changes.items()
                ],
            }
        )

    def check_state(self) -> World:
        return self

    def has_state(self) -> bool:
        return True

    def outputs(self) -> dict[str, Any]:
        return deployment_of(self.shape).outputs if self.shape else {}

    def apply(self, _watch: object = None) -> str:
        shape, arguments = self._planned
        self.terminated.clear()
        changes = self._find_changes(shape, arguments)
        for address, actions in sorted(changes.items()):
            number = int(address.split('"')[1])
            self._act(f"terraform {'+'.join(actions)} {number}")
            if "delete" in actions:
                self._take_away(number, "removed")
                del self.machines[number]
            if actions == ["update"]:
                self._take_away(number, "restarted")
                self.machines[number].type = self.type
                self.machines[number].drained = False
            if "create" in actions:
                self.machines[number] = Machine(self.type, reachable=self.new_are_reachable)
        if not any(argument.startswith("-target") for argument in arguments):
            self._act(f"terraform outputs {shape}")
            self.shape = shape
            self._check_entry("the firewall changed")
        return "done"

    def _find_changes(self, shape: Shape, arguments: Any) -> dict[str, list[str]]:
        targets = [argument.split('"')[1] for argument in arguments if argument.startswith("-target")]
        replaced = [argument.split('"')[1] for argument in arguments if argument.startswith("-replace")]
        changes = {}
        for number in sorted({*self.machines, *range(1, shape.hosts + 1)}):
            actions: list[str] = []
            if number > shape.hosts:
                actions = ["delete"]
            elif number not in self.machines:
                actions = ["create"]
            elif str(number) in replaced:
                actions = ["delete", "create"]
            elif self.machines[number].type != self.type:
                actions = ["update"]
            if actions and (not targets or str(number) in targets):
                changes[f'aws_instance.host["{number}"]'] = actions
        return changes

    # --- As Ansible

    def configure(self, found: Deployment) -> None:
        """All hosts must be reached before the first of them changes."""
        for number in found.numbers:
            if not self.machines[number].reachable:
                raise Failure(f"SSH does not reach host {number}")
        for number in found.numbers:
            self._act(f"ansible {number}")
            machine = self.machines[number]
            if machine.due and machine.set_up:
                machine.drained = len(found.numbers) > 1 and found.entry != HOST
                self._take_away(number, "restarted by Ansible", alone=found.entry == HOST)
            machine.set_up, machine.drained, machine.due = True, False, False

    # --- As a host

    def ssh(self, number: int, script: str) -> tuple[int, str]:
        """The status and the output of a script."""
        machine = self.machines.get(number)
        if not machine or not machine.reachable:
            return 255, ""
        if "test -f" in script:
            return 0, "deployed" if machine.set_up else "bare"
        self._act(f"drain {number}")
        if not machine.set_up:
            return 127, ""
        machine.drained = True
        if self.leads_to == BALANCER and not self._others_serve(number):
            self.losses.append(f"host {number} drains, and no other serves")
        return 0, ""

    # --- As the balancer and the domain

    def health(self, found: Deployment) -> dict[int, dict[str, str]]:
        machines = {number: self.machines.get(number) for number in found.numbers}
        return {
            number: {"http": "healthy" if machine and machine.serves and not machine.drained else "unhealthy"}
            for number, machine in machines.items()
        }

    def move(self, found: Deployment) -> str:
        """The record of the domain follows the deployment."""
        self._act(f"record {found.entry}")
        self.leads_to = HOST if found.entry == HOST else BALANCER
        if self.leads_to == HOST and self._serves_at_all() and not self.machines[1].serves:
            self.losses.append("the domain leads to host 1, which does not serve")
        self._check_entry("the domain moved")
        return "moved"

    def settle(self, found: Deployment) -> str:
        """The record must lead to the deployment; one that Terraform sets does."""
        return self.move(found)

    # --- The rules

    def _act(self, action: str) -> None:
        if self.interrupted_at == len(self.actions):
            raise Interrupted(action)
        self.actions.append(action)

    def _serves_at_all(self) -> bool:
        return any(machine.serves for machine in self.machines.values())

    def _others_serve(self, number: int) -> bool:
        return any(
            machine.serves and not machine.drained for other, machine in self.machines.items() if other != number
        )

    def _take_away(self, number: int, how: str, *, alone: bool = False) -> None:
        machine = self.machines[number]
        if not machine.serves:
            return
        if self.leads_to == HOST and number != 1:
            return
        if self.leads_to == HOST and (len(self.machines) == 1 or alone):
            return  # a single host interrupts the service, as is announced
        if self.leads_to == HOST:
            self.losses.append(f"host 1 was {how} while the domain led to it")
        elif not machine.drained:
            self.losses.append(f"host {number} was {how} without a drain")
        elif not self._others_serve(number):
            self.losses.append(f"host {number} was {how} while no other served")

    def _check_entry(self, event: str) -> None:
        if self.shape and self.leads_to == HOST and self.shape.entry == BALANCER and self._serves_at_all():
            self.losses.append(f"{event}: the domain leads to host 1, which is closed")
        if self.shape and self.leads_to == BALANCER and self.shape.hosts == 1 and self._serves_at_all():
            self.losses.append(f"{event}: the domain leads to a balancer that is gone")


def deployment_of(shape: Shape) -> Deployment:
    """The outputs of that shape."""
    return deployment(shape.hosts, shape.entry)
