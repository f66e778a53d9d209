"""Schemathesis asks the service what its own OpenAPI document allows, and what it does not.

Environment, all optional:
  HEROLO_CONTRACT_CASES  about how many requests to make (5000)
  HEROLO_CONTRACT_SEED   the seed of the random requests; a run prints its own
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest
from contract.fuzzer import Answers, Fuzzer
from support.services import REPOSITORY, Mysql, Service

CASES = pytest.StashKey[int]()
SEED = pytest.StashKey[int]()
SUMMARY = pytest.StashKey[list[str]]()


def number(name: str, default: int) -> int:
    """A setting that is a number."""
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit()):
        raise pytest.UsageError(f"error: {name} is '{text}', which is not a number: set it to one, or not at all")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Reads the settings before anything is started."""
    config.stash[CASES] = number("HEROLO_CONTRACT_CASES", 5_000)
    config.stash[SEED] = number("HEROLO_CONTRACT_SEED", secrets.randbelow(2**30))
    config.stash[SUMMARY] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Shows how each operation was answered, and the seed with which a run can be repeated."""
    lines = config.stash[SUMMARY]
    if lines:
        terminalreporter.section("responses")
        for line in lines:
            terminalreporter.write_line(line)
        terminalreporter.write_line(f"HEROLO_CONTRACT_SEED={config.stash[SEED]} repeats this run")


@pytest.fixture(scope="session")
def service_settings() -> dict[str, str]:
    """Rate limits that are mentioned in each response and never exceeded, and mails that never arrive."""
    limits = {f"HEROLO_LIMIT_{name}": "1000000" for name in ("LOGINS", "SIGN_UPS", "SENDS", "SEARCHES")}
    mail = {
        "HEROLO_SMTP_URL": "smtp://127.0.0.1:1?tls=none",
        "HEROLO_MAIL_FROM": "noreply@example.com",
        "HEROLO_PUBLIC_URL": "https://herolo.example.com",
    }
    file = {"HEROLO_CONFIG": str(REPOSITORY / "service/Rocket.toml")}
    return {**limits, **mail, **file, "HEROLO_USER_INVITATIONS": "100"}


# Accounts with codes of each kind, as if they had been sent; `hooks.py` uses them.
FORGETFUL = """
INSERT INTO users (username, email, normalized_email, password_hash, created_at)
  WITH RECURSIVE numbers AS (SELECT 1 AS number UNION ALL SELECT number + 1 FROM numbers WHERE number < 900)
  SELECT CONCAT('forgetful-', number), CONCAT(number, '@example.com'), CONCAT(number, '@example.com'), 'none', NOW(3)
  FROM numbers;
INSERT INTO mail_codes (code_hash, user_id, kind, mailbox_hash, expires_at)
  SELECT UNHEX(SHA2(CONCAT('code-of-', username), 256)), id, 'password-reset', UNHEX(SHA2(email, 256)),
    UTC_TIMESTAMP(3) + INTERVAL 1 DAY FROM users WHERE username LIKE 'forgetful-%';
INSERT INTO mail_codes (code_hash, user_id, kind, mailbox_hash, expires_at)
  SELECT UNHEX(SHA2(CONCAT('address-of-', username), 256)), id, 'email-verification', UNHEX(SHA2(email, 256)),
    UTC_TIMESTAMP(3) + INTERVAL 1 DAY FROM users WHERE username LIKE 'forgetful-%';
INSERT INTO mail_codes (code_hash, user_id, kind, mailbox_hash, expires_at)
  SELECT UNHEX(SHA2('noticeofforgetful1', 256)), id, 'unread-messages', UNHEX(SHA2(email, 256)),
    UTC_TIMESTAMP(3) + INTERVAL 1 DAY FROM users WHERE username = 'forgetful-1';
"""


@pytest.fixture(scope="session")
def fuzzer(
    service: Service, mysql: Mysql, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Fuzzer]:
    """Schemathesis, after all its requests: single ones and series at the same time, on two processors."""
    mysql.execute("herolo", FORGETFUL)
    stash, folder = request.config.stash, tmp_path_factory.mktemp("schemathesis")
    with Fuzzer(folder, service, stash[CASES], stash[SEED]) as fuzzer:
        try:
            fuzzer.run()
        finally:
            for answers in (fuzzer.single, fuzzer.series):
                stash[SUMMARY] += [f"{answers.name}: {answers.total()}", *answers.table()]
        yield fuzzer


@pytest.fixture(scope="session")
def single(fuzzer: Fuzzer) -> Answers:
    """The responses to single requests."""
    return fuzzer.single


@pytest.fixture(scope="session")
def series(fuzzer: Fuzzer) -> Answers:
    """The responses to series of requests, in which one response leads to the next request."""
    return fuzzer.series


@pytest.fixture(scope="session")
def operations(service: Service) -> list[dict]:
    """The operations of the OpenAPI document."""
    return [operation for item in service.openapi_document()["paths"].values() for operation in item.values()]
