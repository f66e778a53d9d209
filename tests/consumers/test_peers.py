"""`make bench-peers` measures a real Herolo beside stand-ins for ntfy and Gotify, and says what to mend where it
cannot."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest
from support.commands import REPOSITORY, attempt, refuses
from support.provision import provided
from support.services import Mysql, Service, docker, free_port, until

COMMAND = "scripts/bench-peers"
TOKEN = "stand-in"
TOKENS = {"NTFY_TOKEN": TOKEN, "GOTIFY_CLIENT_TOKEN": TOKEN, "GOTIFY_APPLICATION_TOKEN": f"A{TOKEN}"}
SHORT = ("--seconds", "0.2", "--rounds", "1", "--connections", "4")


@pytest.fixture(scope="session")
def service_settings() -> dict[str, str]:
    """The load is from one client."""
    return {"HEROLO_LIMIT_SENDS": "0"}


@pytest.fixture(scope="module")
def urls(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Where the stand-ins listen, by the name of the system."""
    python = f"{provided(request, ['scripts/python', 'bench'])}/python"
    ports = {name: free_port() for name in ("ntfy", "gotify")}
    program = REPOSITORY / "tests/consumers/stand_ins.py"
    started = [subprocess.Popen([python, program, name, str(port), TOKEN]) for name, port in ports.items()]
    try:
        for name, port in ports.items():
            until(lambda port=port: listens(port), f"the stand-in for {name} listens")
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    finally:
        for process in started:
            process.kill()
            process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def measure(*arguments: str) -> list[list[str]]:
    """The rows of the table, as cells."""
    done = attempt(COMMAND, *arguments, *SHORT, env=TOKENS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    return rows[2:]


def test_each_system_sends_pages_and_delivers_live(service: Service, urls: dict[str, str]) -> None:
    """In turn, and with figures that a system of this machine can have."""
    rows = measure("--herolo", service.url, "--ntfy", urls["ntfy"], "--gotify", urls["gotify"])
    systems = ("herolo", "ntfy", "gotify")
    assert [row[:3] for row in rows] == [
        [operation, "4", system] for operation in ("send", "page", "live") for system in systems
    ]
    for row in rows:
        count, median, most = int(row[3].replace(",", "")), float(row[7]), float(row[8])
        assert count >= 4 and 0 < median <= most < 10_000, row
    assert [row[6] for row in rows[::3]] == ["1.00"] * 3, "the first system is compared with itself"


def accounts(mysql: Mysql) -> int:
    """How many accounts of runs there are."""
    count = "SELECT COUNT(*) FROM users WHERE username LIKE 'bench-%'"
    command = ("exec", mysql.container, "mysql", "--skip-column-names", "--execute", count, "herolo")
    return int(docker(*command))


def test_a_run_deletes_its_accounts_even_if_another_system_fails(service: Service, mysql: Mysql) -> None:
    """So that it leaves nothing in a service that others use."""
    refuses([COMMAND, "--herolo", service.url, "--ntfy", "http://127.0.0.1:9"], "start it, or correct --ntfy")
    assert accounts(mysql) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_in_the_background_that_is_ended_deletes_its_accounts(service, mysql, number) -> None:
    """Shells make what they start in the background ignore SIGINT."""
    command = ["bash", "-c", f"trap '' INT; exec {COMMAND} --herolo {service.url}"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as started:
        started.stdout.readline()  # printed once everything is prepared
        assert accounts(mysql) == 2
        started.send_signal(number)
        assert started.wait(60) == 130
    assert accounts(mysql) == 0


def test_a_rate_limit_of_herolo_is_to_be_lifted(start_service) -> None:
    """By the setting."""
    limited = start_service("peers_limited", {"HEROLO_LIMIT_SENDS": "5"})
    refuses([COMMAND, "--herolo", limited.url], "HEROLO_LIMIT_SENDS=0")


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        ([], "name some, such as --herolo http://127.0.0.1:8000"),
        (["--matrix", "http://127.0.0.1:9"], "add a class to bench/peers/systems.py"),
        (["--herolo", "127.0.0.1:8000"], "such as --herolo http://127.0.0.1:8000"),
        (["--ntfy", "http://127.0.0.1:9", "--connections", "0"], "use 1 to 256 connections"),
        (["--ntfy", "http://127.0.0.1:9", "--operations", "sned"], "choose from 'send', 'page', 'live'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_refused_with_its_fix(arguments: list[str], fix: str) -> None:
    refuses([COMMAND, *arguments], fix)


@pytest.mark.parametrize(
    ("system", "changes", "fix"),
    [
        ("ntfy", {"NTFY_TOKEN": "wrong"}, "set NTFY_TOKEN"),
        ("gotify", {"GOTIFY_CLIENT_TOKEN": None}, "GOTIFY_CLIENT_TOKEN to one of Clients"),
        ("gotify", {"GOTIFY_CLIENT_TOKEN": "wrong"}, "GOTIFY_CLIENT_TOKEN to one of Clients"),
    ],
    ids=lambda value: " ".join(f"{key}={text}" for key, text in value.items()) if isinstance(value, dict) else "",
)
def test_a_token_that_is_missing_or_wrong_is_named(urls, system, changes, fix) -> None:
    refuses([COMMAND, f"--{system}", urls[system]], fix, env={**TOKENS, **changes})


def test_another_system_behind_a_url_is_told(urls: dict[str, str]) -> None:
    refuses([COMMAND, "--herolo", urls["gotify"]], "--herolo names the right system")
