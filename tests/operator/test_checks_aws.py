"""Checks of the AWS account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import moto
import pytest
from herolo_operator.aws import Aws
from herolo_operator.checks import Known
from herolo_operator.checks_aws import STANDARD_VCPUS, AccountChecks
from herolo_operator.console import Failure
from herolo_operator.environment import Environment, Options
from herolo_operator.status import Row, is_fault
from moto.servicequotas.models import ServiceQuotasBackend

REGION = "eu-central-1"
ACCOUNT = "123456789012"
OWN = [{"Tags": [{"Key": "Project", "Value": "herolo"}, {"Key": "Environment", "Value": "prod"}]}]


@pytest.fixture(autouse=True)
def account(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account with quotas that moto does not know, and the paid plan."""
    environment.form.write_text(f'domain = "herolo.example.com"\nregion = "{REGION}"\n')
    known, client = ServiceQuotasBackend.get_service_quota, Aws.client

    def get_quota(backend: ServiceQuotasBackend, service_code: str, quota_code: str) -> dict[str, Any]:
        if (service_code, quota_code) == STANDARD_VCPUS:
            return {"Value": 4.0}
        return known(backend, service_code, quota_code)

    def get_client(aws: Aws, service: str, region: str = "") -> Any:
        plan = lambda: {"accountPlanType": "PAID"}  # noqa: E731
        return SimpleNamespace(get_account_plan_state=plan) if service == "freetier" else client(aws, service, region)

    monkeypatch.setattr(ServiceQuotasBackend, "get_service_quota", get_quota)
    monkeypatch.setattr(Aws, "client", get_client)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "stand-in")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with moto.mock_aws():
        yield


@pytest.fixture
def ec2() -> Any:
    """The account's EC2, past the checks."""
    return boto3.client("ec2", region_name=REGION)


def checks(environment: Environment, account: str = "") -> AccountChecks:
    """Those of an environment whose state is of that account."""
    return AccountChecks(Known(environment, Options(), account, {}))


def rows(found: list[Row]) -> dict[str, Row]:
    """By name."""
    return {row[0]: row for row in found}


def run_instance(ec2: Any, kind: str, tags: list[dict[str, Any]] | None = None) -> None:
    image = ec2.describe_images()["Images"][0]["ImageId"]
    own = [each | {"ResourceType": "instance"} for each in tags or []]
    ec2.run_instances(ImageId=image, InstanceType=kind, MinCount=1, MaxCount=1, TagSpecifications=own)


def test_an_empty_account_is_well(environment: Environment) -> None:
    found = rows(checks(environment).run())
    assert {name: row[1] for name, row in found.items()} == dict.fromkeys(
        ("credentials", "region", "clock", "addresses", "vpcs", "vcpus", "zones", "free plan"), "ok"
    )
    assert found["vcpus"][2] == "vCPUs of instances: 0 of 4 used, 2 needed"


