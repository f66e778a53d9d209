"""The passwords of the database's users, which the roles change in a real MySQL while replicas use them."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from configuration.parts import Machine, Network, docker, image
from support.certificates import make_authority, make_certificate
from support.commands import REPOSITORY, attempt, run, wait_until, write_program

DATABASE = "database.test"
MASTER = "master-password"
PRIVILEGES = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, REFERENCES, ALTER, SHOW DATABASES, CREATE USER"
LOGIN = {"host": DATABASE, "port": 3306, "master_user": "master", "master_password": MASTER}

# Docker, as far as the roles ask it: replicas run if there is the file of their URL, and the update is over.
DOCKER = """\
case $1 in
  service) echo completed ;;
  ps) [ ! -f /run/secrets/database_url ] || echo replica ;;
  inspect) echo 1 ;;
esac"""


class Database:
    """MySQL on the network, whose master user may do no more than that of RDS."""

    def __init__(self, network: Network, folder: pathlib.Path) -> None:
        self.container = f"{network.name}-database"
        self.authority = make_authority(folder, "database-ca")
        tls = folder / "tls"
        tls.mkdir()
        make_certificate(self.authority, DATABASE, tls)
        for file in (*tls.iterdir(), tls):
            file.chmod(0o755)
        options = ("--network-alias", DATABASE, "--env", "MYSQL_ROOT_PASSWORD=root")
        server = ("--require-secure-transport=ON", "--ssl-cert=/tls/server.pem", "--ssl-key=/tls/server.key")
        mysql = run("scripts/mysql-image", env={"HEROLO_MYSQL_IMAGE": os.environ.get("HEROLO_MYSQL_IMAGE")}).strip()
        docker("create", *network.options("database"), *options, mysql, *server)
        docker("cp", "--quiet", tls, f"{self.container}:/tls")
        docker("start", self.container)
        wait_until(lambda: self.accepts("root", "root"), 300, "MySQL does not start")
        statements = f"CREATE USER master IDENTIFIED BY '{MASTER}'; GRANT {PRIVILEGES} ON *.* TO master"
        assert self._client("root", "root", f"{statements} WITH GRANT OPTION").returncode == 0

    def accepts(self, user: str, password: str) -> bool:
        """Whether the user can log in."""
        return self._client(user, password, "SELECT 1").returncode == 0

    def _client(self, user: str, password: str, statements: str) -> subprocess.CompletedProcess[str]:
        client = ("mysql", "--host=127.0.0.1", f"--user={user}", f"--execute={statements}")
        command = ("docker", "exec", "--env", "MYSQL_PWD", self.container, *client)
        return attempt(*command, env={"MYSQL_PWD": password})


class Deployment:
    """Two hosts, on the first of which the roles `database` and `passwords` run."""

    def __init__(self, network: Network, folder: pathlib.Path) -> None:
        self.folder, self.database = folder, Database(network, folder)
        self.hosts = [self._start(network, name) for name in ("host", "other")]

    def _start(self, network: Network, name: str) -> Machine:
        docker("run", "--detach", *network.options(name), image("host"), "sleep", "infinity")
        host = Machine(f"{network.name}-{name}")
        install = "apt-get install -qq -y --no-download --no-install-recommends python3-pymysql >/dev/null"
        host.run("sh", "-c", f"{install} && mkdir -p /etc/herolo /run/secrets")
        host.copy(write_program(self.folder / "docker", DOCKER), "/usr/local/bin/docker")
        return host

    def let_replicas_use(self, password: str, hosts: int = 2) -> None:
        """Replicas run that were started with that password; none with an empty one."""
        url = f"mysql://herolo_service:{password}@{DATABASE}:3306/herolo?ssl-mode=VERIFY_IDENTITY"
        script = f"printf %s '{url}' >" if password else "rm -f"
        for host in self.hosts[:hosts]:
            host.run("sh", "-c", f"{script} /run/secrets/database_url")

    def deploy(self, password: str, *, succeeds: bool, hosts: int = 2) -> None:
        """Runs the roles up to the roll-out, and the last one if that succeeds: the replicas of so many hosts use the
        password then."""
        users = {"herolo_service": password, "herolo_migrate": f"{password}-migrate"}
        passwords = {f"database_{user.removeprefix('herolo_')}_password": value for user, value in users.items()}
        login = {f"database_{name}": value for name, value in LOGIN.items()}
        names = [host.container for host in self.hosts]
        more = {"database_name": "herolo", "database_ca_file": str(self.database.authority), "database_hosts": names}
        self._play("database", {**login, **passwords, **more})
        if succeeds:
            self.let_replicas_use(password, hosts)
        if succeeds and hosts == len(self.hosts):
            login = {f"passwords_{name}": value for name, value in LOGIN.items()}
            more = {"passwords_current": users, "passwords_replicas": 1, "passwords_hosts": names}
            self._play("passwords", {**login, **more})

    def _play(self, role: str, variables: dict[str, object]) -> None:
        play = [{"hosts": self.hosts[0].container, "gather_facts": False, "roles": [{"role": role, **variables}]}]
        playbook = self.folder / f"{role}.json"
        playbook.write_text(json.dumps(play), encoding="utf-8")
        ansible = pathlib.Path(sys.executable).with_name("ansible-playbook")
        reach = (
            "--inventory",
            ",".join(host.container for host in self.hosts),
            "--connection",
            "community.docker.docker",
        )
        settings = {
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible/ansible.cfg"),
            "ANSIBLE_ROLES_PATH": str(REPOSITORY / "ansible/roles"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible"),
        }
        run(ansible, *reach, playbook, env=settings)

    def accepted(self) -> str:
        """Those of the passwords a to d that the database accepts for the service."""
        return "".join(letter for letter in "abcd" if self.database.accepts("herolo_service", letter * 32))


@pytest.fixture
def deployment(network: Network, tmp_path: pathlib.Path) -> Deployment:
    """A deployment whose replicas use the password a."""
    if not shutil.which("openssl"):
        pytest.fail("openssl is missing: install it")
    deployment = Deployment(network, tmp_path)
    deployment.deploy("a" * 32, succeeds=True)
    return deployment


def test_the_password_of_the_replicas_is_valid_until_a_roll_out_with_another_one_succeeds(
    deployment: Deployment,
) -> None:
    assert deployment.accepted() == "a"
    deployment.deploy("b" * 32, succeeds=False)
    assert deployment.accepted() == "ab"
    # A third one replaces that which nothing uses.
    deployment.deploy("c" * 32, succeeds=False)
    assert deployment.accepted() == "ac"
    # Now the current one is the older of the two.
    deployment.deploy("a" * 32, succeeds=True)
    assert deployment.accepted() == "a"
    deployment.deploy("d" * 32, succeeds=True)
    assert deployment.accepted() == "d"
    assert deployment.database.accepts("herolo_migrate", f"{'d' * 32}-migrate")
    assert not deployment.database.accepts("herolo_migrate", f"{'a' * 32}-migrate")
    # A deployment that was interrupted between the hosts leaves two in use, which a third must not replace.
    deployment.deploy("b" * 32, succeeds=True, hosts=1)
    assert deployment.accepted() == "bd"
    with pytest.raises(pytest.fail.Exception, match="The replicas use two passwords"):
        deployment.deploy("c" * 32, succeeds=False)
    assert deployment.accepted() == "bd"
    deployment.deploy("b" * 32, succeeds=True)
    assert deployment.accepted() == "b"
