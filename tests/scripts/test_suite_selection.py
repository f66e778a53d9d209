"""What the suites say when a selection of tests cannot be run."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import REPOSITORY, attempt

Select = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def select(tmp_path: Path) -> Select:
    """Selects tests of a suite by their names, as scripts/pytest does."""

    def select(suite: str, chosen: str, *options: str) -> subprocess.CompletedProcess[str]:
        pytest_ = (sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "--basetemp", tmp_path / "own")
        return attempt(*pytest_, *options, f"tests/{suite}", "-k", chosen, env={"PYTHONPATH": "tests"})

    return select


LISTED = ("-p", "rehearsal.phases", "--collect-only")


@pytest.mark.parametrize(
    "options", [("-p", "rehearsal.phases"), ("--numprocesses", "2")], ids=["of a rehearsal", "by several workers"]
)
def test_a_selection_of_no_test_is_explained(select: Select, options: tuple[str, ...]) -> None:
    suite = "rehearsal_changes" if "rehearsal.phases" in options else "scripts"
    done = select(suite, "nonsense", *options)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "error: no name of a test matches -k 'nonsense': ARGS=\"--collect-only\" lists the names" in done.stdout


@pytest.mark.parametrize(
    ("suite", "chosen"), [("rehearsal", "rotation"), ("rehearsal_hosts", "certificate"), ("rehearsal_changes", "roll")]
)
def test_a_rehearsal_without_its_deployment_is_refused_before_it_is_set_up(
    select: Select, suite: str, chosen: str
) -> None:
    done = select(suite, chosen, *LISTED)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: the first deployment is left out, which all other tests need: select it with them" in done.stderr
    assert f"-k 'deployment or {chosen}'" in done.stderr


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "docs/reliability.md"])
def test_what_a_document_selects_of_a_rehearsal_can_be_run(select: Select, document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    (chosen,) = re.findall("`[^`]*ARGS=\"[^`]*-k '?([^'\"`]*roll[^'\"`]*)", text)
    done = select("rehearsal_changes", chosen, *LISTED)
    assert done.returncode == pytest.ExitCode.OK
    assert "test_03_roll_outs.py" in done.stdout