@pytest.mark.parametrize(
    ("copy", "opted", "supported", "state", "fix"),
    [
        ("eu-west-1", "opt-in-not-required", True, "ok", "eu-west-1"),
        ("eu-wst-1", "opt-in-not-required", True, "NOT THERE", "correct backup_region in environments/prod.tfvars"),
        ("eu-south-2", "not-opted-in", True, "NOT ENABLED", "enable it in AWS's console (Account, AWS Regions)"),
        ("eu-south-2", "opted-in", True, "ok", "eu-south-2"),
        ("eu-south-2", "opted-in", False, "NOT SUPPORTED", f"no backups from {REGION} to eu-south-2: change"),
    ],
)
def test_the_region_of_the_copy_exists_is_enabled_and_takes_backups_of_this_one(
    copy: str,
    opted: str,
    supported: bool,
    state: str,
    fix: str,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment.form.write_text(f'region = "{REGION}"\nbackup_region = "{copy}"\n')
    regions = [{"RegionName": "eu-west-1", "OptInStatus": "opt-in-not-required"}]
    regions.append({"RegionName": "eu-south-2", "OptInStatus": opted})
    sources = [{"RegionName": REGION, "SupportsDBInstanceAutomatedBackupsReplication": supported}]
    clients = {
        ("ec2", ""): SimpleNamespace(describe_regions=lambda AllRegions: {"Regions": regions}),
        ("rds", copy): SimpleNamespace(describe_source_regions=lambda RegionName: {"SourceRegions": sources}),
    }
    monkeypatch.setattr(Aws, "client", lambda _, service, region="": clients[service, region])
    row = checks(environment).check_backup_region()
    assert row[:2] == ("backup region", state) and fix in row[2]


def test_a_region_that_the_user_may_not_ask_is_unknown(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.form.write_text(f'region = "{REGION}"\nbackup_region = "eu-west-1"\n')

    def refuse(_: AccountChecks) -> Row:
        raise Failure("not permitted")

    monkeypatch.setattr(AccountChecks, "check_backup_region", refuse)
    assert rows(checks(environment).run())["backup region"] == ("backup region", "unknown", "not permitted")


def test_credentials_of_another_account_than_the_states_are_a_fault(environment: Environment) -> None:
    found = rows(checks(environment, "210987654321").run())
    assert is_fault(found["credentials"])
    assert f"of the account {ACCOUNT}, but prod is in 210987654321" in found["credentials"][2]
    assert found["vcpus"] == ("vcpus", "unknown", "needs the credentials")


def test_a_region_that_does_not_accept_the_credentials_is_to_be_enabled(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = AccountChecks._ask_identity

    def refuse(checks: AccountChecks, region: str) -> dict[str, str]:
        if region == REGION:
            raise Failure("AWS does not accept the credentials")
        return ask(checks, region)

    monkeypatch.setattr(AccountChecks, "_ask_identity", refuse)
    region = rows(checks(environment).run())["region"]
    assert region[1] == "NOT ENABLED"
    assert "enable it in AWS's console" in region[2]


@pytest.mark.parametrize(("seconds", "state"), [(0, "ok"), (60, "WARNING"), (-900, "NOT RIGHT")])
def test_a_clock_that_is_wrong_is_found(
    seconds: int, state: str, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = datetime.now(UTC) + timedelta(seconds=seconds)
    monkeypatch.setattr("herolo_operator.checks_aws.datetime", SimpleNamespace(now=lambda _: wrong))
    account = checks(environment)
    account.identify()
    assert account.check_clock()[1] == state


def test_addresses_that_are_used_up_are_a_fault_with_the_fix(environment: Environment, ec2: Any) -> None:
    for _ in range(5):
        ec2.allocate_address(Domain="vpc")
    row = checks(environment).check_addresses()
    assert row[1] == "NOT ENOUGH"
    assert row[2].startswith("Elastic IP addresses: 5 of 5 used, 1 needed: raise the quota")


def test_what_the_environment_has_already_is_not_needed_again(environment: Environment, ec2: Any) -> None:
    for number in range(5):
        own = [each | {"ResourceType": "elastic-ip"} for each in OWN] if number == 0 else []
        ec2.allocate_address(Domain="vpc", TagSpecifications=own)
    run_instance(ec2, "t3.small", OWN)
    run_instance(ec2, "t3.small")
    account = checks(environment)
    assert account.check_addresses()[2] == "Elastic IP addresses: 5 of 5 used, 0 needed"
    assert account.check_vcpus() == ("vcpus", "ok", "vCPUs of instances: 2 of 4 used, 2 needed")


def test_a_larger_instance_than_the_quota_allows_is_a_fault(environment: Environment, ec2: Any) -> None:
    run_instance(ec2, "t3.small", OWN)
    environment.form.write_text(f'region = "{REGION}"\ninstance_type = "m7i.2xlarge"\n')
    assert checks(environment).check_vcpus()[:2] == ("vcpus", "NOT ENOUGH")


def test_a_family_with_another_quota_is_unknown(environment: Environment) -> None:
    environment.form.write_text(f'region = "{REGION}"\ninstance_type = "g4dn.xlarge"\n')
    assert checks(environment).check_vcpus()[1] == "unknown"


def test_the_free_plan_names_the_lines_to_change(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Aws.client
    plan = SimpleNamespace(get_account_plan_state=lambda: {"accountPlanType": "FREE"})
    monkeypatch.setattr(Aws, "client", lambda aws, name, *a: plan if name == "freetier" else client(aws, name, *a))
    row = checks(environment).check_free_plan()
    assert row[1] == "WARNING"
    assert 'database_class = "db.t4g.micro" and backup_days = 1 in environments/prod.tfvars' in row[2]
    assert "instance_type" not in row[2]


def test_what_may_not_be_asked_is_unknown_with_the_reason(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(*_: object) -> Row:
        raise Failure("the AWS user may not do this")

    for name in ("check_addresses", "check_vpcs", "check_vcpus", "check_free_plan"):
        monkeypatch.setattr(AccountChecks, name, deny)
    assert rows(checks(environment).run())["vpcs"] == ("vpcs", "unknown", "the AWS user may not do this")


# --- Several hosts


def ask_for(environment: Environment, hosts: int, kind: str = "t3.small") -> AccountChecks:
    environment.form.write_text(f'region = "{REGION}"\nhosts = {hosts}\ninstance_type = "{kind}"\n')
    return checks(environment)


@pytest.mark.parametrize(("hosts", "needed"), [(1, 1), (2, 4), (6, 4)])
def test_the_balancer_has_an_address_in_each_zone(hosts: int, needed: int, environment: Environment) -> None:
    assert f"0 of 5 used, {needed} needed" in ask_for(environment, hosts).check_addresses()[2]


def test_more_addresses_are_needed_for_the_balancer_of_a_deployment_with_one_host(
    environment: Environment, ec2: Any
) -> None:
    ec2.allocate_address(Domain="vpc", TagSpecifications=[OWN[0] | {"ResourceType": "elastic-ip"}])
    ec2.allocate_address(Domain="vpc")
    assert ask_for(environment, 2).check_addresses()[1:] == ("ok", "Elastic IP addresses: 2 of 5 used, 3 needed")
    ec2.allocate_address(Domain="vpc")
    assert ask_for(environment, 2).check_addresses()[1] == "NOT ENOUGH"
    assert ask_for(environment, 1).check_addresses()[1] == "ok"


def test_every_host_has_its_own_processors(environment: Environment) -> None:
    assert ask_for(environment, 2).check_vcpus()[1:] == ("ok", "vCPUs of instances: 0 of 4 used, 4 needed")
    assert ask_for(environment, 3).check_vcpus()[1] == "NOT ENOUGH"


def test_several_hosts_need_a_second_zone(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [{"InstanceTypeOfferings": [{"Location": f"{REGION}b"}]}]
    monkeypatch.setattr(AccountChecks, "_pages", lambda *_, **__: pages)
    assert ask_for(environment, 1).check_zones() == ("zones", "ok", f"t3.small is offered in {REGION}b")
    row = ask_for(environment, 2).check_zones()
    assert row[1] == "NOT ENOUGH"
    assert row[2].endswith("and 2 hosts need 2: change instance_type in environments/prod.tfvars")
    pages[0]["InstanceTypeOfferings"].append({"Location": f"{REGION}a"})
    assert ask_for(environment, 6).check_zones()[1] == "ok"
    pages[0]["InstanceTypeOfferings"].clear()
    assert "t3.small is offered in no zone" in ask_for(environment, 1).check_zones()[2]
