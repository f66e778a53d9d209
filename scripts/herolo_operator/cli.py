"""The command line."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .accounts import run_user_command
from .cloud import Cloud, read_deployment
from .console import Failure
from .cost import show_cost
from .deploy import Deployer
from .destroy import destroy_environment, destroy_resources
from .doctor import show_doctor
from .drill import Drill
from .environment import REPOSITORY, Environment, Options, choose_environment
from .form import check_form, wanted_hosts
from .history import Entry, recorded, show_history
from .lock import exclusive
from .offer import choose_first_database
from .overrides import check_overrides
from .restore import Restorer, require_backup
from .rotate import rotate_secrets
from .safeguards import provide_own_secrets
from .snapshots import check_backup
from .stages import Shape, plan_stages, read_shape
from .status import open_shell, show_logs, show_status
from .upgrades import announce_upgrades, require_upgrades

COMMANDS = {
    "doctor": "check what a deployment needs",
    "plan": "show the changes that deploy would make, and save the plan",
    "deploy": "apply the saved plan, or plan first; asks once",
    "rollback": "return to the previous release; asks once",
    "restore": "move to a database made from a backup, FROM",
    "restore-drill": "prove that a backup can be restored, with a small database that is removed",
    "restore-finish": "remove the database that restore has left",
    "status": "show hosts, replicas, certificate, database and disk",
    "logs": "show the logs of the service and Traefik",
    "user": "run the command of `herolo user` that CMD has, such as list",
    "ssh": "open a shell on the first host or the one that HOST names, or run CMD as root",
    "cost": "show the monthly price of what is deployed, and of what is planned",
    "history": "show who changed what, when, and how it ended",
    "rotate": "replace the secrets, or those that WHAT names alone; asks once",
    "move-state": "move the state from a file into the bucket that environments/ENV.s3.tfbackend names",
    "destroy": "remove everything from AWS, once you have typed the name",
    "form": "check the form",
    "secrets": "generate the secrets that are missing",
    "infra": "run one step of Terraform",
}
ACTIONS = ("plan", "changes", "planned", "apply", "output", "destroy")
READING = ("changes", "planned", "output")  # of these, those that change nothing
DEPLOYING = ("plan", "deploy", "rollback")
# The commands that change an environment, or what the next of them does: one at a time.
CHANGING = (*DEPLOYING, "rotate", "restore", "restore-drill", "restore-finish", "move-state", "destroy")
OF_ONE_HOST = ("status", "logs", "user", "ssh")  # the commands that take HOST
REPLACING = ("plan", "deploy")  # those that take REPLACE
MAKING_DATABASES = ("plan", "deploy", "infra", "restore-drill")  # those that can take FROM; `restore` must
INTERRUPTED = 130
BROKEN_PIPE = 141  # as a shell reports SIGPIPE


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Failure(f"{message}: 'scripts/operate --help' lists the commands")


def main(arguments: Sequence[str]) -> int:
    """Runs a command and returns the exit status of the tool."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    os.umask(0o077)  # the state and the plan tell much about the environment
    try:
        folder = Path.cwd()
        os.chdir(REPOSITORY)
        status = _dispatch(arguments, folder) or 0
        sys.stdout.flush()
        return status
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of the output has ended, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        print(f"error: {error.filename or 'a file'}: {error.strerror}: fix that and run this again", file=sys.stderr)
        return 1
    except UnicodeDecodeError as error:
        print(f"error: a file is not UTF-8 ({error.reason}): save it as UTF-8 and run this again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted: what was done is recorded, so the same command resumes there", file=sys.stderr)
        return INTERRUPTED


def _dispatch(arguments: Sequence[str], folder: Path) -> int | None:
    if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        raise Failure(f"'{arguments[0]}' is not a command of scripts/operate: it does {_list(tuple(COMMANDS))}")
    given = _parse(arguments)
    if given.command == "infra" and given.action not in ACTIONS:
        raise Failure(f"'{given.action}' is not an action of 'scripts/operate infra': it does {_list(ACTIONS)}")
    options = Options.read(folder=folder)
    _refuse_ignored(given.command, options)
    environment = choose_environment(given.environment, options.environments)
    _check_options(given.command, environment, options)
    if given.command not in ("form", "secrets", "history"):
        if given.command != "doctor":  # which tells what to do without a form
            environment.require_form()
        if environment.form.is_file():
            environment.work.mkdir(exist_ok=True)
    return _run(given, environment, options)


