"""What an environment costs in a month: what is deployed, and what the saved plan would make of it."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .bill import HOURS, Bill, make_bill
from .cloud import Cloud
from .console import Failure, step
from .environment import Environment, Options
from .form import setting_of
from .plans import Plan
from .prices import Prices, load_prices

BALANCER_UNIT = "balancer_unit"
USAGE = (
    ("log_gib", "GB of logs beyond the account's free 5 GB"),
    ("backup_gib", "GiB of backups and snapshots beyond the size of the database"),
    ("traffic_gib", "GB of outbound traffic beyond the account's free 100 GB"),
    (BALANCER_UNIT, "GB through the balancer in an hour, or 800 new connections a second, or 100,000 open ones"),
)
UNKNOWN = "unknown"


def describe_cost(plan: Plan, environment: Environment) -> str:
    """One line, such as "55 USD a month (now 40)"."""
    prices = load_prices(setting_of(environment, "region"))
    bill, now = make_bill(plan.resources, prices), make_bill(plan.resources_before, prices)
    unknown = f"; no price is known of: {', '.join(bill.unknown)}" if bill.unknown else ""
    before = f"{_at_least(now)}{now.total:.0f}"
    return f"{_at_least(bill)}{bill.total:.0f} USD a month (now {before}){unknown}"


def show_cost(environment: Environment, options: Options, *, as_json: bool) -> None:
    """Prints what is deployed and what is planned, item by item."""
    cloud = Cloud(environment, options)
    prices = load_prices(setting_of(environment, "region"))
    deployed = make_bill(cloud.state().resources, prices)
    planned = make_bill(cloud.saved_plan().resources, prices) if environment.plan.is_file() else None
    if not deployed.items and not planned:
        name = environment.name
        raise Failure(f"{name} is neither deployed nor planned: 'make plan ENV={name}' shows what it would cost, too")
    if as_json:
        print(json.dumps(_as_document(environment, prices, deployed, planned), indent=2))
        return
    _print_table(deployed, planned)
    step(f"prices of {prices.date} in {prices.region}, on demand, without tax, for a month of {HOURS} hours")
    for name, unit in USAGE:
        if name == BALANCER_UNIT and not any(bill.has_balancer for bill in (deployed, planned) if bill):
            continue
        price = prices.find("usage", name)
        step(f"not included: {UNKNOWN if price is None else f'{price:.3g} USD'} for each {unit}")
    if unknown := sorted({*deployed.unknown, *(planned.unknown if planned else ())}):
        step(
            f"the sum is incomplete, since no price is known of: {', '.join(unknown)}; 'make prices "
            f"REGION={prices.region}' reads AWS's price list"
        )


def _at_least(bill: Bill) -> str:
    return "at least " if bill.unknown else ""


def _print_table(deployed: Bill, planned: Bill | None) -> None:
    table = Table(box=None, padding=(0, 1), pad_edge=True, header_style="")
    table.add_column("USD a month")
    table.add_column("deployed", justify="right")
    if planned:
        table.add_column("planned", justify="right")
    bills = [deployed, *([planned] if planned else [])]
    for name in dict.fromkeys(item.name for bill in bills for item in bill.items):
        table.add_row(Text(name), *(Text(_amount_of(name, bill)) for bill in bills))
    table.add_row("total", *(Text(f"{_at_least(bill)}{bill.total:.2f}") for bill in bills))
    Console(highlight=False, soft_wrap=True).print(table)


def _amount_of(name: str, bill: Bill) -> str:
    amounts = [item.monthly for item in bill.items if item.name == name]
    if not amounts:
        return "-"
    return UNKNOWN if None in amounts else f"{sum(amount or 0 for amount in amounts):.2f}"


def _as_document(environment: Environment, prices: Prices, deployed: Bill, planned: Bill | None) -> dict[str, object]:
    return {
        "environment": environment.name,
        "region": prices.region,
        "prices_of": prices.date.isoformat(),
        "currency": "USD",
        "deployed": _bill_as_document(deployed),
        "planned": _bill_as_document(planned) if planned else None,
        "usage": {name: prices.find("usage", name) for name, _ in USAGE},
    }


def _bill_as_document(bill: Bill) -> dict[str, object]:
    return {
        "total": round(bill.total, 2),
        "complete": not bill.unknown,
        "items": [
            {"name": item.name, "monthly": None if item.monthly is None else round(item.monthly, 2)}
            for item in bill.items
        ],
    }
