"""When the role `host` upgrades Docker, which restarts all containers: the condition of its task, without the
upgrade."""

import os
import pathlib
import sys

import pytest
import yaml
from support.commands import REPOSITORY, attempt

TASKS = REPOSITORY / "ansible/roles/host/tasks/docker.yml"
UPGRADE = "Docker | Upgrade Docker and containerd"


@pytest.mark.parametrize(
    ("alone", "drains", "upgrades"),
    [
        pytest.param(True, False, True, id="the only host"),
        pytest.param(False, True, True, id="one of several behind the balancer"),
        pytest.param(False, False, False, id="one of several, while the domain leads to the first"),
    ],
)
def test_docker_is_upgraded_on_the_only_host_and_on_hosts_behind_the_balancer(
    alone: bool, drains: bool, upgrades: bool, tmp_path: pathlib.Path
) -> None:
    (task,) = (task for task in yaml.safe_load(TASKS.read_text(encoding="utf-8")) if task["name"] == UPGRADE)
    del task["ansible.builtin.apt"]
    task["ansible.builtin.debug"] = {"msg": "upgraded"}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"host_alone": alone, "host_drains": drains},
        "tasks": [task],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    variables = {"PATH": os.environ["PATH"], "ANSIBLE_LOCAL_TEMP": str(tmp_path), "ANSIBLE_NOCOLOR": "1"}
    done = attempt(program, tmp_path / "play.yml", env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ('"msg": "upgraded"' in done.stdout) is upgrades
