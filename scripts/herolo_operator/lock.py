"""One command at a time changes an environment. Terraform locks its state, but not what Ansible does."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .console import Failure, read_answer, step
from .environment import Environment
from .identity import current_host, current_time, current_user

WORD = "break"


@dataclass(frozen=True)
class Holder:
    """The command that has the lock."""

    command: str
    user: str
    host: str
    pid: int
    since: str

    @property
    def is_gone(self) -> bool:
        """Whether its process has ended, which only its own machine can tell."""
        if self.host != current_host():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # of another user
        return False

    def __str__(self) -> str:
        return f"'{self.command}' of {self.user} on {self.host} (process {self.pid}, since {self.since})"


@contextlib.contextmanager
def exclusive(environment: Environment, command: str) -> Iterator[None]:
    """Holds the lock of the environment, in environments/.NAME/lock."""
    path = environment.work / "lock"
    own = Holder(command, current_user(), current_host(), os.getpid(), current_time())
    while (holder := _acquire(path, own)) != own:
        _ask_to_break(holder, environment, path)
        _remove(path, holder)
    try:
        yield
    finally:
        _remove(path, own)


@contextlib.contextmanager
def _guard(path: Path) -> Iterator[None]:
    """Lets one process at a time read and change the lock file. The kernel ends the guard of a process that dies."""
    with path.with_name("lock.guard").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _acquire(path: Path, own: Holder) -> Holder:
    """Writes the lock file unless a command that has not ended holds it, and returns the holder."""
    with _guard(path):
        holder = _read(path)
        if holder and not holder.is_gone:
            return holder
        if holder:
            step(f"breaking the lock of {holder}")
        path.write_text(json.dumps(asdict(own)), encoding="utf-8")
        return own


def _remove(path: Path, holder: Holder) -> None:
    """Removes the lock file if it still is this holder's."""
    if not path.exists():  # `destroy` removes the folder
        return
    with _guard(path):
        if _read(path) == holder:
            path.unlink()


def _read(path: Path) -> Holder | None:
    try:
        holder = Holder(**json.loads(path.read_text(encoding="utf-8")))
        if type(holder.pid) is not int or not 0 < holder.pid < 2**31:
            raise ValueError("not the id of a process")
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise Failure(f"{path} is not a lock of this tool: remove it if no command is running") from error
    return holder


def _ask_to_break(holder: Holder, environment: Environment, path: Path) -> None:
    shown = environment.shown(path)
    complaint = f"{environment.name} is locked by {holder}: wait until that ends"
    if not sys.stdin.isatty():
        raise Failure(f"{complaint}, or remove {shown} if you know that it has ended")
    step(complaint)
    if read_answer(f"Type {WORD} to go on if you know that it has ended:") != WORD:
        raise Failure("nothing was done")
