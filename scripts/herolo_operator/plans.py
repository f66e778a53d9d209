"""What Terraform's JSON documents of a plan and of a state say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

DATABASE = "aws_db_instance.main"
COPIES = "aws_db_instance_automated_backups_replication"
PASSWORD = {"password_wo_version", "password"}  # attributes of the database
RESTARTING = {"instance_type", "user_data", "user_data_base64"}  # attributes of a host that change while it is stopped
FIRST_HOST = 1  # the number of a host that has no index, as in states of older versions
# What comes and goes with a database, and what watches the one that the service uses.
OF_DATABASES = (
    *("aws_cloudwatch_log_group.database", f"{COPIES}.main"),
    *("aws_cloudwatch_metric_alarm.", "aws_cloudwatch_dashboard."),
)
FIRST = "first"  # the name of the database that a first deployment makes
ARN = re.compile(r"arn:[^:]*:[^:]*:[^:]*:(\d{12}):")


class Plan:
    """A saved plan, as `terraform show -json PLAN` prints it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._changes = document.get("resource_changes", [])

    @property
    def summary(self) -> str:
        """Such as "45 to add, 0 to change, 0 to destroy", or "none"."""
        count = Counter(action for change in self._changes for action in change["change"]["actions"])
        if not self._document["applyable"]:
            return "none"
        return f"{count['create']} to add, {count['update']} to change, {count['delete']} to destroy"

    @property
    def deployment(self) -> dict[str, Any] | None:
        """What the output `deployment` will be, unless AWS must assign a part of it first."""
        change = self._document.get("output_changes", {}).get("deployment", {"after_unknown": True})
        if change["after_unknown"] is not False:
            return None
        value: dict[str, Any] = self._document["planned_values"]["outputs"]["deployment"]["value"]
        return value

    @property
    def deleted_databases(self) -> set[str]:
        """Their names, also of those that are replaced because a setting can only be changed in that way."""
        return {name for name, actions in self._actions_on_databases() if "delete" in actions}

    @property
    def created_databases(self) -> set[str]:
        """Their names; not of those that are replaced."""
        return {name for name, actions in self._actions_on_databases() if actions == ["create"]}

    @property
    def resources(self) -> list[dict[str, Any]]:
        """What there will be."""
        return _resources_of(self._document.get("planned_values"))

    @property
    def resources_before(self) -> list[dict[str, Any]]:
        """What there is now."""
        return _resources_of(self._document.get("prior_state", {}).get("values"))

    @property
    def changes_only_password(self) -> bool:
        """Whether no resource changes but the master password of the database. (Outputs may.)"""
        return all(
            change["address"].startswith(DATABASE) and _differing(change["change"]) <= PASSWORD
            for change in self._effective
        )

    def changes_beside_databases(self, current: str) -> list[str]:
        """The addresses of the resources that change, but for the databases that the service does not use, and what
        belongs to databases. `current` is the name of the one that it uses."""
        addresses = [str(change["address"]) for change in self._effective]
        others = [address for address in addresses if not address.startswith(OF_DATABASES)]
        in_use = (DATABASE, f'{DATABASE}["{current}"]')
        return [address for address in others if address in in_use or not address.startswith(DATABASE)]

    @property
    def changed_values(self) -> list[str]:
        """The names of the values of the output `deployment` that change, but for the database."""
        change = self._document.get("output_changes", {}).get("deployment") or {}
        before, after = (change.get(side) or {} for side in ("before", "after"))
        return [name for name in after if name != "database" and after[name] != before.get(name)]

    @property
    def smaller_disk(self) -> tuple[int, int] | None:
        """The sizes of the host's disk now and then, in GiB, if a host that stays is to have a smaller one."""
        for change in self._changes_of_hosts():
            if change["change"]["actions"] == ["update"]:
                now, then = (_disk_of(change["change"][side]) for side in ("before", "after"))
                if then < now:
                    return (now, then)
        return None

    @property
    def outgrown_database(self) -> int | None:
        """The size of a database's disk in GiB, if it has more than the limit to which it is to grow by itself."""
        for change in self._changes:
            if change["type"] == "aws_db_instance" and change["change"]["actions"] == ["update"]:
                size = change["change"]["before"].get("allocated_storage") or 0
                limit = change["change"]["after"].get("max_allocated_storage") or size
                if limit < size:
                    return int(size)
        return None

    @property
    def changes(self) -> dict[str, list[str]]:
        """What is done to each resource that changes, by its address."""
        return {change["address"]: change["change"]["actions"] for change in self._effective}

    def find_unannounced(self, announced: Mapping[str, list[str]], types: Collection[str]) -> list[str]:
        """The addresses of resources to which something else is done than was announced, unless they are of these
        types."""
        free = {change["address"] for change in self._changes if change["type"] in types}
        return [
            address
            for address, actions in self.changes.items()
            if address not in free and announced.get(address) != actions
        ]

    @property
    def replaced_hosts(self) -> list[int]:
        """The numbers of the hosts that are made anew."""
        return sorted(_number_of(change) for change in self._changes_of_hosts() if _is_replaced(change["change"]))

    @property
    def created_hosts(self) -> list[int]:
        """The numbers of the hosts that are new, or that AWS no longer has."""
        return sorted(
            _number_of(change) for change in self._changes_of_hosts() if change["change"]["actions"] == ["create"]
        )

    @property
    def restarted_hosts(self) -> list[int]:
        """The numbers of the hosts that stop and start again, because their type changes."""
        return sorted(
            _number_of(change)
            for change in self._changes_of_hosts()
            if change["change"]["actions"] == ["update"] and _differing(change["change"]) & RESTARTING
        )

    def _changes_of_hosts(self) -> list[dict[str, Any]]:
        return [change for change in self._changes if change["type"] == "aws_instance"]

    @property
    def _effective(self) -> list[dict[str, Any]]:
        return [change for change in self._changes if change["change"]["actions"] not in (["no-op"], ["read"])]

    def _actions_on_databases(self) -> list[tuple[str, list[str]]]:
        changes = [change for change in self._changes if change["type"] == "aws_db_instance"]
        return [(change.get("index", FIRST), change["change"]["actions"]) for change in changes]


