"""Deploys what the form says, or the release before the current one. Each phase is a line with its outcome and its
time; the output of Terraform, Ansible and the others is in environments/.NAME/*.log."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from . import console, process
from .aws import Aws
from .backups import back_up, identifier_at_aws, needs_backup, remove_old_backups
from .balancer import await_health
from .cloud import Cloud, read_deployment
from .console import Failure, ask, say, step
from .cost import describe_cost
from .deployment import Deployment
from .doctor import check_before
from .environment import Environment, Options
from .form import check_own_form, wanted_hosts
from .history import Entry
from .host import Host, find_host, find_hosts, find_ssh_key, require_number
from .interruption import refuse_interruption, require_others
from .moving import find_move
from .offer import choose_first_database
from .planning import find_stages, read_present_shape
from .plans import State
from .playbook import Playbook, without_retries
from .record import longest_wait
from .release import (
    find_current_release,
    find_releases,
    find_token_lifetime,
    is_set_up,
    provide_release,
    require_docker,
)
from .rollout import Rollout
from .safeguards import provide_own_secrets, refuse_foreign_secrets, refuse_other_changes
from .saved import Summary, forget_summary, read_summary, save_summary
from .secrets_file import forget_old_passwords, read_lines
from .secrets_home import home_of, is_in_ssm
from .secrets_move import move_secrets
from .service_settings import check_settings, read_settings
from .stages import Shape, Stage, name_hosts
from .token_ring import remove_expired_keys
from .upgrades import announce_upgrades, require_upgrades

NEW_HOST = "a new host: everything"
NEW_HOSTS = "new hosts: everything"


class Deployer:
    """Plans and deploys one environment."""

    has_backup = False  # of before the migrations of this deployment

    def __init__(self, environment: Environment, options: Options) -> None:
        check_own_form(environment)
        require_docker()
        process.require_command("curl", "install curl and run this again")
        find_ssh_key(environment, options)  # before anything is created
        self.environment = environment
        self.options = options
        self.cloud = Cloud(environment, options)
        self.begin = time.monotonic()

    # --- The three commands ---

    def plan(self) -> None:
        """Shows what would change, changes nothing, and saves the plan."""
        self._check_options()
        step(f"planning {self.environment.name}")
        announce_upgrades(self.environment, self._check_state().outputs)
        summary = self._make_plan(self._prepare(), find_stages(self.cloud), compare=True)
        print(self._plan_text.read_text(encoding="utf-8"), end="")
        if differences := self._differences.read_text(encoding="utf-8"):
            print(without_retries(differences))
        sys.stdout.flush()
        self._show(summary)
        step(f"nothing was deployed; 'make deploy ENV={self.environment.name}' does this, and nothing else")

    def deploy(self, entry: Entry) -> None:
        """Does what was planned, or plans first if no saved plan still holds; asks once."""
        self._check_options()
        step(f"deploying {self.environment.name}")
        require_upgrades(self.environment, self.options, self._check_state().outputs, entry)
        move_secrets(self.environment, self.options)
        entry.release = release = self._prepare()
        stages = find_stages(self.cloud)
        summary = None if self.options.backup else read_summary(release, self.environment, self.options)
        if summary and list(summary.stages) == self._words(stages):
            step("this is what 'make plan' has saved:")
            if summary.first_changes == "none":
                # Terraform refuses an outdated plan, but one without changes is not applied.
                first = self._plan_stage(stages[0])
                summary = replace(summary, first_changes=first, changes=summary.changes if len(stages) > 1 else first)
        else:
            summary = self._make_plan(release, stages, compare=not self.options.yes)
        self._show(summary)
        if not summary.is_empty and not self.options.yes:
            ask(f"Apply this to {self.environment.name}? Type yes:", "yes")
        forget_summary(self.environment)
        rollout = Rollout(self.cloud, lambda deployment: self._configure(deployment, release))
        deployment = rollout.perform(stages, summary.announced, summary.first_changes)
        self._say_end(deployment, release)

    def rollback(self, entry: Entry) -> None:
        """Makes the previous release the current one; asks once."""
        deployment = self._check_deployment(entry)
        name = self.environment.name
        host = self._host(deployment)
        current, previous = find_releases(host, name)
        settings = deployment.values.get("service_settings", {})
        check_settings(settings, previous, self.environment, lambda: host)
        if not self.options.yes:
            ask(f"Go back from {current} to {previous} on {name}? Type yes:", "yes")
        entry.release = previous
        step(f"rolling {name} back to {previous}")
        self._configure(deployment, previous)
        self._say_end(deployment, previous, f"; 'make rollback ENV={name}' returns to {current}")

    # --- For rotate.py ---

    def find_current_release(self, entry: Entry) -> str:
        """The release that runs; fails if the secrets file is not that of the deployment."""
        return find_current_release(self._host(self._check_deployment(entry)), self.environment.name)

    def plan_secrets(self) -> str:
        """Plans the change of secrets on AWS; fails if anything else would change."""
        summary = self._plan_cloud()
        plan = self.cloud.saved_plan()
        refuse_other_changes([] if plan.changes_only_password else [summary], self.environment)
        refuse_other_changes(plan.changed_values, self.environment)
        return summary

    def roll_out_secrets(self, release: str) -> None:
        """Brings the secrets of the file to AWS and to every replica."""
        if self.plan_secrets() != "none":
            with self._phase("cloud") as phase:
                phase.outcome = self.cloud.apply()
        deployment = self.deployment()
        self._configure(deployment, release)
        self._say_end(deployment, release)

    def find_token_lifetime(self) -> int:
        """In seconds."""
        return find_token_lifetime(self._host(self.deployment()), self.environment.name)

    def deployment(self) -> Deployment:
        """What is deployed; fails if nothing is."""
        return read_deployment(self.cloud)

    def _check_deployment(self, entry: Entry) -> Deployment:
        """What is deployed; fails unless this version and the secrets file fit it."""
        forget_summary(self.environment)
        provide_own_secrets(self.environment, self.cloud)
        deployment = self.deployment()  # fails before AWS is asked
        deployment.require_complete(self.environment.name)
        require_upgrades(self.environment, self.options, self._check_state().outputs, entry)
        refuse_foreign_secrets(self.environment, deployment.outputs, self.options)
        return deployment

    # --- Planning ---

    def _check_options(self) -> None:
        """Fails now rather than once the release is built, or once AWS has made everything."""
        longest_wait(self.options)
        if self.options.replace:
            numbers = list(range(1, wanted_hosts(self.environment) + 1))
            require_number("REPLACE", self.options.replace, numbers, self.environment.name)

    def _check_state(self) -> State:
        with self._phase("state") as phase:
            state = self.cloud.check_state()
            phase.outcome = f"of a deployment in account {state.account}" if state.account else "nothing is deployed"
        return state

    def _prepare(self) -> str:
        with self._phase("doctor") as phase:
            phase.outcome = check_before(self.cloud)
        with self._phase("secrets") as phase:
            home = home_of(self.environment)
            if home.read() is None:
                phase.outcome = f"generated, in {home.shown}" + ("" if is_in_ssm(self.environment) else ": keep a copy")
            provide_own_secrets(self.environment, self.cloud)
            remove_expired_keys(self.environment)
        with self._phase("image") as phase:
            phase.outcome = release = provide_release(self.options.image, self._host_if_deployed)
        if settings := read_settings(self.environment):
            with self._phase("settings") as phase:
                check_settings(settings, release, self.environment, self._host_if_deployed)
                phase.outcome = f"{len(settings)} for the service, accepted by the release"
        return release

    def _make_plan(self, release: str, stages: list[Stage], *, compare: bool) -> Summary:
        forget_summary(self.environment)
        last = stages[-1]
        foreseen, text = self.cloud.foresee(last.shape, last.arguments) if len(stages) > 1 else (None, "")
        first = self._plan_stage(stages[0])
        plan = self.cloud.saved_plan()
        refuse_interruption(stages[0], plan, read_present_shape(self.cloud), self.environment.name)
        if stages[0].drains:
            with self._phase("balancer"):
                require_others(self.cloud, stages[0])
        if foreseen:
            whole = f"# All stages together\n{text}\n# The first stage\n{self._plan_text.read_text(encoding='utf-8')}"
            self._plan_text.write_text(whole, encoding="utf-8")
        self._differences.write_text("", encoding="utf-8")
        if compare:
            with self._phase("preview") as phase:
                phase.outcome = preview = self._compare_hosts(release)
        else:
            preview = "not compared, because YES=1 asks nothing"
        cost = describe_cost(foreseen or plan, self.environment)
        changes = foreseen.summary if foreseen else first
        if stages[0].shape.hosts > 1 and plan.restarted_hosts:
            changes += f"; {name_hosts(plan.restarted_hosts)} restart, one at a time"
        summary = Summary(
            changes,
            preview,
            release,
            cost,
            self._words(stages),
            foreseen.changes if foreseen else {},
            first,
        )
        save_summary(summary, self.environment, self.options)
        return summary

    def _words(self, stages: list[Stage]) -> list[str]:
        """The stages as they are announced; one that is all and takes nothing away needs no words."""
        return [stage.words for stage in stages] if len(stages) > 1 or stages[0].leaving else []

    def _plan_stage(self, stage: Stage) -> str:
        """Saves the plan of the first stage."""
        return self._plan_cloud(shape=stage.shape, arguments=stage.arguments)

    def _plan_cloud(self, *, shape: Shape | None = None, arguments: Sequence[str] = ()) -> str:
        databases = choose_first_database(self.cloud)
        with self._phase("infra") as phase:
            text = self.cloud.plan(databases=databases, shape=shape, arguments=arguments)
            self._plan_text.write_text(text, encoding="utf-8")
            phase.outcome = self.cloud.saved_plan().summary
        return phase.outcome

    def _compare_hosts(self, release: str) -> str:
        """What Ansible would change, if it has set up all hosts before: new ones cannot be compared with."""
        planned = self.cloud.saved_plan().deployment
        if planned is None:
            return NEW_HOST if wanted_hosts(self.environment) == 1 else NEW_HOSTS
        deployment = Deployment(planned, {})
        hosts = find_hosts(deployment, self.environment, self.options)
        for host in hosts:
            found = is_set_up(host)
            if found is None:
                return f"unknown: SSH does not reach {'the host' if len(hosts) == 1 else f'host {host.number}'} now"
            if not found:
                return NEW_HOST if len(hosts) == 1 else NEW_HOSTS
        return self._playbook(deployment).preview(release, self._differences)

    def _show(self, summary: Summary) -> None:
        where = "on the host " if wanted_hosts(self.environment) == 1 else "on the hosts"
        say(f"\n  on AWS       {summary.changes}\n  {where} {summary.preview}\n  the release  {summary.release}")
        say(f"  cost         {summary.cost}\n")
        if summary.stages:
            say("".join(f"  stage {number}      {words}\n" for number, words in enumerate(summary.stages, 1)))
        if self.options.replace and not summary.stages:
            say("  the host is made anew: no service until it is configured, and a new certificate is ordered\n")
        if not summary.is_empty:
            shown = self.environment.shown
            say(f"  (at length: {shown(self._plan_text)}, {shown(self._differences)})")

    # --- Applying ---

    def _configure(self, deployment: Deployment, release: str) -> None:
        with self._phase("backup") as phase:
            phase.outcome = "not needed: no migrations"
            aws, host = Aws(self.environment), self._host(deployment)
            host.require_connection()  # without it, nothing could be migrated
            if needs_backup(aws, deployment, host, release):
                phase.outcome = back_up(aws, identifier_at_aws(deployment), release)
                self.has_backup = True
        if len(deployment.outputs.get("database_hosts", {})) > 1:
            current = deployment.outputs["database_current"]
            with self._phase("fence"):  # in case a restore was interrupted while it moved the service
                find_move(self.environment, self._host(deployment), deployment, current).fence()
        used = read_lines(self.environment)
        self._playbook(deployment).apply(release)
        forget_old_passwords(self.environment, used)  # the database refuses them now
        if deployment.balancer:
            with self._phase("balancer") as phase:
                phase.outcome = await_health(deployment, self.environment, deployment.numbers)

    def _say_end(self, deployment: Deployment, release: str, note: str = "") -> None:
        if self.has_backup:
            self._remove_old_backups()
        elapsed, hosts = time.monotonic() - self.begin, len(deployment.hosts)
        where = f"{deployment.replicas} replicas" + (f" on each of {hosts} hosts" if hosts > 1 else "")
        step(f"{deployment.outputs['url']} serves {release} from {where} (after {elapsed:.0f} s)" + note)

    def _remove_old_backups(self) -> None:
        try:
            remove_old_backups(Aws(self.environment))
        except Failure as failure:
            step(f"WARNING: older snapshots from before migrations remain until the next ones are taken ({failure})")

    # --- Parts ---

    def _phase(self, name: str) -> console.PhaseContext:
        return console.phase(name, self.environment.work)

    def _host(self, deployment: Deployment) -> Host:
        return find_host(deployment, self.environment, self.options)

    def _host_if_deployed(self) -> Host | None:
        try:
            return self._host(read_deployment(self.cloud))
        except Failure as failure:
            say(f"no host to ask: {failure}")
            return None

    def _playbook(self, deployment: Deployment) -> Playbook:
        hosts = find_hosts(deployment, self.environment, self.options)
        return Playbook(self.environment, self.options, deployment, hosts)

    @property
    def _plan_text(self) -> Path:
        return self.environment.work / "plan.txt"

    @property
    def _differences(self) -> Path:
        return self.environment.work / "differences.log"
