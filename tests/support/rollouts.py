"""A deployment with several hosts whose stages can be done: an AWS that only notes what is applied, and a program in
the place of ssh."""

from __future__ import annotations

from typing import Any

from herolo_operator.deployment import Deployment
from herolo_operator.environment import Environment, Options
from herolo_operator.plans import Plan
from herolo_operator.rollout import Rollout
from herolo_operator.stages import Shape, Stage
from support.fleet import DOMAIN, deployment
from support.name_server import Records

# Notes which host was told what. On a BARE host, nothing was ever deployed; a SILENT one is out of reach.
SSH = """\
#!/bin/sh
for argument; do case $argument in *@*) address=${argument#*@} ;; esac; done
case " $SILENT " in *" $address "*) cat >/dev/null; exit 255 ;; esac
found=deployed
case " $BARE " in *" $address "*) found=bare ;; esac
while read -r line || [ -n "$line" ]; do
  case $line in
    "test -f "*) echo $found ;;
    *) echo "$address $line" >>"$RECORD"; [ $found = deployed ] || exit 127 ;;
  esac
done
case " $REFUSING " in *" $address "*) exit 1 ;; esac
"""


class FakeCloud:
    """Has the shape that was applied last; each plan has the changes that are given."""

    def __init__(self, environment: Environment, options: Options, now: Shape) -> None:
        self.environment, self.options = environment, options
        self.reached = now
        self.events: list[str] = []
        self.planned: Shape = now
        self.targeted = False
        self.changes: dict[str, str] = {"aws_route53_record.domain[0]": "update"}
        self.fails_at: Shape | None = None
        self.databases = {"first": {}}
        self.zone: Records | None = None  # in which Terraform sets the record

    def plan(self, *, shape: Shape, arguments: list[str] | tuple[str, ...] = ()) -> str:
        self.planned, self.targeted = shape, any(argument.startswith("-target=") for argument in arguments)
        self.events.append(" ".join([f"plan {shape.hosts} {shape.entry}", *arguments]))
        return ""

    def saved_plan(self) -> Plan:
        changes = [
            {"address": address, "type": address.partition(".")[0], "change": {"actions": [action]}}
            for address, action in self.changes.items()
        ]
        return Plan({"applyable": bool(changes), "resource_changes": changes})

    def check_state(self) -> FakeCloud:
        return self

    def apply(self, _watch: object = None) -> str:
        if self.planned == self.fails_at:
            raise KeyboardInterrupt
        if not self.targeted:  # outputs are those of all resources
            self.reached = self.planned
        if self.zone is not None:
            lead_to(self.zone, *deployment(self.reached.hosts, self.reached.entry).addresses)
        self.events.append(f"apply {self.planned.hosts} {self.planned.entry}")
        return "done"

    def has_state(self) -> bool:
        return True

    def outputs(self) -> dict[str, Any]:
        return deployment(self.reached.hosts, self.reached.entry).outputs


def lead_to(records: Records, *addresses: str) -> None:
    records[DOMAIN, "A"] = list(addresses)


def run(cloud: Any, stages: list[Stage], announced: dict[str, list[str]] | None = None) -> Deployment:
    def configure(found: Deployment) -> None:
        cloud.events.append(f"configure {len(found.hosts)}")

    cloud.planned = stages[0].shape
    return Rollout(cloud, configure).perform(stages, announced or {}, "1 to change")
