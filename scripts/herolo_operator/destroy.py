"""Removes an environment from AWS."""

from __future__ import annotations

import shutil

from .aws import Aws
from .backups import remove_backups
from .cloud import Cloud
from .console import Failure, confirm_by_name, step
from .deployment import with_hosts
from .duckdns import clear_records
from .environment import Environment, Options
from .form import check_form, setting_of, setting_or_default
from .nameservers import NameServers
from .plans import State
from .secrets_home import SecretsParameter, is_in_ssm
from .snapshots import choose_suffix, remove_logs


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
        return
    confirm_by_name(
        name,
        options.confirm,
        question=f"This removes the host, the database and everything else of {name}.",
        consequence=f"destroys {name}",
        refusal="nothing was destroyed",
    )
    record = give_up_record(state, environment, options)
    note, aws = environment.work / "last-snapshots", Aws(environment, state.account)
    if state.databases:
        cloud.lift_protection(choose_suffix(aws, state.final_snapshots))
        # In a file, in case this run is cut off when the databases are gone and the rest is not.
        note.write_text("\n".join(cloud.state().final_snapshots), encoding="utf-8")
    cloud.destroy()
    remove_logs(aws)
    if state.databases and not state.final_snapshots:  # protect = false: nothing is to be kept
        remove_backups(aws)
    snapshots = note.read_text(encoding="utf-8").split() if note.is_file() else []
    _say_what_remains(environment, snapshots, state.backup_copies)
    note.unlink(missing_ok=True)
    if record:
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


def _say_what_remains(environment: Environment, snapshots: list[str], copies: list[tuple[str, int]]) -> None:
    for snapshot in snapshots:
        step(
            f"what remains at AWS: the database's last snapshot, {snapshot} (about 0.10 USD a month for each GiB), "
            f"from which 'make deploy ENV={environment.name} FROM={snapshot}' makes the next database; "
            f"'aws rds delete-db-snapshot --db-snapshot-identifier {snapshot}' removes it"
        )
    for region, days in copies:
        step(
            f"what remains at AWS: the copy of the automated backups in {region}, of which AWS removes the last after "
            f"{days} days; its console removes them at once (RDS, Automated backups, Replicated)"
        )
    if not snapshots and not copies:
        step("nothing remains at AWS")
    if environment.s3_backend.is_file():
        backend = environment.shown(environment.s3_backend)
        step(f"what remains at AWS, too: the state in the bucket that {backend} names")
    secrets = " and the secrets"
    if is_in_ssm(environment):
        parameter, secrets = SecretsParameter(environment), ""
        step(f"what remains at AWS, too: the secrets, in {parameter.shown}; '{parameter.removal}' removes them")
    step(f"what remains here: the form{secrets} of {environment.name}, for the next deployment, and its history")
