"""The parts of a deployment that others operate on AWS, as containers on a private Docker network of this machine.

Everything is named after the folder of the rehearsal and carries its label, so that it can be found and removed.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import urllib.request
from pathlib import Path

from rehearsal.balancer import ADMIN_PORT, Control, Lag, configuration
from rehearsal.processes import REPOSITORY, CommandFailed, output, run, wait_until
from support.certificates import make_authority, make_certificate
from support.cloud import Balancer, Host

# Two certificate authorities by ACME, the names of their parts.
AUTHORITY, OTHER_AUTHORITY = "acme", "other-acme"
ACME_DIRECTORIES = {part: f"https://{part}.test:14000/dir" for part in (AUTHORITY, OTHER_AUTHORITY)}

DATABASE_LOGIN = "/database-login.cnf"  # in the database's container

# The privileges of the master user of RDS.
MASTER_PRIVILEGES = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, "
    "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, "
    "CREATE USER, EVENT, TRIGGER"
)

# For the units that call AWS, instead of its own addresses and of the role's credentials.
AWS_OF_HOST = """\
[Service]
Environment=AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID=stand-in AWS_SECRET_ACCESS_KEY=stand-in
"""

# Connections are passed on as they are, with TLS, for as long as both sides keep them.
FORWARDER = """\
defaults
  mode tcp
  timeout connect 15s
  timeout client 10m
  timeout server 10m
listen edge
  bind :8443
  server host {address}:443
