"""Proves that a backup can be restored: makes a small database from it, migrates it, counts, walks through the API with
it, removes it, and writes a report."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import console
from .bill import HOURS, make_bill
from .cloud import read_deployment
from .console import Failure, ask, step
from .databases import DRILL, Databases, Origin, identifier_of
from .deployment import Deployment
from .environment import Environment, Options
from .history import Entry
from .host import find_hosts
from .identity import current_time, current_user
from .moving import Move
from .playbook import Playbook
from .prices import Prices, load_prices
from .release import read_releases
from .restore import Restorer
from .saved import forget_summary
from .secrets_file import read_secrets
from .snapshots import LATEST, find_origin, new_name

NETWORK = "herolo_edge"
REPORT = """\
# A drill of {environment}, {time}

{user} had a small database made from the {origin}; it has been removed.

| | restored | current |
|---|---|---|
| schema | {next[schema]} | {former[schema]} |
| users | {next[users]} | {former[users]} |
| messages | {next[messages]} | {former[messages]} |
| newest message (UTC) | {next[newest]} | {former[newest]} |

Then, with {release}: {done}.

It took {minutes} minutes, and cost {cost}.
"""


class Drill(Restorer):
    """One drill of an environment."""

    def __init__(self, environment: Environment, options: Options) -> None:
        super().__init__(environment, options)
        self.begin = time.monotonic()

    def run(self, entry: Entry) -> None:
        """Fails if the backup is of no use; the database is removed in any case."""
        self._require_upgrades(entry)
        name, left = self.environment.name, self._drills()
        current = identifier_of(self.environment, self.cloud.databases.current)
        origin = find_origin(self.aws, self.options.backup or LATEST, current)
        step(f"a drill of {name}: {origin}")
        if not self.options.yes:
            ask("Make a small database from it for half an hour, for some cents? Type yes:", "yes")
        forget_summary(self.environment)
        if left:
            self._remove("leftover", left)
        drill = new_name(DRILL)
        with self._removing(drill):
            report = self._try(self.cloud.databases.adding(drill, origin), drill, entry)
        step(f"the backup is good; the report: {self.environment.shown(self._write(report, origin, entry))}")

    def _drills(self) -> list[str]:
        """What an interrupted drill has left."""
        return [name for name in self.cloud.databases.origins if name.startswith(DRILL)]

    @contextlib.contextmanager
    def _removing(self, drill: str) -> Iterator[None]:
        """Removes the database afterwards, or says that it is left."""
        try:
            try:
                yield
            except Exception:
                self._remove("remove", [drill])
                raise
            self._remove("remove", [drill])
        except BaseException:
            self._say_what_is_left(drill)
            raise

    def _say_what_is_left(self, drill: str) -> None:
        with contextlib.suppress(Failure):
            if drill in self.cloud.state().databases:
                name = self.environment.name
                step(
                    f"{identifier_of(self.environment, drill)} is left, which costs money: 'make restore-finish "
                    f"ENV={name}' removes it, and so does the next drill"
                )

    def _try(self, databases: Databases, drill: str, entry: Entry) -> dict[str, Any]:
        self._apply("cloud", databases)
        self._set_password(drill)
        deployment = read_deployment(self.cloud)
        deployment.require_complete(self.environment.name)
        made = self.cloud.state().databases[drill]
        address = str(made["address"])
        host, *_ = hosts = find_hosts(deployment, self.environment, self.options)
        entry.release = release = read_releases(host, self.environment.name)[0]
        values = {**deployment.values, "database": {**deployment.database, "host": address}}
        book = Playbook(self.environment, self.options, replace(deployment, values=values), hosts)
        book.apply(release, "--tags", "database,images")  # whose ids the other roles validate
        with self._phase("compare"):
            move = Move(self.environment, host, deployment.database, deployment.database["host"], address)
            found = move.compare()
        with self._phase("walk"):
            script = Path(__file__).with_name("on_drill.py").read_text(encoding="utf-8")
            call = f"main({self._task(deployment, address, release)!r})"
            result = host.read(f"{script}\n{call}\n", "python3 -")
            if not result.succeeded:
                raise Failure("the release does not work with the restored database, for the reason above")
        return {**found, "done": "; ".join(json.loads(result.output)), "database": made}

    def _task(self, deployment: Deployment, address: str, release: str) -> dict[str, str]:
        secrets, database = read_secrets(self.environment), deployment.database
        target = f"{address}:{database['port']}/{database['name']}?ssl-mode=VERIFY_IDENTITY&ssl-ca=/database-ca.pem"
        return {
            "release": release,
            "network": NETWORK,
            "migrate_url": f"mysql://herolo_migrate:{secrets['database_migrate_password']}@{target}",
            "service_url": f"mysql://herolo_service:{secrets['database_service_password']}@{target}",
        }

    def _write(self, report: dict[str, Any], origin: Origin, entry: Entry) -> Path:
        folder = self.environment.folder / f"{self.environment.name}.drills"
        folder.mkdir(exist_ok=True)
        seconds = time.monotonic() - self.begin
        path = folder / f"{new_name()}.md"
        text = REPORT.format(
            **{**report, "former": report["former"] or dict.fromkeys(report["next"], "?")},
            environment=self.environment.name,
            time=current_time(),
            user=current_user(),
            origin=str(origin).removeprefix("the "),
            release=entry.release,
            minutes=round(seconds / 60),
            cost=describe_cost_of(report["database"], seconds, load_prices(self.aws.region)),
        )
        path.write_text(text, encoding="utf-8")
        console.say(text)
        return path


def describe_cost_of(database: dict[str, Any], seconds: float, prices: Prices) -> str:
    """What a database with these attributes costs in that time; the attributes are those of Terraform."""
    bill = make_bill([{"mode": "managed", "type": "aws_db_instance", "values": database}], prices)
    if bill.unknown:
        return f"a sum that is not known (no price of: {', '.join(bill.unknown)})"
    return f"about {max(0.01, bill.total / HOURS * seconds / 3600):.2f} USD"
