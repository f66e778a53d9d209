"""The generators of clients, called as their users do, without an option that changes what they generate."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

OPENAPI_GENERATOR = "openapi-generator-cli"


class Generators:
    """Generators from the Python packages of a folder of commands; each generates a client once."""

    def __init__(self, commands: Path, clients: Path, document: Path) -> None:
        self.commands, self.clients, self.document = commands, clients, document
        self.failures: dict[str, str | None] = {}

    def validate(self) -> None:
        """The document, by openapi-generator."""
        self._run_once("validation", OPENAPI_GENERATOR, "validate", "--input-spec", self.document)

    def openapi_generator(self, language: str) -> Path:
        """A client by openapi-generator."""
        folder = self.clients / language
        options = ("--generator-name", language, "--input-spec", self.document, "--output", folder)
        self._run_once(language, OPENAPI_GENERATOR, "generate", *options)
        return folder

    def openapi_python_client(self) -> Path:
        """A client in Python by openapi-python-client."""
        folder = self.clients / "openapi-python-client"
        options = ("--path", self.document, "--output-path", folder, "--overwrite", "--fail-on-warning")
        self._run_once(folder.name, "openapi-python-client", "generate", *options)
        return folder

    def datamodel_code_generator(self) -> Path:
        """Models in Python by datamodel-code-generator."""
        folder = self.clients / "models"
        folder.mkdir(exist_ok=True)
        options = ("--output-model-type", "pydantic_v2.BaseModel", "--output", folder / "models.py")
        self._run_once(folder.name, "datamodel-codegen", "--input", self.document, *options)
        return folder

    def _run_once(self, name: str, command: str, *arguments: str | Path) -> None:
        """Runs a generator, unless it has run before, and fails if it has failed then or now."""
        if name not in self.failures:
            # openapi-python-client formats with the ruff that is on the PATH.
            environment = {**os.environ, "PATH": f"{self.commands}{os.pathsep}{os.environ['PATH']}"}
            done = subprocess.run(
                [self.commands / command, *arguments],
                check=False,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.failures[name] = done.stdout if done.returncode else None
        failure = self.failures[name]
        if failure is not None:
            fix = "mend the document (service/src/openapi/) so that it needs no option"
            raise AssertionError(f"{command} fails for {name}: {fix}:\n{failure}")