"""

PEBBLE = {
    "listenAddress": "0.0.0.0:14000",
    "managementListenAddress": "0.0.0.0:15000",
    "httpPort": 80,
    "tlsPort": 443,
    "certificate": "/acme/server.pem",
    "privateKey": "/acme/server.key",
    "ocspResponderURL": "",
    "externalAccountBindingRequired": False,
}


def image_of(part: str) -> str:
    """The image of a part, which is pulled or built if need be."""
    return output(REPOSITORY / "tests/deploy/image", part)


def mysql_image() -> str:
    """An image of MySQL, which is pulled or built if need be."""
    return output(REPOSITORY / "scripts/mysql-image")


class Parts:
    """The containers of one rehearsal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_name = folder.name.lower().replace(".", "-")
        self.label = f"herolo.rehearsal={self.run_name}"

    # --- All of them

    def name_of(self, part: str) -> str:
        """The name of a part's container."""
        return f"{self.run_name}-{part}"

    def start_network(self) -> None:
        """Makes the private network that the parts share, a /16 of its own, as a VPC is. Hosts have the addresses that
        AWS gives them, all others those of its upper half; so only hosts and the balancer are in public subnets."""
        for number in range(20, 256):
            block = f"10.{number}"
            if is_routed(block):
                continue
            addresses = ("--subnet", f"{block}.0.0/16", "--ip-range", f"{block}.128.0/17")
            create = ("docker", "network", "create", "--label", self.label, *addresses)
            made = run(*create, "--gateway", f"{block}.255.254", self.run_name, check=False)
            if made.returncode == 0:
                return
            if "overlap" not in made.stderr:
                raise CommandFailed(f"docker network create: {made.stderr.strip()}")
        raise CommandFailed("every network of 10.20.0.0/16 to 10.255.0.0/16 is in use on this machine")

    def private_network(self) -> tuple[str, str]:
        """The gateway's address, which is this machine's, and the network's own."""
        form = "{{range .IPAM.Config}}{{.Gateway}} {{.Subnet}}{{end}}"
        gateway, network = output("docker", "network", "inspect", "--format", form, self.run_name).split()
        return gateway, network

    def public_subnets(self) -> str:
        """The network of the hosts and the balancer, as the product has it in its VPC."""
        _, network = self.private_network()
        return network.replace("/16", "/20")

    def private_address(self, part: str) -> str:
        """The address of a part on the private network: the target of its public address, as on AWS."""
        addresses = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return output("docker", "inspect", "--format", addresses, self.name_of(part))

    def containers(self) -> list[str]:
        """The names of all containers of this rehearsal."""
        listed = output("docker", "ps", "--all", "--format", "{{.Names}}", "--filter", f"label={self.label}")
        return listed.split()

    def networks(self) -> list[str]:
        """The ids of all networks of this rehearsal."""
        return output("docker", "network", "ls", "--quiet", "--filter", f"label={self.label}").split()

    def volumes(self) -> set[str]:
        """The volumes of the hosts and the database."""
        names = '{{range .Mounts}}{{.Name}}{{"\\n"}}{{end}}'
        ours = [name for name in self.containers() if re.search(r"-(host|database)(-\d+|-standby)?$", name)]
        return set(output("docker", "inspect", "--format", names, *ours).split())

    def remove(self) -> None:
        """Removes containers, their volumes, and networks."""
        for container in self.containers():
            self.remove_container(container)
        for network in self.networks():
            run("docker", "network", "rm", network)

    def remove_images(self) -> None:
        """Removes the images that were built for this rehearsal alone."""
        listed = output("docker", "images", "--quiet", "--filter", f"label={self.label}")
        for image in sorted(set(listed.split())):
            run("docker", "image", "rm", "--force", image, check=False)

    def remove_part(self, part: str) -> None:
        """Removes a part with its volumes."""
        self.remove_container(self.name_of(part))

    def remove_container(self, container: str) -> None:
        """Removes a container with its volumes."""
        run("docker", "rm", "--force", "--volumes", container)

    def run_beside(self, image: str, *command: str, input: str = "", env: dict[str, str] | None = None) -> str:
        """Runs a command in a container of its own on the private network and returns its output. The environment
        reaches it by name, so that no value becomes an argument."""
        names = [word for name in env or {} for word in ("--env", name)]
        entrypoint, *arguments = command
        options = ["--rm", "--interactive", "--label", self.label, "--network", self.run_name]
        return run(
            *("docker", "run", *options, *names, "--entrypoint", entrypoint, image, *arguments),
            input=input,
            env={**os.environ, **(env or {})},
        ).stdout

    def _create(self, part: str, *options: str) -> None:
        """Creates a container; files are copied into it before it starts, since the daemon may run where it cannot see
        ours."""
        names = ("--name", self.name_of(part), "--label", self.label, "--network", self.run_name)
        run("docker", "create", *names, *options)

    def _copy(self, source: Path, part: str, target: str) -> None:
        run("docker", "cp", "--quiet", source, f"{self.name_of(part)}:{target}")

    def _start(self, part: str) -> None:
        run("docker", "start", self.name_of(part))

    # --- The database

    def start_database(
        self, host_name: str, user: str, password: str, part: str = "database", dump: Path | None = None
    ) -> None:
        """Starts MySQL as RDS has it: under that name, with a certificate for it, no connection without TLS, a master
        user with many but not all privileges, and the data of a backup. Needs the authority database-ca."""
        root_password = secrets.token_hex(16)
        self._start_mysql(part, host_name, root_password, ("--network-alias", host_name))
        # The master user comes last, because who can log in finds the data.
        if dump:
            self.query_database(dump.read_text(), part)
        self.query_database(
            f"CREATE USER '{user}'@'%' IDENTIFIED BY '{password}';"
            f"GRANT {MASTER_PRIVILEGES} ON *.* TO '{user}'@'%' WITH GRANT OPTION;",
            part,
        )

    def _start_mysql(self, part: str, host_name: str, root_password: str, options: tuple[str, ...]) -> None:
        tls = self._fresh_folder(part)
        make_certificate(self.folder / "database-ca.pem", host_name, tls)
        shutil.copy(self.folder / "database-ca.pem", tls / "ca.pem")
        tls.chmod(0o755)
        for file in tls.iterdir():
            file.chmod(0o644)  # for the server's own user; the folder above is closed to others
        environment = self.folder / f"{part}.env"
        environment.write_text(f"MYSQL_ROOT_PASSWORD={root_password}\n")
        self._create(
            part,
            *("--hostname", part, *options, "--env-file", str(environment), mysql_image()),
            *("--require-secure-transport=ON", "--ssl-ca=/database-tls/ca.pem"),
            *("--ssl-cert=/database-tls/server.pem", "--ssl-key=/database-tls/server.key"),
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF", "--sync-binlog=0"),
            *("--gtid-mode=ON", "--enforce-gtid-consistency=ON", f"--server-id={1 + secrets.randbelow(1 << 31)}"),
        )
        self._copy(tls, part, "/database-tls")
        self._start(part)
        wait_until(lambda: self._database_answers(part), "MySQL accepts connections", 120)
        login = self.folder / f"{part}-root.cnf"
        login.write_text(f"[client]\nuser=root\npassword={root_password}\n")
        self._copy(login, part, DATABASE_LOGIN)
        self.query_database("RESET BINARY LOGS AND GTIDS", part)  # what the server has made for itself

    def start_standby(self, host_name: str, part: str = "database") -> None:
        """Starts the standby of that database in another zone: a replica with all its users and data, whose name leads
        to the database until `fail_over`."""
        standby, password = f"{part}-standby", secrets.token_hex(16)
        user = f"'replication'@'{self.private_network()[1].replace('.0.0/16', '.%')}'"
        self._start_mysql(standby, host_name, secrets.token_hex(16), ())
        # A database that was itself a standby has the user already.
        self.query_database(
            f"CREATE USER IF NOT EXISTS {user}; ALTER USER {user} IDENTIFIED BY '{password}';"
            f"GRANT REPLICATION SLAVE ON *.* TO {user};",
            part,
        )
        self.query_database(
            "SET GLOBAL super_read_only = ON;"
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{self.private_address(part)}', SOURCE_SSL = 1, "
            f"SOURCE_USER = 'replication', SOURCE_PASSWORD = '{password}', SOURCE_AUTO_POSITION = 1;"
            "START REPLICA;",
            standby,
        )
        wait_until(lambda: self._has_all_of(part, standby), "the standby has all data of the database", 120)

    def fail_over(self, host_name: str, part: str = "database") -> None:
        """Makes the standby the database: the old one becomes read-only and keeps its connections, the standby gets all
        that was committed, and the name moves there. Returns as soon as a client that resolves the name can write."""
        standby = f"{part}-standby"
        self.query_database("SET GLOBAL super_read_only = ON", part)
        wait_until(lambda: self._has_all_of(part, standby), "the standby has all data of the database")
        old, new = self.private_address(part), self.private_address(standby)
        for name, address, alias in ((part, old, ()), (standby, new, ("--alias", host_name))):
            # Docker knows no other way to move a name; connections outlive it, since the address stays the same.
            run("docker", "network", "disconnect", self.run_name, self.name_of(name))
            run("docker", "network", "connect", "--ip", address, *alias, self.run_name, self.name_of(name))
        self.query_database(
            "STOP REPLICA; RESET REPLICA ALL; SET GLOBAL super_read_only = OFF;SET GLOBAL read_only = OFF;", standby
        )
        for name, new_name in ((part, "former"), (standby, part), ("former", standby)):
            run("docker", "rename", self.name_of(name), self.name_of(new_name))

    def _has_all_of(self, source: str, replica: str) -> bool:
        executed = self.query_database("SELECT @@GLOBAL.gtid_executed", source).replace("\\n", "")
        question = f"SELECT GTID_SUBSET('{executed}', @@GLOBAL.gtid_executed)"
        return self.query_database(question, replica) == "1"

    def set_password(self, user: str, password: str, part: str = "database") -> None:
        """Replaces the password of a user."""
        self.query_database(f"ALTER USER '{user}'@'%' IDENTIFIED BY '{password}'", part)

    def end_connections(self, user: str) -> None:
        """Ends all connections of a user, which then needs new ones."""
        ids = self.query_database(f"SELECT id FROM information_schema.processlist WHERE user = '{user}'").split()
        assert ids
        self.query_database("".join(f"KILL {number};" for number in ids))

    def users_with_two_passwords(self) -> list[str]:
        """Those with an old password that still is valid."""
        condition = "User_attributes->'$.additional_password' IS NOT NULL"
        return self.query_database(f"SELECT User FROM mysql.user WHERE {condition}").split()

    def database_accepts(self, user: str, password: str) -> bool:
        """Whether that user can log in with that password."""
        client = ("mysql", "--host=127.0.0.1", "--ssl-mode=REQUIRED", f"--user={user}", "--execute=SELECT 1")
        command = ("docker", "exec", "--env", "MYSQL_PWD", self.name_of("database"), *client)
        done = run(*command, env={**os.environ, "MYSQL_PWD": password}, check=False)
        assert done.returncode == 0 or "Access denied" in done.stderr, done.stderr
        return done.returncode == 0

    def _database_answers(self, part: str) -> bool:
        # Over TCP: the public image starts a server on its socket first, for the set-up.
        ping = ("mysqladmin", "ping", "--silent", "--host=127.0.0.1")
        return run("docker", "exec", self.name_of(part), *ping, check=False).returncode == 0

    def dump_database(self, part: str, target: Path) -> None:
        """Writes the data of a database into a file, as of one moment."""
        dump = ["mysqldump", f"--defaults-extra-file={DATABASE_LOGIN}", "--single-transaction", "--hex-blob"]
        dump.append("--set-gtid-purged=OFF")
        target.write_text(output("docker", "exec", self.name_of(part), *dump, "--databases", "herolo"))

    def query_database(self, statements: str, part: str = "database") -> str:
        """Runs statements as the server's root, whose account no customer of RDS has."""
        mysql = ("mysql", f"--defaults-extra-file={DATABASE_LOGIN}", "--skip-column-names")
        return output("docker", "exec", "--interactive", self.name_of(part), *mysql, input=statements)

    def log_of(self, part: str) -> bytes:
        """All that a part has logged."""
        command = ["docker", "logs", self.name_of(part)]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout

    # --- The certificate authorities and the DNS server that they ask

    def start_acme(self) -> None:
        """Starts two test authorities that issue certificates by ACME, and their DNS server. Writes acme-ca.pem, with
        the authorities that sign the certificates and that of the ACME API."""
        image = image_of("pebble")
        api_authority = make_authority(self.folder, "acme-api-ca")
        self._create(
            "names",
            *("--hostname", "names", "--publish", "127.0.0.1::8055", image, "pebble-challtestsrv", "-dns01", ":53"),
            *("-http01", "", "-https01", "", "-tlsalpn01", "", "-management", ":8055"),
            *("-defaultIPv4", "", "-defaultIPv6", ""),
        )
        self._start("names")
        roots = [self._start_authority(part, api_authority) for part in ACME_DIRECTORIES]
        trusted = [file.read_bytes() for file in (api_authority, *roots)]
        (self.folder / "acme-ca.pem").write_bytes(b"".join(trusted))

    def _start_authority(self, part: str, api_authority: Path) -> Path:
        """Returns the file of the authority that signs the certificates of that part, PART-root.pem."""
        host = f"{part}.test"
        files = self._fresh_folder(part)
        make_certificate(api_authority, host, files)
        (files / "config.json").write_text(json.dumps({"pebble": PEBBLE}))
        # By default Pebble delays its validations, and in half of the orders it reuses an earlier one.
        environment = ("--env", "PEBBLE_VA_NOSLEEP=1", "--env", "PEBBLE_AUTHZREUSE=0")
        options = ("--network-alias", host, "--publish", "127.0.0.1::15000", *environment)
        pebble = ("pebble", "-config", "/acme/config.json", "-dnsserver", "names:53")
        self._create(part, *options, image_of("pebble"), *pebble)
        self._copy(files, part, "/acme")
        self._start(part)
        root = self.folder / f"{part}-root.pem"
        wait_until(lambda: self._fetch_root(part, root), "the test ACME server answers (docker logs has its reason)")
        return root

    def _fetch_root(self, part: str, target: Path) -> bool:
        url = f"https://{self._published(part, 15000)}/roots/0"
        # Its certificate is for its name, not for this address.
        return run("curl", "--silent", "--fail", "--insecure", "--output", target, url, check=False).returncode == 0

    def _published(self, part: str, port: int) -> str:
        return output("docker", "port", self.name_of(part), f"{port}/tcp")

    def set_record(self, name: str, address: str) -> None:
        """Makes the name lead to the address, for the authority."""
        self.clear_record(name)
        self._names_api("add-a", {"host": f"{name}.", "addresses": [address]})

    def clear_record(self, name: str) -> None:
        """Removes all addresses of a name."""
        self._names_api("clear-a", {"host": f"{name}."})

    def _names_api(self, action: str, body: dict[str, object]) -> None:
        url = f"http://{self._published('names', 8055)}/{action}"
        with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=20):
            pass

    # --- The hosts

    @staticmethod
    def host_part(number: int) -> str:
        """The name of a host's part: the first one's has no number."""
        return "host" if number == 1 else f"host-{number}"

    @staticmethod
    def host_image(hosts: int) -> str:
        """The part whose image a rehearsal of that many hosts has for each. How the roles install packages is rehearsed
        with one."""
        return "host" if hosts == 1 else "prepared-host"

    def start_host(self, host: Host, image: str, ssh_port: int, public_key: str, names: str, aws: str) -> None:
        """Starts a new machine with those addresses (the public one is in 127.0.0.0/8, so it cannot be reached from
        other machines). It lets that key in as admin, resolves `names` (lines of /etc/hosts), and finds the API of AWS
        at the URL `aws`."""
        part = self.host_part(host.number)
        files = self._fresh_folder(part)
        (files / "aws.conf").write_text(AWS_OF_HOST.format(url=aws))
        (files / "authorized_key").write_text(f"{public_key}\n")
        (files / "names").write_text(names)
        self._create(
            part,
            *("--hostname", part.replace("host", "herolo"), "--ip", host.private_address, "--restart", "always"),
            *("--publish", f"{host.address}:{ssh_port}:22", "--publish", f"{host.address}:80:80"),
            *("--publish", f"{host.address}:443:443"),
            *("--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_PTRACE"),
            *("--stop-signal", "SIGRTMIN+3", "--security-opt", "seccomp=unconfined"),
            *("--security-opt", "apparmor=unconfined", "--security-opt", "systempaths=unconfined"),
            *("--volume", "/var/lib/docker", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"),
            *("--tmpfs", "/run/lock", "--tmpfs", "/tmp", image),
        )
        self._copy(files, part, "/etc/herolo-first-boot")
        self._start(part)

    def tell_names(self, number: int, names: str) -> None:
        """Replaces what a host resolves, now and after it has restarted; it need not be running."""
        part = self.host_part(number)
        file = self.folder / part / "names"
        file.write_text(names)
        self._copy(file, part, "/etc/herolo-first-boot/names")
        run("docker", "exec", self.name_of(part), "/usr/local/sbin/tell-names", check=False)

    def on_host(self, *command: str, input: str = "", number: int = 1) -> str:
        """The output of a command on a host, as root. Without SSH, which is itself under test."""
        name = self.name_of(self.host_part(number))
        return output("docker", "exec", "--interactive", name, *command, input=input)

    def save_from_host(self, target: Path, script: str) -> None:
        """Appends all that a shell script on the host prints to a file."""
        with target.open("ab") as file:
            command = ["docker", "exec", self.name_of("host"), "sh", "-c", script]
            subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=True)

    # --- Clients with addresses of their own

    def start_forwarders(self, number: int, host: Host) -> list[tuple[str, int]]:
        """Starts so many HAProxys, each of which passes what it receives on to the host. Returns where they listen on
        this machine. The host sees another client address for each of them, but the same one for all clients that use
        the address that it publishes."""
        files = self._fresh_folder("forwarder")
        files.chmod(0o755)
        (files / "haproxy.cfg").write_text(FORWARDER.format(address=host.private_address))
        (files / "haproxy.cfg").chmod(0o644)
        return [self._start_forwarder(f"forwarder-{n}", files) for n in range(1, number + 1)]

    def _start_forwarder(self, part: str, files: Path) -> tuple[str, int]:
        haproxy = ("haproxy", "-db", "-f", "/forwarder/haproxy.cfg")
        run("docker", "rm", "--force", self.name_of(part), check=False)  # of an earlier run in the same world
        self._create(part, "--publish", "127.0.0.1::8443", image_of("haproxy"), *haproxy)
        self._copy(files, part, "/forwarder")
        self._start(part)
        address, _, port = self._published(part, 8443).rpartition(":")
        return address, int(port)

    # --- The balancer

    def start_balancer(self, balancer: Balancer, lag: Lag) -> Control:
        """Starts a HAProxy that plays it, without targets yet."""
        files = self._fresh_folder("balancer")
        files.chmod(0o755)
        (files / "haproxy.cfg").write_text(configuration(balancer))
        (files / "haproxy.cfg").chmod(0o644)
        _, network = self.private_network()
        ports = [word for a in balancer.addresses for p in balancer.services for word in ("--publish", f"{a}:{p}:{p}")]
        self._create(
            "balancer",
            *("--ip", network.replace("0.0/16", "0.250"), *ports, "--publish", f"127.0.0.1::{ADMIN_PORT}"),
            *("--sysctl", "net.ipv4.ip_unprivileged_port_start=0", image_of("haproxy")),
            *("haproxy", "-db", "-f", "/balancer/haproxy.cfg"),
        )
        self._copy(files, "balancer", "/balancer")
        self._start("balancer")
        control = Control(
            self._published("balancer", ADMIN_PORT), balancer.services, lag, self.folder / "aws-port.targets"
        )
        wait_until(control.answers, "HAProxy answers (docker logs has its reason)")
        control.start()
        return control

    def _fresh_folder(self, name: str) -> Path:
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder


def is_routed(block: str) -> bool:
    """Whether this machine has a route into the /16 that begins with those two numbers."""
    routes = Path("/proc/net/route")
    lines = routes.read_text().splitlines()[1:] if routes.is_file() else []
    first, second = map(int, block.split("."))
    # The destination's bytes are in reverse order.
    return any(line.split()[1].endswith(f"{second:02X}{first:02X}") for line in lines)
