"""The deployment format: a number that rises whenever an environment needs a step by hand before a new version of
Herolo deploys it. Terraform's outputs record the format of the last deployment."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .console import Failure, read_answer, step
from .environment import Environment, Options
from .history import Entry
from .overrides import Override

RECORD = "deployment_format"  # among the outputs
FIRST = 1  # of the deployments that have recorded none
WORD = "done"


@dataclass(frozen=True)
class Upgrade:
    """A step by hand, due before an environment of an older format is deployed in this one."""

    format: int
    step: str  # what to do and why, in sentences


# In ascending order, for ever: an environment may skip versions of Herolo.
UPGRADES: tuple[Upgrade, ...] = ()


def current_format(upgrades: Sequence[Upgrade] = UPGRADES) -> int:
    """The format in which this version of Herolo deploys."""
    return max((upgrade.format for upgrade in upgrades), default=FIRST)


def refuse_newer_format(
    environment: Environment, outputs: Mapping[str, Any], options: Options, upgrades: Sequence[Upgrade] = UPGRADES
) -> None:
    """A newer version of Herolo may have made what this one would undo."""
    deployed, known = _format_of(outputs), current_format(upgrades)
    allowed = Override.OLDER_VERSION
    if deployed > known and not allowed.is_given(environment, options):
        raise Failure(
            f"a newer version of Herolo has deployed {environment.name} (format {deployed}; this version knows "
            f"{known}): update this one ('git pull') and run this again; {allowed.shown(environment)} goes on with "
            "this version"
        )


def announce_upgrades(
    environment: Environment, outputs: Mapping[str, Any], upgrades: Sequence[Upgrade] = UPGRADES
) -> list[Upgrade]:
    """Shows the steps by hand that are due, and returns them. A new environment needs none."""
    due = [upgrade for upgrade in upgrades if outputs and upgrade.format > _format_of(outputs)]
    for upgrade in due:
        step(f"before {environment.name} is deployed in format {upgrade.format}: {upgrade.step}")
    return due


def require_upgrades(
    environment: Environment,
    options: Options,
    outputs: Mapping[str, Any],
    entry: Entry,
    upgrades: Sequence[Upgrade] = UPGRADES,
) -> None:
    """Fails unless the steps that are due are acknowledged by a typed word, or beforehand by ACKNOWLEDGE. The entry of
    the history records that."""
    due = announce_upgrades(environment, outputs, upgrades)
    if not due:
        return
    newest = str(due[-1].format)
    if options.acknowledge:
        if options.acknowledge != newest:
            raise Failure(
                f"ACKNOWLEDGE={options.acknowledge} is not for this upgrade: once the above is done, set "
                f"ACKNOWLEDGE={newest}"
            )
    elif not sys.stdin.isatty():
        raise Failure(f"{environment.name} needs a step by hand: once the above is done, set ACKNOWLEDGE={newest}")
    elif read_answer(f"Type {WORD} once the above is done:") != WORD:
        raise Failure(f"nothing was done: {environment.name} needs a step by hand first")
    entry.acknowledged = [upgrade.format for upgrade in due]


def _format_of(outputs: Mapping[str, Any]) -> int:
    return int(outputs.get(RECORD, FIRST))
