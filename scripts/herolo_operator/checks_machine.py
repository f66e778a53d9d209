"""Checks of the operator's machine. They run other programs, so only the main thread can make them."""

from __future__ import annotations

import ipaddress
import json
import os
import platform
import re
import shutil
import stat
import urllib.request
from pathlib import Path

from . import process
from .checks import OK, WARNING, Known, unknown
from .console import Failure
from .environment import Environment, Options
from .form import by_line, code_of, find_faults, find_placeholders
from .host import agent_keys, find_ssh_key, public_key_of
from .release import PLATFORM, require_docker
from .secrets_file import find_needed, require_entered
from .secrets_home import SecretsParameter, is_in_ssm
from .status import Row

TOOLS = {"ssh": "an OpenSSH client", "ssh-keygen": "an OpenSSH client", "curl": "curl", "make": "make"}
OLDEST_TERRAFORM = (1, 11)
OWN_ADDRESS = "https://checkip.amazonaws.com"
TIMEOUT = 3  # seconds


def check_tools() -> Row:
    """Programs and their versions. (scripts/operate has found Python and its packages.)"""
    missing = [name for name in TOOLS if not shutil.which(name)]
    if missing:
        fixes = " and ".join(dict.fromkeys(TOOLS[name] for name in missing))
        return ("tools", "NOT COMPLETE", f"{', '.join(missing)} missing: install {fixes}")
    version = json.loads(process.run(["terraform", "version", "-json"], capture=True).output)["terraform_version"]
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_TERRAFORM:
        return ("tools", "NOT RIGHT", f"Terraform {version} is too old: install 1.11 or newer")
    curl = process.run(["curl", "--version"], capture=True).output.split()[1]
    return ("tools", OK, f"Terraform {version}, Python {platform.python_version()}, OpenSSH, curl {curl}, make")


def check_docker(options: Options) -> Row:
    """Docker answers, and builds images for the host."""
    try:
        require_docker()
    except Failure as failure:
        return ("docker", "NOT USABLE", str(failure))
    command = ["docker", "version", "--format", "{{.Server.Os}}/{{.Server.Arch}} {{.Server.Version}}"]
    found, _, version = process.run(command, capture=True).output.strip().partition(" ")
    if found == PLATFORM:
        return ("docker", OK, f"{version}, {found}")
    if options.image:
        return ("docker", WARNING, f"builds for {found}, but the host is {PLATFORM}: {options.image} must be for that")
    fix = "deploy from an x86-64 machine, or an image that was built on one (IMAGE=...)"
    return ("docker", "NOT RIGHT", f"builds for {found}, but the host is {PLATFORM}: {fix}")


def check_settings(environment: Environment) -> Row:
    """The form, by Terraform's own rules, and without the values of the examples."""
    try:
        faults = find_faults(environment)
    except Failure as failure:
        return ("form", "NOT VALID", str(failure))
    if complaints := by_line([*faults, *find_placeholders(environment)]):
        return ("form", "NOT VALID" if faults else "NOT FILLED IN", "; ".join(complaints))
    return ("form", OK, environment.shown(environment.form))


def check_ssh_key(environment: Environment, options: Options) -> Row:
    """The key is found, usable without a question, and that of the form."""
    try:
        key, public = find_ssh_key(environment, options), public_key_of(environment)
    except Failure as failure:
        return ("ssh key", "NOT USABLE", str(failure))
    if key.suffix == ".pub":
        return ("ssh key", OK, "in the agent")
    own = _public_key_in(key)
    if not own:
        return ("ssh key", "NOT USABLE", f"{key} has a passphrase: type 'ssh-add {key}' first")
    if own != public:
        reason = "does not belong to ssh_public_key, which is right only if this deployment changes the key"
        return ("ssh key", WARNING, f"{key} {reason}")
    return ("ssh key", OK, str(key))


def _public_key_in(key: Path) -> str:
    """The public key, without its comment, or "" if ssh would ask for a passphrase."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        read = process.run(["ssh-keygen", "-y", "-P", "", "-f", key], capture=True, log=nowhere)
    if read.succeeded:
        return " ".join(read.output.split()[:2])
    beside = key.with_name(f"{key.name}.pub")
    public = " ".join(beside.read_text(encoding="utf-8").split()[:2]) if beside.is_file() else ""
    return public if public and public in agent_keys() else ""


def check_secrets(environment: Environment) -> Row:
    """The secrets file is the operator's own, and has the token that only the operator knows."""
    shown, path = environment.shown(environment.secrets), environment.secrets
    if is_in_ssm(environment) and not os.path.lexists(path):
        return _check_parameter(SecretsParameter(environment))
    if not os.path.lexists(path):
        if needed := find_needed(environment):
            names = " and ".join(secret.name for secret in needed)
            return ("secrets", OK, f"plan generates {shown}, in which you then enter {names}")
        return ("secrets", OK, f"plan generates {shown}")
    if not path.is_file() or path.stat().st_uid != os.geteuid():
        return ("secrets", "NOT USABLE", f"{shown} is not a file of yours: move it away")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return ("secrets", WARNING, f"others could read {shown} (mode {mode:o}): chmod 600 {path}")
    try:
        require_entered(environment, path.read_text(encoding="utf-8"), shown)
    except Failure as failure:
        return ("secrets", "NOT COMPLETE", str(failure))
    return ("secrets", OK, shown)


def _check_parameter(parameter: SecretsParameter) -> Row:
    try:
        text = parameter.read()
    except Failure as failure:
        return ("secrets", "NOT READABLE", f"{parameter.shown}: {failure}")
    return ("secrets", OK, parameter.shown if text else f"plan generates them, in {parameter.shown}")


def check_own_address(known: Known) -> Row:
    """The address of this machine, as AWS sees it, may connect by SSH."""
    listed = re.search(r"^ *ssh_cidrs *= *\[(.*?)\]", code_of(known.environment), re.MULTILINE | re.DOTALL)
    networks = [ipaddress.ip_network(text) for text in re.findall(r'"([^"]+)"', listed[1] if listed else "")]
    try:
        with urllib.request.urlopen(OWN_ADDRESS, timeout=TIMEOUT) as response:
            address = ipaddress.ip_address(response.read().decode("ascii").strip())
    except (OSError, ValueError) as error:
        return unknown("own address", f"{OWN_ADDRESS} cannot be read ({error})")
    if any(address in network for network in networks):
        return ("own address", OK, f"{address} is in ssh_cidrs")
    shown = known.environment.shown(known.environment.form)
    return (
        "own address",
        WARNING,
        f'SSH will not reach the host from {address}: add "{address}/32" to ssh_cidrs in {shown}',
    )
