"""Shows what is deployed: its state, its logs, and a shell on a host."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import console, process
from .alarms import show_alarms
from .aws import Aws
from .backups import show_backups
from .balancer import show_balancer
from .cloud import Cloud, read_deployment
from .console import Failure
from .deployment import Deployment
from .environment import Environment, Options
from .form import check_form
from .host import SSH_FAILED, Host, choose_hosts, require_host

Row = tuple[str, str, str]  # name, state, details

UNREACHABLE: Row = ("host", "NOT REACHABLE", "SSH does not answer: is your address in ssh_cidrs?")
UNKNOWN: Row = ("host", "NOT WELL", "SSH answers, but its checks do not run there: the reason is above")
# In the line of one of several hosts, if nothing is wrong with it.
SHOWN = ("service", "certificate", "disk")
# Beside that line, although nothing is wrong.
NOTED = ("drain", "updates")
LOGS = """
trap 'kill 0' INT TERM HUP
for service in herolo_api edge_traefik; do
  docker service logs --timestamps --tail {tail} {follow} $service 2>&1 &
done
wait
"""


def reach_hosts(environment: Environment, options: Options) -> tuple[Deployment, list[Host]]:
    """The deployment, and the host that HOST names, or all."""
    require_host(options)
    check_form(environment)
    deployment = read_deployment(Cloud(environment, options))
    return deployment, choose_hosts(deployment, environment, options)


def show_status(environment: Environment, options: Options, *, as_json: bool) -> None:
    """A table, or a JSON document; fails if there is a fault."""
    process.require_command("curl", "install curl and run this again")
    deployment, hosts = reach_hosts(environment, options)
    found = {host.number: ask_host(host) for host in hosts}
    shared = [request_from_outside(deployment, options)]
    aws = Aws(environment)
    backups = show_backups(environment, aws, deployment.database["host"].partition(".")[0])
    dashboard: Row = ("dashboard", "", deployment.outputs["dashboard_url"])
    end = [*show_balancer(deployment, environment), *backups, *show_alarms(aws), dashboard]
    if as_json:
        document = as_document(environment.name, deployment, shared, found, end)
        print(json.dumps(document, indent=2))
        healthy = bool(document["healthy"])
    else:
        print(f"{environment.name}: {deployment.domain} at {', '.join(deployment.addresses)}\n")
        rows = [*shared, *_rows_of_hosts(hosts, found), *end]
        console.print_rows(rows, [is_fault(row) for row in rows])
        healthy = not any(is_fault(row) for row in rows)
    if not healthy:
        raise Failure("there is a fault, marked NOT: see 'When something is wrong' in docs/operate.md")


def _rows_of_hosts(hosts: Sequence[Host], found: dict[int, list[Row]]) -> list[Row]:
    """All rows of one host. Of several, a line for each, and what is wrong or due there."""
    if len(hosts) == 1:
        return found[hosts[0].number]
    return [row for host in hosts for row in summarise(host, found[host.number])]


def summarise(host: Host, rows: list[Row]) -> list[Row]:
    """The line of one of several hosts, and the rows that it does not cover."""
    name, faults = f"host {host.number}", [row for row in rows if is_fault(row)]
    place = " ".join(part for part in (host.instance, host.zone, host.address) if part)
    if rows in ([UNREACHABLE], [UNKNOWN]):
        return [(name, rows[0][1], f"{place}: {rows[0][2]}")]
    shown = [f"{row[0]} {row[1]}" for row in rows if row[0] in SHOWN and not is_fault(row)]
    others = [row for row in rows if is_fault(row) or row[0] in NOTED]
    line: Row = (name, "NOT WELL" if faults else "well", "; ".join([place, *shown]))
    return [line, *((f"{name}, {row[0]}", row[1], row[2]) for row in others)]


def is_fault(row: Row) -> bool:
    """By its state."""
    return row[1].startswith("NOT ")


def as_document(
    name: str, deployment: Deployment, shared: list[Row], found: dict[int, list[Row]], end: list[Row]
) -> dict[str, object]:
    """For programs: all checks, and those of hosts with the host's number."""
    checks = [
        *(_as_check(row) for row in shared),
        *({**_as_check(row), "host": number} for number, rows in found.items() for row in rows),
        *(_as_check(row) for row in end),
    ]
    return {
        "environment": name,
        "domain": deployment.domain,
        "address": deployment.addresses[0],
        "addresses": deployment.addresses,
        "hosts": deployment.hosts,
        "healthy": all(check["healthy"] for check in checks),
        "checks": checks,
    }


def _as_check(row: Row) -> dict[str, object]:
    return {"name": row[0], "state": row[1], "details": row[2], "healthy": not is_fault(row)}


def request_from_outside(deployment: Deployment, options: Options) -> Row:
    """Connects by the domain name, as clients do."""
    arguments = ["--silent", "--show-error", "--max-time", "10", "--output", "/dev/null"]
    arguments += ["--write-out", "%{http_code} in %{time_total} s"]
    if options.curl_config:
        arguments += ["--config", options.curl_config]
    if "staging" in deployment.acme["directory"]:  # whose certificates nothing trusts
        arguments.append("--insecure")
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        result = process.run(
            ["curl", *arguments, f"https://{deployment.domain}/livez"],
            capture=True,
            log=errors,
        )
        errors.seek(0)
        reason = errors.readline().strip()
    if result.succeeded and result.output.startswith("200"):
        return ("https", "answers", result.output)
    return ("https", "NOT WELL", reason or result.output)


def ask_host(host: Host) -> list[Row]:
    """What on_host.py finds there."""
    script = Path(__file__).with_name("on_host.py").read_text(encoding="utf-8")
    result = host.read(script, "python3 -")
    if result.status == SSH_FAILED:
        return [UNREACHABLE]
    try:
        rows = json.loads(result.output)
    except ValueError:
        return [UNKNOWN]
    return [(str(name), str(state), str(details)) for name, state, details in rows]


def show_logs(environment: Environment, options: Options) -> int:
    """The last lines of the service and of Traefik; with the number of the host, if there are several."""
    if not options.tail.isdigit():
        raise Failure(f"TAIL='{options.tail}' is not a number of lines")
    _, hosts = reach_hosts(environment, options)
    script = LOGS.format(tail=options.tail, follow="--follow" if options.follow else "")
    if len(hosts) == 1:
        return hosts[0].show(script)
    programs = {f"{host.number} | ": [*host.command, "sudo sh -s"] for host in hosts}
    return process.run_together(programs, stdin=script)


def open_shell(environment: Environment, options: Options) -> int:
    """A shell on the first host, or on the one that HOST names, or one command as root."""
    _, (host, *_) = reach_hosts(environment, options)
    return host.show(f"{options.command}\n") if options.command else host.open_shell()
