"""Removes an environment from AWS."""

from __future__ import annotations

import shutil
from typing import Any

from .aws import Aws
from .backups import remove_backups
from .cloud import Cloud
from .console import Failure, confirm_by_name, step
from .databases import identifier_of, read_databases
from .deployment import with_hosts
from .duckdns import clear_records
from .environment import Environment, Options
from .form import check_form, setting_of, setting_or_default
from .nameservers import NameServers
from .plans import State
from .secrets_home import SecretsParameter, is_in_ssm
from .snapshots import choose_suffix, find_database, list_manual_snapshots, remove_logs


def destroy_environment(environment: Environment, options: Options) -> None:
    """Removes the resources, and the tool's own files."""
    check_form(environment)
    destroy_resources(environment, options)
    shutil.rmtree(environment.work)


def destroy_resources(environment: Environment, options: Options) -> None:
    """Removes everything once the name was typed, and says what remains."""
    cloud, name = Cloud(environment, options), environment.name
    state = cloud.state()
    if state.is_empty:
        history = environment.shown(environment.history)
        cloud.refuse_lost_state(f"; without a copy, remove by hand what is left, and then {history}")
        step(f"{name}: nothing is there to destroy")
        aws = Aws(environment)
        remove_logs(aws)  # an interrupted removal may have left them
        _say_what_remains(aws, state)
        return
    aws = Aws(environment, state.account)
    aws.identity()  # fails before anything is given up if AWS cannot be used
    confirm_by_name(
        name,
        options.confirm,
        question=f"This removes the host, the database and everything else of {name}.",
        consequence=f"destroys {name}",
        refusal="nothing was destroyed",
    )
    if record := give_up_record(state, environment, options):
        step(f"WARNING: {record}")
    there = [each for each in state.databases if find_database(aws, identifier_of(environment, each))]
    if there:
        cloud.lift_protection(there, choose_suffix(aws, state.final_snapshots))
    cloud.destroy()
    remove_logs(aws)
    if state.databases and not state.final_snapshots:  # protect = false: nothing is to be kept
        remove_backups(aws)
    _say_what_remains(aws, state)
    if record:  # once more, below all else
        step(f"WARNING: {record}")


def give_up_record(state: State, environment: Environment, options: Options) -> str:
    """Removes the domain's record from DuckDNS, before AWS gives the address to somebody else, who could get a
    certificate for the domain. (Terraform removes that of Route 53.) Returns what is left to do by hand, or ""."""
    deployment = with_hosts(state.outputs.get("deployment", {}))
    provider = deployment.get("dns_provider") or setting_or_default(environment, "dns_provider")
    domain = deployment.get("domain") or setting_of(environment, "domain")
    addresses = list(deployment.get("addresses", []))
    if provider == "route53" or _leads_elsewhere(domain, addresses, options):
        return ""
    record = f"the record of {domain}" if len(addresses) > 1 else f"the A record {domain} {''.join(addresses)}"
    reason = f"remove {record} {{}}, since its address belongs to somebody else from now on, who could pose as it"
    if provider == "none":
        return reason.format("at your DNS provider")
    try:
        clear_records(domain, environment, options)
    except Failure as failure:
        return f"{reason.format('at duckdns.org')} ({failure})"
    step(f"{domain} leads nowhere from now on")
    return ""


def _leads_elsewhere(domain: str, addresses: list[str], options: Options) -> bool:
    """Whether the domain is known to lead to another machine already, or nowhere."""
    try:
        return bool(addresses) and NameServers(options.dns_server).records(domain, "A").isdisjoint(addresses)
    except Failure:
        return False


def _snapshots_that_remain(aws: Aws, state: State) -> list[dict[str, Any]]:
    """The newest first, and those of the database in use before any of one that a restore has left. Which one was in
    use is not known once everything is removed."""
    snapshots = list_manual_snapshots(aws)
    if state.is_empty:
        return snapshots
    current = identifier_of(aws.environment, read_databases(state).current)
    return sorted(snapshots, key=lambda item: item["DBInstanceIdentifier"] != current)


def _say_what_remains(aws: Aws, state: State) -> None:
    environment, snapshots, copies = aws.environment, _snapshots_that_remain(aws, state), state.backup_copies
    for snapshot in snapshots:
        name, database = snapshot["DBSnapshotIdentifier"], snapshot["DBInstanceIdentifier"]
        removal = f"aws rds delete-db-snapshot --region {aws.region} --db-snapshot-identifier {name}"
        if snapshot is snapshots[0]:
            step(
                f"what remains at AWS: the database's last snapshot, {name} (about 0.10 USD a month for each GiB), "
                f"from which 'make deploy ENV={environment.name} FROM={name}' makes the next database; '{removal}' "
                "removes it"
            )
        else:
            step(f"what remains at AWS, too: {name} (of {database}, at the same price); '{removal}' removes it")
    for region, days in copies:
        step(
            f"what remains at AWS: the copy of the automated backups in {region}, of which AWS removes the last after "
            f"{days} days; its console removes them at once (RDS, Automated backups, Replicated)"
        )
    if state.is_empty and setting_of(environment, "backup_region"):
        step("a copy of the automated backups may remain in another region: AWS's console shows it there (RDS)")
    elif not snapshots and not copies:
        step("nothing remains at AWS")
    if environment.s3_backend.is_file():
        backend = environment.shown(environment.s3_backend)
        step(f"what remains at AWS, too: the state in the bucket that {backend} names")
    secrets = " and the secrets"
    if is_in_ssm(environment):
        parameter, secrets = SecretsParameter(environment), ""
        step(f"what remains at AWS, too: the secrets, in {parameter.shown}; '{parameter.removal}' removes them")
    step(f"what remains here: the form{secrets} of {environment.name}, for the next deployment, and its history")
