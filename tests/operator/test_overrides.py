"""What the operator can allow although a safeguard refuses it."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from herolo_operator import safeguards, traces
from herolo_operator.cloud import Cloud
from herolo_operator.console import Failure
from herolo_operator.environment import Environment, Options
from herolo_operator.history import recorded
from herolo_operator.overrides import Override, check_overrides
from herolo_operator.plans import State
from herolo_operator.safeguards import provide_own_secrets
from herolo_operator.upgrades import RECORD
from support.commands import errors_of, operate
from support.overrides import all_but

REPOSITORY = Path(__file__).resolve().parents[2]
MANAGED = {"address": "aws_db_instance.main", "mode": "managed", "values": {"engine": "mysql"}}
WITH_DATABASE = State({"values": {"root_module": {"resources": [MANAGED]}}})


@pytest.mark.parametrize("override", Override)
def test_a_word_allows_one_thing_for_one_environment(override: Override, environment: Environment) -> None:
    given = Options(override=f"prod:{override}")
    assert [other for other in Override if other.is_given(environment, given)] == [override]
    assert not override.is_given(environment, all_but(override))
    for other in (f"trial:{override}", str(override), "prod", f"xprod:{override}"):
        assert not override.is_given(environment, Options(override=other))
    assert override.is_given(environment, Options(override=override.shown(environment).partition("=")[2]))


@pytest.mark.parametrize("given", ["new-secrets", "prod:nonsense", "trial:new-secrets", "prod:new-secrets,", "1"])
def test_what_overrides_no_safeguard_is_refused_at_once(tmp_path: Path, given: str) -> None:
    (tmp_path / "prod.tfvars").touch()
    for command in ("deploy", "status"):
        (error,) = errors_of(*operate(command, "prod"), env={"HEROLO_ENVIRONMENTS": str(tmp_path), "OVERRIDE": given})
        assert error.startswith(
            f"error: OVERRIDE has '{given.rpartition(',')[2]}', which overrides no safeguard of prod"
        )
        assert all(override in error for override in Override)


def test_all_that_messages_show_is_accepted_together(environment: Environment) -> None:
    check_overrides(environment, Options())
    check_overrides(environment, Options(override=",".join(f"prod:{override}" for override in Override)))


def test_the_guide_lists_every_word() -> None:
    page = (REPOSITORY / "docs/operate.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) >= set(Override)


def cloud_of(environment: Environment, options: Options, state: State = WITH_DATABASE) -> Cloud:
    """What was deployed, as far as the state tells."""
    return cast(Cloud, SimpleNamespace(environment=environment, options=options, state=lambda: state))


def test_new_secrets_for_a_database_need_their_own_word(environment: Environment) -> None:
    environment.state.touch()
    for options in (Options(), Options(confirm="prod"), all_but(Override.NEW_SECRETS)):
        with pytest.raises(Failure, match=r"but prod has a database: .*; OVERRIDE=prod:new-secrets generates"):
            provide_own_secrets(environment, cloud_of(environment, options))
    assert not environment.secrets.exists()
    options = Options(override="prod:new-secrets")
    cloud: Any = cloud_of(environment, options)
    cloud.has_state = lambda: True
    provide_own_secrets(environment, cloud)
    assert environment.secrets.exists()


def test_secrets_beside_a_lost_state_need_the_word_for_new_resources(environment: Environment) -> None:
    with recorded(environment, "deploy"):
        pass
    for options in (Options(confirm="prod"), all_but(Override.NEW_RESOURCES)):
        with pytest.raises(Failure, match=r"^prod was deployed at .*; OVERRIDE=prod:new-resources generates"):
            provide_own_secrets(environment, cloud_of(environment, options))
    provide_own_secrets(environment, cloud_of(environment, Options(override="prod:new-resources")))
    assert environment.secrets.exists()


@pytest.fixture
def lost(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> State:
    """The state is lost, and AWS has a network."""
    monkeypatch.setattr(traces, "find_resources", lambda _: ["the network vpc-1"])
    monkeypatch.setattr(Cloud, "has_state", lambda _: False)
    state = State({})
    monkeypatch.setattr(Cloud, "state", lambda _: state)
    return state


def test_new_resources_beside_lost_ones_need_their_own_word(environment: Environment, lost: State) -> None:
    for options in (Options(confirm="prod"), all_but(Override.NEW_RESOURCES)):
        with pytest.raises(Failure, match=r"; OVERRIDE=prod:new-resources makes new ones$"):
            Cloud(environment, options).check_state()
    assert Cloud(environment, Options(override="prod:new-resources")).check_state() is lost


def test_an_older_version_needs_its_own_word(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {RECORD: {"value": 99}}
    state = State({"values": {"root_module": {"resources": [MANAGED]}, "outputs": outputs}})
    monkeypatch.setattr(Cloud, "state", lambda _: state)
    for options in (Options(confirm="prod"), all_but(Override.OLDER_VERSION)):
        with pytest.raises(Failure, match=r"; OVERRIDE=prod:older-version goes on with this version$"):
            Cloud(environment, options).check_state()
    assert Cloud(environment, Options(override="prod:older-version")).check_state() is state


def test_no_safeguard_reads_what_the_command_itself_asks_for() -> None:
    """CONFIRM answers the question of `destroy`, `restore` and `restore-finish`, and nothing else."""
    folder = Path(safeguards.__file__).parent
    readers = {path.stem for path in folder.glob("*.py") if "options.confirm" in path.read_text(encoding="utf-8")}
    assert readers == {"destroy", "restore"}
