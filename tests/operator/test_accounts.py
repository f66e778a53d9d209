"""`make user`: the script for the host, run with a stand-in of Docker."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from herolo_operator import accounts
from herolo_operator.console import Failure

# A container of the service. $CONTAINER is the process whose error output is its log.
DOCKER = """#!/bin/sh
case "$1" in
  ps) echo c0ffee ;;
  inspect) echo $CONTAINER ;;
  exec)
    echo "arguments: $*"
    echo "input: $(cat)"
    echo '{"level":"INFO","command":"show"}' >&2
    echo "herolo: there is no user 'bob'" >&2
    exit 1
    ;;
esac
"""


@pytest.fixture
def log(stand_in: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The log of the container."""
    stand_in("docker", DOCKER)
    path = tmp_path / "log"
    with path.open("w") as file, subprocess.Popen(["sleep", "600"], stderr=file) as container:
        monkeypatch.setenv("CONTAINER", str(container.pid))
        yield path
        container.kill()


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=False)


def test_the_command_runs_in_the_container_and_its_log_is_kept_there(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "current_user", lambda: "eve")
    monkeypatch.setattr(accounts, "current_host", lambda: "laptop")
    done = run(accounts.script_of("""show 'bob $(id)'"""))
    assert done.returncode == 1
    assert "exec --interactive c0ffee /herolo user --operator eve@laptop show bob $(id)" in done.stdout
    assert done.stderr == "herolo: there is no user 'bob'\n"
    assert log.read_text() == '{"level":"INFO","command":"show"}\n'


def test_a_password_is_input_and_no_argument(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_read_password", lambda: "correct $(horse) `x` 'y'")
    done = run(accounts.script_of("reset-password bob --password-stdin"))
    assert "input: correct $(horse) `x` 'y'\n" in done.stdout
    assert "horse" not in next(line for line in done.stdout.splitlines() if line.startswith("arguments"))


def test_a_host_without_a_replica_is_told(stand_in: Callable[[str, str], Path]) -> None:
    stand_in("docker", "#!/bin/sh\nexit 0\n")
    done = run(accounts.script_of("list"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: no replica of the service runs on this host")


@pytest.mark.parametrize(("text", "fault"), [("", "CMD is empty"), ("  ", "CMD is empty"), ("show 'bob", "CMD cannot")])
def test_a_command_that_cannot_be_read_is_refused(text: str, fault: str) -> None:
    with pytest.raises(Failure, match=fault):
        accounts.script_of(text)
