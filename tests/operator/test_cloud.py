"""What Terraform is told of databases, with a Terraform that only notes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from herolo_operator import cloud as module
from herolo_operator.cloud import Cloud
from herolo_operator.environment import Environment, Options

ADDRESS = 'aws_db_instance.main["first"]'
FIRST = {"address": ADDRESS, "index": "first"}
SECOND = {"address": 'aws_db_instance.main["second"]', "index": "second"}


@pytest.fixture
def told(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The arguments of Terraform in what is done with a cloud, whose database is tainted or not."""
    for name in ("refuse_foreign_secrets", "refuse_loss_of_database", "refuse_smaller_disk", "read_secrets"):
        monkeypatch.setattr(module, name, lambda *_: None)
    monkeypatch.setattr(Cloud, "_values", lambda *_: ([], {}))
    monkeypatch.setattr(Cloud, "_read_plan", lambda *_: None)

    def tell(action: str, *words: object, tainted: bool = False, resource: Any = FIRST) -> list[tuple[str, ...]]:
        calls: list[tuple[str, ...]] = []
        resources = [{"mode": "managed", "tainted": tainted, "values": {}, **each} for each in (resource, SECOND)]
        document = {"values": {"root_module": {"resources": resources[:1] if tainted else resources}}}

        def note(*arguments: str, variables: object = None) -> None:
            targets = [argument for argument in arguments if argument.startswith("-target")]
            calls.append(arguments[:2] if arguments[0] == "untaint" else (arguments[0], *targets))
            (environment.work / "new.tfplan").touch()

        cloud: Any = Cloud(environment, Options())
        cloud.terraform = SimpleNamespace(
            quietly=note,
            initialise=lambda: None,
            read=lambda *_: "",
            read_json=lambda *words: document if words[0] == "show" else {},
        )
        getattr(cloud, action)(*words)
        return calls

    return tell


@pytest.mark.parametrize(
    ("action", "command"),
    [(("plan",), ("plan",)), (("lift_protection", ["first"]), ("apply", f"-target={ADDRESS}"))],
)
def test_a_database_whose_creation_was_interrupted_is_not_made_anew(
    action: tuple[object, ...], command: tuple[str, ...], told: Any
) -> None:
    """Neither by a plan, nor by a removal, in which AWS would refuse to delete what is protected still."""
    assert told(*action, tainted=True) == [("untaint", ADDRESS), command]
    assert told(*action) == [command]


def test_the_protection_is_lifted_of_the_databases_that_are_named_alone(told: Any) -> None:
    """Terraform would make one that AWS has no longer anew."""
    second = '-target=aws_db_instance.main["second"]'
    assert told("lift_protection", ["second"]) == [("apply", second)]
    assert told("lift_protection", ["first", "second"]) == [("apply", f"-target={ADDRESS}", second)]
    nameless = {"address": "aws_db_instance.main"}
    assert told("lift_protection", ["first"], resource=nameless) == [("apply", "-target=aws_db_instance.main")]
