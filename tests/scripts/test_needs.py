"""What the scripts say when something that they need is not there: one line, which holds the fix."""

import re

import pytest
from support.commands import REPOSITORY, refuses, run

NO_NETWORK = 'echo "curl: (6) Could not resolve host" >&2; exit 6'
ALTERED = 'while [ "$1" != --output ]; do shift; done; echo altered >"$2"'
DOCKER_WITHOUT_IMAGES = "case $1 in version) exit 0 ;; esac; exit 1"

PYTHON = ["bash", "-c", ". scripts/lib.sh && require_python"]
TERRAFORM = ["bash", "-c", ". scripts/lib.sh && require_terraform"]
CARGO = ["bash", "-c", '. scripts/lib.sh && require_cargo && echo "$RUSTUP_TOOLCHAIN"']


# --- Ports ---


def test_a_taken_port_is_refused_with_the_next_free_one(taken_port):
    refuses(["make", "run", f"HEROLO_PORT={taken_port}"], "choose another: make run HEROLO_PORT=")


def test_a_taken_port_is_refused_by_its_number(taken_port):
    refuses(["scripts/run"], f"port {taken_port} is taken", env={"HEROLO_PORT": str(taken_port)})


@pytest.mark.parametrize("port", ["http", "0", "65536"])
def test_a_port_that_is_none_is_refused(port):
    refuses(["make", "run", f"HEROLO_PORT={port}"], "make run HEROLO_PORT=8000")


# --- Revisions ---


def test_a_commit_that_is_not_in_the_clone_is_to_be_fetched():
    refuses(["scripts/image", "--commit", "v0.0.0"], "git fetch --unshallow --tags")


@pytest.mark.parametrize("arguments", [["--commit"], ["--commit", "HEAD", "--binary"], ["HEAD"]])
def test_what_an_image_cannot_be_built_of_is_refused(arguments):
    refuses(["scripts/image", *arguments], "scripts/image ")


# --- Missing commands ---


@pytest.mark.parametrize(
    ("script", "others"),
    [
        (["scripts/run"], ["cargo", "curl"]),
        (["scripts/test", "--lib"], ["cargo"]),
        (["scripts/image"], ["cargo"]),
        (["scripts/mysql-image"], []),
    ],
    ids=lambda value: value[0] if value and "/" in value[0] else "",
)
def test_without_docker_it_is_to_be_installed(stubs, script, others):
    refuses(script, "install Docker", env=stubs.with_usual_commands(*others))


@pytest.mark.parametrize("script", [["scripts/test", "--lib"], ["scripts/lint"]], ids=lambda script: script[0])
def test_without_cargo_rust_is_to_be_installed(stubs, script):
    refuses(script, "install Rust", env=stubs.with_usual_commands("docker"))


# --- What is missing is fetched, so a program that stands for the network says what becomes of that ---


def test_without_cargo_a_network_or_an_image_rust_is_to_be_installed(stubs):
    stubs.add("docker", DOCKER_WITHOUT_IMAGES)
    stubs.add("cc", "exit 0")
    stubs.add("curl", NO_NETWORK)
    refuses(["scripts/run"], "cannot be pulled: install Rust", env=stubs.with_usual_commands())


def test_without_cargo_a_c_compiler_or_an_image_a_compiler_is_missing_too(stubs):
    stubs.add("docker", DOCKER_WITHOUT_IMAGES)
    stubs.add("curl", NO_NETWORK)
    refuses(["scripts/run"], "a C compiler (gcc or clang)", env=stubs.with_usual_commands())


def test_terraform_and_python_that_cannot_be_fetched_are_to_be_installed(stubs):
    stubs.add("curl", NO_NETWORK)
    refuses(TERRAFORM, "install it (on Debian", env=stubs.with_usual_commands())


def test_terraform_does_not_ask_for_newer_versions(stubs):
    stubs.add("terraform", 'echo "Terraform v1.11.4"; echo "CHECKPOINT_DISABLE=$CHECKPOINT_DISABLE"')
    command = ["bash", "-c", ". scripts/lib.sh && require_terraform && terraform version"]
    said = run(*command, env={**stubs.before_all_others(), "CHECKPOINT_DISABLE": None})
    assert said.splitlines() == ["Terraform v1.11.4", "CHECKPOINT_DISABLE=1"]


def test_a_rustup_that_was_altered_is_refused(stubs):
    stubs.add("docker", DOCKER_WITHOUT_IMAGES)
    stubs.add("cc", "exit 0")
    stubs.add("curl", ALTERED)
    refuses(["scripts/run"], "does not have the checksum", env=stubs.with_usual_commands())


