"""What the checks of `doctor` have in common: what they know of an environment, and the rows of their table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .console import Failure
from .deployment import with_hosts
from .environment import Environment, Options
from .status import Row

LONGEST = 160  # characters of a reason

OK = "ok"
WARNING = "WARNING"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Known:
    """What is known before the checks: the account of the existing resources, or "", and Terraform's output
    `deployment`, or {}."""

    environment: Environment
    options: Options
    account: str
    deployment: dict[str, Any]

    def addresses_of(self, domain: str) -> list[str]:
        """Where the domain must lead, the first of which is shown, or nothing if that domain is not deployed."""
        values = with_hosts(self.deployment)
        return list(values["addresses"]) if values.get("domain") == domain and "addresses" in values else []


def unknown(name: str, reason: object) -> Row:
    """A check that could not find out."""
    return (name, UNKNOWN, " ".join(str(reason).split())[:LONGEST])


def attempt(name: str, check: Callable[[], Row]) -> Row:
    """The result of the check, or the reason why there is none."""
    try:
        return check()
    except Failure as failure:
        return unknown(name, failure)
