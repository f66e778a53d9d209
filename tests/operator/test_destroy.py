"""What `make destroy` says remains, with a Terraform that only forgets everything."""

from __future__ import annotations

import re
from typing import Any

import pytest
from herolo_operator import destroy
from herolo_operator.aws import Aws
from herolo_operator.backups import back_up
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
def lifted() -> list[str]:
    """The databases that are not protected any more."""
    return []


@pytest.fixture
def remove(account: Aws, environment: Environment, lifted: list[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Removes an environment with these resources."""

    there: list[dict[str, Any]] = []
    rds = account.client("rds")

    class Cloud:
        """All that the removal asks of Terraform."""

        def __init__(self, *_: object) -> None:
            pass

        def state(self) -> State:
            outputs = {"deployment": {"value": {"dns_provider": "route53", "domain": "herolo.example.com"}}}
            return State({"values": {"root_module": {"resources": there}, "outputs": outputs}})

        def refuse_lost_state(self, _: str) -> None:
            pass

        def lift_protection(self, databases: list[str], _suffix: str) -> None:
            lifted.extend(databases)

        def destroy(self) -> None:
            for values in [self.state().databases[name] for name in lifted]:
                final, skip = values["final_snapshot_identifier"], values["skip_final_snapshot"]
                kept: dict[str, Any] = {"SkipFinalSnapshot": True} if skip else {"FinalDBSnapshotIdentifier": final}
                rds.delete_db_instance(DBInstanceIdentifier="herolo-prod", **kept)

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


@pytest.mark.parametrize("protect", [True, False])
def test_every_snapshot_that_remains_is_named_with_the_command_that_removes_it(
    protect: bool, remove: Any, account: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    rds = account.client("rds")
    rds.create_db_snapshot(DBInstanceIdentifier="herolo-prod", DBSnapshotIdentifier="mine")
    rds.create_db_snapshot(DBInstanceIdentifier="herolo-prod-eu", DBSnapshotIdentifier="of-another-environment")
    before = back_up(account, "herolo-prod", "herolo:1")
    remove(database(protect=protect))
    said = capsys.readouterr().err
    removal = "'aws rds delete-db-snapshot --region eu-central-1 --db-snapshot-identifier "
    named = re.findall(rf"^==> what remains at AWS.*[:,] (\S+) \(.*; {removal}(\S+)' removes it$", said, re.MULTILINE)
    remaining = ["herolo-prod-final-1", before, "mine"] if protect else ["mine"]
    assert named == [(name, name) for name in remaining]
    assert f"'make deploy ENV=prod FROM={remaining[0]}' makes the next database" in said


def test_the_next_database_is_not_offered_from_one_that_a_restore_has_left(account: Aws) -> None:
    rds, former = account.client("rds"), "herolo-prod-20260131-140500"
    rds.create_db_instance(
        DBInstanceIdentifier=former, DBInstanceClass="db.t4g.micro", Engine="mysql", AllocatedStorage=20
    )
    rds.create_db_snapshot(DBInstanceIdentifier="herolo-prod", DBSnapshotIdentifier="current")
    rds.create_db_snapshot(DBInstanceIdentifier=former, DBSnapshotIdentifier="later")
    in_use = State({"values": {"root_module": {"resources": [database(protect=True)]}}})
    for state, names in ((in_use, ["current", "later"]), (State({}), ["later", "current"])):
        remaining = destroy._snapshots_that_remain(account, state)
        assert [item["DBSnapshotIdentifier"] for item in remaining] == names


def test_a_second_run_says_what_the_first_one_could_not(
    remove: Any, account: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(destroy, "remove_logs", fail)
        with pytest.raises(Failure, match="AWS cannot be reached"):
            remove(database(protect=True))
    assert "what remains" not in capsys.readouterr().err
    account.client("logs").create_log_group(logGroupName="/aws/rds/instance/herolo-prod/error")
    remove()
    said = capsys.readouterr().err
    assert "prod: nothing is there to destroy" in said and "the database's last snapshot, herolo-prod-final-1 (" in said
    assert account.client("logs").describe_log_groups()["logGroups"] == []


def test_nothing_is_said_of_copies_that_a_second_run_cannot_know(
    remove: Any, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    with environment.form.open("a") as form:
        form.write('backup_region = "eu-west-1"\n')
    remove()
    said = capsys.readouterr().err
    assert "a copy of the automated backups may remain in another region" in said
    assert "nothing remains at AWS" not in said


def fail(_: Aws) -> None:
    raise Failure("AWS cannot be reached")


def test_nothing_is_given_up_unless_aws_can_be_used(remove: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up: list[object] = []
    monkeypatch.setattr(destroy, "give_up_record", lambda *_: given_up.append(1))
    monkeypatch.setattr(Aws, "identity", fail)
    with pytest.raises(Failure, match="AWS cannot be reached"):
        remove(database(protect=True))
    assert given_up == []


def test_a_record_to_remove_by_hand_is_named_before_anything_can_fail(
    remove: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(destroy, "give_up_record", lambda *_: "remove the A record herolo.example.com")
    monkeypatch.setattr(destroy, "remove_logs", fail)
    with pytest.raises(Failure):
        remove(database(protect=True))
    assert "WARNING: remove the A record herolo.example.com" in capsys.readouterr().err


def test_a_database_that_aws_has_no_longer_is_not_made_anew_to_be_removed(
    remove: Any, account: Aws, lifted: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    account.client("rds").delete_db_instance(DBInstanceIdentifier="herolo-prod", SkipFinalSnapshot=True)
    remove(database(protect=True))
    assert lifted == []
    assert "nothing remains at AWS\n" in capsys.readouterr().err


@pytest.mark.parametrize("options", [Options(), Options(yes=True), Options(yes=True, override="prod:empty-database")])
def test_neither_yes_nor_an_override_destroys(options: Options, remove: Any) -> None:
    with pytest.raises(Failure, match="set CONFIRM=prod"):
        remove(database(protect=True), options=options)
