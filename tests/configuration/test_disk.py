"""What the role `host` does with the disk: its tasks, with programs that stand for those of a host."""

import os
import pathlib
import sys

import pytest
import yaml
from support.commands import REPOSITORY, attempt, write_program

TASKS = REPOSITORY / "ansible/roles/host/tasks/disk.yml"
# A host with a disk, whose partition fills it once it was enlarged.
PROGRAMS = {
    "findmnt": "echo /dev/nvme0n1p1",
    "lsblk": "echo nvme0n1 1",
    "growpart": """
[ "$1" = --dry-run ] && { shift; dry=1; }
[ "$*" = "/dev/nvme0n1 1" ] || exit 2
[ -e "$STATE/partition" ] && { echo "NOCHANGE: partition 1 could only be grown by 0"; exit 1; }
[ "$dry" ] || touch "$STATE/partition"
echo "CHANGED: partition=1 start=262144"
""",
    "resize2fs": """
[ "$*" = /dev/nvme0n1p1 ] || exit 2
[ -e "$STATE/filesystem" ] && { echo "The filesystem is already long. Nothing to do!" >&2; exit 0; }
touch "$STATE/filesystem"
""",
}


class Host:
    """A host whose disk was enlarged."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        for name, body in PROGRAMS.items():
            write_program(folder / "bin" / name, body)
        tasks = yaml.safe_load(TASKS.read_text(encoding="utf-8"))
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
        (folder / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")

    def deploy(self, *options: str) -> str:
        """Plays the tasks; returns the recap."""
        program = pathlib.Path(sys.executable).with_name("ansible-playbook")
        variables = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "STATE": str(self.folder),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "temporary"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "temporary"),
        }
        done = attempt(program, self.folder / "play.yml", *options, env=variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()[-2]

    def has(self, part: str) -> bool:
        """Whether that part was enlarged."""
        return (self.folder / part).exists()


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    """The host."""
    return Host(tmp_path)


def test_partition_and_filesystem_follow_a_disk_that_was_enlarged_once(host):
    assert " changed=2 " in host.deploy()
    assert host.has("partition") and host.has("filesystem")
    assert " changed=0 " in host.deploy()


def test_a_filesystem_that_an_interrupted_deployment_has_left_behind_follows(host):
    (host.folder / "partition").touch()
    assert " changed=1 " in host.deploy()
    assert host.has("filesystem")


def test_a_preview_announces_that_and_does_nothing(host):
    assert " changed=1 " in host.deploy("--check")
    assert not host.has("partition") and not host.has("filesystem")


def test_a_container_has_no_disk(host):
    write_program(host.folder / "bin/findmnt", "echo overlay")
    recap = host.deploy()
    assert " changed=0 " in recap and not host.has("filesystem")
