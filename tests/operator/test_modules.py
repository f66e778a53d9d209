"""What the documentation says about the operator's modules."""

from __future__ import annotations

import re
from pathlib import Path

from herolo_operator.cli import CHANGING, COMMANDS

REPOSITORY = Path(__file__).resolve().parents[2]


STATUS = ("backups.py", "on_host.py", "status.py")  # the modules whose rows `make status` shows


def test_every_fault_of_the_status_has_a_line_in_the_guide() -> None:
    page = (REPOSITORY / "docs/operate.md").read_text(encoding="utf-8")
    told = {
        (row, state)
        for line in page.splitlines()
        for row, states in re.findall(r"`([a-z]+)` ((?:NOT [A-Z ]+(?:, )?)+)", line)
        for state in states.rstrip(", ").split(", ")
    }
    texts = [(REPOSITORY / "scripts/herolo_operator" / name).read_text(encoding="utf-8") for name in STATUS]
    assert told == {
        *(fault for text in texts for fault in re.findall(r'\(\s*"([a-z]+)",\s*"(NOT [A-Z ]+)"', text)),
        # whose states are variables
        *((name, state) for name in ("email", "webhook") for state in ("NOT CONFIRMED", "NOT SUBSCRIBED")),
        *(("host", "NOT WELL"), ("balancer", "NOT HEALTHY")),  # whose names have a number
        *(("certificate", "NOT RENEWED"), ("backup", "NOT RECENT"), ("disk", "NOT MUCH LEFT"), ("drill", "NOT PASSED")),
    }


def test_every_module_has_a_line_in_the_map() -> None:
    page = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
    section = page.partition("### The operator's commands")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`([a-z_]+)`(?=[,; ])", section))
    modules = {path.stem for path in (REPOSITORY / "scripts/herolo_operator").glob("[a-z]*.py")}
    assert modules <= listed


STEPS = ("form", "secrets", "infra")  # of other commands, for tests and for those who look closer


def test_every_task_is_a_target_that_the_guide_lists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    page = (REPOSITORY / "docs/operate.md").read_text(encoding="utf-8")
    tasks = COMMANDS.keys() - set(STEPS)
    assert tasks == set(re.findall(r"^\t@scripts/operate ([a-z-]+)", makefile, re.MULTILINE))
    assert tasks == set(re.findall(r"^\| `make ([a-z-]+)[^|]*` \|", page, re.MULTILINE))


def test_the_guide_lists_the_commands_that_exclude_one_another() -> None:
    page = (REPOSITORY / "docs/operate.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"^(`make plan`, [^.]*?) of\s+an\s+environment exclude", page, re.MULTILINE)
    assert {name.removeprefix("make ") for name in re.findall("`([^`]+)`", sentence)} == set(CHANGING)
