"""A deployment with several hosts, for tests."""

from __future__ import annotations

from typing import Any

from herolo_operator.deployment import Deployment

DOMAIN = "herolo.example.com"
BALANCER = "herolo-prod-1234.elb.eu-central-1.amazonaws.com"
ADDRESSES = ["198.51.100.1", "198.51.100.2"]  # of the balancer


def host(number: int) -> dict[str, Any]:
    """The entry of the output."""
    return {
        "number": number,
        "id": f"i-{number}",
        "address": f"192.0.2.{number}",
        "private_address": f"10.20.0.{number}",
        "zone": f"eu-central-1{'abc'[(number - 1) % 3]}",
    }


def deployment(hosts: int = 3, entry: str = "balancer", provider: str = "none", **others: Any) -> Deployment:
    """What Terraform says of it."""
    groups = {"http": "arn:http", "https": "arn:https"}
    balancer = {"name": BALANCER, "addresses": ADDRESSES, "target_groups": groups} if hosts > 1 else None
    values = {
        "domain": DOMAIN,
        "dns_provider": provider,
        "ssh_user": "admin",
        "replicas": 3,
        "hosts": [host(number) for number in range(1, hosts + 1)],
        "balancer": balancer,
        "entry": entry if hosts > 1 else "host",
        "addresses": ["192.0.2.1"] if hosts == 1 or entry == "host" else ADDRESSES,
        **others,
    }
    return Deployment(values, {"deployment": values, "url": f"https://{DOMAIN}", "dashboard_url": "https://dashboard"})
