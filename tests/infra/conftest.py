"""What the tests of infra/ and of the commands around it work on: forms, a stand-in of the AWS API, and an environment
that is planned and applied there."""

import pathlib
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from infra.environments import STAND_INS, Applied, Environments, Made, Operator
from support.cloud import Cloud
from support.commands import environment, run, wait_until
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


class CloudBesideTheRest(LoadScopeScheduling):
    """Gives all tests of the cloud to one worker, in their order, those of forms to one, since they share what the
    commands say, and the others one by one to whichever is free. (The option `--dist loadgroup` of pytest-xdist 3.8 has
    no effect with pytest 9.2.)"""

    def _split_scope(self, nodeid: str) -> str:
        if "/test_forms.py::" in nodeid:
            return "forms"
        return "cloud" if re.search(r"/test_(cloud|hosts|monitoring|resources)\.py::", nodeid) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> CloudBesideTheRest:
    """How the tests are given to the workers."""
    return CloudBesideTheRest(config, log)


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The operator's private key; the public one is beside it."""
    file = tmp_path_factory.mktemp("key") / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator@example.com", "-f", file)
    return file


@pytest.fixture
def environments(tmp_path: pathlib.Path, key: pathlib.Path) -> Environments:
    """Forms for one test."""
    return Environments(tmp_path / "environments", key)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The stand-in, which ends by itself if the tests are killed."""
    folder = tmp_path_factory.mktemp("aws")
    port, log = folder / "port", folder / "log"
    with log.open("wb") as output:
        command = [sys.executable, STAND_INS / "aws.py", port]
        server = subprocess.Popen(
            command, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until(
            lambda: port.exists() or server.poll() is not None, 120, "the stand-in of the AWS API does not start"
        )
        assert port.exists(), f"the stand-in of the AWS API has ended:\n{log.read_text(encoding='utf-8')}"
        cloud = Cloud(f"http://127.0.0.1:{port.read_text(encoding='utf-8')}")
        cloud.prepare()
        yield cloud
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory, key: pathlib.Path, cloud: Cloud) -> Operator:
    """The operator, with secrets for both environments."""
    folder = tmp_path_factory.mktemp("operator")
    operator = Operator(folder, Environments(folder / "environments", key), cloud)
    for name in ("prod", "trial"):
        operator.operate("secrets", name)
    return operator


@pytest.fixture(scope="session")
def trial(operator: Operator) -> Made:
    """What the form of a trial would make."""
    return Made(operator.plan("trial"))


@pytest.fixture(scope="session")
def mailing(operator: Operator) -> Made:
    """What the form of a trial that sends mails would make."""
    environments = operator.environments
    form = environments.form("trial").read_text(encoding="utf-8")
    mails = 'mail_from = "Herolo <herolo@example.com>"\nsmtp_port = 465\n'
    environments.form("mailing").write_text(f"{form}{mails}", encoding="utf-8")
    smtp_url = f"smtps://herolo:{secrets.token_hex(16)}@mail.example.com"
    environments.secrets("mailing").write_text(f'---\nsmtp_url: "{smtp_url}"\n', encoding="utf-8")
    operator.operate("secrets", "mailing")
    return Made(operator.plan("mailing"))


@pytest.fixture(scope="session")
def applied(operator: Operator) -> Applied:
    """Production, planned and applied for the first time."""
    operator.plan("prod")
    changes = operator.changes()
    # The plan is a zip file; its members can be searched.
    shutil.unpack_archive(operator.environments.folder / "prod.tfplan", operator.folder / "plan", "zip")
    operator.operate("infra", "apply", "prod")
    return Applied(changes, Made(operator.show("prod")))


@pytest.fixture(scope="session")
def production(applied: Applied) -> Made:
    """What the form of production made."""
    return applied.made
