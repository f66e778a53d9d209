"""The binary of an image is that of the source that was asked for, and its tag is that of the binary."""

import fcntl
import pathlib
import shutil
import subprocess

import pytest
from support.commands import REPOSITORY, attempt, environment, run, wait_until

# Like cargo, it leaves the binary of every source at the same path. What it builds is the path of the source.
CARGO = """
target={target}
[ "$1" != metadata ] || {{ echo '{{"target_directory":"{target}"}}'; exit 0; }}
while [ $# -gt 0 ]; do
  [ "$1" != --manifest-path ] || manifest=$2
  shift
done
output=$target/$(uname -m)-unknown-linux-gnu/release
mkdir -p "$output"
echo "$manifest" >"$output/herolo"
{then}
"""
DOCKER = "[ $1 != image ] || echo 1000"


@pytest.fixture
def target(tmp_path: pathlib.Path) -> pathlib.Path:
    """The directory of what cargo builds."""
    return tmp_path / "target"


def test_a_binary_stays_that_of_its_source_when_another_commit_is_built(stubs, target):
    stubs.add("cargo", CARGO.format(target=target, then=""))
    stubs.add("docker", DOCKER)
    machine = stubs.before_all_others()
    binary = pathlib.Path(run("scripts/image", "--binary", env=machine).strip())
    of_source = binary.read_text()
    run("scripts/image", "--commit", "HEAD", env=machine)
    assert binary.read_text() == of_source == "./service/Cargo.toml\n"
    of_commit = pathlib.Path(run("scripts/image", "--binary", "--commit", "HEAD", env=machine).strip())
    assert of_commit != binary and of_commit.read_text() != of_source


def test_nothing_is_taken_for_the_binary_of_a_source_that_does_not_compile(stubs, target):
    stubs.add("cargo", CARGO.format(target=target, then="exit 101"))
    failed = attempt("scripts/image", "--binary", env=stubs.before_all_others())
    assert failed.returncode != 0
    assert failed.stdout == ""


# --- The tag and the label


# Writes the tag, the label and the hash of what is to be in the image.
NOTING_DOCKER = """
case $1 in
  image) echo 1000 ;;
  build)
    for context; do :; done
    echo "$3 $5 herolo:$(cat "$context/herolo" "$context/Dockerfile" | {sha256sum} | cut -c 1-12)" >>{notes} ;;
esac
"""
# What it builds is the list of the migrations. While the first build is running, another migration is added.
CARGO_DURING_AN_EDIT = """
target={target}
[ "$1" != metadata ] || {{ echo '{{"target_directory":"{target}"}}'; exit 0; }}
[ "$1" = build ] || exit 0
output=$target/$(uname -m)-unknown-linux-gnu/release
mkdir -p "$output"
ls service/migrations >"$output/herolo"
touch service/migrations/0002_more.sql
"""
# Before a hash is printed, the binary of the same source is replaced: by another build, after this one.
SHA256SUM = """
{sha256sum} "$@"
[ ! -e {target}/image/clone/herolo ] || echo another >{target}/image/clone/herolo
"""


@pytest.fixture
def clone(tmp_path: pathlib.Path) -> pathlib.Path:
    """A source of its own, with the scripts of the repository."""
    clone = tmp_path / "clone"
    shutil.copytree(REPOSITORY / "scripts", clone / "scripts", ignore=shutil.ignore_patterns("herolo_operator"))
    (clone / "service/migrations").mkdir(parents=True)
    (clone / "service/migrations/0001_first.sql").touch()
    (clone / "service/Dockerfile").write_text("FROM scratch\n")
    (clone / "Cargo.toml").write_text('[workspace]\nmembers = ["service"]\n')
    (clone / "Cargo.lock").touch()
    return clone


@pytest.fixture
def built(tmp_path: pathlib.Path, stubs) -> pathlib.Path:
    """What Docker was told to build, a line for each image."""
    notes = tmp_path / "notes"
    stubs.add("docker", NOTING_DOCKER.format(notes=notes, sha256sum=shutil.which("sha256sum")))
    return notes


def test_the_tag_is_that_of_the_binary_in_the_image_if_another_build_replaces_the_binary(stubs, clone, target, built):
    stubs.add("cargo", CARGO.format(target=target, then=""))
    stubs.add("sha256sum", SHA256SUM.format(target=target, sha256sum=shutil.which("sha256sum")))
    tag = run(clone / "scripts/image", env=stubs.before_all_others()).strip()
    assert built.read_text() == f"{tag} herolo.migrations=1 {tag}\n"
    assert (target / "image/clone/herolo").read_text() == "another\n"


def test_the_label_is_that_of_the_binary_if_a_migration_is_added_during_the_build(stubs, clone, target, built):
    stubs.add("cargo", CARGO_DURING_AN_EDIT.format(target=target))
    tag = run(clone / "scripts/image", env=stubs.before_all_others()).strip()
    assert (target / "image/clone/herolo").read_text() == "0001_first.sql\n0002_more.sql\n"
    assert built.read_text() == f"{tag} herolo.migrations=2 {tag}\n"


# --- Two builds at once


def test_a_commit_is_extracted_by_one_build_at_a_time(stubs, target, tmp_path):
    stubs.add("cargo", CARGO.format(target=target, then=""))
    stubs.add("docker", DOCKER)
    (target / "image").mkdir(parents=True)
    said = tmp_path / "said"
    with (target / "image/lock").open("w") as lock, said.open("w") as errors:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build = subprocess.Popen(
            ["scripts/image", "--commit", "HEAD"],
            cwd=REPOSITORY,
            env=environment(stubs.before_all_others()),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        wait_until(lambda: "waiting for another build" in said.read_text(), 60, "the second build waits for the first")
        assert not (target / "commits").exists()
    tag, _ = build.communicate(timeout=60)
    assert build.returncode == 0 and tag.startswith("herolo:")
    assert len(list((target / "commits").iterdir())) == 1
