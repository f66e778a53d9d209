"""Stops what would cost the messages, or lock the service out of its database, unless it is overridden."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from .aws import Aws
from .console import Failure
from .environment import Environment, Options
from .fingerprints import find_replaced, is_of_deployment
from .overrides import Override
from .plans import Plan, State
from .secrets_file import provide_secrets, read_lines, read_secrets
from .secrets_home import SecretsFile, SecretsParameter, home_of, is_in_ssm, is_there
from .traces import explain_missing_outputs, find_deployment

if TYPE_CHECKING:
    from .cloud import Cloud

RECORD = "secrets_fingerprints"  # among the outputs


def refuse_loss_of_database(
    plan: Plan, state: State, kept: Collection[str], environment: Environment, options: Options
) -> None:
    """None of the databases to keep is deleted by a plan or created in place of one that is not found."""
    form = environment.shown(environment.form)
    if plan.deleted_databases.intersection(kept):
        raise Failure(
            "this would delete the database with all messages: undo what you changed since the last deployment ('git "
            f"diff infra', {form})"
        )
    allowed = Override.EMPTY_DATABASE
    if plan.created_databases & state.databases.keys() and not allowed.is_given(environment, options):
        raise Failure(
            f"the database of {environment.name} is in its state, but not at AWS in the account {state.account} and "
            f"the region of {form}: correct the region, or restore a backup "
            f"('make restore ENV={environment.name} FROM=latest'); "
            f"{allowed.shown(environment)} plans a new, empty one"
        )


def refuse_smaller_disk(plan: Plan, environment: Environment) -> None:
    """AWS enlarges disks only, of hosts and of databases, and says so after other changes were made."""
    if sizes := plan.smaller_disk:
        now, then = sizes
        raise Failure(
            f"the host's disk has {now} GiB, and AWS cannot make it {then} GiB: set disk_gib = {now} in "
            f"{environment.shown(environment.form)}"
        )
    if size := plan.outgrown_database:
        raise Failure(
            f"the database's disk has {size} GiB, and AWS cannot make it smaller: set database_storage_gib = {size} in "
            f"{environment.shown(environment.form)}"
        )


def refuse_other_changes(found: Collection[str], environment: Environment) -> None:
    """A command that is for something else does not deploy, unseen, what was changed in the form or in the source. The
    saved plan, which would, is discarded."""
    if found:
        name = environment.name
        environment.plan.unlink(missing_ok=True)
        raise Failure(
            f"{name} has other changes that are not deployed ({', '.join(found)}): deploy them first, 'make deploy "
            f"ENV={name}', or undo them"
        )


def provide_own_secrets(environment: Environment, cloud: Cloud) -> None:
    """Generates missing secrets, but no new ones for a deployment that has a database."""
    if home_of(environment).read() is None:
        _refuse_loss_of_secrets(environment, cloud)
    provide_secrets(environment)


def _refuse_loss_of_secrets(environment: Environment, cloud: Cloud) -> None:
    may_have_state = environment.state.is_file() or environment.s3_backend.is_file()
    state = cloud.state() if may_have_state else State({})
    if not Override.NEW_SECRETS.is_given(environment, cloud.options):
        if may_have_state and not is_in_ssm(environment):
            _refuse_to_leave_secrets(environment)
        if state.databases:
            _refuse_new_secrets(environment, home_of(environment).shown, state.account)
    allowed = Override.NEW_RESOURCES
    if allowed.is_given(environment, cloud.options):
        return
    if find_deployment(environment) and not (may_have_state and cloud.has_state()):
        consequence = f"; {allowed.shown(environment)} generates new secrets, for new resources"
        raise Failure(explain_missing_outputs(environment, has_state=False) + consequence)


def _refuse_to_leave_secrets(environment: Environment) -> None:
    """The form has changed to a file, to which only `deploy` moves the secrets."""
    parameter, file, new = SecretsParameter(environment), SecretsFile(environment), Override.NEW_SECRETS
    if is_there(parameter):
        raise Failure(
            f"the secrets of {environment.name} are in {parameter.shown} still: 'make deploy ENV={environment.name}' "
            f"moves them to {file.shown}; {new.shown(environment)} generates new ones, which ends all sessions"
        )


def _refuse_new_secrets(environment: Environment, shown: str, account: str) -> NoReturn:
    name, restore = environment.name, "restore the file from your copy"
    if is_in_ssm(environment):
        Aws(environment, account).identity()  # which is the usual reason
        file = SecretsFile(environment)
        copy = f"{environment.shown(file.former)}, or a newer copy," if file.former.is_file() else "a copy,"
        restore = f"restore {file.shown} from {copy} which 'make deploy' moves there"
    raise Failure(
        f"there is no {shown}, but {name} has a database: {restore}; {Override.NEW_SECRETS.shown(environment)} "
        "generates new secrets, which ends all sessions"
    )


def refuse_foreign_secrets(environment: Environment, outputs: Mapping[str, Any], options: Options) -> None:
    """The secrets of a deployment are those that were recorded, or have some of them in common, and none was replaced
    there."""
    values, recorded = read_secrets(environment), outputs.get(RECORD, {})
    shown, older, new = home_of(environment).shown, Override.OLDER_SECRETS, Override.NEW_SECRETS
    if (replaced := find_replaced(values, recorded)) and not older.is_given(environment, options):
        raise Failure(
            f"{shown} is older than the deployment, since {', '.join(replaced)} was replaced there: copy the file from "
            f"the operator who did that; {older.shown(environment)} deploys these secrets again"
        )
    is_own = replaced or is_of_deployment({**read_lines(environment), **values}, recorded)
    if is_own or new.is_given(environment, options):
        return
    raise Failure(
        f"{shown} is not the file of this deployment, since no secret in it is the deployed one: restore the file from "
        f"your copy; {new.shown(environment)} replaces all secrets, which ends all sessions"
    )
