"""Reading AWS's Price List."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from herolo_operator.console import Failure
from herolo_operator.price_list import DATABASES, PriceList, write_prices
from herolo_operator.prices import load_prices

METADATA = """\
"FormatVersion","v1.0"
"Disclaimer","This pricing list is for informational purposes only."
"Publication Date","{date}T02:29:30Z"
"Version","20261001022930"
"OfferCode","{service}"
"""
COLUMNS = (
    *("SKU", "TermType", "StartingRange", "PricePerUnit", "Currency", "usageType", "operation"),
    *("Instance Type", "Database Engine"),
)


def row(usage_type: str, price: str, **others: str) -> str:
    values = {"SKU": "X", "TermType": "OnDemand", "StartingRange": "0", "Currency": "USD"}
    values |= {"usageType": usage_type, "PricePerUnit": price}
    values |= {name.replace("_", " "): value for name, value in others.items()}
    return ",".join(f'"{values.get(column, "")}"' for column in COLUMNS)


def price_list(service: str, *rows: str, date: str = "2026-10-01") -> str:
    header = ",".join(f'"{column}"' for column in COLUMNS)
    return METADATA.format(date=date, service=service) + "\n".join((header, *rows)) + "\n"


HOST = {"operation": "RunInstances", "Instance_Type": "t3.small"}
DATABASE = {"Instance_Type": "db.m7g.xlarge", "Database_Engine": "MySQL"}
LISTS = {
    "AmazonEC2": price_list(
        "AmazonEC2",
        row("EUC1-BoxUsage:t3.small", "0.0240000000", **HOST),
        row("EUC1-BoxUsage:t3.small", "0.0424000000", **{**HOST, "operation": "RunInstances:0002"}),  # Windows
        row("EUC1-BoxUsage:t3.small", "0.0150000000", **HOST, TermType="Reserved"),
        row("EUC1-UnusedBox:t3.small", "0.0250000000", **HOST),
        row("EUC1-BoxUsage:p5.48xlarge", "60", operation="RunInstances", Instance_Type="p5.48xlarge"),
        row("EUC1-EBS:VolumeUsage.gp3", "0.0952000000"),
    ),
    "AmazonRDS": price_list(
        "AmazonRDS",
        row("EUC1-InstanceUsage:db.m7g.xl", "0.4", **DATABASE),
        row("EUC1-InstanceUsage:db.m7g.xl", "0.5", **{**DATABASE, "Database_Engine": "PostgreSQL"}),
        row("EUC1-Multi-AZUsage:db.m7g.xl", "0.8", **DATABASE),
        row("EUC1-Multi-AZClusterUsage:db.m7g.xl", "1.2", **DATABASE),
        row("EUC1-RDS:GP3-Storage", "0.137", Database_Engine="MySQL"),
        row("EUC1-RDS:Multi-AZ-GP3-Storage", "0.274", Database_Engine="MySQL"),
        date="2026-09-30",
    ),
    "AWSELB": price_list(
        "AWSELB",
        row("EUC1-LoadBalancerUsage", "0.03", operation="LoadBalancing"),
        row("EUC1-LoadBalancerUsage", "0.027", operation="LoadBalancing:Network"),
        row("EUC1-LCUUsage", "0.008", operation="LoadBalancing:Application"),
        row("EUC1-LCUUsage", "0.006", operation="LoadBalancing:Network"),
    ),
    "AmazonCloudWatch": price_list(
        "AmazonCloudWatch", row("EUC1-DataProcessing-Bytes", "0"), row("EUC1-DataProcessing-Bytes", "0.63")
    ),
    "AWSDataTransfer": price_list(
        "AWSDataTransfer",
        row("EUC1-DataTransfer-Out-Bytes", "0.085", StartingRange="10240"),
        row("EUC1-DataTransfer-Out-Bytes", "0.09"),
    ),
}


def test_a_table_is_written_from_the_lists_of_a_region(tmp_path: Path) -> None:
    for service, text in LISTS.items():
        folder = tmp_path / service / "eu-central-1"
        folder.mkdir(parents=True)
        (folder / "index.csv").write_text(text, encoding="utf-8")
    (tmp_path / "everywhere.toml").write_text("date = 2026-10-05\n")
    write_prices("eu-central-1", tmp_path, f"file://{tmp_path}/{{service}}/{{region}}/index.csv")
    prices = load_prices("eu-central-1", tmp_path)
    assert prices.date.isoformat() == "2026-09-30"
    assert prices.tables == {
        "instance_hour": {"t3.small": 0.024},
        "database_hour": {"db.m7g.xlarge": 0.4},
        "database_multi_az_hour": {"db.m7g.xlarge": 0.8},
        "month": {"host_disk_gib": 0.0952, "database_disk_gib": 0.137},
        "hour": {"balancer": 0.027},
        "usage": {"log_gib": 0.63, "traffic_gib": 0.09, "balancer_unit": 0.006},
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("<html>\n", "it has no column SKU"),
        ('"SKU","TermType"\n', "it has no column Currency, PricePerUnit, StartingRange, usageType"),
        (price_list("AmazonEC2", date="soon"), "it has no publication date"),
    ],
)
def test_something_else_than_a_price_list_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(Failure, match=f"not the price list of AmazonEC2: {complaint}"):
        PriceList().read("AmazonEC2", text.splitlines())


def test_lists_without_instances_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(price_list("AmazonEC2"), encoding="utf-8")
    with pytest.raises(Failure, match="no prices of instances: has their format changed"):
        write_prices("eu-central-1", tmp_path, f"file://{tmp_path}/list")
    assert [path.name for path in tmp_path.iterdir()] == ["list"]


def test_a_list_out_of_reach_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"cannot be read .*fix the network or the region"):
        write_prices("eu-central-1", tmp_path, f"file://{tmp_path}/none/{{service}}/{{region}}")
    assert not list(tmp_path.iterdir())


def test_a_word_that_is_no_region_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=re.escape("'Frankfurt' is not a region: make prices REGION=eu-central-1")):
        write_prices("Frankfurt", tmp_path)


def test_the_largest_databases_of_a_family_are_taken_too() -> None:
    assert DATABASES.fullmatch("db.r6g.16xlarge") and DATABASES.fullmatch("db.t4g.small")
    assert not DATABASES.fullmatch("db.r6gd.16xlarge")
