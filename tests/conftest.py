"""Fixtures that the suites in Python share: MySQL, the service's binary, and the service itself.

Environment, all optional:
  HEROLO_BINARY       the service to test, instead of building it
  HEROLO_MYSQL_IMAGE  the image to start MySQL from (see scripts/mysql-image)
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from support.provision import provided
from support.services import Mysql, Service

StartService = Callable[[str, Mapping[str, str]], Service]


SERVICES = pytest.StashKey[list[Service]]()


def pytest_configure(config: pytest.Config) -> None:
    """Makes SIGTERM end a run as Ctrl-C does, so that fixtures remove what they have started."""
    config.stash[SERVICES] = []
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: pytest.ExitCode, config: pytest.Config
) -> None:
    """Says why no test has run."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and (chosen := config.getoption("keyword")):
        terminalreporter.write_line(
            f"error: no name of a test matches -k '{chosen}': ARGS=\"--collect-only\" lists the names to select from"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Adds to the report of a failed test what the services have logged since the last one."""
    report = yield
    if report.failed:
        for service in item.config.stash[SERVICES]:
            lines = service.new_log_lines()
            if lines:
                report.sections.append((f"log of the service {service.folder.name}", lines))
    return report


@pytest.fixture(scope="session")
def binary(request: pytest.FixtureRequest) -> Path:
    """The service's program."""
    given = os.environ.get("HEROLO_BINARY")
    if not given:
        return Path(provided(request, ["bash", "-c", ". scripts/lib.sh && require_cargo && build_service"]))
    path = Path(given).resolve()
    if not os.access(path, os.X_OK):
        pytest.exit(f"error: HEROLO_BINARY is '{given}', which cannot be run: name the service's program", returncode=1)
    return path


@pytest.fixture(scope="session")
def mysql(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mysql]:
    """A MySQL server for the whole run."""
    server = Mysql(provided(request, ["scripts/mysql-image"]), tmp_path_factory.mktemp("mysql"))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def start_service(
    binary: Path, mysql: Mysql, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Service]]:
    """Starts a service on a new database of the given name, with the given settings; it is stopped at the end."""
    with contextlib.ExitStack() as stack:

        def start(database: str, settings: Mapping[str, str]) -> Service:
            service = Service(binary, tmp_path_factory.mktemp(database), mysql.create_database(database), settings)
            request.config.stash[SERVICES].append(service)
            service.migrate()
            stack.callback(service.stop)
            service.start()
            return service

        yield start


@pytest.fixture(scope="session")
def service_settings() -> dict[str, str]:
    """The settings of `service`; a suite that needs others overrides this."""
    return {}


@pytest.fixture(scope="session")
def service(start_service: StartService, service_settings: dict[str, str]) -> Service:
    """A service for the whole run."""
    return start_service("herolo", service_settings)
