"""The summary that `make plan` has shown. `make deploy` acts on it without planning again as long as nothing that goes
into a plan has changed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .environment import REPOSITORY, Environment, Options
from .secrets_home import home_of
from .upgrades import current_format

CREDENTIALS = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID")


@dataclass(frozen=True)
class Summary:
    """Of a plan: the changes on AWS, those on the hosts, the release, and what it costs. If there are several stages,
    the changes are those of all, what is done to each resource is in `announced`, and the saved plan is the first
    stage."""

    changes: str
    preview: str
    release: str
    cost: str = ""
    stages: Sequence[str] = field(default_factory=list)
    announced: Mapping[str, list[str]] = field(default_factory=dict)
    first_changes: str = ""  # of the first stage

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return self.changes == "none" and not self.stages and self.preview == "nothing to change"


def save_summary(summary: Summary, environment: Environment, options: Options) -> None:
    """For `read_summary`."""
    document = {"fingerprint": _fingerprint(summary.release, environment, options), **asdict(summary)}
    _file(environment).write_text(json.dumps(document), encoding="utf-8")


def read_summary(release: str, environment: Environment, options: Options) -> Summary | None:
    """The summary that was saved, if the plan still holds."""
    try:
        document = json.loads(_file(environment).read_text(encoding="utf-8"))
        fingerprint, summary = document.pop("fingerprint"), Summary(**document)
    except (FileNotFoundError, ValueError, AttributeError, KeyError, TypeError):  # cut off, or of another version
        return None
    if not environment.plan.is_file() or fingerprint != _fingerprint(release, environment, options):
        return None
    return summary


def forget_summary(environment: Environment) -> None:
    """The next deployment plans first."""
    _file(environment).unlink(missing_ok=True)


def _file(environment: Environment) -> Path:
    return environment.work / "planned"


def _fingerprint(release: str, environment: Environment, options: Options) -> str:
    digest = hashlib.sha256()
    secrets = home_of(environment).read() or ""
    for part in (
        release,
        secrets,
        str(current_format()),
        options.replace,
        *(os.environ.get(name, "") for name in CREDENTIALS),
    ):
        digest.update(part.encode() + b"\0")
    for path in _inputs(environment, options):
        digest.update(str(path).encode() + b"\0" + (path.read_bytes() if path.is_file() else b"") + b"\0")
    return digest.hexdigest()


def _inputs(environment: Environment, options: Options) -> Iterator[Path]:
    yield from (environment.form, environment.s3_backend)
    if options.settings:
        yield Path(options.settings)
    yield from sorted(options.infra.glob("*.tf"))
    for folder in ("ansible", "traefik"):
        files = (path for path in (REPOSITORY / folder).rglob("*") if path.is_file() and path.suffix != ".pyc")
        yield from sorted(files)
