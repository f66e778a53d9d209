"""The job that migrates the database, which Docker goes on with when a deployment is interrupted."""

import json
import os
import pathlib
import sys

import pytest
from support.commands import REPOSITORY, attempt, write_program

# Docker, as far as the role asks it. The file `job` has the states of the job, one for each time that it is asked, and
# the last for good; `next` has those of the job that is created then.
DOCKER = """\
cd "$(dirname "$0")" && echo "$2" >>calls
case $2 in
  create) [ ! -e job ] && mv next job ;;
  ps)
    [ -e job ] || { echo "no such service: herolo_migrate" >&2; exit 1; }
    head -n 1 job
    [ "$(wc -l <job)" = 1 ] || sed -i 1d job ;;
  rm) rm job ;;
  logs) echo "a line of the log" ;;
esac"""
RUNS, PENDS, COMPLETE, FAILED = "Running 5 seconds ago", "Pending 5 seconds ago", "Complete 1 second ago", "Failed now"
MIGRATES = ["create", "ps", "ps", "logs", "rm"]  # with the states below
LIMIT, START = 3, 2  # seconds


class Host:
    """This machine, as the role finds it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        write_program(folder / "docker", DOCKER)
        self.create("next", RUNS, COMPLETE)

    def create(self, name: str, *states: str) -> None:
        """A job that has these states, one after the other."""
        (self.folder / name).write_text("".join(f"{state}\n" for state in states), encoding="utf-8")

    def migrate(self) -> str:
        """Runs the role's migrations. Returns what Ansible says of them if they fail."""
        values = {
            "environment": "trial",
            "image": "herolo:new",
            "image_id": "sha256:new",
            "secrets": {"migrate_url": "a", "token_keys": "b"},
            "configs": {"database_ca": "c"},
            "job_limit": LIMIT,
            "job_start": START,
        }
        variables = {f"service_{name}": value for name, value in values.items()}
        role = {"import_role": {"name": "service", "tasks_from": "migrate"}}
        play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [role]}]
        playbook = self.folder / "playbook.json"
        playbook.write_text(json.dumps(play), encoding="utf-8")
        settings = {
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible/ansible.cfg"),
            "ANSIBLE_ROLES_PATH": str(REPOSITORY / "ansible/roles"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "PATH": f"{self.folder}:{os.environ['PATH']}",
        }
        program = pathlib.Path(sys.executable).with_name("ansible-playbook")
        variables["ansible_python_interpreter"] = sys.executable
        done = attempt(program, playbook, "--extra-vars", json.dumps(variables), env=settings)
        return " ".join((done.stdout + done.stderr).split()) if done.returncode else ""

    def calls(self) -> list[str]:
        """What Docker was told."""
        return (self.folder / "calls").read_text(encoding="utf-8").split()

    @property
    def has_job(self) -> bool:
        """Whether the last job is still there."""
        return (self.folder / "job").exists()


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    """A host without a job, as before a first deployment; the next job succeeds."""
    return Host(tmp_path)


def test_a_first_deployment_finds_no_job_and_leaves_none(host: Host) -> None:
    assert host.migrate() == ""
    assert host.calls() == ["ps", *MIGRATES]
    assert not host.has_job


@pytest.mark.parametrize("end", [COMPLETE, FAILED])
def test_the_job_of_an_interrupted_deployment_ends_before_it_is_removed(end: str, host: Host) -> None:
    host.create("job", RUNS, RUNS, end)
    assert host.migrate() == ""
    assert host.calls() == ["ps", "ps", "ps", "rm", *MIGRATES]


def test_a_job_of_an_interrupted_deployment_that_does_not_end_is_left_alone(host: Host) -> None:
    host.create("job", RUNS)
    said = host.migrate()
    assert "The migrations of an interrupted deployment have not ended after" in said
    assert 'make ssh ENV=trial CMD="docker service logs herolo_migrate"' in said and "deploy again" in said
    assert set(host.calls()) == {"ps"} and host.has_job


def test_a_job_of_its_own_that_does_not_end_is_left_alone(host: Host) -> None:
    host.create("next", RUNS)
    assert "The migrations of this deployment have not ended after" in host.migrate()
    assert "rm" not in host.calls() and host.has_job


def test_a_job_that_has_not_begun_is_removed_and_created_again(host: Host) -> None:
    host.create("job", PENDS)
    assert host.migrate() == ""
    assert host.calls() == ["ps"] * (1 + START) + ["rm", *MIGRATES]


def test_a_job_that_begins_late_ends_before_it_is_removed(host: Host) -> None:
    host.create("job", PENDS, RUNS, RUNS, COMPLETE)
    assert host.migrate() == ""
    assert host.calls() == [*["ps"] * 4, "rm", *MIGRATES]


def test_a_job_of_its_own_that_fails_or_does_not_begin_is_removed(host: Host) -> None:
    for state in (FAILED, PENDS):
        host.create("next", state)
        said = host.migrate()
        assert f"The migrations of herolo:new failed ({state}); the previous release still serves." in said
        assert "a line of the log" in said
        assert not host.has_job


def test_a_job_whose_container_docker_could_not_start_runs_once_more(host: Host) -> None:
    host.create("next", 'Rejected now "starting container failed: device or resource busy"')
    write_program(host.folder / "docker", DOCKER.replace("rm job", f"rm job; [ -e next ] || echo {COMPLETE} >next"))
    assert host.migrate() == ""
    assert host.calls() == ["ps", "create", "ps", "rm", "create", "ps", "logs", "rm"]


def test_a_job_that_runs_once_more_and_does_not_end_is_left_alone(host: Host) -> None:
    host.create("next", 'Rejected now "starting container failed: device or resource busy"')
    write_program(host.folder / "docker", DOCKER.replace("rm job", f"rm job; echo {RUNS} >next"))
    assert "The migrations of this deployment have not ended after" in host.migrate()
    assert host.calls()[:5] == ["ps", "create", "ps", "rm", "create"]
    assert "rm" not in host.calls()[5:] and host.has_job
