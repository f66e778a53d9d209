"""Writes the table of a region's prices from AWS's public Price List, which needs no account. The files are CSV: some
rows of metadata, a row with the names of the columns, and a row for each price (AWS Billing, User Guide: "Reading the
service price list file for AWS services"). They have up to some hundred megabytes, so they are read as a stream."""

from __future__ import annotations

import csv
import http.client
import io
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .console import Failure, step
from .prices import FOLDER

URL = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/{service}/current/{region}/index.csv"
TIMEOUT = 60  # seconds without data
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
PREFIX = r"(?:[A-Z]{2,4}[0-9]?-)?"  # of the region, such as EUC1-
SIZES = r"\.(micro|small|medium|large|[0-9]*xlarge)"
HOSTS = re.compile(rf"(t3a?|[cmr][5-8][ai]?){SIZES}")
DATABASES = re.compile(rf"db\.(t3|t4g|[mr][5-8]g?){SIZES}")
COLUMNS = {"TermType", "StartingRange", "PricePerUnit", "Currency", "usageType"}
TABLES = ("instance_hour", "database_hour", "database_multi_az_hour", "hour", "month", "usage")


@dataclass(frozen=True)
class Rule:
    """Which rows of a price list belong to an entry of the table."""

    table: str
    usage_type: str  # without the prefix of the region
    entry: str | re.Pattern[str]  # its name, or which values of "Instance Type" are names
    others: tuple[tuple[str, str], ...] = ()  # columns with their values


LINUX = (("operation", "RunInstances"),)
MYSQL = (("Database Engine", "MySQL"),)
NETWORK_BALANCER = (("operation", "LoadBalancing:Network"),)
RULES = {
    "AmazonEC2": (
        Rule("instance_hour", r"BoxUsage:.*", HOSTS, LINUX),
        Rule("month", r"EBS:VolumeUsage\.gp3", "host_disk_gib"),
    ),
    "AmazonRDS": (
        Rule("database_hour", r"InstanceUsage:.*", DATABASES, MYSQL),
        Rule("database_multi_az_hour", r"Multi-AZUsage:.*", DATABASES, MYSQL),
        Rule("month", r"RDS:GP3-Storage", "database_disk_gib", MYSQL),
        Rule("usage", r"RDS:ChargedBackupUsage", "backup_gib", MYSQL),
    ),
    "AWSELB": (
        Rule("hour", r"LoadBalancerUsage", "balancer", NETWORK_BALANCER),
        Rule("usage", r"LCUUsage", "balancer_unit", NETWORK_BALANCER),
    ),
    "AmazonCloudWatch": (Rule("usage", r"DataProcessing-Bytes", "log_gib"),),
    "AWSDataTransfer": (Rule("usage", r"DataTransfer-Out-Bytes", "traffic_gib"),),
}


class PriceList:
    """What was read for a region so far."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, float]] = {name: {} for name in TABLES}
        self.sources: list[str] = []
        self.dates: list[str] = []

    def read(self, service: str, lines: Iterable[str]) -> None:
        """Adds one service; fails if that is not its price list."""
        rows, metadata = csv.reader(lines), {}
        for row in rows:
            if "SKU" in row:
                break
            metadata[row[0]] = row[1] if len(row) > 1 else ""
        else:
            raise Failure(f"that is not the price list of {service}: it has no column SKU")
        if missing := sorted(COLUMNS - set(row)):
            raise Failure(f"that is not the price list of {service}: it has no column {', '.join(missing)}")
        date = metadata.get("Publication Date", "")[:10]
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
            raise Failure(f"that is not the price list of {service}: it has no publication date")
        self.dates.append(date)
        self.sources.append(f"AWS Price List, {service}, version {metadata.get('Version', '?')}")
        for values in rows:
            self._add(service, dict(zip(row, values)))

    def _add(self, service: str, row: dict[str, str]) -> None:
        if row["TermType"] != "OnDemand" or row["Currency"] != "USD" or row["StartingRange"] not in ("0", ""):
            return
        for rule in RULES[service]:
            name, price = _find_entry(rule, row), float(row["PricePerUnit"])
            if name and price > 0:  # a free amount is a row of its own, at 0
                self.tables[rule.table].setdefault(name, price)

    def as_toml(self, region: str) -> str:
        """The content of the region's file."""
        lines = [f"# Prices in USD without tax, on demand, in {region}. `make prices REGION={region}` wrote this file."]
        lines += ["", f"date = {min(self.dates)}", "sources = ["]
        lines += [f'    "{source}",' for source in self.sources] + ["]"]
        for name, table in self.tables.items():
            lines += ["", f"[{name}]"] if table else []
            lines += [f'"{entry}" = {price:.10g}' for entry, price in sorted(table.items())]
        return "\n".join(lines) + "\n"


def _find_entry(rule: Rule, row: dict[str, str]) -> str:
    """The name of the entry to which the row belongs, or ""."""
    if not re.fullmatch(PREFIX + rule.usage_type, row["usageType"]):
        return ""
    if any(row.get(column) != value for column, value in rule.others):
        return ""
    if isinstance(rule.entry, str):
        return rule.entry
    name = row.get("Instance Type", "")
    return name if rule.entry.fullmatch(name) else ""


def write_prices(region: str, folder: Path = FOLDER, url: str = URL) -> Path:
    """Reads the price lists of a region and replaces its file."""
    if not REGION.fullmatch(region):
        raise Failure(f"'{region}' is not a region: make prices REGION=eu-central-1")
    prices = PriceList()
    for service in RULES:
        address = url.format(service=service, region=region)
        step(f"reading {address}")
        try:
            with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:
                prices.read(service, io.TextIOWrapper(answer, encoding="utf-8", newline=""))
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise Failure(f"{address} cannot be read ({reason}): fix the network or the region") from error
    if not prices.tables["instance_hour"] or not prices.tables["database_hour"]:
        raise Failure(f"the price lists of {region} have no prices of instances: has their format changed?")
    path = folder / f"{region}.toml"
    new = path.with_name(f"{path.name}.new")
    new.write_text(prices.as_toml(region), encoding="utf-8")
    new.replace(path)
    return path


def main(arguments: Sequence[str]) -> int:
    """`make prices`."""
    try:
        path = write_prices(arguments[0] if arguments else "")
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted: nothing was changed", file=sys.stderr)
        return 130
    step(f"wrote {os.path.relpath(path)}: compare it with git diff")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
