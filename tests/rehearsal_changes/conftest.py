"""The rehearsal of planned changes that are repeated under load. Its world and the table at its end are those of the
rehearsal of one host (tests/rehearsal/phases.py); its load and ledger are those of `make endure` (tests/endure)."""

from __future__ import annotations

import argparse
import os

import pytest
from rehearsal.world import World
from rehearsal_changes.changes import Changes
from rehearsal_changes.edge import Edge, addresses_for
from rehearsal_changes.settings import NUMBERS, Settings, default_of, results_file


def is_short() -> bool:
    """Whether the environment asks for the small numbers."""
    return os.environ.get("SHORT", "0") not in ("", "0")


def count(text: str) -> int:
    """A whole number from 1 on: without a change or a request, a run would show nothing."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0, such as 3")
    return int(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("planned changes")
    for name, number in NUMBERS.items():
        default = default_of(number, is_short())
        text = f"{number.meaning} ({number.long:g}; with SHORT=1 {number.short:g})"
        group.addoption(f"--{name}", type=count, default=default, metavar="NUMBER", help=text)
    group.addoption("--results", default="", help="the file that keeps the results, as that of `make endure`")
    group.addoption("--note", default="", help="a sentence about the circumstances, kept with the results")


@pytest.fixture(scope="session")
def settings(pytestconfig: pytest.Config) -> Settings:
    """The numbers of this run."""
    numbers = {name: pytestconfig.getoption(f"--{name}") for name in NUMBERS}
    results = results_file(pytestconfig.getoption("--results"), is_short())
    return Settings(numbers, is_short(), pytestconfig.getoption("--note"), results)


@pytest.fixture(scope="session")
def changes(world: World, settings: Settings) -> Changes:
    """What makes the changes, of a deployment that is there."""
    number, hosts = addresses_for(settings["rate"]), world.cloud.hosts()
    if len(hosts) != 1:
        pytest.fail(f"there are {len(hosts)} hosts instead of one: run this without HEROLO_REHEARSAL", pytrace=False)
    [host] = hosts
    edge = Edge(world.domain, world.folder / "acme-ca.pem", world.parts.start_forwarders(number, host))
    return Changes(world, edge, settings, number)
