"""Compares two databases and moves the service from one to the other, on the hosts, which alone reach them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import console
from .console import Failure
from .deployment import Deployment
from .environment import Environment
from .host import Host
from .secrets_file import read_secrets

DEPLOY = "docker stack deploy --resolve-image never --prune --compose-file /etc/herolo/service/stack.yml herolo"


@dataclass(frozen=True)
class Move:
    """From the former database, if there is one, to the next one, both by their host names."""

    environment: Environment
    host: Host
    database: dict[str, Any]  # of the output `deployment`
    former: str
    next: str

    def compare(self) -> dict[str, Any]:
        """The figures of both, and how many users and messages only the former one has."""
        result: dict[str, Any] = self._run("compare")
        return result

    def schema(self) -> int:
        """The number of the next database's newest migration."""
        return int(self._run("schema"))

    def raise_ids(self) -> None:
        """Makes the next database assign ids that no client has seen."""
        self._run("raise_ids")

    def move(self) -> None:
        """Ends the writes to the former database and starts the replicas that use the next one."""
        self._run("move")

    def start(self) -> None:
        """Starts the replicas that use the next database on one more host, which needs no access to either for that."""
        if not self.host.read(f"{DEPLOY}\n").succeeded:
            raise Failure(
                f"host {self.host.number} does not take the stack, for the reason above; the others use the restored "
                "database, and the former one admits no writes: fix that and run this again"
            )

    def fence(self) -> None:
        """Ends the writes to the former database."""
        self._run("fence")

    def open(self) -> None:
        """Admits writes to the former database again."""
        self._run("open")

    def _run(self, action: str) -> Any:
        secrets = read_secrets(self.environment)
        values = {
            "action": action,
            "deploy": DEPLOY,
            "former": self.former,
            "next": self.next,
            "port": self.database["port"],
            "name": self.database["name"],
            "master_user": self.database["master_user"],
            "master_password": secrets["database_master_password"],
            "service_password": secrets["database_service_password"],
        }
        script = Path(__file__).with_name("on_databases.py").read_text(encoding="utf-8")
        result = self.host.read(f"{script}\nmain({values!r})\n", "python3 -")
        if not result.succeeded:
            raise Failure(
                "the databases cannot be reached from the host, for the reason above: fix that and run this again"
            )
        return json.loads(result.output)


def find_move(environment: Environment, host: Host, deployment: Deployment, target: str) -> Move:
    """From the other database that there is, if there is one, to the target, which is the name of a database."""
    hosts: dict[str, str] = deployment.outputs["database_hosts"]
    former = next((name for name in hosts if name != target), "")
    return Move(environment, host, deployment.database, hosts.get(former, ""), hosts[target])


def show_comparison(found: dict[str, Any], former: str, target: str) -> None:
    """A table, and what would be gone."""
    rows = {target: found["next"], **({former: found["former"]} if found["former"] else {})}
    console.say(f"\n  {'database':<24} {'schema':>8} {'users':>10} {'messages':>12}  newest message (UTC)")
    for name, row in rows.items():
        console.say(f"  {name:<24} {row['schema']:>8} {row['users']:>10} {row['messages']:>12}  {row['newest']}")
    if found["gone"]:
        gone = found["gone"]
        console.say(f"\n  {gone['messages']} messages and {gone['users']} users of {former} are newer than that\n")
    else:
        console.say("\n  the current database does not answer, so what is lost cannot be told\n")
