"""The databases of an environment. Usually there is one. While a backup is restored, the database that is made from it
is beside the current one, which is kept until the operator removes it. Terraform's state remembers them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from .environment import Environment
from .plans import FIRST, State

DRILL = "drill-"  # the names of databases of drills begin with it


@dataclass(frozen=True)
class Origin:
    """The backup from which a database is made; nothing for an empty one."""

    snapshot: str | None = None
    source: str | None = None  # the identifier of the database that has the automated backups
    time: str | None = None  # of them; None is the latest
    retired: bool = False  # about to be removed

    def __str__(self) -> str:
        if self.snapshot:
            return f"the snapshot {self.snapshot}"
        if self.source:
            return f"the automated backups as of {self.time or 'the latest possible time'}"
        return "no backup"


@dataclass(frozen=True)
class Databases:
    """All databases by name, and the one that the service uses."""

    origins: Mapping[str, Origin]
    current: str

    @property
    def variables(self) -> dict[str, str]:
        """For Terraform."""
        values = {name: {**asdict(origin), "drill": name.startswith(DRILL)} for name, origin in self.origins.items()}
        return {"TF_VAR_databases": json.dumps(values), "TF_VAR_database_current": self.current}

    @property
    def other(self) -> str:
        """The database beside the current one, or ""."""
        return self.beside(self.current)

    def beside(self, name: str) -> str:
        """The database beside that one, or ""."""
        return next((other for other in self.origins if other != name and not other.startswith(DRILL)), "")

    def adding(self, name: str, origin: Origin) -> Databases:
        """With one more."""
        return replace(self, origins={**self.origins, name: origin})

    def without(self, name: str) -> Databases:
        """With one less."""
        return replace(self, origins={key: origin for key, origin in self.origins.items() if key != name})

    def retiring(self, name: str) -> Databases:
        """Ready for the removal of one."""
        return self.adding(name, replace(self.origins[name], retired=True))

    def using(self, name: str) -> Databases:
        """With another current one."""
        return replace(self, current=name)


def read_databases(state: State) -> Databases:
    """Those that Terraform manages; an empty one before the first deployment."""
    current = str(state.outputs.get("database_current", FIRST))
    origins = {name: _origin(values) for name, values in state.databases.items()}
    # A `destroy` that was interrupted may have removed it already.
    return Databases(origins if current in origins else {**origins, current: Origin()}, current)


def _origin(values: Mapping[str, Any]) -> Origin:
    point = next(iter(values.get("restore_to_point_in_time") or []), {})
    return Origin(
        snapshot=values.get("snapshot_identifier") or None,
        source=point.get("source_db_instance_identifier") or None,
        time=point.get("restore_time") or None,
    )


def identifier_of(environment: Environment, database: str) -> str:
    """The name of a database at AWS."""
    name = f"herolo-{environment.name}"
    return name if database == FIRST else f"{name}-{database}"
