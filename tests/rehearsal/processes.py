"""Runs commands and waits for conditions."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


class CommandFailed(Exception):
    """A command ended with another status than 0."""


def run(
    *command: str | os.PathLike[str],
    input: str | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    merge: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Runs a command in the repository's folder; raises CommandFailed with its error output if it fails and `check` is
    set. `merge` puts its error output among its output."""
    done = subprocess.run(
        [os.fspath(word) for word in command],
        cwd=REPOSITORY,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merge else subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        **({"stdin": subprocess.DEVNULL} if input is None else {"input": input}),
    )
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout or "").strip()
        raise CommandFailed(f"{' '.join(map(str, command[:6]))} ... ended with status {done.returncode}: {said}")
    return done


def output(*command: str | os.PathLike[str], input: str | None = None) -> str:
    """The output of a command that must succeed, without the line break at its end."""
    return run(*command, input=input).stdout.rstrip("\n")


def wait_until(condition: Callable[[], object], expectation: str, limit: float = 180) -> None:
    """Repeats a check until it holds, for at most `limit` seconds.

    A check that raises an OSError or whose command fails does not hold yet.
    """
    deadline = time.monotonic() + limit
    while True:
        reason = ""
        try:
            if condition():
                return
        except (CommandFailed, OSError) as fault:
            reason = f" ({fault})"
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit} s: {expectation}{reason}")
        time.sleep(0.2)
