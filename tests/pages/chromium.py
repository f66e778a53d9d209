"""Finds a Chromium, or installs one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALLATION = {
    "update": ["apt-get", "update", "-qq"],
    "install": ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qq", "-y", "chromium"],
}


def provide_chromium() -> str | None:
    """The program: one of this machine, else Debian's package; None stands for the one that Playwright fetches."""
    given = os.environ.get("CHROMIUM")
    if given:
        return shutil.which(given) or fail(f"CHROMIUM is '{given}', which cannot be run: name a Chromium")
    found = find()
    if not found and is_debian() and can_be_root():
        install()
        found = find()
    if not found:
        fetch()
    return found


def find() -> str | None:
    """The first Chromium or Chrome on the PATH."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def is_debian() -> bool:
    """Whether Debian's package can be installed here."""
    release = Path("/etc/os-release")
    return release.exists() and "ID=debian" in release.read_text().splitlines()


def as_root() -> list[str]:
    """What comes before a command that only root may run."""
    return [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]


def can_be_root() -> bool:
    """Whether commands can be run as root without a password."""
    if os.geteuid() == 0:
        return True
    return bool(shutil.which("sudo")) and subprocess.run([*as_root(), "true"], capture_output=True).returncode == 0


def install() -> None:
    """Installs Debian's package."""
    print("==> installing chromium", file=sys.stderr)
    for what, command in INSTALLATION.items():
        if subprocess.run([*as_root(), *command], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode:
            fail(f"apt-get {what} fails, see above: install a Chromium, or name one with CHROMIUM=...")


def fetch() -> None:
    """Lets Playwright fetch its own Chromium, once."""
    print("==> fetching chromium, once", file=sys.stderr)
    command = [Path(sys.executable).with_name("playwright"), "install", "chromium"]
    if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode:
        fail("there is no Chromium: install one, or name one with CHROMIUM=...")


def fail(message: str) -> str:
    """Ends the run with a message that says how to mend it."""
    pytest.exit(f"error: {message}", returncode=1)
