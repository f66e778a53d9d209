"""The tables of docs/performance.md, which bench/tables.py makes of the results of the benchmark."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import REPOSITORY

DOCUMENT = REPOSITORY / "docs/performance.md"
RESULTS = REPOSITORY / "docs/performance/results.json"


def write_tables(results: Path, document: Path) -> subprocess.CompletedProcess[str]:
    """Runs the program as scripts/bench does."""
    command = [sys.executable, REPOSITORY / "bench/tables.py", results, document]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_tables_of_the_document_are_those_of_the_results(tmp_path: Path) -> None:
    copy = tmp_path / "performance.md"
    copy.write_bytes(DOCUMENT.read_bytes())
    written = write_tables(RESULTS, copy)
    assert written.returncode == 0, written.stderr
    assert copy.read_text() == DOCUMENT.read_text(), "run bench/tables.py docs/performance/results.json"


def test_other_results_give_other_tables(tmp_path: Path) -> None:
    results = json.loads(RESULTS.read_text())
    results["ratios"]["operations"]["page"]["service"]["per_second"] = 123_456
    results["connections"]["runs"][0]["service"]["p99_ms"] = 98_765.4
    changed, copy = tmp_path / "results.json", tmp_path / "performance.md"
    changed.write_text(json.dumps(results))
    copy.write_bytes(DOCUMENT.read_bytes())
    assert write_tables(changed, copy).returncode == 0
    assert "| 123,456 |" in copy.read_text()
    assert "| 98765.4 |" in copy.read_text()


def test_a_document_without_a_place_for_a_table_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("# Performance\n")
    refused = write_tables(RESULTS, document)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: the document has 0 times the line ")
    assert document.read_text() == "# Performance\n"


def check_options(*options: str) -> subprocess.CompletedProcess[str]:
    """Has the program check the options of a run."""
    placeholders = ("--binary", "none", "--container", "none", "--mysql-port", "0", "--results", "none")
    command = [sys.executable, REPOSITORY / "bench/measure", "--check", *placeholders, *options]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (("--variants", "log-all"), "--variants lacks shipped"),
        (("--ways", "tls,http2"), "--ways lacks "),
        (("--edge-operations", "page,send"), "--edge-operations lacks keyed_send, livez"),
    ],
)
def test_the_published_results_do_not_lose_what_the_tables_need(options: tuple[str, str], missing: str) -> None:
    refused = check_options("--published", *options)
    assert refused.returncode == 2
    assert missing in refused.stderr and "SHORT=1" in refused.stderr


@pytest.mark.parametrize(
    "options", [("--published",), ("--ways", "tls"), ("--published", "--stages", "ratios", "--ways", "tls")]
)
def test_all_of_the_edge_is_published_and_parts_of_it_are_measured_apart(options: tuple[str, ...]) -> None:
    assert check_options(*options).returncode == 0


@pytest.mark.parametrize(
    ("option", "one"),
    [("--stages", "ratios"), ("--variants", "shipped"), ("--ways", "tls"), ("--edge-operations", "livez")],
)
def test_an_unknown_name_is_refused_with_those_that_there_are(option: str, one: str) -> None:
    done = check_options(option, f"{one},nonsense")
    assert done.returncode == 2
    assert f"{option} has no nonsense: there are " in done.stderr
    assert one in done.stderr.partition("there are ")[2]
