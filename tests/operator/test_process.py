"""Running programs, and what Ctrl-C does to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from herolo_operator import process
from herolo_operator.environment import REPOSITORY, Environment

PATIENCE = 60  # seconds


def test_output_is_captured_and_errors_are_logged(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        script = ["sh", "-c", 'cat; echo "$VALUE"; echo no >&2; exit 3']
        result = process.run(script, stdin="in\n", capture=True, log=log, variables={"VALUE": "out"})
    assert result == process.Result(3, "in\nout\n")
    assert (tmp_path / "log").read_text() == "no\n"


def test_a_missing_program_is_a_failure() -> None:
    with pytest.raises(process.Failure, match="no-such-program is missing"):
        process.run(["no-such-program"])


# A stand-in of Terraform: it ends in its own way on Ctrl-C, and says so afterwards.
CHILD = """
import signal, sys, time
done = []
signal.signal(signal.SIGINT, lambda *_: done.append(1))
print("at work", flush=True)
begin = time.monotonic()
while not done and time.monotonic() < begin + 2: time.sleep(0.05)
time.sleep(0.3)
print("the state is saved", flush=True)
"""
TOOL = f"""
import sys
from herolo_operator import process
try:
    with open(sys.argv[1], "w") as log:
        process.run_aloud([sys.executable, "-c", {CHILD!r}], log)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(("number", "end"), [(signal.SIGINT, "interrupted\n"), (signal.SIGHUP, "")])
def test_terraform_ends_in_its_own_way_after_ctrl_c_or_a_lost_terminal(
    number: signal.Signals, end: str, tmp_path: Path
) -> None:
    log = tmp_path / "terraform.log"
    scripts = str(Path(process.__file__).parents[1])
    tool = subprocess.Popen(
        [sys.executable, "-c", TOOL, str(log)],
        env={**os.environ, "PYTHONPATH": scripts},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE
    while not (log.exists() and "at work" in log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(tool.pid, number)  # as a terminal does
    output, _ = tool.communicate(timeout=PATIENCE)
    assert output == end
    assert log.read_text() == "at work\nthe state is saved\n"


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_a_command_works_with_closed_streams(closed: tuple[int, ...], environment: Environment) -> None:
    redirections = " ".join(f"{number}>&-" for number in closed)
    environment.history.write_text("{}\n")  # which is a failure
    script = f'exec "{sys.executable}" -m herolo_operator history prod {redirections}'
    variables = {"HEROLO_ENVIRONMENTS": str(environment.folder), "PYTHONPATH": str(REPOSITORY / "scripts")}
    result = subprocess.run(["sh", "-c", script], env={**os.environ, **variables}, capture_output=True, text=True)
    assert result.returncode == 1
    assert "Traceback" not in result.stdout + result.stderr
    assert result.stderr.startswith("error: ") or 2 in closed


def test_output_that_the_locale_lacks_is_escaped(environment: Environment) -> None:
    entry = {"user": "jürgen", "host": "h", "time": "t", "command": "deploy", "release": "", "outcome": "succeeded"}
    environment.history.write_text(json.dumps(entry))
    variables = {
        "HEROLO_ENVIRONMENTS": str(environment.folder),
        "PYTHONPATH": str(REPOSITORY / "scripts"),
        "PYTHONIOENCODING": "ascii",
    }
    command = [sys.executable, "-m", "herolo_operator", "history", "prod"]
    result = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True)
    assert (result.returncode, result.stdout.split()[2]) == (0, "j\\xfcrgen@h")
