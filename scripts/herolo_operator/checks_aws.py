"""Checks of the AWS account, by its API."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property, partial
from typing import Any

from .alarms import show_alarms
from .aws import Aws
from .checks import OK, UNKNOWN, WARNING, Known, attempt, unknown
from .console import Failure
from .form import setting_of, setting_or_default, wanted_hosts
from .status import Row

SOMEWHERE = "us-east-1"  # a region that every account has
LARGEST_SKEW = 300  # seconds, beyond which AWS refuses requests
SMALLEST_SKEW = 30  # seconds, worth a warning

# Service Quotas: "VPCs per Region", and "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances" in vCPUs.
VPCS = ("vpc", "L-F678F1CE")
STANDARD_VCPUS = ("ec2", "L-1216C47A")
STANDARD_FAMILY = re.compile(r"(a|c|d|h|i|im|is|m|r|t|z)[0-9]")
BALANCER_ZONES = 3  # in each of which the balancer has an address, however many hosts there are
LEAST_ZONES = 2  # of several hosts, so that one is left when a zone fails
FREE_PLAN_DATABASES = ("db.t3.micro", "db.t4g.micro")


class AccountChecks:
    """The checks of one environment's account."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.aws = Aws(known.environment, known.account)
        self.instance_type = setting_or_default(known.environment, "instance_type")
        self.hosts = wanted_hosts(known.environment)
        self.backup_region = setting_of(known.environment, "backup_region")
        self._skew: float | None = None  # seconds between this machine's clock and AWS's

    def run(self) -> list[Row]:
        """All of them. Most need valid credentials."""
        identity = self.identify()
        names: dict[str, Callable[[], Row]] = {
            "addresses": self.check_addresses,
            "vpcs": self.check_vpcs,
            "vcpus": self.check_vcpus,
            "zones": self.check_zones,
            "free plan": self.check_free_plan,
            **({"backup region": self.check_backup_region} if self.backup_region else {}),
        }
        if identity[-1][1] == OK:
            rest = [attempt(name, check) for name, check in names.items()]
        else:
            rest = [unknown(name, f"needs the {identity[-1][0]}") for name in names]
        alarms = self.check_alarms() if self.known.account and identity[-1][1] == OK else []
        return [*identity, self.check_clock(), *rest, *alarms]

    # --- Who, where and when ---

    def identify(self) -> list[Row]:
        """The rows of the credentials and, if they are good, of the region."""
        here = Aws(self.known.environment)
        try:
            identity = self._ask_identity(here.region)
        except Failure as failure:
            try:
                self._ask_identity(SOMEWHERE)
            except Failure:
                return [("credentials", "NOT ACCEPTED", str(failure))]
            form = self.known.environment.shown(self.known.environment.form)
            fix = f"enable it in AWS's console (Account, AWS Regions), or change region in {form}"
            return [("credentials", OK, ""), ("region", "NOT ENABLED", f"{here.region} does not accept them: {fix}")]
        if self.known.account not in ("", identity["Account"]):
            fix = "'export AWS_PROFILE=...' for that account"
            name, account = self.known.environment.name, identity["Account"]
            text = f"they are of the account {account}, but {name} is in {self.known.account}: {fix}"
            return [("credentials", "NOT RIGHT", text)]
        return [("credentials", OK, identity["Arn"]), ("region", OK, here.region)]

    def _ask_identity(self, region: str) -> dict[str, str]:
        sts = self.aws.client("sts", region)
        sts.meta.events.register("after-call.sts", self._note_date)
        with self.aws.explained():
            identity: dict[str, str] = sts.get_caller_identity()
        return identity

    def _note_date(self, http_response: Any, **_: object) -> None:
        """Called with each answer, also with one that refuses the request because of the clock."""
        if date := http_response.headers.get("date"):
            self._skew = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())

    def check_clock(self) -> Row:
        """AWS refuses requests from a clock that is wrong."""
        if self._skew is None:
            return unknown("clock", "AWS has not answered with its time")
        text = f"differs from AWS's by {self._skew:.0f} s"
        if self._skew < SMALLEST_SKEW:
            return ("clock", OK, text)
        state = WARNING if self._skew < LARGEST_SKEW else "NOT RIGHT"
        return ("clock", state, f"{text}: switch time synchronisation on ('timedatectl set-ntp true')")

    def check_alarms(self) -> list[Row]:
        """What is deployed tells its alarms to those who are to have them. Nothing of this stops a deployment."""
        states = {"confirmed": OK, "NOT CONFIRMED": WARNING, "NOT SUBSCRIBED": WARNING, "not sent": OK}
        return [(name, states.get(state, UNKNOWN), details) for name, state, details in show_alarms(self.aws)]

    # --- Quotas ---

    def check_addresses(self) -> Row:
        """Elastic IP addresses are left for the first host and, if there are several, for the balancer's zones."""
        with self.aws.explained():
            attributes = self._ec2.describe_account_attributes(AttributeNames=["vpc-max-elastic-ips"])[
                "AccountAttributes"
            ]
            found = self._ec2.describe_addresses()["Addresses"]
        limits = {each["AttributeName"]: each["AttributeValues"][0]["AttributeValue"] for each in attributes}
        wanted = 1 + (BALANCER_ZONES if self.hosts > 1 else 0)
        needed = max(0, wanted - len(self._own(found)))
        return _compare("addresses", "Elastic IP addresses", int(limits["vpc-max-elastic-ips"]), len(found), needed)

    def check_vpcs(self) -> Row:
        """A VPC is left."""
        limit = self._quota(*VPCS)
        with self.aws.explained():
            found = [vpc for page in self._pages("describe_vpcs") for vpc in page["Vpcs"]]
        return _compare("vpcs", "VPCs", limit, len(found), 0 if self._own(found) else 1)

    def check_vcpus(self) -> Row:
        """The hosts may have their instance type."""
        if not STANDARD_FAMILY.match(self.instance_type):
            return unknown("vcpus", f"the quota of {self.instance_type} is not known here: see Service Quotas")
        limit = self._quota(*STANDARD_VCPUS)
        states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        with self.aws.explained():
            pages = self._pages("describe_instances", Filters=states)
            running = [each for page in pages for group in page["Reservations"] for each in group["Instances"]]
        counted = [each for each in running if STANDARD_FAMILY.match(each["InstanceType"]) and not _is_spot(each)]
        own = self._own(counted)
        size = self._vcpus({self.instance_type, *(each["InstanceType"] for each in counted)})
        # An instance changes its type while it is stopped.
        used = sum(size[each["InstanceType"]] for each in counted if each not in own)
        return _compare("vcpus", "vCPUs of instances", limit, used, self.hosts * size[self.instance_type])

    def check_zones(self) -> Row:
        """Several hosts are in different availability zones, which must offer their instance type."""
        types = [{"Name": "instance-type", "Values": [self.instance_type]}]
        with self.aws.explained():
            pages = self._pages("describe_instance_type_offerings", LocationType="availability-zone", Filters=types)
            zones = sorted(each["Location"] for page in pages for each in page["InstanceTypeOfferings"])
        text, needed = (
            f"{self.instance_type} is offered in {', '.join(zones) or 'no zone'}",
            min(self.hosts, LEAST_ZONES),
        )
        if len(zones) >= needed:
            return ("zones", OK, text)
        form = self.known.environment.shown(self.known.environment.form)
        return ("zones", "NOT ENOUGH", f"{text}, and {self.hosts} hosts need {needed}: change instance_type in {form}")

    def check_backup_region(self) -> Row:
        """The region for a copy of the automated backups exists, is enabled, and takes those of the form's region."""
        name, copy, here = "backup region", self.backup_region, self.aws.region
        form = self.known.environment.shown(self.known.environment.form)
        with self.aws.explained():
            regions = self._ec2.describe_regions(AllRegions=True)["Regions"]
        enabled = {each["RegionName"]: each["OptInStatus"] != "not-opted-in" for each in regions}
        if copy not in enabled:
            return (name, "NOT THERE", f"AWS has no region {copy}: correct backup_region in {form}")
        if not enabled[copy]:
            fix = f"enable it in AWS's console (Account, AWS Regions), or change backup_region in {form}"
            return (name, "NOT ENABLED", f"the account does not use {copy}: {fix}")
        with self.aws.explained():
            sources = self.aws.client("rds", copy).describe_source_regions(RegionName=here)["SourceRegions"]
        if not any(each.get("SupportsDBInstanceAutomatedBackupsReplication") for each in sources):
            return (
                name,
                "NOT SUPPORTED",
                f"RDS copies no backups from {here} to {copy}: change backup_region in {form}",
            )
        return (name, OK, copy)

    def _vcpus(self, types: set[str]) -> dict[str, int]:
        with self.aws.explained():
            pages = self._pages("describe_instance_types", Filters=[{"Name": "instance-type", "Values": sorted(types)}])
            found = [each for page in pages for each in page["InstanceTypes"]]
        size = {each["InstanceType"]: int(each["VCpuInfo"]["DefaultVCpus"]) for each in found}
        if missing := types - size.keys():
            raise Failure(f"AWS does not know the instance type {', '.join(sorted(missing))} in {self.aws.region}")
        return size

    @cached_property
    def _ec2(self) -> Any:
        """One client for all, because the description of this API takes a while to be read."""
        return self.aws.client("ec2")

    def _quota(self, service: str, code: str) -> int:
        with self.aws.explained():
            quotas = self.aws.client("service-quotas")
            return int(quotas.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"])

    def _pages(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        return list(self._ec2.get_paginator(operation).paginate(**arguments))

    def _own(self, resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those of this environment, by the tags that Terraform gives all its resources."""
        tags = ({"Key": "Project", "Value": "herolo"}, {"Key": "Environment", "Value": self.known.environment.name})
        return [each for each in resources if all(tag in each.get("Tags", []) for tag in tags)]

    # --- The Free plan ---

    def check_free_plan(self) -> Row:
        """The form fits AWS's Free plan, if the account has that."""
        with self.aws.explained():
            # An API of one region, for all.
            plan = self.aws.client("freetier", SOMEWHERE).get_account_plan_state()["accountPlanType"]
        if plan != "FREE":
            return ("free plan", OK, "the account has the paid plan")
        changes = list(self._changes_for_free_plan())
        if not changes:
            return ("free plan", OK, "the account has the Free plan, and the form fits it")
        form = self.known.environment.shown(self.known.environment.form)
        fix = f"set {' and '.join(changes)} in {form}, or upgrade the account's plan"
        return ("free plan", WARNING, f"the account has the Free plan, which may refuse that: {fix}")

    def _changes_for_free_plan(self) -> list[str]:
        setting = partial(setting_or_default, self.known.environment)
        with self.aws.explained():
            types = self._ec2.describe_instance_types(InstanceTypes=[self.instance_type])["InstanceTypes"]
        return [
            *([] if types[0]["FreeTierEligible"] else ['instance_type = "t3.small"']),
            *([] if setting("database_class") in FREE_PLAN_DATABASES else ['database_class = "db.t4g.micro"']),
            *([] if int(setting("backup_days")) <= 1 else ["backup_days = 1"]),
        ]


def _is_spot(instance: dict[str, Any]) -> bool:
    return instance.get("InstanceLifecycle") == "spot"


def _compare(name: str, what: str, limit: int, used: int, needed: int) -> Row:
    text = f"{what}: {used} of {limit} used, {needed} needed"
    if used + needed <= limit:
        return (name, OK, text)
    fix = "raise the quota in AWS's console (Service Quotas), or remove what is no longer used"
    return (name, "NOT ENOUGH", f"{text}: {fix}")
