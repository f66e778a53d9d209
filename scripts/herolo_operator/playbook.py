"""Ansible, which configures the hosts."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from . import process
from .console import Failure, say
from .deployment import Deployment
from .environment import REPOSITORY, Environment, Options
from .host import Host
from .secrets_home import secrets_as_file

ANSIBLE_PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
CERTIFICATE = "BEGIN CERTIFICATE"
# The tasks of the role host that restart all containers.
RESTARTS = ("Docker | Upgrade Docker and containerd", "Restart Docker")


class Playbook:
    """ansible/site.yml for one release."""

    def __init__(
        self, environment: Environment, options: Options, deployment: Deployment, hosts: Sequence[Host]
    ) -> None:
        self.environment = environment
        self.options = options
        self.deployment = deployment
        self.hosts = hosts

    def preview(self, release: str, log: Path) -> str:
        """What would change on the hosts, in one line; the differences go to the log."""
        if not self._play(release, log, "--check"):
            say(without_retries(log.read_text(encoding="utf-8")))
            raise Failure("the differences cannot be computed: fix what Ansible says above and run this again")
        return count_changes(log.read_text(encoding="utf-8"), len(self.hosts))

    def apply(self, release: str, *arguments: str) -> None:
        """Configures all hosts, one after the other, with a line for each role of ansible/site.yml. The arguments are
        ansible-playbook's."""
        log = self.environment.work / "ansible.log"
        descriptor = os.dup(sys.stderr.fileno())  # for the callback plugin, beside the log
        try:
            succeeded = self._play(release, log, *arguments, descriptor=descriptor)
        except KeyboardInterrupt:
            say("interrupted")  # ends the line of the role
            raise
        finally:
            os.close(descriptor)
        if not succeeded:
            raise Failure(
                "the deployment stopped there: fix that and run this again, which resumes there (Ansible's whole "
                f"output: {self.environment.shown(log)})"
            )

    def _play(self, release: str, log: Path, *arguments: str, descriptor: int | None = None) -> bool:
        settings = self.environment.work / "settings.json"
        settings.write_text(json.dumps(self._settings(release)), encoding="utf-8")
        deployment = self.environment.work / "deployment.json"
        deployment.write_text(json.dumps({"deployment": self.deployment.values}), encoding="utf-8")
        with secrets_as_file(self.environment) as secrets, log.open("w", encoding="utf-8") as output:
            files = [deployment, secrets, settings]
            files += [Path(self.options.settings)] if self.options.settings else []
            extra = [argument for file in files for argument in ("--extra-vars", f"@{file}")]
            result = process.run(
                [ANSIBLE_PLAYBOOK, REPOSITORY / "ansible/site.yml", "--diff", *arguments, *extra],
                log=output,
                variables=self._variables(descriptor),
                descriptors=[] if descriptor is None else [descriptor],
            )
        return result.succeeded

    def _settings(self, release: str) -> dict[str, str]:
        return {
            "service_image": release,
            "ssh_port": self.hosts[0].port,
            "known_hosts_file": str(self._provide_known_hosts()),
            "database_ca_file": str(fetch_database_ca(self.environment, self.options, self.deployment.region)),
        }

    def _provide_known_hosts(self) -> Path:
        """The path for ssh's UserKnownHostsFile. That of several hosts leads, by the address (%h), to the file of the
        instance that has the address now."""
        if len(self.hosts) == 1:
            return self.hosts[0].known_hosts
        folder = self.environment.work / "known_hosts"
        folder.mkdir(exist_ok=True)
        for host in self.hosts:
            link = folder / host.address
            link.unlink(missing_ok=True)
            link.symlink_to(host.known_hosts)
        return folder / "%h"

    def _variables(self, descriptor: int | None) -> dict[str, str]:
        variables = {
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible/ansible.cfg"),
            "ANSIBLE_PRIVATE_KEY_FILE": str(self.hosts[0].key),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",  # Ansible refuses locales without UTF-8, and those that are not installed
        }
        if descriptor is not None:
            variables |= {"HEROLO_PHASES_FD": str(descriptor), "ANSIBLE_CALLBACKS_ENABLED": "phases"}
        return variables


def count_changes(log: str, hosts: int = 1) -> str:
    """Of the recap at the end of Ansible's output, which has a line for each host."""
    recap = log.rpartition("PLAY RECAP")[2]
    number = sum(map(int, re.findall(r"^(?!localhost )\S+ .* changed=(\d+) ", recap, re.MULTILINE)))
    changes = f"{number} to change" if number else "nothing to change"
    if hosts > 1 and number:
        changes += f" on {hosts} hosts"
    if not restarts_docker(log):
        return changes
    return f"{changes}; Docker restarts: {'one host at a time' if hosts > 1 else 'no service for up to a minute'}"


def restarts_docker(log: str) -> bool:
    """Whether a task that restarts all containers has changes."""
    tasks = re.split(r"^(?:TASK|RUNNING HANDLER) \[", log, flags=re.MULTILINE)
    return any(task.startswith(f"host : {name}]") and "\nchanged: " in task for task in tasks for name in RESTARTS)


def without_retries(text: str) -> str:
    """Ansible's output without the lines of its waiting."""
    return "\n".join(line for line in text.splitlines() if "RETRYING" not in line)


def fetch_database_ca(environment: Environment, options: Options, region: str) -> Path:
    """The authorities that sign the database's certificate. AWS publishes them by region, and adds new ones before it
    uses them; so an earlier copy does if they are out of reach."""
    source = options.database_ca or f"https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem"
    path = environment.work / "database-ca.pem"
    new = path.with_name(f"{path.name}.new")
    arguments = ["--silent", "--show-error", "--fail", "--location", "--retry", "3", "--max-time", "60"]
    fetched = process.run(["curl", *arguments, "--output", new, source])
    if fetched.succeeded:
        if CERTIFICATE not in new.read_text(encoding="utf-8", errors="replace"):
            raise Failure(f"{source} holds no certificates: is a proxy in between?")
        new.replace(path)
    elif not path.is_file() or not path.stat().st_size:
        raise Failure(
            f"the authorities that sign the database's certificate cannot be fetched from {source}: fix the network "
            "and run this again"
        )
    return path
