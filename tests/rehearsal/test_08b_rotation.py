"""New passwords and a new token key, interrupted once, under steady load."""

import os
import signal
import subprocess

import pytest
from rehearsal.differences import operators_environment
from rehearsal.processes import REPOSITORY, wait_until
from rehearsal.settings import ENVIRONMENT, REPLICAS
from rehearsal.world import Account, World

USERS = ("master", "migrate", "service")
BETWEEN = "==> rolling out: the new key signs tokens"  # the first of two roll-outs is over


@pytest.fixture(scope="module")
def before(world: World) -> dict[str, str]:
    """The secrets before."""
    return world.read_secrets()


def rotate_until(world: World, line: str) -> int:
    """Begins to rotate, ends it as Ctrl-C does once it has printed that line, and returns its status."""
    with world.log.open("wb") as log:
        tool = subprocess.Popen(
            ["make", "--no-print-directory", "rotate", f"ENV={ENVIRONMENT}", "YES=1"],
            cwd=REPOSITORY,
            env=operators_environment(world.folder, world.settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: line in world.log.read_text() or tool.poll() is not None, f"it prints '{line}'", 600)
        assert tool.poll() is None, world.log.read_text()
    finally:
        if tool.poll() is None:
            os.killpg(tool.pid, signal.SIGINT)
        status = tool.wait(120)
    return status


@pytest.mark.prerequisite
def test_an_interrupted_rotation_is_finished_by_a_second_one_without_a_failed_request(
    world: World, before: dict[str, str], alice: Account, show
) -> None:
    with world.under_load() as counts:
        assert rotate_until(world, BETWEEN) != 0
        between = world.read_secrets()
        said = world.operate("rotate", YES="1")
    show(counts)
    assert said.succeeded
    assert said.says("this run finishes that one")
    after = world.read_secrets()
    passwords = {f"database_{user}_password" for user in USERS}
    assert {name: after[name] for name in passwords} == {name: between[name] for name in passwords}
    assert not any(after[name] == before[name] for name in passwords)
    assert after["token_keys"] == f"{between['token_keys']}" != before["token_keys"]
    assert counts.show_no_loss(), counts


def test_all_replicas_run_the_same_release(world: World) -> None:
    assert world.replicas_of(world.release) == REPLICAS


def test_a_token_from_before_is_still_valid(world: World, alice: Account) -> None:
    assert world.request("GET", f"/users/{alice.name}/messages", token=alice.token).status == 200


@pytest.mark.parametrize("user", USERS)
def test_the_database_accepts_the_new_password_and_no_longer_the_old_one(
    world: World, before: dict[str, str], user: str
) -> None:
    name = f"database_{user}_password"
    assert world.parts.database_accepts(f"herolo_{user}", world.read_secrets()[name])
    assert not world.parts.database_accepts(f"herolo_{user}", before[name])


def test_an_operator_with_the_older_file_is_refused_with_the_fix(world: World, before: dict[str, str]) -> None:
    current = world.secrets.read_text()
    try:
        world.secrets.write_text("".join(f'{name}: "{value}"\n' for name, value in before.items()))
        said = world.deploy(world.release)
    finally:
        world.secrets.write_text(current)
    assert said.refuses("is older than the deployment, since database_master_password, .*: copy the file from")
