"""All differences of a rehearsal from a deployment to AWS: their list, and how the operator's commands learn of them.

The commands do not know that they are rehearsed.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

from rehearsal.clients import TTL
from rehearsal.parts import Parts
from rehearsal.processes import REPOSITORY, output, run
from rehearsal.settings import Settings
from support.commands import TOOLS

TRANSLATE = REPOSITORY / "tests/deploy/stand-ins/translate.py"

DIFFERENCES = """\
AWS's API            moto on this machine; an instance that is ordered there becomes a container, a database a MySQL,
                     a record an answer, a load balancer a HAProxy; where moto differs from AWS it is mended
                     (tests/deploy/stand-ins/aws.py)
VPC                  a network of Docker, 10.N.0.0/16 with a number N that is free on this machine
                     (edge_trusted_networks)
Terraform provider   hashicorp/aws 3.39.0, for which these are translated (the names are checked against the schema of
                     6.25.0):
{translations}
AWS of the host      its calls go to moto through the private network, with credentials of no value instead of those
                     of its role (a drop-in of systemd)
EC2 host             a Debian 13 container with systemd and sshd instead of Debian's machine image: no cloud-init, the
                     kernel is shared, so no compressed swap; no disk that could be enlarged; of several hosts, each has
                     the packages installed already
address              the public address that moto gives, one of 127.0.0.0/8; SSH on another port if this machine's own
                     sshd has 22
balancer             HAProxy with PROXY protocol and the health checks that AWS was told; its view of the hosts is what
                     moto says of targets; new connections follow that at once, or 40 s later where a proof says so;
                     a drain takes 45 s where they follow at once (drain_seconds)
security groups      checked in the state only; on the host its own firewall is proven
RDS                  MySQL under the name that moto gives, with TLS enforced and a master user with RDS's rights; a
                     version that can be had; a snapshot is a dump of the data, without the users; a standby is a
                     replica, to which the name moves once it has all data
its authority        made here instead of AWS's bundle (HEROLO_DATABASE_CA)
DNS                  two test servers that have the records of moto's Route 53 and of DuckDNS's stand-in: one for the
                     operator, with the address that AWS gives (HEROLO_DNS_SERVER), one for the authority, with the
                     address inside; the hosts and this machine are told the domain; clients keep an answer for 20 s
                     instead of a minute, and the operator's commands wait accordingly (HEROLO_SETTLING and
                     HEROLO_DRAINED)
Let's Encrypt        Pebble, twice, with their own authorities to trust (acme_ca_file)
DuckDNS              its update API as documented, on this machine (duckdns_url)
mail server          one without TLS on this machine, reached through the private network; it has no firewall before it
images of the edge   built from packages where the public ones cannot be pulled (edge_image, socket_filter_image)
"""

KEPT = 30  # seconds, for which Traefik keeps a connection (keepAliveMaxTime)
# Seconds of a drain while the balancer follows its health checks at once: they fail within 15.
DRAIN = 15 + KEPT

# Settings of the developer's shell that are no part of a rehearsal.
FOREIGN = [
    *("ACKNOWLEDGE", "CONFIRM", "OVERRIDE", "YES", "FROM", "IMAGE", "TAIL", "FOLLOW", "WAIT", "WHAT"),
    *("CMD", "JSON", "ENV", "SSH_KEY", "KEEP", "HOST", "REPLACE"),
    *("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "TF_DATA_DIR", "TF_WORKSPACE", "TF_CLI_ARGS", "PYTHONPATH"),
    *("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"),
    *("HEROLO_ENVIRONMENTS", "HEROLO_INFRA", "HEROLO_SETTINGS", "HEROLO_SSH_PORT", "HEROLO_DATABASE_CA"),
    *("HEROLO_CURL_CONFIG", "HEROLO_DNS_SERVER", "HEROLO_ENTRY", "HEROLO_SETTLING", "HEROLO_DRAINED"),
]


def list_differences() -> str:
    """The list, for the end of a rehearsal."""
    translations = output(sys.executable, TRANSLATE, "list")
    indented = "\n".join(f"{'':23}{line}" for line in translations.splitlines())
    return DIFFERENCES.format(translations=indented)


def apply_differences(folder: Path, settings: Settings) -> None:
    """Writes the files that the operator's commands read instead of those of the repository, and `operator`, which a
    shell can source."""
    run(sys.executable, TRANSLATE, "infra", folder / "infra", settings.endpoint)
    # Docker networks of one machine cannot overlap, so each rehearsal has a VPC of its own.
    _, network = Parts(folder).private_network()
    for file in (folder / "infra").glob("*.tf"):
        file.write_text(file.read_text().replace("10.20.0.0/16", network))
    variables = {
        "edge_image": settings.edge_image,
        "socket_filter_image": settings.socket_filter_image,
        "acme_ca_file": str(folder / "acme-ca.pem"),
        "edge_trusted_networks": [Parts(folder).public_subnets()],
        "duckdns_url": f"http://127.0.0.1:{(folder / 'duckdns-port').read_text()}",
        "drain_seconds": DRAIN,
    }
    (folder / "settings.json").write_text(json.dumps(variables))
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in _hooks(folder, settings).items()]
    (folder / "operator").write_text("".join(lines))


def _hooks(folder: Path, settings: Settings) -> dict[str, str]:
    return {
        "HEROLO_ENVIRONMENTS": str(folder / "environments"),
        "HEROLO_INFRA": str(folder / "infra"),
        "HEROLO_SETTINGS": str(folder / "settings.json"),
        "HEROLO_SSH_PORT": str(settings.ssh_port),
        "HEROLO_DATABASE_CA": f"file://{folder / 'database-ca.pem'}",
        "HEROLO_DNS_SERVER": f"127.0.0.1:{(folder / 'dns-port').read_text()}",
        "HEROLO_CURL_CONFIG": str(folder / "curl"),
        "HEROLO_SETTLING": str(TTL + 5),
        "HEROLO_DRAINED": str(KEPT + 5),
        "TF_CLI_CONFIG_FILE": str(TOOLS / "deploy/terraform.rc"),
        "SSH_KEY": str(folder / "ssh"),
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_ACCESS_KEY_ID": "stand-in",
        "AWS_SECRET_ACCESS_KEY": "stand-in",
    }


def operators_environment(folder: Path, settings: Settings) -> dict[str, str]:
    """The environment in which the operator's commands run."""
    inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return {**inherited, **_hooks(folder, settings)}


def lead_to(folder: Path, domain: str, addresses: list[str]) -> None:
    """Lets curl find the domain and trust its certificate: this machine's own resolver knows neither."""
    lines = [f'cacert = "{folder / "acme-ca.pem"}"']
    lines += [f'resolve = "{domain}:{port}:{",".join(addresses)}"' for port in (443, 80)]
    new = folder / "curl.new"
    new.write_text("\n".join(lines) + "\n")
    new.rename(folder / "curl")