def _differing(change: dict[str, Any]) -> set[str]:
    """The attributes that differ; those that AWS assigns anew are not in `after`."""
    if change["actions"] != ["update"]:
        return {"actions"}
    return {name for name, value in change["after"].items() if change["before"].get(name) != value}


def _is_replaced(change: dict[str, Any]) -> bool:
    return {"create", "delete"} <= set(change["actions"])


def _number_of(host: dict[str, Any]) -> int:
    return int(host.get("index", FIRST_HOST))


def _disk_of(host: dict[str, Any]) -> int:
    return int(host["root_block_device"][0]["volume_size"])


class State:
    """A state, as `terraform show -json` prints it."""

    def __init__(self, document: dict[str, Any]) -> None:
        values = document.get("values", {})
        self.resources = _resources_of(values)
        self.outputs = {name: output["value"] for name, output in values.get("outputs", {}).items()}
        # Data sources are not resources of ours, and may be of other accounts.
        self._managed = [resource for resource in self.resources if resource["mode"] == "managed"]

    @property
    def is_empty(self) -> bool:
        """Whether Terraform manages nothing."""
        return not self._managed

    @property
    def databases(self) -> dict[str, dict[str, Any]]:
        """The attributes of the databases by name."""
        return {name: resource["values"] for name, resource in self._resources_of_databases.items()}

    @property
    def addresses_of_databases(self) -> dict[str, str]:
        """Terraform's addresses of the databases by name; older states have one without a name."""
        return {name: resource["address"] for name, resource in self._resources_of_databases.items()}

    @property
    def _resources_of_databases(self) -> dict[str, dict[str, Any]]:
        found = (resource for resource in self._managed if resource["address"].startswith(DATABASE))
        return {resource.get("index", FIRST): resource for resource in found}

    @property
    def hosts(self) -> list[int]:
        """Their numbers."""
        return [_number_of(resource) for resource in self._managed if resource["type"] == "aws_instance"]

    @property
    def tainted_databases(self) -> list[str]:
        """The addresses of the databases that Terraform would make anew, since their creation did not end well."""
        found = self._resources_of_databases.values()
        return [resource["address"] for resource in found if resource.get("tainted")]

    @property
    def account(self) -> str:
        """The AWS account of the resources, from their ARNs, or "" if there are none."""
        arns = (str(resource["values"].get("arn")) for resource in self._managed)
        accounts = (found.group(1) for arn in arns if (found := ARN.match(arn)))
        return next(accounts, "")

    @property
    def backup_copies(self) -> list[tuple[str, int]]:
        """The regions with a copy of the automated backups, and for how many days each has them."""
        found = (each["values"] for each in self._managed if each.get("type") == COPIES)
        return [(str(values["region"]), int(values["retention_period"])) for values in found]

    @property
    def final_snapshots(self) -> list[str]:
        """The names of the snapshots that the deletion of the databases would leave."""
        databases = self.databases.values()
        return [str(values["final_snapshot_identifier"]) for values in databases if not values["skip_final_snapshot"]]


def _resources_of(values: dict[str, Any] | None) -> list[dict[str, Any]]:
    resources: list[dict[str, Any]] = (values or {}).get("root_module", {}).get("resources", [])
    return resources
