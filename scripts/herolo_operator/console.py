"""Output for people: steps, phases with their times, questions, tables. All of it goes to standard error, so that
standard output holds results only. Terminals get colours and a running clock; anything else gets plain lines."""

from __future__ import annotations

import contextlib
import getpass
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

TAIL = 60  # lines of the log that are shown when a phase fails
OUTCOME = 52  # columns


class Failure(Exception):
    """Ends the command. The message states the fault and how to fix it."""


class Refusal(Failure):
    """Ends the command before it has begun, because of the form or an option."""


class Phase:
    """A part of a command that is shown as one line."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outcome = "done"


PhaseContext = contextlib.AbstractContextManager[Phase]

_log: TextIO | None = None  # of the current phase
_interrupt: Callable[[str], None] | None = None  # writes a line above the one of the current phase


def output() -> TextIO:
    """The stream for messages and for the output of programs: the log of the current phase, else standard error."""
    return _log or sys.stderr


def step(message: str) -> None:
    """Announces what happens next."""
    say(f"==> {message}")


def say(text: str) -> None:
    """Writes lines to the current stream."""
    print(text, file=output(), flush=True)


def announce(message: str) -> None:
    """Tells people something during a phase, whose other output goes to its log."""
    step(message)
    if _interrupt:
        _interrupt(f"==> {message}")


def show_log(log: Path) -> None:
    """Copies a log to the current stream."""
    output().write(log.read_text(encoding="utf-8", errors="replace"))
    output().flush()


@contextlib.contextmanager
def phase(name: str, folder: Path) -> Iterator[Phase]:
    """Shows one line with the outcome and the time. Everything else that is written meanwhile goes to NAME.log in the
    folder, the end of which is shown after a failure."""
    current, begin, log = Phase(name), time.monotonic(), folder / f"{name}.log"
    try:
        with log.open("w", encoding="utf-8") as file, _clock(name), _written_to(file):
            yield current
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        _end_line(name, "interrupted" if interrupted else "FAILED", "red")
        if not interrupted:
            _show_end_of(log)
        if isinstance(error, Failure):
            with log.open("a", encoding="utf-8") as file:
                print(f"error: {error}", file=file)
        raise
    _end_line(name, f"{current.outcome:<{OUTCOME}} {time.monotonic() - begin:5.0f} s")


@contextlib.contextmanager
def _written_to(file: TextIO) -> Iterator[None]:
    global _log
    _log = file
    try:
        yield
    finally:
        _log = None


@contextlib.contextmanager
def _clock(name: str) -> Iterator[None]:
    if not sys.stderr.isatty():
        begin = f"  {name:<12} "
        print(begin, end="", file=sys.stderr, flush=True)
        with _interrupted_by(lambda line: print(f"\n{line}\n{begin}", end="", file=sys.stderr, flush=True)):
            yield
        return
    columns = (TextColumn("  {task.description:<12}"), SpinnerColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_terminal(), transient=True) as progress:
        progress.add_task(name, total=None)
        with _interrupted_by(lambda line: progress.console.print(Text(line))):
            yield


@contextlib.contextmanager
def _interrupted_by(write: Callable[[str], None]) -> Iterator[None]:
    global _interrupt
    _interrupt = write
    try:
        yield
    finally:
        _interrupt = None


def _end_line(name: str, text: str, style: str = "") -> None:
    if sys.stderr.isatty():
        _terminal().print(Text(f"  {name:<12} ") + Text(text, style))
    else:
        print(text, file=sys.stderr, flush=True)


def _show_end_of(log: Path) -> None:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines[-TAIL:]:
        print(line, file=sys.stderr)


def ask(question: str, answer: str) -> None:
    """Fails unless exactly the answer is typed."""
    if not sys.stdin.isatty():
        raise Failure("standard input is not a terminal: set YES=1 to skip the question")
    typed = read_answer(question)
    if typed != answer:
        raise Failure(f"nothing was done: '{typed}' is not '{answer}'")


def read_answer(question: str) -> str:
    """What is typed after the question."""
    print(f"{question} ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def read_secret(question: str) -> str:
    """What is typed after the question, unseen, or a line of standard input if that is not a terminal."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    return getpass.getpass(f"{question} ").strip()


def confirm_by_name(name: str, given: str, question: str, consequence: str, refusal: str) -> None:
    """Fails unless the name of the environment is typed, or was given beforehand by CONFIRM."""
    if not given:
        if not sys.stdin.isatty():
            raise Failure(
                f"standard input is not a terminal: set CONFIRM={name}, which {consequence} without a question"
            )
        given = read_answer(f"{question} Type {name} to go on:")
    if given != name:
        raise Failure(f"{refusal}: '{given}' is not '{name}'")


def print_rows(rows: Sequence[tuple[str, str, str]], faults: Sequence[bool]) -> None:
    """Rows of name, state and details on standard output; a fault is red on a terminal."""
    if not sys.stdout.isatty():
        for name, state, details in rows:
            print(f"  {name:<14} {state:<16} {details}")
        return
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=True)
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    for (name, state, details), fault in zip(rows, faults):
        table.add_row(Text(name), Text(state, "bold red" if fault else "green"), Text(details))
    Console(highlight=False).print(table)


def _terminal() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)
