"""The places that have no secrets.

Every secret of this deployment must be nowhere but in its file, in the swarm's store and in the processes that need it.
"""

import mmap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rehearsal.settings import ENVIRONMENT
from rehearsal.world import Account, World

Search = Callable[[Path], list[str]]

INSPECT_ALL = """
docker inspect $(docker ps --all --quiet) $(docker image ls --quiet) $(docker network ls --quiet)
docker service inspect $(docker service ls --quiet)
docker secret inspect $(docker secret ls --quiet)
docker config inspect $(docker config ls --quiet)
docker info
ps axww -o args
"""

ALL_LOGS = """
for container in $(docker ps --all --quiet); do docker logs $container; done
journalctl --no-pager
cat /var/log/*.log /var/log/*/*.log
true
"""

ALL_LAYERS = "for image in $(docker image ls --quiet | sort -u); do docker save $image; done"

# Some files come and go.
ALL_FILES = """
cat ~root/.ansible/tmp/* ~admin/.ansible/tmp/* 2>/dev/null
grep -ra '' /etc /tmp /var/tmp /var/lib/herolo /home /root 2>/dev/null
true
"""


@pytest.fixture(scope="module")
def secrets(world: World, alice: Account) -> dict[str, str]:
    """All secrets by name: those of the file that have a value, and an access token."""
    lines = {name: value for name, value in world.read_secrets().items() if value}
    lines.pop("old_token_keys", None)  # ids and a time
    keys = dict(key.split(":") for key in lines.pop("token_keys").split(","))
    return {**lines, **keys, "access_token": alice.token}


@pytest.fixture
def find_secrets(secrets: dict[str, str]) -> Search:
    """Returns the names of the secrets that a file contains."""

    def find(haystack: Path) -> list[str]:
        assert haystack.stat().st_size > 0
        with haystack.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return [name for name, value in secrets.items() if content.find(value.encode()) >= 0]

    return find


@pytest.fixture
def haystack(tmp_path: Path) -> Iterator[Path]:
    """The file that is searched; of no use afterwards, and large."""
    path = tmp_path / "haystack"
    yield path
    path.unlink(missing_ok=True)


def test_there_are_five_secrets_and_every_token_key_to_search_for(secrets: dict[str, str]) -> None:
    assert len(set(secrets.values())) == len(secrets) >= 6
    assert all(len(value) >= 32 for value in secrets.values())


def test_no_secret_is_in_terraforms_state_or_plan_or_in_the_logs_of_the_operators_commands(
    world: World, haystack: Path, find_secrets: Search
) -> None:
    assert world.operate("plan", IMAGE=world.release).succeeded
    plan, state = (world.environments / f"{ENVIRONMENT}.{kind}" for kind in ("tfplan", "tfstate"))
    files = [file for file in world.environments.rglob("*") if file.is_file() and "providers" not in file.parts]
    files = [file for file in files if not file.name.startswith(world.secrets.name)] + [world.all_logs]
    assert {plan, state} <= set(files)
    with haystack.open("wb") as everything, zipfile.ZipFile(plan) as archive:
        assert archive.read("tfplan")
        for name in archive.namelist():
            everything.write(archive.read(name))
        for file in files:
            everything.write(file.read_bytes())
    assert find_secrets(haystack) == []


def test_no_secret_is_in_dockers_view_of_services_containers_secrets_configs_and_images(
    world: World, haystack: Path, find_secrets: Search
) -> None:
    world.parts.save_from_host(haystack, INSPECT_ALL)
    assert find_secrets(haystack) == []


def save_all_logs(world: World, haystack: Path) -> None:
    world.parts.save_from_host(haystack, ALL_LOGS)
    with haystack.open("ab") as file:
        file.write(world.parts.log_of("database"))


def test_no_secret_is_in_a_log_of_the_host_of_traefik_of_the_service_or_of_the_database(
    world: World, haystack: Path, find_secrets: Search
) -> None:
    save_all_logs(world, haystack)
    assert find_secrets(haystack) == []


def test_no_secret_is_in_an_image(world: World, haystack: Path, find_secrets: Search) -> None:
    world.parts.save_from_host(haystack, ALL_LAYERS)
    assert find_secrets(haystack) == []


def test_no_secret_is_in_a_file_on_the_host(world: World, haystack: Path, find_secrets: Search) -> None:
    world.parts.save_from_host(haystack, ALL_FILES)
    assert find_secrets(haystack) == []


def test_the_search_would_find_one(world: World, haystack: Path, secrets: dict[str, str], find_secrets: Search) -> None:
    save_all_logs(world, haystack)
    with haystack.open("a") as file:
        file.write(secrets["database_migrate_password"])
    assert find_secrets(haystack) == ["database_migrate_password"]


def test_the_search_of_the_hosts_files_would_find_one(
    world: World, haystack: Path, secrets: dict[str, str], find_secrets: Search
) -> None:
    world.on_host("sh", "-c", "cat >/var/tmp/planted", input=secrets["database_migrate_password"])
    try:
        world.parts.save_from_host(haystack, ALL_FILES)
    finally:
        world.on_host("rm", "/var/tmp/planted")
    assert find_secrets(haystack) == ["database_migrate_password"]
