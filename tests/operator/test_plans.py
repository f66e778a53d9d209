"""What a plan and a state say."""

from __future__ import annotations

from typing import Any

import pytest
from herolo_operator.console import Failure
from herolo_operator.environment import Environment
from herolo_operator.plans import Plan, State
from herolo_operator.safeguards import refuse_smaller_disk


def plan(*changes: tuple[str, list[str]], **others: Any) -> Plan:
    resources = [{"type": kind, "change": {"actions": actions}} for kind, actions in changes]
    return Plan({"applyable": True, "resource_changes": resources, **others})


def test_changes_are_counted() -> None:
    changes = plan(("aws_eip", ["create"]), ("aws_vpc", ["update"]), ("aws_instance", ["delete", "create"]))
    assert changes.summary == "2 to add, 1 to change, 1 to destroy"


def test_a_plan_with_nothing_to_apply_has_no_changes() -> None:
    assert plan(("aws_vpc", ["no-op"]), applyable=False).summary == "none"


@pytest.mark.parametrize("actions", [["delete"], ["delete", "create"], ["create", "delete"]])
def test_a_lost_database_is_noticed(actions: list[str]) -> None:
    assert plan(("aws_vpc", ["update"]), ("aws_db_instance", actions)).deleted_databases == {"first"}


@pytest.mark.parametrize("actions", [["create"], ["update"], ["no-op"]])
def test_a_kept_database_is_no_loss(actions: list[str]) -> None:
    assert not plan(("aws_db_instance", actions)).deleted_databases


def test_the_deployment_is_known_when_all_of_it_is() -> None:
    value = {"domain": "herolo.example.com"}
    known = {
        "output_changes": {"deployment": {"after_unknown": False}},
        "planned_values": {"outputs": {"deployment": {"value": value}}},
    }
    assert plan(**known).deployment == value
    assert plan(output_changes={"deployment": {"after_unknown": {"host_id": True}}}).deployment is None
    assert plan(output_changes={}).deployment is None


def state(**database: Any) -> State:
    resources = [
        {"address": "data.aws_ami.debian", "mode": "data", "values": {}},
        {"address": "aws_db_instance.main", "mode": "managed", "values": database},
    ]
    return State({"values": {"root_module": {"resources": resources}}})


def test_only_a_protected_database_leaves_a_snapshot() -> None:
    assert state(skip_final_snapshot=False, final_snapshot_identifier="last").final_snapshots == ["last"]
    assert state(skip_final_snapshot=True, final_snapshot_identifier="last").final_snapshots == []


def test_a_database_in_place_of_another_is_not_created_anew() -> None:
    assert plan(("aws_db_instance", ["create"])).created_databases == {"first"}
    assert not plan(("aws_db_instance", ["delete", "create"])).created_databases
    assert not plan(("aws_instance", ["create"])).created_databases


@pytest.mark.parametrize(
    ("actions", "size", "smaller"),
    [(["update"], 10, (20, 10)), (["update"], 30, None), (["delete", "create"], 10, None), (["no-op"], 20, None)],
)
def test_a_smaller_disk_is_noticed_unless_the_host_is_new(
    actions: list[str], size: int, smaller: tuple[int, int] | None
) -> None:
    before, after = ({"root_block_device": [{"volume_size": gib}]} for gib in (20, size))
    change = {"type": "aws_instance", "change": {"actions": actions, "before": before, "after": after}}
    assert Plan({"applyable": True, "resource_changes": [change]}).smaller_disk == smaller


def test_the_account_is_that_of_the_resources() -> None:
    resources = [
        {"address": "data.x", "mode": "data", "values": {"arn": "arn:aws:ec2:eu-central-1:999999999999:image/x"}},
        {"address": "aws_vpc.main", "mode": "managed", "values": {}},
        {"address": "aws_route53_record.x", "mode": "managed", "values": {"arn": "arn:aws:route53:::hostedzone/x"}},
        {"address": "aws_eip.x", "mode": "managed", "values": {"arn": "arn:aws:ec2:eu-central-1:123456789012:eip/x"}},
    ]
    assert State({"values": {"root_module": {"resources": resources}}}).account == "123456789012"
    assert State({}).account == ""


def test_a_state_without_resources_is_empty() -> None:
    data = {"address": "data.aws_ami.debian", "mode": "data", "values": {}}
    assert State({"format_version": "1.0"}).is_empty
    assert State({"values": {"root_module": {"resources": [data]}}}).is_empty
    assert not state().is_empty


def host(number: int | None, actions: list[str], **differing: str) -> dict[str, Any]:
    """The change of a host, which has no index in states of older versions."""
    before = {"ami": "ami-1", "instance_type": "t3.small", "user_data": None}
    index = {} if number is None else {"index": str(number)}
    address = "aws_instance.host" + ("" if number is None else f'["{number}"]')
    change = {"actions": actions, "before": before, "after": {**before, **differing}}
    return {"address": address, "type": "aws_instance", "change": change, **index}


