"""What a deployment costs, and where its prices come from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from herolo_operator.bill import COUNTED, METRICS_OF_HOST, PRICED, WITHOUT_PRICE, make_bill
from herolo_operator.cost import describe_cost
from herolo_operator.environment import REPOSITORY, Environment
from herolo_operator.plans import Plan
from herolo_operator.prices import EVERYWHERE, FOLDER, load_prices

FRANKFURT = load_prices("eu-central-1")
VIRGINIA = load_prices("us-east-1")


def resource(kind: str, mode: str = "managed", **values: Any) -> dict[str, Any]:
    return {"type": kind, "mode": mode, "values": values}


def host(kind: str = "t3.small", gib: int = 20) -> dict[str, Any]:
    return resource("aws_instance", instance_type=kind, root_block_device=[{"volume_size": gib}])


def database(kind: str = "db.t4g.small", gib: int = 20, *, multi_az: bool = False) -> dict[str, Any]:
    return resource("aws_db_instance", instance_class=kind, allocated_storage=gib, multi_az=multi_az)


def alarms(number: int, namespace: str = "AWS/EC2") -> list[dict[str, Any]]:
    names = [f"{namespace}-{n}" for n in range(number)]
    return [resource("aws_cloudwatch_metric_alarm", namespace=namespace, metric_name=name) for name in names]


def plan(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Plan:
    document = {"planned_values": {"root_module": {"resources": after}}}
    if before:
        document["prior_state"] = {"values": {"root_module": {"resources": before}}}
    return Plan(document)


def amounts(*resources: dict[str, Any], prices: Any = FRANKFURT) -> dict[str, float | None]:
    return {item.name: item.monthly for item in make_bill(resources, prices).items}


def test_each_item_has_its_price() -> None:
    items = amounts(host(), resource("aws_eip"), database())
    assert items["host, t3.small"] == pytest.approx(17.52)
    assert items["host's disk, 20 GiB gp3"] == pytest.approx(1.904)
    assert items["host's public IPv4 address"] == pytest.approx(3.65)
    assert items["database, db.t4g.small, single-AZ"] == pytest.approx(27.01)
    assert items["database's disk, 20 GiB gp3, and backups up to that size"] == pytest.approx(2.74)


def test_a_standby_is_charged_for_as_aws_does_or_else_twice() -> None:
    name = "database, db.t4g.small, multi-AZ"
    assert amounts(database(multi_az=True), prices=VIRGINIA)[name] == pytest.approx(47.45)
    assert amounts(database(multi_az=True))[name] == pytest.approx(2 * 27.01)
    disk = "database's disk, 50 GiB gp3, and backups up to that size"
    assert amounts(database(gib=50, multi_az=True))[disk] == pytest.approx(13.7)


def test_what_is_beyond_the_free_tier_has_a_price() -> None:
    assert amounts(*alarms(10)) == {"10 alarms, within the free tier": 0}
    assert amounts(*alarms(13)) == {"13 alarms, 10 of them free": pytest.approx(0.3)}
    assert amounts(resource("aws_cloudwatch_dashboard")) == {"1 dashboard, within the free tier": 0}


def test_each_host_has_metrics_an_address_and_a_disk() -> None:
    hosts = [{**host(), "index": number} for number in ("1", "2", "3")]
    items = make_bill([*hosts, resource("aws_eip")], FRANKFURT).items
    assert {item.name: item.monthly for item in items}["24 metrics, 10 of them free"] == pytest.approx(14 * 0.3)
    names = [item.name for item in items]
    for name in ("host, t3.small", "host's disk, 20 GiB gp3", "host's public IPv4 address"):
        assert names.count(name) == 3, name


def test_a_balancer_is_charged_for_with_its_addresses() -> None:
    parts = ("aws_lb_listener", "aws_lb_target_group", "aws_lb_target_group_attachment")
    address = {**resource("aws_eip"), "name": "balancer"}
    items = make_bill([resource("aws_lb"), address, address, *map(resource, parts)], FRANKFURT).items
    assert [(item.name, item.monthly) for item in items] == [
        ("balancer, without its traffic", pytest.approx(19.71)),
        ("balancer's public IPv4 address", pytest.approx(3.65)),
        ("balancer's public IPv4 address", pytest.approx(3.65)),
    ]


def test_the_metrics_of_a_host_are_those_of_its_collector() -> None:
    collector = (REPOSITORY / "ansible/roles/monitoring/files/collector.py").read_text(encoding="utf-8")
    found = re.search(r"^METRICS = (\{.*?^\})", collector, re.MULTILINE | re.DOTALL)
    assert found and found.group(1).count(": ") == METRICS_OF_HOST


def test_route_53_is_charged_for_where_it_is_used() -> None:
    assert amounts(resource("aws_route53_record")) == {"hosted zone in Route 53": 0.5}
    check = resource("aws_route53_health_check", type="HTTPS", request_interval=30)
    assert amounts(check) == {"health check from outside": 1.5}
    options = {"type": "HTTPS_STR_MATCH", "request_interval": 10, "measure_latency": True}
    assert amounts(resource("aws_route53_health_check", **options)) == {"health check from outside": 4.5}


def test_a_price_that_is_not_known_is_named_and_not_counted() -> None:
    bill = make_bill([host("m9z.huge"), database(), resource("aws_new_thing"), resource("aws_vpc")], FRANKFURT)
    assert bill.unknown == ["host, m9z.huge", "aws_new_thing"]
    assert bill.total == pytest.approx(1.904 + 27.01 + 2.74)


def test_a_region_without_a_table_has_unknown_prices() -> None:
    bill = make_bill([host(), resource("aws_eip")], load_prices("xx-nowhere-1"))
    assert bill.unknown == ["host, t3.small", "host's disk, 20 GiB gp3"]
    assert bill.total == pytest.approx(3.65)


def test_a_size_that_aws_decides_is_unknown() -> None:
    restored = resource("aws_db_instance", instance_class="db.t4g.small", allocated_storage=None)
    assert make_bill([restored], FRANKFURT).unknown == ["database's disk, ? GiB gp3, and backups up to that size"]


def test_data_sources_cost_nothing() -> None:
    assert amounts(resource("aws_instance", mode="data"), resource("aws_route53_record", mode="data")) == {}


def test_a_plan_says_what_it_costs_and_what_is_paid_now(environment: Environment) -> None:
    environment.form.write_text('region = "eu-central-1"\n')
    assert describe_cost(plan([], [host()]), environment) == "19 USD a month (now 0)"
    assert describe_cost(plan([host()], [host("t3.large")]), environment) == "72 USD a month (now 19)"
    incomplete = describe_cost(plan([host("x.y")], [host("x.y"), database()]), environment)
    assert incomplete == "at least 32 USD a month (now at least 2); no price is known of: host, x.y"


def test_every_resource_has_a_price_or_is_known_to_have_none() -> None:
    kinds = {
        kind
        for file in (REPOSITORY / "infra").glob("*.tf")
        for kind in re.findall(r'^resource "(\w+)"', file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert kinds - set(PRICED) - WITHOUT_PRICE - COUNTED == set()


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.toml")), ids=lambda file: file.stem)
def test_every_table_has_a_date_and_its_sources(file: Path) -> None:
    prices = load_prices(file.stem)
    assert prices.date.year >= 2026
    assert "sources" in file.read_text(encoding="utf-8")
    if file.stem != EVERYWHERE:
        assert {"instance_hour", "database_hour", "month", "usage"} <= set(prices.tables)
    assert all(0 < price < 100 for table in prices.tables.values() for price in table.values())


# --- The table of docs/operate.md ---


def default_of(name: str) -> str:
    text = (REPOSITORY / "infra/variables.tf").read_text(encoding="utf-8")
    found = re.search(rf'^variable "{name}" \{{.*?^  default +=\s+(.*?)$', text, re.MULTILINE | re.DOTALL)
    assert found, name
    return found.group(1).strip('"')


def example() -> list[dict[str, Any]]:
    """What the sizes of the example form make, which are the defaults."""
    return [
        host(default_of("instance_type"), int(default_of("disk_gib"))),
        resource("aws_eip"),
        database(default_of("database_class"), int(default_of("database_storage_gib"))),
    ]


def test_the_table_in_the_guide_has_these_prices() -> None:
    guide = (REPOSITORY / "docs/operate.md").read_text(encoding="utf-8")
    bill = make_bill(example(), FRANKFURT)
    rows = [f"| {item.name} | {item.monthly:.2f} |" for item in bill.items]
    missing = [row for row in (*rows, f"| **total** | **{bill.total:.2f}** |") if row not in guide]
    assert not missing, "these rows of its table Cost are missing:\n" + "\n".join(missing)
    assert f"prices of {FRANKFURT.date}" in guide


def test_the_trial_costs_what_the_guide_says() -> None:
    bill = make_bill([host(), resource("aws_eip"), database("db.t4g.micro")], FRANKFURT)
    assert f"about {bill.total:.0f} USD a month" in (REPOSITORY / "docs/operate.md").read_text(encoding="utf-8")


def several(hosts: int) -> list[dict[str, Any]]:
    """What the example form makes with several hosts."""
    made = [
        {**host(default_of("instance_type"), int(default_of("disk_gib"))), "index": str(n + 1)} for n in range(hosts)
    ]
    made += [resource("aws_eip"), *({**resource("aws_eip"), "name": "balancer"} for _ in range(3)), resource("aws_lb")]
    made += [database(default_of("database_class"), int(default_of("database_storage_gib")), multi_az=True)]
    made += [resource("aws_route53_health_check", type="HTTPS", request_interval=30)]
    return [*made, *alarms(9 * hosts + 7)]


@pytest.mark.parametrize(("hosts", "words"), [(2, "about {} USD a month, with 3"), (3, "with 3 about {} USD")])
def test_several_hosts_cost_what_the_guide_says(hosts: int, words: str) -> None:
    guide = (REPOSITORY / "docs/operate.md").read_text(encoding="utf-8")
    assert words.format(f"{make_bill(several(hosts), FRANKFURT).total:.0f}") in guide
