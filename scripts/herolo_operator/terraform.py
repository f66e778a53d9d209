"""Runs Terraform for an environment, and explains its usual failures."""

from __future__ import annotations

import filecmp
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import console, process
from .console import Failure
from .environment import Environment
from .explanations import explain

LOCK_FILE = ".terraform.lock.hcl"
UNWRITTEN = "errored.tfstate"  # where Terraform leaves a state that it could not write to its place
LOCK_ID = r"^\W*ID: +(\S+)$"
# Terraform's error about the settings of the bucket: the place, the line there, and the reason, the next paragraph.
REFUSED_BACKEND = (
    r"^Error: [^\n]*\n\n +on (?:backend_override\.tf|[^\n]*\.s3\.tfbackend) line \d+.*?\n\n(.+?)(?:\n\n|\Z)"
)


class Terraform:
    """Terraform with the state of one environment. It runs in a copy of its files, because the backend is a part of the
    configuration: two environments can then be deployed at the same time."""

    def __init__(self, environment: Environment, source: Path) -> None:
        self.environment = environment
        self.source = source.resolve()
        self.folder = environment.work / "infra"
        self.log = environment.work / "terraform.log"
        self.variables = {
            "TF_DATA_DIR": str(environment.work / "terraform"),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
        }
        self.account = ""  # of the state, once it is known
        self._initialised = False
        (environment.work / "terraform").mkdir(parents=True, exist_ok=True)

    # --- The state ---

    def initialise(self) -> None:
        """Selects the state and the provider, once. (Reconfigured, because the folder may have moved since.)"""
        if self._initialised:
            return
        self._refuse_unwritten_state()
        if self.environment.s3_backend.is_file():
            self._refuse_two_states()
            self._select_bucket()
        else:
            self._select_file()
        self._keep_lock_file()
        self._initialised = True

    def move_to_bucket(self) -> None:
        """Copies the state in the file to the bucket, unless that has one, which other operators may have changed
        since."""
        self._refuse_unwritten_state()
        self._select_bucket()
        if pulled := self._capture("state", "pull").strip():
            there = json.loads(pulled)
            if there.get("resources") or there.get("outputs"):
                raise Failure(self._explain_state_in_bucket())
        self._select_file()
        self._keep_state_in_s3()
        self.quietly("init", "-migrate-state", "-force-copy", f"-backend-config={self.environment.s3_backend}")

    def _select_file(self) -> None:
        self._copy_source()
        self.quietly("init", "-reconfigure", f"-backend-config=path={self.environment.state}")

    def _select_bucket(self) -> None:
        self._copy_source()
        self._keep_state_in_s3()
        self.quietly("init", "-reconfigure", f"-backend-config={self.environment.s3_backend}")

    def _copy_source(self) -> None:
        """Renews the copy. The folder stays, because another command of this environment may run in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        originals = [path for path in (*self.source.glob("*.tf"), self.source / LOCK_FILE) if path.is_file()]
        for path in originals:
            new = self.folder / f".{path.name}.{os.getpid()}"
            shutil.copy(path, new)
            new.replace(self.folder / path.name)
        for path in self.folder.glob("*.tf"):
            if path.name not in {original.name for original in originals}:
                path.unlink()

    def _keep_lock_file(self) -> None:
        """The versions of providers are those of all environments, so they belong to the source."""
        lock, original = self.folder / LOCK_FILE, self.source / LOCK_FILE
        if lock.is_file() and not (original.is_file() and filecmp.cmp(lock, original, shallow=False)):
            new = original.with_name(f"{LOCK_FILE}.{self.environment.name}")
            shutil.copy(lock, new)
            new.replace(original)

    def _refuse_unwritten_state(self) -> None:
        if explanation := self._explain_unwritten_state():
            raise Failure(explanation)

    def _explain_unwritten_state(self) -> str:
        """What to do with a state that Terraform could not write, or "" if there is none."""
        file = self.folder / UNWRITTEN
        if not file.is_file():
            return ""
        push = f"{self.typed('state', 'push', UNWRITTEN)} && rm {shlex.quote(str(file))}"
        explanation = (
            f"what Terraform has done last is missing in {self.environment.shown_state}, because that could not be "
            f"written, and is in {self.environment.shown(file)}: renew the credentials or fix the network, type "
            f"'{push}' and run this again; if Terraform refuses it as older than the state that is there, move that "
            "file away, and remove by hand what only that file has"
        )
        if unlocking := self._unlocking("ID"):
            explanation += f"; if it says that the state is locked, '{unlocking}' with the ID that it shows unlocks it"
        return explanation

    def _unlocking(self, lock: str) -> str:
        """The command that breaks a lock, or "" if the state is a file, whose lock ends with the command that holds
        it."""
        return self.typed("force-unlock", lock) if self.environment.s3_backend.is_file() else ""

    def _refuse_two_states(self) -> None:
        state, backend = self.environment.state, self.environment.s3_backend
        if state.is_file() and state.stat().st_size:
            shown = self.environment.shown(state)
            raise Failure(
                f"there is a state in {shown}, but {self.environment.shown(backend)} says S3: if the bucket has none "
                f"yet, type 'make move-state ENV={self.environment.name}'; if it has one, move {shown} away"
            )

    def _explain_state_in_bucket(self) -> str:
        state, backend = (
            self.environment.shown(path) for path in (self.environment.state, self.environment.s3_backend)
        )
        return (
            f"the bucket that {backend} names has a state already, and nothing was moved: move {state} away, which is "
            f"not used any more; or, if the one in the bucket is not of {self.environment.name}, name another key in "
            f"{backend}"
        )

    def _keep_state_in_s3(self) -> None:
        """Terraform merges an override file into the backend block of infra/backend.tf."""
        (self.folder / "backend_override.tf").write_text('terraform {\n  backend "s3" {}\n}\n', encoding="utf-8")

    # --- Running it ---

    def quietly(self, *arguments: str, variables: Mapping[str, str] | None = None) -> None:
        """What Terraform says goes to its log, and is shown if it fails."""
        with self.log.open("w", encoding="utf-8") as log:
            command, *rest = arguments  # options come before what is not one
            result = process.run(
                self._command([command, "-no-color", *rest]), log=log, variables={**self.variables, **(variables or {})}
            )
        if not result.succeeded:
            self._fail(command)

    def aloud(
        self,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
        watch: Callable[[str], None] | None = None,
    ) -> None:
        """Streams the output of Terraform, because it takes minutes. `watch` is called with each line."""
        with self.log.open("w", encoding="utf-8") as log:
            result = process.run_aloud(
                self._command([*arguments, "-no-color"]),
                log,
                variables={**self.variables, **(variables or {})},
                watch=watch,
            )
        if not result.succeeded:
            raise Failure(self.explain_failure(arguments[0]))

    def read(self, *arguments: str) -> str:
        """What Terraform writes to standard output."""
        self.initialise()
        return self._capture(*arguments)

    def _capture(self, *arguments: str) -> str:
        with self.log.open("w", encoding="utf-8") as log:
            result = process.run(self._command(arguments), capture=True, log=log, variables=self.variables)
        if not result.succeeded:
            self._fail(arguments[0])
        return result.output

    def read_json(self, *arguments: str) -> Any:
        """The JSON that Terraform writes to standard output."""
        return json.loads(self.read(*arguments))

    def typed(self, *arguments: str) -> str:
        """The command that an operator types, in any folder, to have Terraform do this with the state."""
        variable = f"TF_DATA_DIR={shlex.quote(self.variables['TF_DATA_DIR'])}"
        command, *rest = self._command(arguments)
        return f"{variable} {shlex.join([shutil.which(command) or command, *rest])}"

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return ["terraform", f"-chdir={self.folder}", *arguments]

    def _fail(self, command: str) -> NoReturn:
        console.show_log(self.log)
        raise Failure(self.explain_failure(command))

    # --- Its words ---

    def explain_failure(self, command: str) -> str:
        """The usual failures, mostly from the log."""
        if explanation := (
            self._explain_unwritten_state() or self._failed_precondition() or self._explain_refused_backend()
        ):
            return explanation
        log = self.log.read_text(encoding="utf-8", errors="replace")
        if explanation := explain(log, self.environment, self.account, self._unlocking(self.said(LOCK_ID) or "ID")):
            return explanation
        return f"terraform {command} failed: fix what it says above and run this again; what it had done is recorded"

    def _failed_precondition(self) -> str:
        """The message of a precondition in infra/, the last paragraph of Terraform's error."""
        log = self.log.read_text(encoding="utf-8", errors="replace")
        found = re.search(r"^Error: Resource precondition failed\n(.*?)(?=\nError: |\Z)", log, re.DOTALL | re.MULTILINE)
        return " ".join(found.group(1).strip().split("\n\n")[-1].split()) if found else ""

    def _explain_refused_backend(self) -> str:
        """What to do with the settings of the bucket if Terraform refuses them, or "" if it does not."""
        log = self.log.read_text(encoding="utf-8", errors="replace")
        found = re.search(REFUSED_BACKEND, log, re.DOTALL | re.MULTILINE)
        if not found:
            return ""
        reason = " ".join(found[1].split()).rstrip(".")
        shown = self.environment.shown(self.environment.s3_backend)
        return f"Terraform refuses {shown} ({reason}): infra/backend.tf says what to write into it"

    def said(self, pattern: str) -> str | None:
        """The first match in the log."""
        found = re.search(pattern, self.log.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        return found.group(found.lastindex or 0) if found else None
