"""Where the secrets of an environment are: in a file beside its form, or, with secrets = "ssm" in the form, as one
encrypted document in AWS's SSM Parameter Store, which every operator with credentials reads. The content is the
same."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from .aws import Aws
from .console import Failure, step
from .environment import Environment
from .form import setting_of

SSM = "ssm"
TIME = "%Y-%m-%d %H:%M UTC"
LIMIT = 4096  # bytes of a parameter of the standard tier, which is free


class Home(Protocol):
    """One place for the secrets."""

    shown: str  # as messages name it

    def read(self) -> str | None:
        """The document, or None if there is none."""

    def create(self, text: str) -> str:
        """Writes the first document, and returns what is there now: another operator may have been faster."""

    def write(self, text: str) -> None:
        """Replaces the document as a whole, so that an interruption cannot lose a secret."""


def home_of(environment: Environment) -> Home:
    """The place that the form names. A file that is not yet moved to SSM still counts, and one whose move was
    interrupted is put aside now: it would differ after the next change. Two different documents are refused."""
    file = SecretsFile(environment)
    if not is_in_ssm(environment):
        return file
    parameter = SecretsParameter(environment)
    if not os.path.lexists(environment.secrets):
        return parameter
    there = parameter.read()
    if there is None:
        return file
    if there != file.read():
        raise Failure(
            f"{parameter.shown} (of {parameter.time:{TIME}}) and {file.shown} (of {file.time:{TIME}}) differ: move the "
            f"file away if the parameter is right, or else '{parameter.removal}' and deploy"
        )
    step(f"the secrets are in {parameter.shown} now; {file.put_aside()} is their former copy, no longer used")
    return parameter


def is_in_ssm(environment: Environment) -> bool:
    """Whether the form wants the secrets in SSM Parameter Store."""
    return setting_of(environment, "secrets") == SSM


class SecretsFile:
    """A file that only its owner can read."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.path = environment.secrets
        self.former = self.path.with_name(f"{self.path.name}.moved")  # once its content is elsewhere
        self.shown = environment.shown(environment.secrets)

    def read(self) -> str | None:
        """Closes a file that others could read."""
        if not os.path.lexists(self.path):
            return None
        if not self.path.is_file() or self.path.stat().st_uid != os.geteuid():
            raise Failure(f"{self.shown} is not a file of yours: move it away and run this again")
        self.path.chmod(0o600)
        return self.path.read_text(encoding="utf-8")

    def create(self, text: str) -> str:
        """One machine runs one command at a time."""
        self.write(text)
        return text

    @property
    def time(self) -> datetime:
        """Of its last change."""
        return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)

    def put_aside(self) -> str:
        """Renames the file to `former`, and returns that as messages show it."""
        self.path.replace(self.former)
        return self._environment.shown(self.former)

    def write(self, text: str) -> None:
        """Writes beside the file, and then takes its place."""
        new = self.path.with_name(f"{self.path.name}.new")
        write_private(new, text)
        new.replace(self.path)


class SecretsParameter:
    """A parameter of the type SecureString, encrypted with the account's own key for SSM."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.name = f"/herolo/{environment.name}/secrets"
        self.shown = f"SSM parameter {self.name}"
        self.removal = f"aws ssm delete-parameter --region {setting_of(environment, 'region')} --name {self.name}"
        self.time = datetime.now(UTC)  # of the last change, once it is read
        self._known: str | None = None

    def read(self) -> str | None:
        """Decrypted."""
        self._known, _ = self._get()
        return self._known

    def create(self, text: str) -> str:
        """AWS accepts a new parameter once only."""
        aws, ssm = _connect(self.environment)
        with aws.explained(), contextlib.suppress(ssm.exceptions.ParameterAlreadyExists):
            ssm.put_parameter(**self._parameter(text), Overwrite=False)
        created = self.read()
        if created is None:
            raise Failure(f"{self.shown} was deleted meanwhile: run this again")
        return created

    def write(self, text: str) -> None:
        """Fails if another operator has changed the document since it was read. AWS does not compare as it writes, but
        counts the versions: what another operator has written in between is written again."""
        there, version = self._get()
        if self._known is not None and there != self._known:
            raise self._changed()
        written = self._put(text)
        if written > version + 1:
            other, _ = self._get(f":{written - 1}")
            self._put(str(other))
            raise self._changed()
        self._known = text

    def _changed(self) -> Failure:
        return Failure(
            f"{self.shown} was changed by another operator meanwhile: wait until their command has ended, then run "
            "this again"
        )

    def _put(self, text: str) -> int:
        aws, ssm = _connect(self.environment)
        with aws.explained():
            return int(ssm.put_parameter(**self._parameter(text), Overwrite=True)["Version"])

    def _get(self, version: str = "") -> tuple[str | None, int]:
        """The document and its version, by default the newest."""
        aws, ssm = _connect(self.environment)
        with aws.explained():
            try:
                found = ssm.get_parameter(Name=f"{self.name}{version}", WithDecryption=True)["Parameter"]
            except ssm.exceptions.ParameterNotFound:
                return None, 0
        self.time = found["LastModifiedDate"]
        return str(found["Value"]), int(found["Version"])

    def _parameter(self, text: str) -> dict[str, Any]:
        if len(text.encode()) > LIMIT:
            raise Failure(f"{self.shown} can hold {LIMIT} bytes: remove old keys or comments from the secrets")
        description = f"The secrets of {self.environment.name}"
        return {
            "Name": self.name,
            "Value": text,
            "Type": "SecureString",
            "Tier": "Standard",
            "Description": description,
        }


def is_there(parameter: SecretsParameter) -> bool:
    """Whether it can be read: without the permission for that, the secrets are not there."""
    try:
        return parameter.read() is not None
    except Failure:
        return False


@functools.cache  # a client takes its time to be made
def _connect(environment: Environment) -> tuple[Aws, Any]:
    aws = Aws(environment)
    return aws, aws.client("ssm")


@contextlib.contextmanager
def secrets_as_file(environment: Environment) -> Iterator[Path]:
    """A file with the secrets for another program; it is removed afterwards if it is not their home."""
    home = home_of(environment)
    if isinstance(home, SecretsFile):
        yield environment.secrets
        return
    path = environment.work / "secrets.yml"
    write_private(path, home.read() or "")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Writes a new file that only its owner can read."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