@pytest.mark.parametrize(
    ("command", "others"),
    [pytest.param(PYTHON, [], id="uv"), pytest.param(TERRAFORM, ["python3"], id="terraform")],
)
def test_a_tool_that_was_altered_is_refused(stubs, command, others):
    stubs.add("curl", ALTERED)
    refuses(command, "does not have the checksum", env=stubs.with_usual_commands(*others))


@pytest.mark.parametrize("command", [["scripts/python", "operate"], TERRAFORM], ids=["packages", "terraform"])
def test_a_tools_folder_that_cannot_be_written_to_is_to_be_made_the_users(stubs, command, tmp_path):
    (tmp_path / "file").touch()
    stubs.add("curl", NO_NETWORK)
    tools = {"TOOLS_FOLDER": str(tmp_path / "file/tools")}  # closed to root, too
    refuses(command, "sudo chown -R", env={**stubs.with_usual_commands("python3"), **tools})


# --- The toolchain, where rustup can fetch nothing ---


def test_the_toolchain_stable_does_where_it_is_the_pinned_version(stubs):
    text = (REPOSITORY / "rust-toolchain.toml").read_text(encoding="utf-8")
    version = re.findall('(?m)^channel = "(.*)"$', text)[0]
    stubs.add("cargo", f'[ "$1" = +stable ] && echo "cargo {version} (0123 2026-01-01)"')
    stubs.add("rustup", "exit 1")
    assert run(*CARGO, env=stubs.before_all_others()).strip() == "stable"


def test_another_toolchain_than_the_pinned_one_is_refused(stubs):
    stubs.add("cargo", '[ "$1" = +stable ] && echo "cargo 1.0.0 (0123 2026-01-01)"')
    stubs.add("rustup", "exit 1")
    refuses(CARGO, "install Rust", env=stubs.before_all_others())


# --- Docker ---


@pytest.mark.parametrize(
    ("complaint", "fix"),
    [
        pytest.param(
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it running?",
            "start it",
            id="not running",
        ),
        pytest.param(
            "permission denied while trying to connect to the Docker daemon socket",
            "usermod -aG docker",
            id="not permitted",
        ),
    ],
)
def test_a_docker_daemon_that_cannot_be_used_is_explained(stubs, complaint, fix):
    stubs.add("docker", f'echo "{complaint}" >&2; exit 1')
    refuses(["scripts/mysql-image"], fix, env=stubs.before_all_others())


# The reason must be told, and nothing may be installed, where the stand-in cannot be built either.
NO_IMAGE = 'case $1 in version) exit 0 ;; pull) echo "toomanyrequests: slow down" >&2 ;; esac; exit 1'
ONLY_DEBIAN = "(toomanyrequests: slow down), and a stand-in can be built only where apt has a Debian mirror."


def test_a_failed_pull_on_a_machine_without_apt_is_refused(stubs):
    stubs.add("docker", NO_IMAGE)
    refuses(["scripts/mysql-image"], ONLY_DEBIAN, env=stubs.with_usual_commands())


def test_a_failed_pull_on_ubuntu_is_refused(stubs):
    stubs.add("docker", NO_IMAGE)
    stubs.add("apt-get", '[ "$1" = indextargets ] && echo "Ubuntu|Ubuntu|http://ubuntu.example/ubuntu/"')
    stubs.add("flock", "exit 0")
    stubs.add("sudo", 'echo "error: sudo was asked for" >&2; exit 1')
    refuses(["scripts/mysql-image"], ONLY_DEBIAN, env=stubs.before_all_others())


# --- Releases ---


@pytest.mark.parametrize(
    ("version", "fix"),
    [
        pytest.param("v1", "give one such as 1.2.3", id="that is no version"),
        pytest.param("999.0.0", "raise it in a commit", id="of another version"),
    ],
)
def test_release_notes_are_refused_for_a_release(version, fix):
    refuses(["scripts/release", "notes", version], fix)


def test_release_notes_are_the_section_of_the_changelog_and_refused_without_one():
    cargo = (REPOSITORY / "Cargo.toml").read_text(encoding="utf-8")
    version = re.findall('(?m)^version = "(.*)"$', cargo)[0]
    command = ["scripts/release", "notes", version]
    if f"## [{version}] - " in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"):
        assert run(*command).strip()
    else:
        refuses(command, "rename its section")