def test_hosts_that_restart_or_are_made_anew_are_told() -> None:
    changes = [
        host(1, ["update"], instance_type="t3.medium"),
        host(2, ["update"], tags="other"),
        host(3, ["delete", "create"]),
        host(4, ["create"]),
        host(5, ["delete"]),
        host(6, ["no-op"]),
    ]
    plan = Plan({"resource_changes": changes})
    assert (plan.restarted_hosts, plan.replaced_hosts) == ([1], [3])
    plan = Plan({"resource_changes": [host(None, ["create", "delete"])]})
    assert (plan.restarted_hosts, plan.replaced_hosts) == ([], [1])


def test_the_smaller_disk_of_any_host_is_noticed() -> None:
    disks = [(20, 30), (20, 10)]
    changes = [
        {
            "type": "aws_instance",
            "change": {
                "actions": ["update"],
                "before": {"root_block_device": [{"volume_size": before}]},
                "after": {"root_block_device": [{"volume_size": after}]},
            },
        }
        for before, after in disks
    ]
    assert Plan({"resource_changes": changes}).smaller_disk == (20, 10)


@pytest.mark.parametrize(
    ("actions", "size", "limit", "outgrown"),
    [
        (["update"], 50, 40, 50),
        (["update"], 35, 40, None),  # it has grown by itself
        (["update"], 20, 40, None),
        (["create"], 50, 40, None),
    ],
)
def test_a_database_that_has_outgrown_its_limit_is_noticed(
    actions: list[str], size: int, limit: int, outgrown: int | None
) -> None:
    change = {"actions": actions, "before": {"allocated_storage": size}, "after": {"max_allocated_storage": limit}}
    assert Plan({"resource_changes": [{"type": "aws_db_instance", "change": change}]}).outgrown_database == outgrown


def test_a_smaller_disk_of_a_database_is_refused_with_the_size_to_set(environment: Environment) -> None:
    change = {"actions": ["update"], "before": {"allocated_storage": 50}, "after": {"max_allocated_storage": 40}}
    plan = Plan({"resource_changes": [{"type": "aws_db_instance", "change": change}]})
    with pytest.raises(Failure, match=r"has 50 GiB, .*: set database_storage_gib = 50 in environments/prod\.tfvars$"):
        refuse_smaller_disk(plan, environment)


def test_what_was_not_announced_is_found() -> None:
    changes = [
        host(1, ["update"]),
        host(2, ["delete"]),
        host(3, ["no-op"]),
        {"address": "aws_route53_record.domain[0]", "type": "aws_route53_record", "change": {"actions": ["update"]}},
    ]
    plan = Plan({"resource_changes": changes})
    free = {"aws_route53_record"}
    assert plan.find_unannounced(plan.changes, ()) == []
    announced = {'aws_instance.host["1"]': ["update"], 'aws_instance.host["2"]': ["update"]}
    assert plan.find_unannounced(announced, free) == ['aws_instance.host["2"]']
    assert plan.find_unannounced({}, free) == ['aws_instance.host["1"]', 'aws_instance.host["2"]']


@pytest.mark.parametrize(
    ("address", "is_beside"),
    [
        ("aws_instance.host", True),
        ("aws_db_parameter_group.main", True),
        ('aws_db_instance.main["first"]', True),  # which the service uses
        ("aws_db_instance.main", True),  # likewise, before databases had names
        ('aws_db_instance.main["20260131-140500"]', False),
        ('aws_cloudwatch_log_group.database["20260131-140500"]', False),
        ('aws_cloudwatch_metric_alarm.database["cpu"]', False),
    ],
)
def test_changes_beside_databases_are_told_from_those_of_a_restore(address: str, is_beside: bool) -> None:
    changes = [
        {"address": address, "change": {"actions": ["update"]}},
        {"address": "aws_vpc.main", "change": {"actions": ["no-op"]}},
    ]
    assert Plan({"resource_changes": changes}).changes_beside_databases("first") == ([address] if is_beside else [])


def test_values_that_change_are_named_but_for_the_database() -> None:
    before = {"replicas": 3, "domain": "herolo.example.com", "database": {"host": "a"}}
    after = {"replicas": 4, "domain": "herolo.example.com", "database": {"host": "b"}, "colour": "red"}
    assert plan(output_changes={"deployment": {"before": before, "after": after}}).changed_values == [
        "replicas",
        "colour",
    ]
    assert plan(output_changes={"deployment": {"before": before, "after": before}}).changed_values == []
    assert plan(output_changes={}).changed_values == []
