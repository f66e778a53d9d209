"""Restores a backup: a database is made from it beside the current one, the service moves to it, and the former one is
kept until the operator removes it."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace

from . import console, process
from .aws import Aws
from .cloud import Cloud, read_deployment
from .console import Failure, ask, confirm_by_name, say, step
from .databases import Databases, identifier_of, read_databases
from .deployment import Deployment
from .environment import Environment, Options
from .form import check_form
from .history import Entry
from .host import Host, find_hosts, find_ssh_key
from .moving import Move, find_move, show_comparison
from .playbook import Playbook
from .release import read_releases
from .safeguards import refuse_other_changes
from .saved import forget_summary
from .secrets_file import read_secrets
from .snapshots import check_backup, find_database, find_origin, new_name, read_origin, set_master_password
from .upgrades import require_upgrades

BACK = "back"
PREPARE = ("--tags", "database,images,service", "--extra-vars")
VERIFY = ("--tags", "images,service,smoke_test")
# Without requests to the domain, which may reach hosts that have not moved yet.
VERIFY_FIRST = ("--tags", "images,service", "--limit", "localhost,host-1")
PREPARED = {"service_prepare_only": True, "service_update_parallelism": 0}  # all replicas move at once


def require_backup(options: Options) -> None:
    """Fails unless FROM can be a backup to restore, before anything is asked."""
    if not options.backup:
        raise Failure("say which backup: FROM=latest, FROM=<name of a snapshot> or FROM=2026-01-31T14:05:00Z")
    check_backup(options)


class Restorer:
    """Restores backups of one environment."""

    def __init__(self, environment: Environment, options: Options) -> None:
        check_form(environment)
        process.require_command("curl", "install curl and run this again")
        find_ssh_key(environment, options)
        self.environment = environment
        self.options = options
        self.cloud = Cloud(environment, options)
        self.state = self.cloud.state()
        if self.state.is_empty:
            self.cloud.refuse_lost_state("")
        self.aws = Aws(environment, self.state.account)
        if not self.state.databases:
            name = environment.name
            raise Failure(
                f"{name} is not deployed: 'make deploy ENV={name} FROM=...' makes its database from a snapshot"
            )

    # --- The two commands ---

    def restore(self, entry: Entry) -> None:
        """Makes the database if it is not there yet, and moves the service to it once the name was typed."""
        self._require_upgrades(entry)
        name = self.environment.name
        databases, target = self._choose_target()
        step(f"restoring {name}: {self._identifier(target)}, from {databases.origins[target]}")
        forget_summary(self.environment)
        if target not in self.state.databases:
            self._create(databases, target)
        self._set_password(target)
        deployment = read_deployment(self.cloud)
        deployment.require_complete(name)
        hosts = find_hosts(deployment, self.environment, self.options)
        move = find_move(self.environment, hosts[0], deployment, target)
        entry.release = release = read_releases(hosts[0], name)[0]
        self._prepare(deployment, hosts, move.next, release)
        self._confirm(move, target)
        self._move(move, target, hosts, release)

    def finish(self, entry: Entry) -> None:
        """Removes the database that the service does not use, and one that an interrupted drill has left."""
        self._require_upgrades(entry)
        databases, name = self.cloud.databases, self.environment.name
        others = [other for other in databases.origins if other != databases.current]
        if not others:
            step(f"{name} has one database only: nothing is there to remove")
            return
        identifier = " and ".join(map(self._identifier, others))
        forget_summary(self.environment)
        confirm_by_name(
            name,
            self.options.confirm,
            question=f"This removes {identifier}, a database of {name} that the service does not use.",
            consequence=f"removes {identifier}",
            refusal="nothing was removed",
        )
        snapshots = set(self.state.final_snapshots)
        self._remove("cloud", others)
        for snapshot in snapshots - set(self.cloud.state().final_snapshots):
            step(f"what remains of it: the snapshot {snapshot}")

    # --- Parts ---

    def _require_upgrades(self, entry: Entry) -> None:
        """Each plan that is applied records the format of this version of Herolo."""
        require_upgrades(self.environment, self.options, self.cloud.check_state().outputs, entry)

    def _remove(self, phase: str, names: Collection[str]) -> None:
        """AWS deletes a protected database only once its protection was lifted."""
        state = self.cloud.state()
        databases = self.cloud.databases
        protected = [name for name in names if state.databases.get(name, {}).get("deletion_protection")]
        for name in protected:
            databases = databases.retiring(name)
        if protected:
            self._apply("protection", databases)
        for name in names:
            databases = databases.without(name)
        self._apply(phase, databases)

    def _choose_target(self) -> tuple[Databases, str]:
        """The databases with the one to move to, and its name. A database that an earlier run has made is used."""
        require_backup(self.options)
        databases, wanted = self.cloud.databases, self.options.backup
        current, other = databases.current, databases.other
        if wanted == BACK and other:
            return databases, other
        if wanted == BACK:
            raise Failure(f"{self.environment.name} has one database only: there is none to go back to")
        if not other:
            name = new_name()
            made = databases.adding(name, find_origin(self.aws, wanted, self._identifier(current)))
            # In place of a database that is lost, Terraform would make an empty one.
            is_lost = not find_database(self.aws, self._identifier(current))
            return (made.using(name).without(current) if is_lost else made), name
        for target, rest in ((other, current), (current, other)):
            if databases.origins[target] == read_origin(wanted, self._identifier(rest)):
                return databases, target
        name = self.environment.name
        raise Failure(
            f"{name} has another database already, {self._identifier(other)}, from {databases.origins[other]}: "
            f"'make restore ENV={name} FROM={BACK}' moves the service to it, 'make restore-finish ENV={name}' removes "
            "one that the service does not use"
        )

    def _create(self, databases: Databases, target: str) -> None:
        with self._phase("infra") as phase:
            phase.outcome = summary = self._plan(databases)
        say(f"\n  on AWS       {summary}\n")
        if not self.options.yes:
            ask(f"Make {self._identifier(target)}, which has the price of a second database? Type yes:", "yes")
        with self._phase("cloud") as phase:
            phase.outcome = self.cloud.apply()

    def _set_password(self, target: str) -> None:
        with self._phase("password"):
            password = read_secrets(self.environment)["database_master_password"]
            set_master_password(self.aws, self._identifier(target), password)

    def _prepare(self, deployment: Deployment, hosts: list[Host], database: str, release: str) -> None:
        """Everything that the release needs, while the service still uses the former database."""
        values = {**deployment.values, "database": {**deployment.database, "host": database}}
        book = Playbook(self.environment, self.options, replace(deployment, values=values), hosts)
        book.apply(release, *PREPARE, json.dumps(PREPARED))

    def _confirm(self, move: Move, target: str) -> None:
        with self._phase("compare"):
            found = move.compare()
        former = self.cloud.databases.beside(target)
        show_comparison(found, self._identifier(former), self._identifier(target))
        confirm_by_name(
            self.environment.name,
            self.options.confirm,
            question=f"This moves the service to {self._identifier(target)}.",
            consequence="moves the service",
            refusal="the service was not moved "
            f"('make restore-finish ENV={self.environment.name}' removes the database)",
        )

    def _move(self, move: Move, target: str, hosts: list[Host], release: str) -> None:
        """The first host moves first. Once it uses the next database, nothing leads back: two hosts with different
        databases would both acknowledge messages."""
        with self._phase("ids"):
            move.raise_ids()
        # Before the service moves, so that a run that is interrupted here never leads back to the former database.
        self._apply("record", self.cloud.databases.using(target))
        with self._phase("move"):
            move.move()
        deployment = read_deployment(self.cloud)
        book = Playbook(self.environment, self.options, deployment, hosts)
        try:
            book.apply(release, *(VERIFY if len(hosts) == 1 else VERIFY_FIRST))
        except Failure:
            move.open()  # Swarm has gone back to replicas that use it
            raise
        if peers := hosts[1:]:
            with self._phase("peers"):
                for peer in peers:
                    replace(move, host=peer).start()
            book.apply(release, *VERIFY)
        step(f"{deployment.outputs['url']} uses {self._identifier(target)}")
        if move.former:
            name = self.environment.name
            step(
                f"the former database is kept: 'make restore ENV={name} FROM={BACK}' returns to it, "
                f"'make restore-finish ENV={name}' removes it"
            )

    def _plan(self, databases: Databases) -> str:
        """Returns the summary; fails if anything else would change."""
        self.cloud.plan(databases=databases)
        plan, current = self.cloud.saved_plan(), read_databases(self.state).current
        refuse_other_changes([*plan.changes_beside_databases(current), *plan.changed_values], self.environment)
        return plan.summary

    def _apply(self, name: str, databases: Databases) -> None:
        with self._phase(name) as phase:
            phase.outcome = self._plan(databases)
            if phase.outcome != "none":
                self.cloud.apply()

    def _identifier(self, database: str) -> str:
        return identifier_of(self.environment, database)

    def _phase(self, name: str) -> console.PhaseContext:
        return console.phase(name, self.environment.work)
