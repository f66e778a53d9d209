"""What the scripts of this repository provide for the tests."""

from __future__ import annotations

import subprocess

import pytest
from support.services import REPOSITORY


def provided(request: pytest.FixtureRequest, command: list[str]) -> str:
    """The last line that a script of this repository prints; its progress and its error are shown at once."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        done = subprocess.run(
            command, cwd=REPOSITORY, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
    if done.returncode:
        pytest.exit(f"'{' '.join(command)}' fails: see its error above", returncode=1)
    return done.stdout.strip().splitlines()[-1]
