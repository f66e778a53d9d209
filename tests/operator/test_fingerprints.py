"""The file of a deployment is told from any other."""

from __future__ import annotations

from typing import Any

import pytest
from herolo_operator.console import Failure
from herolo_operator.environment import Environment, Options
from herolo_operator.fingerprints import KEPT, NAMES, REPLACED, find_replaced, is_of_deployment, take_fingerprints
from herolo_operator.overrides import Override
from herolo_operator.plans import Plan, State
from herolo_operator.safeguards import RECORD, refuse_foreign_secrets, refuse_loss_of_database
from herolo_operator.secrets_file import change_lines, provide_secrets, read_secrets
from support.overrides import all_but

VALUES = {name: f"{index}" * 32 for index, name in enumerate(NAMES)}


def test_unchanged_secrets_keep_their_fingerprints() -> None:
    recorded = take_fingerprints(VALUES, {})
    assert take_fingerprints(VALUES, recorded) == recorded
    assert is_of_deployment(VALUES, recorded)


def test_a_changed_secret_gets_another_fingerprint() -> None:
    recorded = take_fingerprints(VALUES, {})
    changed = {**VALUES, "token_keys": "new"}
    after = take_fingerprints(changed, recorded)
    assert {name for name in NAMES if after[name] != recorded[name]} == {"token_keys"}
    assert is_of_deployment(changed, recorded)


def test_a_fingerprint_contains_a_salt_and_no_secret() -> None:
    first, second = take_fingerprints(VALUES, {}), take_fingerprints(VALUES, {})
    assert all(first[name] != second[name] for name in NAMES)
    assert all(VALUES[name] not in first[name] for name in NAMES)


def test_a_deployment_without_a_record_takes_any_secrets() -> None:
    assert is_of_deployment(VALUES, {})


def test_other_secrets_are_refused_unless_that_is_overridden(environment: Environment) -> None:
    provide_secrets(environment)
    outputs = {RECORD: take_fingerprints(read_secrets(environment), {})}
    refuse_foreign_secrets(environment, outputs, Options())
    environment.secrets.unlink()
    provide_secrets(environment)
    for options in (Options(), all_but(Override.NEW_SECRETS)):
        with pytest.raises(Failure, match=r"is not the file of this deployment.*OVERRIDE=prod:new-secrets replaces"):
            refuse_foreign_secrets(environment, outputs, options)
    refuse_foreign_secrets(environment, outputs, Options(override="prod:new-secrets"))


def test_a_file_in_the_middle_of_a_rotation_of_all_secrets_is_that_of_the_deployment(environment: Environment) -> None:
    provide_secrets(environment)
    before = read_secrets(environment)
    outputs = {RECORD: take_fingerprints(before, {})}
    environment.secrets.unlink()
    provide_secrets(environment)
    change_lines(environment, {"old_database_service_password": before["database_service_password"]})
    refuse_foreign_secrets(environment, outputs, Options())


def test_a_replaced_secret_is_recognised() -> None:
    recorded = take_fingerprints(VALUES, {})
    assert find_replaced(VALUES, recorded) == []
    changed = {**VALUES, "token_keys": "new"}
    after = take_fingerprints(changed, recorded)
    assert find_replaced(VALUES, after) == ["token_keys"]
    assert find_replaced(changed, after) == []
    assert take_fingerprints(changed, after) == after


def test_a_secret_that_is_deployed_again_is_not_a_replaced_one() -> None:
    recorded = take_fingerprints(VALUES, {})
    after = take_fingerprints({**VALUES, "token_keys": "new"}, recorded)
    again = take_fingerprints(VALUES, after)
    assert find_replaced(VALUES, again) == []
    assert find_replaced({**VALUES, "token_keys": "new"}, again) == ["token_keys"]


def test_the_record_of_replaced_secrets_does_not_grow_for_ever() -> None:
    recorded: dict[str, str] = {}
    for number in range(2 * KEPT):
        recorded = take_fingerprints({**VALUES, "token_keys": str(number)}, recorded)
    assert len(recorded[REPLACED].split()) == KEPT


def test_an_older_file_is_refused_unless_that_is_overridden(environment: Environment) -> None:
    provide_secrets(environment)
    older = environment.secrets.read_bytes()
    recorded = take_fingerprints(read_secrets(environment), {})
    change_lines(environment, {"database_service_password": "a" * 32})
    outputs = {RECORD: take_fingerprints(read_secrets(environment), recorded)}
    refuse_foreign_secrets(environment, outputs, Options())
    environment.secrets.write_bytes(older)
    for options in (Options(), all_but(Override.OLDER_SECRETS)):
        with pytest.raises(Failure, match="is older than the deployment, since database_service_password was replaced"):
            refuse_foreign_secrets(environment, outputs, options)
    refuse_foreign_secrets(environment, outputs, Options(override="prod:older-secrets"))


def plan(*actions: str) -> Plan:
    changes = [{"type": "aws_db_instance", "change": {"actions": list(actions)}}]
    return Plan({"applyable": True, "resource_changes": changes})


WITH_DATABASE = State(
    {
        "values": {
            "root_module": {"resources": [{"address": "aws_db_instance.main", "mode": "managed", "values": {"a": 1}}]}
        }
    }
)


@pytest.mark.parametrize(
    ("actions", "state", "options", "refused"),
    [
        (["create"], State({}), Options(), False),
        (["create"], WITH_DATABASE, Options(), True),
        (["create"], WITH_DATABASE, all_but(Override.EMPTY_DATABASE), True),
        (["create"], WITH_DATABASE, Options(override="trial:empty-database"), True),
        (["create"], WITH_DATABASE, Options(override="prod:older-version,prod:empty-database"), False),
        (["update"], WITH_DATABASE, Options(), False),
        (["delete"], WITH_DATABASE, Options(), True),
        (["delete", "create"], WITH_DATABASE, Options(override="prod:empty-database"), True),
    ],
)
def test_a_database_is_neither_lost_nor_replaced(
    actions: list[str], state: State, options: Options, refused: bool, environment: Environment
) -> None:
    arguments: dict[str, Any] = {"plan": plan(*actions), "state": state, "kept": ["first"], "environment": environment}
    if not refused:
        refuse_loss_of_database(**arguments, options=options)
        return
    with pytest.raises(Failure):
        refuse_loss_of_database(**arguments, options=options)


def test_a_database_that_is_to_go_may_be_deleted(environment: Environment) -> None:
    refuse_loss_of_database(plan("delete"), WITH_DATABASE, ["second"], environment, Options())
