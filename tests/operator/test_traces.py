"""A lost state is told from an environment that was never deployed."""

from __future__ import annotations

import pytest
from herolo_operator import traces
from herolo_operator.cloud import Cloud
from herolo_operator.console import Failure
from herolo_operator.environment import Environment, Options
from herolo_operator.history import recorded
from herolo_operator.safeguards import provide_own_secrets
from herolo_operator.traces import explain_missing_outputs, find_deployment, refuse_lost_state


@pytest.fixture(autouse=True)
def resources(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What AWS has."""
    found: list[str] = []
    monkeypatch.setattr(traces, "find_resources", lambda _: found)
    return found


def record(environment: Environment, *commands: str) -> None:
    for command in commands:
        with recorded(environment, command):
            pass


def fail(environment: Environment, command: str) -> None:
    with pytest.raises(Failure), recorded(environment, command):
        raise Failure("it broke")


@pytest.mark.parametrize(
    ("commands", "deployed"),
    [
        ([], False),
        (["deploy"], True),
        (["infra apply"], True),
        (["deploy", "destroy"], False),
        (["deploy", "infra destroy"], False),
        (["deploy", "destroy", "deploy", "rollback"], True),
        (["infra move-state"], False),
    ],
)
def test_the_history_tells_whether_something_is_deployed(
    commands: list[str], deployed: bool, environment: Environment
) -> None:
    record(environment, *commands)
    assert bool(find_deployment(environment)) is deployed


def test_a_failed_command_proves_neither_a_deployment_nor_a_destruction(environment: Environment) -> None:
    fail(environment, "deploy")
    assert not find_deployment(environment)
    record(environment, "deploy")
    fail(environment, "destroy")
    assert find_deployment(environment)


def test_a_new_environment_has_no_traces(environment: Environment) -> None:
    refuse_lost_state(environment, has_state=False, consequence="")
    assert explain_missing_outputs(environment, has_state=False) == "prod is not deployed: type 'make deploy ENV=prod'"


def test_resources_without_a_state_are_named(environment: Environment, resources: list[str]) -> None:
    resources += ["the network vpc-1", "the database herolo-prod"]
    expected = (
        "^prod has resources at AWS, the network vpc-1 and the database herolo-prod, but environments/prod.tfstate is "
        "missing or empty: restore it from your copy; or else$"
    )
    with pytest.raises(Failure, match=expected):
        refuse_lost_state(environment, has_state=True, consequence="; or else")


def test_a_deployment_in_the_history_without_a_state_is_a_loss(environment: Environment) -> None:
    record(environment, "deploy")
    with pytest.raises(Failure, match=r"^prod was deployed at 2.* but environments/prod.tfstate is missing or empty"):
        refuse_lost_state(environment, has_state=False, consequence="")
    assert "restore it from your copy" in explain_missing_outputs(environment, has_state=False)


def test_a_destruction_that_was_interrupted_at_its_end_is_no_loss(environment: Environment) -> None:
    record(environment, "deploy")
    with pytest.raises(KeyboardInterrupt), recorded(environment, "destroy"):
        raise KeyboardInterrupt
    refuse_lost_state(environment, has_state=True, consequence="")
    assert explain_missing_outputs(environment, has_state=True).startswith("prod is not deployed")


def test_the_copy_of_terraform_is_named(environment: Environment) -> None:
    record(environment, "deploy")
    (environment.folder / "prod.tfstate.backup").write_text("{}")
    assert "your copy or from environments/prod.tfstate.backup" in explain_missing_outputs(environment, has_state=False)


def test_a_state_in_a_bucket_is_named(environment: Environment) -> None:
    record(environment, "deploy")
    environment.s3_backend.write_text('bucket = "states"\n')
    assert "but the state in the bucket that environments/prod.s3.tfbackend names" in explain_missing_outputs(
        environment, has_state=False
    )


def test_lost_secrets_are_not_replaced_without_a_state_of_a_deployment(environment: Environment) -> None:
    record(environment, "deploy")
    with pytest.raises(Failure, match="prod was deployed at"):
        provide_own_secrets(environment, Cloud(environment, Options()))
    assert not environment.secrets.exists()
    provide_own_secrets(environment, Cloud(environment, Options(override="prod:new-resources")))
    assert environment.secrets.exists()
