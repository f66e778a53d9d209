"""How the tests run the programs of the repository, and what they expect of those that refuse something."""

import os
import pathlib
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TOOLS = pathlib.Path(os.environ.get("TOOLS_FOLDER", REPOSITORY / ".tools"))

LONGEST_RUN = 900  # seconds, far more than any command of a test takes

# The settings of a developer, of a `make` around the tests and of the tests, which would change how programs behave.
SCRUBBED_VARIABLES = (
    *("AWS_PROFILE", "AWS_REGION", "TF_CLI_ARGS", "TF_DATA_DIR", "TF_WORKSPACE"),
    *("ACKNOWLEDGE", "CONFIRM", "OVERRIDE", "FROM", "IMAGE", "SSH_KEY", "WAIT", "WHAT", "YES"),
    *("HEROLO_ADDRESS", "HEROLO_DATABASE_URL", "HEROLO_DATABASE_URL_FILE", "HEROLO_ENVIRONMENTS", "HEROLO_INFRA"),
    *("HEROLO_MYSQL_IMAGE", "HEROLO_PORT", "HEROLO_TEST_DATABASE_URL"),
    *("HEROLO_TEST_RUN", "MAKEFLAGS", "MAKELEVEL", "PYTHONPATH"),
)

Variables = Mapping[str, str | os.PathLike[str] | None]
Word = str | os.PathLike[str]


def environment(changes: Variables | None = None) -> dict[str, str]:
    """The environment of a command: that of the tests without the settings above, but with the changes. None removes a
    variable."""
    variables = {name: value for name, value in os.environ.items() if name not in SCRUBBED_VARIABLES}
    for name, value in (changes or {}).items():
        variables.pop(name, None)
        if value is not None:
            variables[name] = os.fspath(value)
    return variables


def attempt(*command: Word, env: Variables | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command in the repository without input, and returns what came of it."""
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=LONGEST_RUN,
    )


def run(*command: Word, env: Variables | None = None) -> str:
    """Runs a command that must succeed, and returns its standard output."""
    done = attempt(*command, env=env)
    if done.returncode != 0:
        pytest.fail(f"{shown(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def errors_of(*command: Word, env: Variables | None = None) -> list[str]:
    """Runs a command that must fail, and returns its lines that begin with `error: `."""
    done = attempt(*command, env=env)
    output = done.stdout + done.stderr
    if done.returncode == 0:
        pytest.fail(f"{shown(command)} must fail, and was accepted:\n{output}")
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    if not errors:
        pytest.fail(f"{shown(command)} failed without a line that begins with 'error: ':\n{output}")
    return errors


def says(command: Sequence[Word], pattern: str, *, env: Variables | None = None) -> None:
    """The command must fail, and one of its error lines must match the pattern."""
    errors = errors_of(*command, env=env)
    if not any(re.search(pattern, line) for line in errors):
        pytest.fail(f"no error line of {shown(command)} matches {pattern!r}:\n" + "\n".join(errors))


def refuses(command: Sequence[Word], fix: str, *, env: Variables | None = None) -> None:
    """The command must fail with one error line alone, and that must contain the fix."""
    errors = errors_of(*command, env=env)
    if len(errors) != 1 or fix not in errors[0]:
        pytest.fail(f"{shown(command)} must have one error line, with {fix!r} in it:\n" + "\n".join(errors))


def operate(*arguments: str) -> list[str]:
    """The command of the operator's tool for these arguments."""
    return ["scripts/operate", *arguments]


def typed(*arguments: str) -> str:
    """A pattern that matches the command in messages."""
    return re.escape(" ".join(operate(*arguments)))


def wait_until(condition: Callable[[], bool], seconds: float, failure: str) -> None:
    """Repeats a check until it holds; fails with that sentence when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{failure} (after {seconds:g} s)")
        time.sleep(0.2)


def write_program(path: pathlib.Path, body: str) -> pathlib.Path:
    """Writes a shell script that stands for a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def shown(command: Sequence[Word]) -> str:
    """The command as a person would write it."""
    return "'" + " ".join(os.fspath(word) for word in command) + "'"
