"""Which hosts are healthy in the balancer's view."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from herolo_operator import balancer
from herolo_operator.aws import Aws
from herolo_operator.console import Failure
from herolo_operator.environment import Environment
from support.fleet import deployment

Health = dict[str, dict[str, str]]


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch) -> Health:
    """What AWS says of the instances, by target group; all are healthy."""
    health: Health = {group: {f"i-{number}": "healthy" for number in (1, 2, 3)} for group in ("arn:http", "arn:https")}

    def describe(**arguments: str) -> dict[str, Any]:
        targets = health[arguments["TargetGroupArn"]]
        return {
            "TargetHealthDescriptions": [
                {
                    "Target": {"Id": instance},
                    "TargetHealth": {"State": state.split()[0], "Reason": state.partition(" ")[2]},
                }
                for instance, state in targets.items()
            ]
        }

    monkeypatch.setattr(Aws, "client", lambda *_: SimpleNamespace(describe_target_health=describe))
    monkeypatch.setattr(balancer, "PAUSE", 0)
    return health


def test_a_host_is_healthy_if_it_is_so_in_both_target_groups(environment: Environment, health: Health) -> None:
    health["arn:https"]["i-2"] = "unhealthy Target.FailedHealthChecks"
    del health["arn:http"]["i-3"]
    assert balancer.find_unhealthy(balancer.read_health(deployment(), environment), [1, 2, 3]) == {
        2: "http: healthy, https: unhealthy (Target.FailedHealthChecks)",
        3: "http: not registered, https: healthy",
    }


def test_no_host_is_healthy_behind_a_balancer_whose_removal_was_interrupted(account: Aws) -> None:
    group = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/herolo-prod-80/0123456789abcdef"
    found = deployment(2, balancer={"target_groups": {"http": group}})
    assert balancer.read_health(found, account.environment) == {
        1: {"http": "not registered"},
        2: {"http": "not registered"},
    }


def test_the_table_has_a_row_for_each_host(environment: Environment, health: Health) -> None:
    health["arn:http"]["i-3"] = "initial Elb.RegistrationInProgress"
    rows = balancer.show_balancer(deployment(), environment)
    assert [row[:2] for row in rows] == [
        ("balancer, 1", "healthy"),
        ("balancer, 2", "healthy"),
        ("balancer, 3", "NOT HEALTHY"),
    ]
    assert rows[2][2] == "http: initial (Elb.RegistrationInProgress), https: healthy"
    assert balancer.show_balancer(deployment(1), environment) == []


def test_hosts_are_awaited_until_they_are_healthy(environment: Environment, health: Health) -> None:
    health["arn:http"]["i-2"] = "initial"
    questions = iter(["initial", "unhealthy", "healthy"])
    ask = balancer.read_health

    def read_health(*arguments: Any) -> dict[int, dict[str, str]]:
        health["arn:http"]["i-2"] = next(questions)
        return ask(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(balancer, "read_health", read_health)
        assert balancer.await_health(deployment(), environment, [1, 2, 3]) == "hosts 1 to 3 healthy"
    assert next(questions, None) is None


def test_a_host_that_stays_unhealthy_ends_the_wait(
    environment: Environment, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balancer, "LIMIT", 0)
    health["arn:http"]["i-2"] = "unhealthy Target.Timeout"
    with pytest.raises(
        Failure, match=r"^host 2 is not healthy in the balancer's view \(http: unhealthy \(Target.Timeout"
    ):
        balancer.await_health(deployment(), environment, [1, 2])
    assert balancer.await_health(deployment(), environment, [1, 3]) == "hosts 1 and 3 healthy"


def test_a_host_does_not_leave_beside_an_unhealthy_one(environment: Environment, health: Health) -> None:
    balancer.require_health(deployment(), environment, [1, 3], "host 2 can leave only")
    health["arn:http"]["i-3"] = "unhealthy"
    with pytest.raises(Failure, match=r"^host 2 can leave only while all others are healthy, but host 3 is not"):
        balancer.require_health(deployment(), environment, [1, 3], "host 2 can leave only")


def test_a_balancer_that_cannot_be_asked_is_unknown(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise Failure("AWS cannot be reached")

    monkeypatch.setattr(Aws, "client", fail)
    assert balancer.show_balancer(deployment(), environment) == [("balancer", "unknown", "AWS cannot be reached")]


def test_the_names_are_those_of_the_api(account: Aws, environment: Environment) -> None:
    """Against moto, which calls every target healthy."""
    ec2, elb = (boto3.client(name, region_name=account.region) for name in ("ec2", "elbv2"))
    network = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    group = elb.create_target_group(Name="http", Protocol="TCP", Port=80, VpcId=network)["TargetGroups"][0]
    elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": made}])
    hosts = [{"number": 1, "id": made, "address": "192.0.2.1", "zone": ""}]
    shown = deployment(hosts=2, balancer={"target_groups": {"http": group["TargetGroupArn"]}})
    shown.values["hosts"] = hosts
    assert balancer.read_health(shown, environment) == {1: {"http": "healthy"}}


def test_a_host_that_the_deployment_does_not_have_is_not_healthy() -> None:
    assert balancer.find_unhealthy({1: {"http": "healthy"}}, [1, 2]) == {2: "balancer: not registered"}
