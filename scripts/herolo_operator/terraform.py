"""Runs Terraform for an environment, and explains its usual failures."""

from __future__ import annotations

import filecmp
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import console, process
from .console import Failure
from .environment import Environment
from .explanations import explain

LOCK_FILE = ".terraform.lock.hcl"


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
        self.copy_source()
        if self.environment.s3_backend.is_file():
            self._refuse_two_states()
            self.keep_state_in_s3()
            self.quietly("init", "-reconfigure", f"-backend-config={self.environment.s3_backend}")
        else:
            self.quietly("init", "-reconfigure", f"-backend-config=path={self.environment.state}")
        self._keep_lock_file()
        self._initialised = True

    def copy_source(self) -> None:
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

    def _refuse_two_states(self) -> None:
        state, backend = self.environment.state, self.environment.s3_backend
        if state.is_file() and state.stat().st_size:
            raise Failure(
                f"there is a state in {self.environment.shown(state)}, but {self.environment.shown(backend)} says S3: "
                f"type 'scripts/operate infra move-state {self.environment.name}'"
            )

    def keep_state_in_s3(self) -> None:
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
        with self.log.open("w", encoding="utf-8") as log:
            result = process.run(self._command(arguments), capture=True, log=log, variables=self.variables)
        if not result.succeeded:
            self._fail(arguments[0])
        return result.output

    def read_json(self, *arguments: str) -> Any:
        """The JSON that Terraform writes to standard output."""
        return json.loads(self.read(*arguments))

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return ["terraform", f"-chdir={self.folder}", *arguments]

    def _fail(self, command: str) -> NoReturn:
        console.show_log(self.log)
        raise Failure(self.explain_failure(command))

    # --- Its words ---

    def explain_failure(self, command: str) -> str:
        """The usual failures, from the log."""
        if refusal := self._failed_precondition():
            return refusal
        if explanation := explain(
            self.log.read_text(encoding="utf-8", errors="replace"), self.environment, self.account
        ):
            return explanation
        return f"terraform {command} failed: fix what it says above and run this again; what it had done is recorded"

    def _failed_precondition(self) -> str:
        """The message of a precondition in infra/, the last paragraph of Terraform's error."""
        log = self.log.read_text(encoding="utf-8", errors="replace")
        found = re.search(r"^Error: Resource precondition failed\n(.*?)(?=\nError: |\Z)", log, re.DOTALL | re.MULTILINE)
        return " ".join(found.group(1).strip().split("\n\n")[-1].split()) if found else ""

    def said(self, pattern: str) -> str | None:
        """The first match in the log."""
        found = re.search(pattern, self.log.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        return found.group(found.lastindex or 0) if found else None
