"""What Terraform is told of a database whose creation was interrupted, with a Terraform that only notes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from herolo_operator import cloud as module
from herolo_operator.cloud import Cloud
from herolo_operator.environment import Environment, Options

ADDRESS = 'aws_db_instance.main["first"]'


@pytest.fixture
def told(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The arguments of Terraform in what is done with a cloud, whose database is tainted or not."""
    for name in ("refuse_foreign_secrets", "refuse_loss_of_database", "refuse_smaller_disk", "read_secrets"):
        monkeypatch.setattr(module, name, lambda *_: None)
    monkeypatch.setattr(Cloud, "_values", lambda *_: ([], {}))
    monkeypatch.setattr(Cloud, "_read_plan", lambda *_: None)

    def tell(action: str, *, tainted: bool) -> list[tuple[str, ...]]:
        calls: list[tuple[str, ...]] = []
        resource = {"address": ADDRESS, "index": "first", "mode": "managed", "tainted": tainted, "values": {}}
        document = {"values": {"root_module": {"resources": [resource]}}}

        def note(*arguments: str, variables: object = None) -> None:
            calls.append(arguments[:2] if arguments[0] == "untaint" else arguments[:1])
            (environment.work / "new.tfplan").touch()

        cloud: Any = Cloud(environment, Options())
        cloud.terraform = SimpleNamespace(
            quietly=note,
            initialise=lambda: None,
            read=lambda *_: "",
            read_json=lambda *words: document if words[0] == "show" else {},
        )
        getattr(cloud, action)()
        return calls

    return tell


@pytest.mark.parametrize(("action", "command"), [("plan", "plan"), ("lift_protection", "apply")])
def test_a_database_whose_creation_was_interrupted_is_not_made_anew(action: str, command: str, told: Any) -> None:
    """Neither by a plan, nor by a removal, in which AWS would refuse to delete what is protected still."""
    assert told(action, tainted=True) == [("untaint", ADDRESS), (command,)]
    assert told(action, tainted=False) == [(command,)]
