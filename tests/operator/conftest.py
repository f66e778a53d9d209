"""Fixtures for tests of the operator's commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto import mock_aws

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "scripts"))

from herolo_operator import balancer, in_service, record, rollout  # noqa: E402
from herolo_operator.aws import Aws  # noqa: E402
from herolo_operator.deployment import Deployment  # noqa: E402
from herolo_operator.environment import Environment, Options  # noqa: E402
from herolo_operator.snapshots import list_snapshots  # noqa: E402
from herolo_operator.stages import settled  # noqa: E402
from support.fleet import ADDRESSES, BALANCER  # noqa: E402
from support.name_server import Records, serving  # noqa: E402
from support.rollouts import SSH, FakeCloud  # noqa: E402

REGION = "eu-central-1"


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment with a form and a work folder, and nothing else."""
    environment = Environment("prod", tmp_path)
    environment.form.write_text('domain = "herolo.example.com"\n', encoding="utf-8")
    environment.work.mkdir()
    return environment


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a script in the place of a program, and returns the file $RECORD, in which it may note its calls."""

    def install(name: str, script: str) -> Path:
        program = tmp_path / "bin" / name
        program.parent.mkdir()
        program.write_text(script)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.setenv("RECORD", str(tmp_path / "record"))
        return tmp_path / "record"

    return install


@pytest.fixture
def account(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An account with the database of the environment, and one of another environment."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    environment.form.write_text(f'region = "{REGION}"\n')
    with mock_aws():
        aws = Aws(environment)
        for name in ("herolo-prod", "herolo-prod-eu"):
            aws.client("rds").create_db_instance(
                DBInstanceIdentifier=name,
                DBInstanceClass="db.t4g.micro",
                Engine="mysql",
                EngineVersion="8.4.7",
                MasterUsername="herolo_master",
                AllocatedStorage=20,
            )
        for snapshot in list_snapshots(aws):  # automated ones
            aws.client("rds").delete_db_snapshot(DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"])
        yield aws


# --- The stages of a deployment with several hosts


@pytest.fixture
def records() -> Records:
    """The domain leads to the balancer and to host 1, until a test says otherwise."""
    return {
        ("example.com", "NS"): ["ns1.example.com."],
        ("amazonaws.com", "NS"): ["ns1.amazonaws.com."],
        (BALANCER, "A"): ADDRESSES,
    }


@pytest.fixture
def options(
    records: Records, environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Options]:
    monkeypatch.setattr(record, "PAUSE", 0)
    monkeypatch.setattr("herolo_operator.host.find_ssh_key", lambda *_: tmp_path / "key")
    with serving(records) as (_, port):
        yield Options(dns_server=f"127.0.0.1:{port}", wait="0", settling="0", drained="0")


@pytest.fixture
def unhealthy(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The hosts that the balancer does not call healthy."""
    unhealthy: set[int] = set()

    def read_health(found: Deployment, _environment: Environment) -> dict[int, dict[str, str]]:
        return {number: {"http": "unhealthy" if number in unhealthy else "healthy"} for number in found.numbers}

    monkeypatch.setattr(rollout, "lacks_own_password", lambda _: False)
    for module in (balancer, in_service, rollout):
        monkeypatch.setattr(module, "read_health", read_health)
    monkeypatch.setattr(balancer, "LIMIT", 0)
    return unhealthy


@pytest.fixture
def ssh(stand_in: Callable[[str, str], Path]) -> Path:
    """What the hosts were told, a line for each."""
    path = stand_in("ssh", SSH)
    path.touch()
    return path


@pytest.fixture
def cloud(environment: Environment, options: Options, unhealthy: set[int], ssh: Path) -> FakeCloud:
    """One host."""
    return FakeCloud(environment, options, settled(1))
