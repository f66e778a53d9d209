"""Runs other programs. Arguments are visible to every user of the machine, so a secret never is one: it goes through
the environment of the child, its standard input, or a file of mode 600."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from . import console
from .console import Failure

Argument = str | Path


@dataclass(frozen=True)
class Result:
    """How a program ended, and its standard output if that was captured."""

    status: int
    output: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the exit status is 0."""
        return self.status == 0


def run(
    arguments: Sequence[Argument],
    *,
    stdin: str = "",
    capture: bool = False,
    show: bool = False,
    log: IO[str] | None = None,
    variables: Mapping[str, str] | None = None,
    descriptors: Sequence[int] = (),
) -> Result:
    """Runs a program to its end. It reads `stdin`; what it writes goes to `log`, by default the current stream of the
    console, except for a standard output that is captured, or shown as the command's own. `variables` are added to its
    environment."""
    errors = log or console.output()
    errors.flush()
    sys.stdout.flush()
    with _deferring_interrupts() as interrupts:
        child = _start(
            arguments,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else None if show else errors,
            stderr=errors,
            env={**os.environ, **(variables or {})},
            pass_fds=tuple(descriptors),
        )
        interrupts.children = [child]
        output, _ = child.communicate(stdin or None)
    return Result(child.returncode, output or "")


def run_aloud(
    arguments: Sequence[Argument],
    log: IO[str],
    *,
    variables: Mapping[str, str] | None = None,
    watch: Callable[[str], None] | None = None,
) -> Result:
    """Runs a program and copies all that it writes to the log and to the current stream, line by line. `watch` is
    called with each line. The end of the terminal does not end the program."""
    with _deferring_interrupts(hangup_ends=False) as interrupts:
        child = _start(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(variables or {})},
        )
        interrupts.children = [child]
        assert child.stdout
        for line in child.stdout:
            log.write(line)
            log.flush()
            with contextlib.suppress(OSError):  # the terminal may be gone; the program must go on
                console.output().write(line)
                console.output().flush()
            if watch:
                watch(line)
        child.wait()
    return Result(child.returncode)


def run_together(programs: Mapping[str, Sequence[Argument]], *, stdin: str) -> int:
    """Runs programs at the same time, and shows each line of their standard output with the prefix of its program.
    Returns the highest status."""
    sys.stdout.flush()
    with _deferring_interrupts() as interrupts:
        children = {
            prefix: _start(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for prefix, arguments in programs.items()
        }
        interrupts.children = list(children.values())
        copies = [threading.Thread(target=_copy_lines, args=(*item, stdin), daemon=True) for item in children.items()]
        for copy in copies:
            copy.start()
        for copy in copies:
            copy.join()
        return max(child.wait() for child in children.values())


def _copy_lines(prefix: str, child: subprocess.Popen[str], stdin: str) -> None:
    assert child.stdin and child.stdout
    with contextlib.suppress(OSError):  # it may have ended already
        child.stdin.write(stdin)
        child.stdin.close()
    try:
        for line in child.stdout:
            sys.stdout.write(prefix + line)  # in one piece, so that lines of two programs never mix
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has ended
        child.terminate()


def run_interactively(arguments: Sequence[Argument]) -> int:
    """Runs a program that owns the terminal, and returns its status."""
    sys.stdout.flush()
    with _deferring_interrupts() as interrupts:
        child = _start(arguments)
        interrupts.children = [child]
        child.wait()
        interrupts.received.clear()  # they were meant for the program
    return child.returncode


def require_command(name: str, fix: str) -> None:
    """Fails unless the program is installed."""
    if not shutil.which(name):
        raise Failure(f"{name} is missing: {fix}")


class _Interrupts:
    def __init__(self) -> None:
        self.received: list[int] = []
        self.children: list[subprocess.Popen[str]] = []

    def note(self, number: int, _frame: object) -> None:
        self.received.append(number)
        # Ctrl-C reaches the child by itself, since the terminal sends it to the whole group of processes.
        if number != signal.SIGINT:
            for child in self.children:
                child.send_signal(number)


@contextlib.contextmanager
def _deferring_interrupts(*, hangup_ends: bool = True) -> Iterator[_Interrupts]:
    """Ctrl-C is for the child alone, which ends in its own way: Terraform records what it has done, and would lose that
    if its output were no longer read. Once it has ended, the command is interrupted, too."""
    interrupts = _Interrupts()
    handlers = {
        signal.SIGINT: interrupts.note,
        signal.SIGTERM: interrupts.note,
        signal.SIGHUP: interrupts.note if hangup_ends else signal.SIG_IGN,  # which the child inherits
    }
    previous = [(number, signal.signal(number, handler)) for number, handler in handlers.items()]
    try:
        yield interrupts
    finally:
        for number, handler in previous:
            signal.signal(number, handler)
    if interrupts.received:
        raise KeyboardInterrupt


def _start(arguments: Sequence[Argument], **settings: Any) -> subprocess.Popen[str]:
    command = [str(argument) for argument in arguments]
    try:
        return subprocess.Popen(command, encoding="utf-8", errors="replace", **settings)
    except FileNotFoundError as error:
        raise Failure(f"{arguments[0]} is missing: install it and run this again") from error