def _refuse_ignored(command: str, options: Options) -> None:
    """A command that ignored them would do more than was meant. (Some shells set HOST, to a name.)"""
    if options.host.isdigit() and command not in OF_ONE_HOST:
        raise Failure(f"HOST={options.host} selects a host for {_list(OF_ONE_HOST)}, and {command} is for all hosts")
    if options.replace and command not in REPLACING:
        raise Failure(f"REPLACE={options.replace} is for {_list(REPLACING)}, not for {command}")


def _check_options(command: str, environment: Environment, options: Options) -> None:
    """Fails now rather than once Terraform and AWS were asked."""
    check_overrides(environment, options)
    if command == "restore":
        require_backup(options)
    if command in MAKING_DATABASES:
        check_backup(options)


def _run(given: argparse.Namespace, environment: Environment, options: Options) -> int | None:
    match given.command:
        case command if command in CHANGING:
            with exclusive(environment, command):
                _change(command, environment, options)
        case "doctor":
            show_doctor(environment, options, as_json=given.json)
        case "history":
            show_history(environment, as_json=given.json)
        case "cost":
            check_form(environment)
            show_cost(environment, options, as_json=given.json)
        case "status":
            show_status(environment, options, as_json=given.json)
        case "logs":
            return show_logs(environment, options)
        case "ssh":
            return open_shell(environment, options)
        case "user":
            return run_user_command(environment, options)
        case "form":
            check_form(environment)
        case "secrets":
            provide_own_secrets(environment, Cloud(environment, options))
        case "infra":
            if given.action in READING:
                _read_infra(given.action, given.output, environment, options)
            else:
                with exclusive(environment, f"infra {given.action}"):
                    _change_infra(given.action, environment, options)
    return None


def _change(command: str, environment: Environment, options: Options) -> None:
    if command not in DEPLOYING:
        with recorded(environment, command) as entry:
            _change_deployed(command, entry, environment, options)
        return
    deployer = Deployer(environment, options)
    if command == "plan":
        deployer.plan()
        return
    with recorded(environment, command) as entry:
        deployer.deploy(entry) if command == "deploy" else deployer.rollback(entry)


def _change_deployed(command: str, entry: Entry, environment: Environment, options: Options) -> None:
    match command:
        case "rotate":
            rotate_secrets(environment, options, entry)
        case "restore":
            Restorer(environment, options).restore(entry)
        case "restore-drill":
            Drill(environment, options).run(entry)
        case "restore-finish":
            Restorer(environment, options).finish(entry)
        case "move-state":
            Cloud(environment, options).move_state()
        case "destroy":
            destroy_environment(environment, options)


def _change_infra(action: str, environment: Environment, options: Options) -> None:
    if action == "plan":  # changes nothing but its file
        cloud, wanted = Cloud(environment, options), wanted_hosts(environment)
        cloud.prepare()
        state = cloud.check_state()
        stages = plan_stages(read_shape(state.outputs, state.hosts), wanted, in_service=())
        shape = Shape(wanted, options.entry) if options.entry else stages[0].shape
        print(cloud.plan(colours=sys.stdout.isatty(), databases=choose_first_database(cloud), shape=shape))
        announce_upgrades(environment, cloud.check_state().outputs)
        return
    with recorded(environment, f"infra {action}") as entry:
        match action:
            case "apply":
                cloud = Cloud(environment, options)
                cloud.require_plan()
                require_upgrades(environment, options, cloud.check_state().outputs, entry)
                cloud.apply()
            case "destroy":
                destroy_resources(environment, options)


def _read_infra(action: str, output: str | None, environment: Environment, options: Options) -> None:
    cloud = Cloud(environment, options)
    match action:
        case "changes":
            print(cloud.saved_plan().summary)
        case "planned":
            if planned := cloud.saved_plan().deployment:
                print(json.dumps({"deployment": planned}))
        case "output":
            deployment = read_deployment(cloud)
            print(_output(deployment.outputs, output) if output else json.dumps({"deployment": deployment.values}))


def _output(outputs: dict[str, object], name: str) -> object:
    if name not in outputs:
        raise Failure(f"there is no output '{name}': infra/outputs.tf has {_list(tuple(sorted(outputs)))}")
    return outputs[name]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="scripts/operate", description="Deploys and operates Herolo.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
        if name == "infra":
            command.add_argument("action", metavar="ACTION", help=_list(ACTIONS))
        if name in ("cost", "doctor", "history", "status"):
            command.add_argument("--json", action="store_true", help="print a JSON document")
        # Optional for the parser, so that a missing name gets the explanation of names.
        command.add_argument("environment", metavar="ENV", nargs="?", default="", help="environments/ENV.tfvars")
        if name == "infra":
            command.add_argument("output", metavar="NAME", nargs="?", help="the output to print as text")
    return parser.parse_args(arguments)


def _list(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
