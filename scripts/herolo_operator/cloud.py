"""The resources on AWS: what Terraform plans, applies, outputs and moves. Nothing here asks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from .console import Failure, step
from .databases import Databases, read_databases
from .deployment import Deployment
from .environment import Environment, Options
from .fingerprints import take_fingerprints
from .form import wanted_hosts
from .overrides import Override
from .plans import Plan, State
from .safeguards import RECORD, refuse_foreign_secrets, refuse_loss_of_database, refuse_smaller_disk
from .secrets_file import read_secrets
from .stages import Shape, read_shape, settled
from .terraform import Terraform
from .traces import explain_missing_outputs, refuse_lost_state
from .upgrades import current_format, refuse_newer_format

LIFTED = {"TF_VAR_lift_protection": "true"}
SUFFIX = "TF_VAR_final_snapshot_suffix"


class Cloud:
    """The resources of one environment."""

    def __init__(self, environment: Environment, options: Options) -> None:
        environment.require_form()
        self.environment = environment
        self.options = options
        self.terraform = Terraform(environment, options.infra)
        self.databases = Databases({}, "")  # once the state is known
        self._checked: State | None = None

    def prepare(self) -> None:
        """Fails, before AWS is asked, if Terraform or the secrets are missing."""
        self.terraform.initialise()
        read_secrets(self.environment)

    def plan(
        self,
        *,
        colours: bool = False,
        databases: Databases | None = None,
        shape: Shape | None = None,
        arguments: Sequence[str] = (),
    ) -> str:
        """Saves a plan, by default for the databases and the shape as they are, and returns it as text for people. The
        arguments are Terraform's, such as -replace=..."""
        self.prepare()
        state = self.check_state()
        self.databases = databases or read_databases(state)
        refuse_foreign_secrets(self.environment, state.outputs, self.options)
        self._keep_unfinished_databases(state)
        self.environment.plan.unlink(missing_ok=True)
        new = self.environment.work / "new.tfplan"  # only what was checked becomes the saved plan
        values, variables = self._values(state.outputs, shape)
        self.terraform.quietly("plan", *values, *arguments, f"-out={new}", variables=variables)
        plan, kept = self._read_plan(new), self.databases.origins
        refuse_loss_of_database(plan, state, kept, self.environment, self.options)
        refuse_smaller_disk(plan, self.environment)
        new.replace(self.environment.plan)
        return self.terraform.read("show", *(() if colours else ("-no-color",)), str(self.environment.plan))

    def _keep_unfinished_databases(self, state: State) -> None:
        """A run that is interrupted while AWS makes a database leaves it as one to make anew. AWS completes it all the
        same; what it still lacks is a change in place, and it may be the only one with the data of its backup."""
        for address in state.tainted_databases:
            step("the creation of a database was interrupted: this goes on with that database")
            self.terraform.quietly("untaint", address)

    def foresee(self, shape: Shape, arguments: Sequence[str] = ()) -> tuple[Plan, str]:
        """What the last of several stages would make of the present state, and its text; saves nothing."""
        state = self.check_state()
        self.databases = read_databases(state)
        file = self.environment.work / "foreseen.tfplan"
        values, variables = self._values(state.outputs, shape)
        try:
            self.terraform.quietly("plan", *values, *arguments, f"-out={file}", variables=variables)
            return self._read_plan(file), self.terraform.read("show", "-no-color", str(file))
        finally:
            file.unlink(missing_ok=True)

    def saved_plan(self) -> Plan:
        """What `plan` has saved."""
        self.require_plan()
        return self._read_plan(self.environment.plan)

    def require_plan(self) -> None:
        """Fails unless a plan is saved."""
        if not self.environment.plan.is_file():
            name = self.environment.name
            raise Failure(f"there is no saved plan for {name}: type 'scripts/operate infra plan {name}'")

    def _read_plan(self, file: Path) -> Plan:
        return Plan(self.terraform.read_json("show", "-json", str(file)))

    def apply(self, watch: Callable[[str], None] | None = None) -> str:
        """Does exactly what is saved, and returns a summary. A plan can be applied only once, even if it fails. `watch`
        is called with each line that Terraform writes."""
        self.require_plan()
        self.terraform.initialise()
        self._checked = None
        try:
            # The plan contains all variables except this ephemeral one.
            password = _password_variable(read_secrets(self.environment)["database_master_password"])
            self.terraform.aloud("apply", str(self.environment.plan), variables=password, watch=watch)
        finally:
            self.environment.plan.unlink(missing_ok=True)
        return self.terraform.said(r"^Apply complete! Resources: (.*)\.$") or "done"

    def outputs(self) -> dict[str, Any]:
        """The outputs by name; none before the first deployment."""
        outputs = self.terraform.read_json("output", "-json")
        return {name: output["value"] for name, output in outputs.items()}

    def state(self) -> State:
        """What Terraform manages. Its account is the only one that Terraform accepts from now on: in another one it
        would find nothing, and create everything anew or forget everything."""
        state = State(self.terraform.read_json("show", "-json"))
        self.terraform.account = state.account
        self.databases = read_databases(state)
        return state

    def check_state(self) -> State:
        """The state before a change, read once; fails if it was lost, or if a newer version of Herolo has written
        it."""
        if self._checked:
            return self._checked
        state, allowed = self.state(), Override.NEW_RESOURCES
        if state.is_empty and not allowed.is_given(self.environment, self.options):
            self.refuse_lost_state(f"; {allowed.shown(self.environment)} makes new ones")
        refuse_newer_format(self.environment, state.outputs, self.options)
        self._checked = state
        return state

    def refuse_lost_state(self, consequence: str) -> None:
        """For an empty state; the consequence ends the message."""
        refuse_lost_state(self.environment, has_state=self.has_state(), consequence=consequence)

    def has_state(self) -> bool:
        """Whether there is a state, even one without resources."""
        return bool(self.terraform.read("state", "pull").strip())

    def move_state(self) -> None:
        """Moves a local state to the bucket that the environment's S3 backend names, if that has none."""
        environment = self.environment
        backend, state = environment.shown(environment.s3_backend), environment.shown(environment.state)
        if not environment.s3_backend.is_file():
            raise Failure(f"there is no {backend}: infra/backend.tf says what to write into it")
        if not environment.state.is_file() or not environment.state.stat().st_size:
            raise Failure(f"there is no {state} to move: the state is in S3 already, or nothing is deployed")
        self.terraform.move_to_bucket()
        environment.state.rename(environment.state.with_name(f"{environment.state.name}.moved"))
        step(f"the state is in S3 now; {state}.moved is its former copy, and no longer used")

    def lift_protection(self, databases: Collection[str], suffix: str = "") -> None:
        """AWS deletes a protected database only once its protection was lifted in a step of its own. The databases, by
        name, must be at AWS, since Terraform would make any other anew. The suffix is of the names of final
        snapshots."""
        state = self.state()
        self._keep_unfinished_databases(state)
        values, variables = self._values(self.outputs())
        targets = [f"-target={state.addresses_of_databases[name]}" for name in databases]
        self.terraform.quietly(
            "apply", "-auto-approve", *values, *targets, variables={**variables, **LIFTED, SUFFIX: suffix}
        )

    def destroy(self) -> None:
        """Removes everything."""
        self.terraform.initialise()
        self.environment.plan.unlink(missing_ok=True)
        values, variables = self._values(self.outputs())
        self.terraform.aloud("destroy", "-auto-approve", *values, variables={**variables, **LIFTED})

    def _values(self, outputs: dict[str, Any], shape: Shape | None = None) -> tuple[list[str], dict[str, str]]:
        """The arguments and the environment variables that give Terraform its values. What is deployed keeps its shape,
        by default, whatever the form says by now."""
        wanted = wanted_hosts(self.environment)
        shape = shape or read_shape(outputs) or settled(wanted)
        arguments = [f"-var-file={self.environment.form}"]
        if shape.hosts != wanted:
            arguments.append(f"-var=hosts={shape.hosts}")  # an environment variable would not outdo the form
        return arguments, {**self._variables(outputs), "TF_VAR_entry": shape.entry}

    def _variables(self, outputs: dict[str, Any]) -> dict[str, str]:
        values, account = read_secrets(self.environment), self.terraform.account
        password = values["database_master_password"]
        fingerprints = take_fingerprints(values, outputs.get(RECORD, {}))
        return {
            **({"TF_VAR_allowed_account_ids": json.dumps([account])} if account else {}),
            "TF_VAR_secrets_fingerprints": json.dumps(fingerprints),
            "TF_VAR_deployment_format": str(current_format()),
            **self.databases.variables,
            "TF_VAR_environment": self.environment.name,
            "TF_VAR_database_master_password_version": str(password_version(password)),
            **_password_variable(password),
        }


def password_version(password: str) -> int:
    """Terraform cannot detect a change of a write-only password, so this number changes with it. It reveals nothing
    about 32 random characters."""
    return int(hashlib.sha256(password.encode()).hexdigest()[:7], 16) + 1


def _password_variable(password: str) -> dict[str, str]:
    return {"TF_VAR_database_master_password": password}


def read_deployment(cloud: Cloud) -> Deployment:
    """The outputs of the last deployment; fails if there is none."""
    outputs = cloud.outputs()
    if "deployment" not in outputs:
        raise Failure(explain_missing_outputs(cloud.environment, has_state=cloud.has_state()))
    return Deployment(outputs["deployment"], outputs)
