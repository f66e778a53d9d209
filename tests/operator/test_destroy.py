"""What `make destroy` says remains, with a Terraform that only forgets everything."""

from __future__ import annotations

from typing import Any

import pytest
from herolo_operator import destroy
from herolo_operator.aws import Aws
from herolo_operator.console import Failure
from herolo_operator.environment import Environment, Options
from herolo_operator.plans import State

CONFIRMED = Options(confirm="prod")
COPIES = {
    "address": "aws_db_instance_automated_backups_replication.main[0]",
    "type": "aws_db_instance_automated_backups_replication",
    "mode": "managed",
    "values": {"region": "eu-west-1", "retention_period": 14},
}


def database(*, protect: bool) -> dict[str, Any]:
    values = {"final_snapshot_identifier": "herolo-prod-final-1", "skip_final_snapshot": not protect}
    return {"address": 'aws_db_instance.main["first"]', "index": "first", "mode": "managed", "values": values}


@pytest.fixture
def remove(account: Aws, environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Removes an environment with these resources."""

    there: list[dict[str, Any]] = []

    class Cloud:
        """All that the removal asks of Terraform."""

        def __init__(self, *_: object) -> None:
            pass

        def state(self) -> State:
            outputs = {"deployment": {"value": {"dns_provider": "route53", "domain": "herolo.example.com"}}}
            return State({"values": {"root_module": {"resources": there}, "outputs": outputs}})

        def lift_protection(self, _suffix: str) -> None:
            pass

        def destroy(self) -> None:
            pass

    monkeypatch.setattr(destroy, "Cloud", Cloud)

    def remove(*resources: dict[str, Any], options: Options = CONFIRMED) -> None:
        there[:] = resources
        destroy.destroy_resources(environment, options)

    return remove


def test_without_a_snapshot_and_a_copy_nothing_remains(remove: Any, capsys: pytest.CaptureFixture[str]) -> None:
    remove(database(protect=False))
    assert "nothing remains at AWS\n" in capsys.readouterr().err


@pytest.mark.parametrize("protect", [True, False])
def test_a_copy_in_another_region_remains_for_its_days(
    protect: bool, remove: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    remove(database(protect=protect), COPIES)
    said = capsys.readouterr().err
    assert "the copy of the automated backups in eu-west-1, of which AWS removes the last after 14 days" in said
    assert ("herolo-prod-final-1" in said) is protect and "nothing remains at AWS" not in said


@pytest.mark.parametrize("options", [Options(), Options(yes=True), Options(yes=True, override="prod:empty-database")])
def test_neither_yes_nor_an_override_destroys(options: Options, remove: Any) -> None:
    with pytest.raises(Failure, match="set CONFIRM=prod"):
        remove(database(protect=True), options=options)
