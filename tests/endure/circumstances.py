"""Where and how a fault was injected."""

from __future__ import annotations

import dataclasses
import datetime
import os
import platform
import re
import subprocess
from pathlib import Path

from endure.settings import Settings
from support.services import REPOSITORY

RELEASES = {"release", "image"}  # folders of Cargo, and of scripts/image


@dataclasses.dataclass(frozen=True)
class Circumstances:
    """Of one run, and so of each fault that it injected."""

    date: str  # on which the run began
    machine: str
    build: str
    revision: str  # of the repository, not of a program that was built elsewhere
    mysql: str
    rate: float  # requests offered a second
    is_short: bool
    is_judged: bool  # whether times are judged, and requests that fail without a fault
    differing: dict[str, float]  # the numbers that were set to others than the run would have had
    note: str = ""

    def describe(self) -> str:
        """In a sentence or two."""
        form = "with the small numbers of `SHORT=1`" if self.is_short else "in the long form"
        set_to = [f"{name} {value:g}" for name, value in self.differing.items()]
        but = f", but {', '.join(set_to)}" if set_to else ""
        judged = "" if self.is_judged else " Times, and requests that fail without a fault, were not judged."
        return (
            f"Begun on {self.date}, {form}{but}: {self.build} at {self.revision}, MySQL {self.mysql}, "
            f"{self.rate:g} requests offered a second, {self.machine}.{judged}{' ' if self.note else ''}{self.note}"
        )


def circumstances(settings: Settings, mysql: str) -> Circumstances:
    """Those of now. `mysql` is the version of the server."""
    return Circumstances(
        date=datetime.date.today().isoformat(),
        machine=machine(),
        build="a release build" if RELEASES.intersection(Path(settings.binary).parts) else "a debug build",
        revision=revision(),
        mysql=mysql,
        rate=settings["rate"],
        is_short=settings.is_short,
        is_judged=bool(settings["heal-limit"]),
        differing=settings.differing(),
        note=settings.note,
    )


def machine() -> str:
    """The machine that this runs on."""
    name, memory = platform.processor() or platform.machine(), ""
    processors, information = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    if processors.exists() and (found := re.search(r"model name\s*: (.+)", processors.read_text())):
        name = found[1]
    if information.exists() and (found := re.search(r"MemTotal:\s*(\d+) kB", information.read_text())):
        memory = f", {int(found[1]) / 1024**2:.0f} GiB"
    return f"{os.cpu_count()} processors ({name}{memory}, {platform.system()} {platform.release()})"


def revision() -> str:
    """The commit of the repository; with a plus sign if files other than documents differ from it."""
    commit = git("rev-parse", "--short=10", "HEAD")
    is_changed = git("status", "--porcelain", "--", ".", ":!docs")
    return f"{commit or 'an unknown revision'}{'+' if is_changed else ''}"


def git(*arguments: str) -> str:
    """What a command of Git prints; nothing where there is no Git or no repository."""
    try:
        done = subprocess.run(["git", *arguments], cwd=REPOSITORY, check=False, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
