"""The hosts of a deployment, over SSH."""

from __future__ import annotations

import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from . import process
from .console import Failure, Refusal
from .deployment import Deployment
from .environment import Environment, Options
from .form import code_of

SSH_FAILED = 255  # the status of ssh, unless it is that of the command
BOOT, PAUSE = 300, 2  # seconds until a new host accepts connections, and between two attempts


@dataclass(frozen=True)
class Host:
    """How SSH and Ansible reach a host. Its host key is trusted on first use and remembered for this instance: a
    replacement has another file."""

    address: str
    user: str
    port: str
    key: Path
    known_hosts: Path
    number: int = 1
    instance: str = ""  # its id at AWS
    zone: str = ""

    @property
    def command(self) -> list[str]:
        """The arguments of ssh, up to the command. (The quotes are for ssh, which splits paths at blanks.)"""
        options = [
            "StrictHostKeyChecking=accept-new",
            f'UserKnownHostsFile="{self.known_hosts}"',
            "ConnectTimeout=10",
            "ServerAliveInterval=15",  # a host that dies does not end its connections
            "ServerAliveCountMax=4",
            "LogLevel=ERROR",
            "IdentitiesOnly=yes",
        ]
        arguments = [argument for option in options for argument in ("-o", option)]
        return ["ssh", *arguments, "-p", self.port, "-i", str(self.key), f"{self.user}@{self.address}"]

    def read(self, script: str, interpreter: str = "sh -s") -> process.Result:
        """Runs a script as root and captures its standard output. It goes through standard input, so it is in no list
        of processes."""
        return process.run([*self.command, f"sudo {interpreter}"], stdin=script, capture=True)

    def require_connection(self, limit: float = BOOT) -> None:
        """Waits until SSH reaches the host, which may still boot; fails if it does not within the limit, in seconds."""
        deadline = time.monotonic() + limit
        while self.read("true").status == SSH_FAILED:
            if time.monotonic() > deadline:
                raise Failure(
                    f"SSH does not reach host {self.number} at {self.address} within {limit:.0f} s, for the reason "
                    "above: is your address in ssh_cidrs? Fix that and run this again"
                )
            time.sleep(PAUSE)

    def show(self, script: str) -> int:
        """Runs a script as root, shows what it writes, and returns its status."""
        return process.run([*self.command, "sudo sh -s"], stdin=script, show=True).status

    def open_shell(self) -> int:
        """Returns the status of the shell."""
        return process.run_interactively(["ssh", "-t", *self.command[1:]])


def find_hosts(deployment: Deployment, environment: Environment, options: Options) -> list[Host]:
    """The hosts of the deployment, and the key for them."""
    key = find_ssh_key(environment, options)
    return [
        Host(
            address=host["address"],
            user=deployment.ssh_user,
            port=options.ssh_port,
            key=key,
            known_hosts=environment.work / f"known_hosts.{host['id']}",
            number=host["number"],
            instance=host["id"],
            zone=host["zone"],
        )
        for host in deployment.hosts
    ]


def find_host(deployment: Deployment, environment: Environment, options: Options) -> Host:
    """The first host, which alone orders the certificate and sets the database up."""
    return find_hosts(deployment, environment, options)[0]


def choose_hosts(deployment: Deployment, environment: Environment, options: Options) -> list[Host]:
    """The host that HOST names, or all."""
    hosts = find_hosts(deployment, environment, options)
    if not options.host:
        return hosts
    require_number("HOST", options.host, deployment.numbers, environment.name)
    return [host for host in hosts if host.number == int(options.host)]


def require_host(options: Options) -> None:
    """Fails if HOST cannot be the number of a host, before anything is asked."""
    if options.host and not _is_number(options.host):
        raise Failure(f"HOST='{options.host}' is not the number of a host, such as HOST=2")


def _is_number(given: str) -> bool:
    return given.isascii() and given.isdigit() and int(given) > 0


def require_number(variable: str, given: str, numbers: list[int], environment: str) -> None:
    """Fails unless a host has that number."""
    if not _is_number(given) or int(given) not in numbers:
        known = f"hosts 1 to {numbers[-1]}" if len(numbers) > 1 else "host 1 only"
        raise Refusal(f"{variable}='{given}' is not the number of a host: {environment} has {known}")


def find_ssh_key(environment: Environment, options: Options) -> Path:
    """The file of the private key for the form's public key. If the agent has it, the file is that of the public key,
    which tells ssh which of the agent's keys to use."""
    form = environment.shown(environment.form)
    if options.ssh_key:
        key = Path(options.ssh_key)
        if not key.is_file():
            raise Refusal(
                f"there is no file '{key}': SSH_KEY is the private key that belongs to ssh_public_key in {form}"
            )
        _refuse_open(key)
        return key.resolve()
    public = public_key_of(environment)
    if public in agent_keys():
        environment.work.mkdir(exist_ok=True)
        key = environment.work / "operator.pub"
        key.write_text(f"{public}\n", encoding="utf-8")
        return key
    for file in sorted(Path.home().glob(".ssh/*.pub")):
        key = file.with_suffix("")
        if key.is_file() and public in file.read_text(encoding="utf-8", errors="replace"):
            _refuse_open(key)
            _refuse_passphrase(key)
            return key
    raise Failure(
        f"the private key of ssh_public_key in {form} is neither in ~/.ssh nor in the agent: run this again "
        "with SSH_KEY=path/to/key"
    )


def public_key_of(environment: Environment) -> str:
    """The form's, without its comment."""
    found = re.search(r'^ *ssh_public_key *= *"([a-z0-9-]* [A-Za-z0-9+/=]*)', code_of(environment), re.MULTILINE)
    if not found:
        raise Failure(f"{environment.shown(environment.form)} has no ssh_public_key on a line of its own: add it")
    return found.group(1)


def agent_keys() -> str:
    """The public keys of the agent, one a line."""
    return _run_silently(["ssh-add", "-L"]).output


def _refuse_open(key: Path) -> None:
    if key.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Failure(f"others may read {key}, so ssh refuses it: type 'chmod 600 {key}'")


def _refuse_passphrase(key: Path) -> None:
    if not _run_silently(["ssh-keygen", "-y", "-P", "", "-f", str(key)]).succeeded:
        raise Failure(
            f"{key} has a passphrase, which cannot be asked for during a deployment: type 'ssh-add {key}' first"
        )


def _run_silently(arguments: list[str]) -> process.Result:
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        return process.run(arguments, capture=True, log=nowhere)
