"""What is deployed, as Terraform's outputs say: the hosts, the balancer in front of several, and the rest of Ansible's
input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .console import Failure

NEEDED = ("monitoring",)  # what Ansible needs, and what states of older versions may lack


@dataclass(frozen=True)
class Deployment:
    """Terraform's outputs, of which Ansible gets `values`. Those of older versions have one host, as `host_id` and
    `host_address`."""

    values: dict[str, Any]
    outputs: dict[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", with_hosts(self.values))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError as error:
            raise AttributeError(name) from error

    @property
    def numbers(self) -> list[int]:
        """Of the hosts; the first is 1."""
        return [host["number"] for host in self.values["hosts"]]

    def require_complete(self, environment: str) -> None:
        """Fails if the state is that of a version whose outputs do not suffice for Ansible."""
        if missing := [name for name in NEEDED if name not in self.values]:
            raise Failure(
                f"the resources of {environment} are those of an older version of Herolo (the output 'deployment' has "
                f"no {' and no '.join(missing)}): 'make deploy ENV={environment}' brings them up to date, then run "
                "this again"
            )


def with_hosts(values: dict[str, Any]) -> dict[str, Any]:
    """The output `deployment`, also that of an older version, in today's form."""
    if "hosts" in values or "host_address" not in values:
        return values
    address = values["host_address"]
    host = {"number": 1, "id": values.get("host_id", ""), "address": address, "private_address": address, "zone": ""}
    return {**values, "hosts": [host], "balancer": None, "entry": "host", "addresses": [address]}
