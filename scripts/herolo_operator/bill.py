"""What the resources of a plan or a state cost in a month. A resource whose price is not known is named rather than
counted as free."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .prices import Prices

HOURS = 730  # in a month, as in AWS's own estimates
FREE_ALARMS, FREE_METRICS, FREE_DASHBOARDS = 10, 10, 3  # of an account
FIRST_HOST = "1"  # whose public address is a resource of its own
BALANCER = "balancer, without its traffic"
METRICS_OF_HOST = 8  # that the collector on each host writes (ansible/roles/monitoring/files/collector.py)

# Resources without a price of their own; what logs, e-mails, traffic and copies of backups cost depends on their use.
WITHOUT_PRICE = {
    *("aws_vpc", "aws_subnet", "aws_internet_gateway", "aws_route", "aws_route_table", "aws_route_table_association"),
    *("aws_default_security_group", "aws_security_group", "aws_security_group_rule", "aws_key_pair"),
    *("aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"),
    *("aws_iam_instance_profile", "aws_iam_role", "aws_iam_role_policy"),
    *("aws_db_parameter_group", "aws_db_subnet_group", "aws_cloudwatch_log_group"),
    "aws_db_instance_automated_backups_replication",
    *("aws_sns_topic", "aws_sns_topic_subscription"),
    *("aws_lb_listener", "aws_lb_target_group", "aws_lb_target_group_attachment"),
}


@dataclass(frozen=True)
class Item:
    """A line of a bill."""

    name: str
    monthly: float | None  # USD, or None if the price is not known


@dataclass(frozen=True)
class Bill:
    """The items of a deployment."""

    items: tuple[Item, ...] = ()

    @property
    def total(self) -> float:
        """USD a month for the items whose prices are known."""
        return sum(item.monthly or 0 for item in self.items)

    @property
    def has_balancer(self) -> bool:
        """Whether traffic passes through a balancer, which is charged for."""
        return any(item.name == BALANCER for item in self.items)

    @property
    def unknown(self) -> list[str]:
        """The items whose prices are not known."""
        return [item.name for item in self.items if item.monthly is None]


def make_bill(resources: Sequence[dict[str, Any]], prices: Prices) -> Bill:
    """The bill of Terraform's resources, as `terraform show -json` lists them."""
    managed = [resource for resource in resources if resource["mode"] == "managed"]
    items = [item for resource in managed for item in _price_resource(resource, prices)]
    return Bill((*items, *_price_counted(managed, prices)))


def _price_resource(resource: dict[str, Any], prices: Prices) -> Iterator[Item]:
    kind = resource["type"]
    if kind in PRICED:
        yield from PRICED[kind](resource, prices)
    elif kind not in WITHOUT_PRICE and kind not in COUNTED:
        yield Item(kind, None)


def _host(resource: dict[str, Any], prices: Prices) -> Iterator[Item]:
    values = resource["values"]
    kind = values["instance_type"]
    yield Item(f"host, {kind}", _times(prices.find("instance_hour", kind), HOURS))
    for disk in values.get("root_block_device") or ():
        gib = disk.get("volume_size")
        yield Item(f"host's disk, {gib or '?'} GiB gp3", _times(prices.find("month", "host_disk_gib"), gib))
    if resource.get("index", FIRST_HOST) != FIRST_HOST:
        yield from _address(resource, prices)


def _address(resource: dict[str, Any], prices: Prices) -> Iterator[Item]:
    owner = "balancer" if resource.get("name") == "balancer" else "host"
    yield Item(f"{owner}'s public IPv4 address", _times(prices.find("hour", "public_ipv4"), HOURS))


def _balancer(_resource: dict[str, Any], prices: Prices) -> Iterator[Item]:
    yield Item(BALANCER, _times(prices.find("hour", "balancer"), HOURS))


def _database(resource: dict[str, Any], prices: Prices) -> Iterator[Item]:
    values = resource["values"]
    kind, gib, copies = values["instance_class"], values.get("allocated_storage"), 2 if values.get("multi_az") else 1
    hourly = prices.find("database_hour", kind)
    if copies == 2:  # AWS charges for both instances, rounded together
        hourly = prices.find("database_multi_az_hour", kind) or _times(hourly, copies)
    zones = "multi-AZ" if copies == 2 else "single-AZ"
    yield Item(f"database, {kind}, {zones}", _times(hourly, HOURS))
    disk = _times(_times(prices.find("month", "database_disk_gib"), gib), copies)
    yield Item(f"database's disk, {gib or '?'} GiB gp3, and backups up to that size", disk)


def _health_check(resource: dict[str, Any], prices: Prices) -> Iterator[Item]:
    values = resource["values"]
    options = (
        values["type"].startswith("HTTPS"),
        values["type"].endswith("STR_MATCH"),
        values.get("request_interval") == 10,
        values.get("measure_latency"),
    )
    check, option = prices.find("month", "health_check"), prices.find("month", "health_check_option")
    known = None if check is None or option is None else check + option * sum(map(bool, options))
    yield Item("health check from outside", known)


def _price_counted(resources: Sequence[dict[str, Any]], prices: Prices) -> Iterator[Item]:
    """What is free up to a number."""
    alarms = [r for r in resources if r["type"] == "aws_cloudwatch_metric_alarm"]
    hosts = [r for r in resources if r["type"] == "aws_instance"]
    dashboards = [r for r in resources if r["type"] == "aws_cloudwatch_dashboard"]
    yield from _beyond("alarm", len(alarms), FREE_ALARMS, prices)
    yield from _beyond("metric", METRICS_OF_HOST * len(hosts), FREE_METRICS, prices)
    yield from _beyond("dashboard", len(dashboards), FREE_DASHBOARDS, prices)
    if any(r["type"] == "aws_route53_record" for r in resources):
        yield Item("hosted zone in Route 53", prices.find("month", "hosted_zone"))


def _beyond(name: str, number: int, free: int, prices: Prices) -> Iterator[Item]:
    if number:
        included = "within the free tier" if number <= free else f"{free} of them free"
        plural = f"{number} {name}" + ("" if number == 1 else "s")
        yield Item(f"{plural}, {included}", _times(prices.find("month", name), max(0, number - free)))


def _times(price: float | None, quantity: float | None) -> float | None:
    """Unknown if either is: AWS may have to decide a quantity first."""
    return None if price is None or quantity is None else price * quantity


PRICED: dict[str, Callable[[dict[str, Any], Prices], Iterator[Item]]] = {
    "aws_instance": _host,
    "aws_eip": _address,
    "aws_lb": _balancer,
    "aws_db_instance": _database,
    "aws_route53_health_check": _health_check,
}
COUNTED = {"aws_cloudwatch_metric_alarm", "aws_cloudwatch_dashboard", "aws_route53_record"}
