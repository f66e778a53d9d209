"""Makes the orders at the stand-in of the AWS API real, passes the host's calls to it, and plays DuckDNS and all name
servers.

    python -m rehearsal.outside FOLDER    of a rehearsal; ends when the stand-in of the AWS API has ended

A process of its own, so that it goes on when the rehearsal is left running.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions
from rehearsal.balancer import Control, Lag
from rehearsal.duckdns import DuckDns
from rehearsal.parts import Parts, image_of
from rehearsal.relay import Relay
from rehearsal.settings import DUCKDNS_DOMAIN, ENVIRONMENT, Settings
from support.cloud import Balancer, Cloud, Host
from support.name_server import NameServer, Records

PAUSE = 1  # seconds between two looks at the orders


class Outside:
    """A container for each instance and database that is ordered, and an answer for each record."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings.load(folder)
        self.parts = Parts(folder)
        self._asking = threading.Lock()
        self.aws = Relay(*self.parts.private_network(), urlsplit(self.settings.endpoint).port)
        self._known_passwords: list[tuple[str, ...]] = []
        # What has been delivered: hosts by their public addresses, the balancer, and to what each name leads.
        self._hosts: dict[str, Host] = {}
        self._balancers: dict[str, Balancer] = {}
        self._control: Control | None = None
        self._leads: dict[str, set[str]] = {}

    def serve_duckdns(self) -> None:
        """Serves its API, and writes its port once it answers."""
        token = self.folder / "duckdns-token"
        self.duckdns = DuckDns(DUCKDNS_DOMAIN.split(".")[0], token.read_text, self._follow_duckdns)
        self._tell("duckdns-port", self.duckdns.start())

    def _follow_duckdns(self, address: str) -> None:
        self._clear(DUCKDNS_DOMAIN)
        if address:
            self._lead(DUCKDNS_DOMAIN, address)

    def serve_names(self) -> None:
        """Answers for all name servers of the world, with public addresses, and writes its port once it does."""
        self._tell("dns-port", NameServer(self._records).start().server_address[1])

    def _records(self) -> Records:
        """Those of Route 53 and DuckDNS, and those that were entered by hand: see `World.enter_records`."""
        with self._asking:  # boto3 makes one client at a time
            records = Cloud(self.settings.endpoint).names()
        records["duckdns.org", "NS"] = ["ns1.duckdns.org."]
        records[DUCKDNS_DOMAIN, "A"] = [self.duckdns.address] if self.duckdns.address else []
        records[DUCKDNS_DOMAIN, "AAAA"] = [self.duckdns.ipv6] if self.duckdns.ipv6 else []
        by_hand = self.folder / "records.json"
        entered = json.loads(by_hand.read_text()) if by_hand.is_file() else []
        return records | {(name, kind): values for name, kind, values in entered}

    def _tell(self, file: str, port: int) -> None:
        new = self.folder / f"{file}.new"
        new.write_text(str(port))
        new.rename(self.folder / file)

    def watch(self) -> None:
        """Delivers each order that comes or goes."""
        cloud, seen = Cloud(self.settings.endpoint), []
        while True:
            try:
                orders = [*cloud.orders(), *self._passwords()]
            except botocore.exceptions.EndpointConnectionError:
                return
            for order in [o for o in seen if o not in orders]:
                self._try(self._withdraw, order)
            for order in [o for o in orders if o not in seen]:
                self._try(self._deliver, order)
            seen = orders
            time.sleep(PAUSE)

    def _passwords(self) -> list[tuple[str, ...]]:
        """("password", database, what stands for its master password), from Terraform's state: no API tells it."""
        try:
            resources = json.loads(self.settings.state_file(self.folder).read_text())["resources"]
        except (FileNotFoundError, ValueError):  # before the first deployment, or while it is written
            return self._known_passwords
        databases = [resource["instances"] for resource in resources if resource["type"] == "aws_db_instance"]
        attributes = [instance["attributes"] for instances in databases for instance in instances]
        self._known_passwords = [("password", a["identifier"], a.get("password") or "") for a in attributes]
        return self._known_passwords

    def _try(self, action, order: tuple[Any, ...]) -> None:
        """The next order is independent of one that failed; the log tells the reason."""
        print(time.strftime("%H:%M:%S"), action.__name__.strip("_"), *order, flush=True)
        try:
            action(order)
        except Exception:
            traceback.print_exc()

    def _deliver(self, order: tuple[Any, ...]) -> None:
        match order:
            case ("host", host):
                key = (self.folder / "ssh.pub").read_text().strip()
                image = image_of(self.parts.host_image(self.settings.hosts))
                self.parts.start_host(host, image, self.settings.ssh_port, key, self._names(), self.aws.url)
                self._hosts[host.address] = host
            case ("balancer", balancer):
                self._balancers[balancer.name] = balancer
                self._control = self.parts.start_balancer(balancer, Lag(self.folder))
            case ("targets", _, hosts):
                if self._control:
                    self._control.register(hosts)
            case ("snapshot", name, database):
                self.parts.dump_database(self._part(database), self._dump(name))
            case ("database", identifier, host_name):
                dump = self._backup_of(identifier)
                self.parts.start_database(
                    host_name, "herolo_master", self._master_password(), self._part(identifier), dump
                )
            case ("password", identifier, _):
                self.parts.set_password("herolo_master", self._master_password(), self._part(identifier))
            case ("standby", identifier, host_name):
                self.parts.start_standby(host_name, self._part(identifier))
            case ("record", name, address):
                self._lead(name, address)

    def _withdraw(self, order: tuple[Any, ...]) -> None:
        match order:
            case ("record", name, address):
                self._clear(name, address)
            case ("password", *_):
                pass  # replaced by another, or gone with its database
            case ("snapshot", name, _):
                self._dump(name).unlink()
            case ("database", identifier, _):
                self.parts.remove_part(self._part(identifier))
            case ("standby", identifier, _):
                self.parts.remove_part(f"{self._part(identifier)}-standby")
            case ("host", host):
                self._hosts.pop(host.address, None)
                self.parts.remove_part(self.parts.host_part(host.number))
            case ("balancer", balancer):
                self._balancers.pop(balancer.name, None)
                if self._control:
                    self._control.stop()
                self._control = None
                self.parts.remove_part("balancer")

    @staticmethod
    def _part(identifier: str) -> str:
        """The name of a database's part: the first one's has no suffix."""
        suffix = identifier.removeprefix(f"herolo-{ENVIRONMENT}")
        return f"database{suffix}"

    def _dump(self, snapshot: str) -> Path:
        """The file that has the data of a snapshot."""
        return self.folder / f"snapshot-{snapshot}.sql"

    def _backup_of(self, identifier: str) -> Path | None:
        """The data of a database that is made from a backup. The latest automated backup is the data of now."""
        notes = self.folder / "aws-port.restored"
        for line in notes.read_text().splitlines() if notes.is_file() else ():
            restored, kind, source = line.split()
            if restored == identifier:
                dump = self._dump(source if kind == "snapshot" else f"of-{identifier}")
                if kind == "database":
                    self.parts.dump_database(self._part(source), dump)
                return dump
        return None

    def _lead(self, name: str, address: str) -> None:
        """Makes the name lead to one more public address: the authority finds the private one of what has it, as
        outside of this machine the public one leads there."""
        self._leads.setdefault(name, set()).add(address)
        host = self._hosts.get(address)
        self.parts.set_record(
            name, self.parts.private_address(self.parts.host_part(host.number) if host else "balancer")
        )
        self._tell_hosts()

    def _clear(self, name: str, address: str = "") -> None:
        """Makes the name lead no longer to that address, or to none."""
        left = self._leads.pop(name, set()) - {address} if address else set()
        self.parts.clear_record(name)
        for other in left:
            self._lead(name, other)
        self._tell_hosts()

    def _tell_hosts(self) -> None:
        for host in self._hosts.values():
            self.parts.tell_names(host.number, self._names())

    def _names(self) -> str:
        """What hosts resolve, as lines of /etc/hosts."""
        return "".join(f"{address} {name}\n" for name, found in self._leads.items() for address in sorted(found))

    def _master_password(self) -> str:
        text = self.settings.secrets_file(self.folder).read_text()
        found = re.search(r'^database_master_password: "(.*)"$', text, re.MULTILINE)
        if not found:
            raise LookupError("the file of the secrets has no database_master_password")
        return found[1]


if __name__ == "__main__":
    outside = Outside(Path(sys.argv[1]))
    outside.aws.start()
    outside.serve_duckdns()
    outside.serve_names()
    outside.watch()
