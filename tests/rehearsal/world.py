"""A rehearsal's world: the parts that others operate on AWS, and an operator in front of them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.query
from rehearsal.balancer import Lag
from rehearsal.differences import apply_differences, lead_to, operators_environment
from rehearsal.load import Counts, Load, Resolver
from rehearsal.parts import ACME_DIRECTORIES, AUTHORITY, Parts, image_of, mysql_image
from rehearsal.processes import REPOSITORY, output, run, wait_until
from rehearsal.settings import DOMAIN, DUCKDNS_DOMAIN, ENVIRONMENT, LIMIT_SENDS, Settings
from support.certificates import make_authority
from support.cloud import REGION, Cloud

PASSWORD = "a long pass phrase"
PREFIX = "herolo-rehearsal."
NEW_RELEASE = os.environ.get("IMAGE", "")  # else the source is built

FORM = """\
domain         = "{domain}"
region         = "{region}"
dns_provider   = "route53"
acme_email     = "ops@example.com"
acme_authority = "{acme_directory}"
replicas       = {replicas}
ssh_cidrs      = ["203.0.113.7/32"]
ssh_public_key = "{public_key}"
protect        = false
mail_from      = ""
smtp_port      = 587

service_settings = {{
  HEROLO_LIMIT_SENDS = "{limit_sends}"
}}
"""

SEVERAL_HOSTS = """\
hosts = {hosts}
"""

KEPT = """
Everything is left running (KEEP=1). In another terminal:
  . {folder}/operator         # makes the targets work on it
  make status ENV={environment}
  make logs ENV={environment}
  make ssh ENV={environment}
  make deploy ENV={environment}
  curl --config {folder}/curl https://{domain}/livez
Run single tests on it:
  HEROLO_REHEARSAL={folder} scripts/pytest {suite} -k certificate
Remove it:
  {folder}/remove
"""


class Unusable(Exception):
    """This machine cannot run a rehearsal now; the message tells the fix."""


@dataclasses.dataclass
class Said:
    """The result of one of the operator's commands."""

    status: int
    text: str

    @property
    def succeeded(self) -> bool:
        return self.status == 0

    @property
    def end(self) -> str:
        """Its last line that make has not added."""
        lines = [line for line in self.text.splitlines() if not line.startswith("make: ")]
        return lines[-1] if lines else "nothing"

    def says(self, pattern: str) -> bool:
        """Whether a line matches the regular expression."""
        return re.search(pattern, self.text, re.MULTILINE) is not None

    def refuses(self, pattern: str) -> bool:
        """Whether the command failed with a line that matches."""
        return not self.succeeded and self.says(pattern)


@dataclasses.dataclass
class Answer:
    """An answer of the API."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)

    def values(self, header: str) -> list[str]:
        return [value for name, value in self.headers if name == header]


@dataclasses.dataclass
class Account:
    """An account that the tests have made."""

    name: str
    token: str


class World:
    """One rehearsal in its folder, with the deployment as the operator and clients see it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts = Parts(folder)
        self.settings = Settings(ssh_port=22)
        self.environments = folder / "environments"
        self.form = self.environments / f"{ENVIRONMENT}.tfvars"
        self.secrets = Settings.secrets_file(folder)
        self.log, self.all_logs = folder / "deploy.log", folder / "all.log"
        self._children: list[subprocess.Popen[bytes]] = []

    @classmethod
    def create(cls, hosts: int = 1) -> World:
        """A new one for that number of hosts, with nothing in it yet."""
        world = cls(Path(tempfile.mkdtemp(prefix=PREFIX)))
        world.settings.hosts = hosts
        return world

    @classmethod
    def reuse(cls, folder: Path) -> World:
        """One that an earlier rehearsal has left running."""
        if not folder.name.startswith(PREFIX) or not (folder / "world.json").is_file():
            raise Unusable(f"'{folder}' is not the folder of a rehearsal that runs: take HEROLO_REHEARSAL out")
        world = cls(folder)
        world.settings = Settings.load(folder)
        return world

    @property
    def cloud(self) -> Cloud:
        return Cloud(self.settings.endpoint)

    @property
    def domain(self) -> str:
        return self.settings.domain

    @property
    def release(self) -> str:
        return self.settings.release

    @property
    def previous(self) -> str:
        return self.settings.previous

    def learn(self, **values: str) -> None:
        """Notes what has become known of the deployment."""
        self.settings = dataclasses.replace(self.settings, **values)
        self.settings.save(self.folder)

    # --- Its beginning

    def start(self) -> None:
        """Starts all parts that others operate on AWS, and fills in the form."""
        require_commands()
        self.settings.ssh_port = choose_ssh_port()
        self._write_remover()
        run(REPOSITORY / "tests/deploy/stand-ins/install")
        self.learn(edge_image=image_of("traefik"), socket_filter_image=image_of("haproxy"))
        for part in (Parts.host_image(self.settings.hosts), "pebble"):
            image_of(part)
        mysql_image()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rehearsal", "-f", self.folder / "ssh")
        self.make_duckdns_token()
        self.parts.start_network()
        make_authority(self.folder, "database-ca")
        self.parts.start_acme()
        self._start_cloud()
        self._fill_in_form()
        apply_differences(self.folder, self.settings)

    def _start_cloud(self) -> None:
        stand_in = REPOSITORY / "tests/deploy/stand-ins/aws.py"
        port = self.folder / "aws-port"
        self._spawn("aws.log", str(stand_in), str(port))
        wait_until(port.is_file, "the stand-in of the AWS API answers (aws.log has its reason)")
        self.learn(endpoint=f"http://127.0.0.1:{port.read_text()}")
        self.cloud.prepare()
        self._spawn("world.log", "-m", "rehearsal.outside", str(self.folder))
        duckdns = self.folder / "duckdns-port"
        wait_until(duckdns.is_file, "the stand-in of DuckDNS answers (world.log has its reason)")
        names = self.folder / "dns-port"
        wait_until(names.is_file, "the stand-in of the name servers answers (world.log has its reason)")

    def _spawn(self, log: str, *arguments: str) -> None:
        """Starts a process that goes on when the rehearsal is left running."""
        environment = {**os.environ, "HEROLO_STAND_IN_STAYS": "1", "PYTHONPATH": str(REPOSITORY / "tests")}
        with (self.folder / log).open("wb") as file:
            child = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=REPOSITORY,
                start_new_session=True,
            )
        self._children.append(child)
        with (self.folder / "pids").open("a") as file:
            file.write(f"{child.pid}\n")

    def _fill_in_form(self) -> None:
        self.environments.mkdir()
        form = FORM if self.settings.hosts == 1 else FORM + SEVERAL_HOSTS
        self.form.write_text(
            form.format(
                hosts=self.settings.hosts,
                domain=DOMAIN,
                region=REGION,
                acme_directory=ACME_DIRECTORIES[AUTHORITY],
                replicas=self.settings.replicas,
                limit_sends=LIMIT_SENDS,
                public_key=(self.folder / "ssh.pub").read_text().strip(),
            )
        )

    def _write_remover(self) -> None:
        remover = self.folder / "remove"
        command = shlex.join([sys.executable, "-m", "rehearsal.remove", str(self.folder)])
        remover.write_text(f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(REPOSITORY / 'tests'))} exec {command}\n")
        remover.chmod(0o700)

    # --- Its end

    def how_to_look(self, suite: str) -> str:
        """What a developer can do with a rehearsal of that suite which is left running."""
        return KEPT.format(folder=self.folder, environment=ENVIRONMENT, domain=self.domain, suite=suite)

    def remove(self) -> None:
        """Removes all of it: processes, containers, networks, images and files."""
        self.end()
        self.parts.remove_images()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end(self) -> None:
        """Ends the processes, and removes containers and networks."""
        # The process that delivers orders ends after the stand-in of the AWS API, in between two orders, so that no
        # container appears after the others have been removed.
        processes = self._processes()
        for process in processes[:1]:
            os.kill(process, signal.SIGTERM)
        try:
            wait_until(lambda: not self.runs(), "the process that delivers orders has ended")
        except TimeoutError:
            for process in self._processes():
                os.killpg(process, signal.SIGKILL)
        for child in self._children:
            child.wait(20)
        self.parts.remove()

    def runs(self) -> bool:
        """Whether one of the processes still runs."""
        for child in self._children:
            child.poll()
        return bool(self._processes())

    def _processes(self) -> list[int]:
        """Those that still are what they were: each has the folder in its command line."""
        pids = self.folder / "pids"
        noted = pids.read_text().split() if pids.is_file() else []
        return [int(pid) for pid in noted if str(self.folder) in command_line(pid)]

    # --- The operator

    def operate(self, target: str, environment: str = ENVIRONMENT, *, input: str = "", **variables: str) -> Said:
        """Runs `make TARGET ENV=... VARIABLE=VALUE...` as an operator does, who types `input`. Its words are in
        deploy.log, and stay in all.log, together with Ansible's."""
        words = [f"{name}={value}" for name, value in variables.items()]
        with self.log.open("wb") as log:
            status = subprocess.run(
                ["make", "--no-print-directory", target, f"ENV={environment}", *words],
                cwd=REPOSITORY,
                env=operators_environment(self.folder, self.settings),
                input=input.encode(),
                stdout=log,
                stderr=subprocess.STDOUT,
            ).returncode
        with self.all_logs.open("ab") as everything:
            for log in (self.log, self.ansible_log):
                if log.is_file():
                    everything.write(log.read_bytes())
        return Said(status, self.log.read_text(errors="replace"))

    @property
    def ansible_log(self) -> Path:
        """What Ansible says during a deployment, or has said in the last one."""
        return self.environments / f".{ENVIRONMENT}" / "ansible.log"

    def deploy(self, release: str = "") -> Said:
        """Runs `make deploy` without a question."""
        return self.operate("deploy", YES="1", **({"IMAGE": release} if release else {}))

    def changed_tasks(self) -> int:
        """The number of Ansible's tasks that changed something in the last run, in all plays."""
        return sum(map(int, re.findall(r" changed=(\d+) ", self.ansible_log.read_text())))

    def changed_roles(self) -> set[str]:
        """The roles of which a task has changed something in the last run."""
        tasks = re.split(r"^(?:TASK|RUNNING HANDLER) \[", self.ansible_log.read_text(), flags=re.MULTILINE)
        return {task.partition(" : ")[0] for task in tasks[1:] if re.search(r"^changed: ", task, re.MULTILINE)}

    def set_variables(self, **variables: object) -> None:
        """Replaces variables of ansible/group_vars for the deployments to come."""
        file = self.folder / "settings.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **variables}))

    def edit(self, file: Path, **lines: str | int) -> None:
        """Replaces lines `name = ...` of the form, or `name: ...` of the secrets."""
        text = file.read_text()
        for name, value in lines.items():
            shown = value if isinstance(value, int) else f'"{value}"'
            text, count = re.subn(rf"(?m)^({name}\s*[=:]\s*).*$", lambda m, v=shown: f"{m[1]}{v}", text)
            if count != 1:
                raise LookupError(f"{file.name} has {count} lines '{name}'")
        file.write_text(text)

    def enter_records(self, *records: tuple[str, str, list[str]]) -> None:
        """Replaces the records that were entered by hand at the domain's DNS provider: name, kind and values."""
        new = self.folder / "records.json.new"
        new.write_text(json.dumps(records))
        new.rename(self.folder / "records.json")

    def make_duckdns_token(self) -> str:
        """Lets DuckDNS make a new token, which replaces the one before."""
        token, new = str(uuid.UUID(bytes=secrets.token_bytes(16))), self.folder / "duckdns-token.new"
        new.write_text(token)
        new.rename(self.folder / "duckdns-token")
        return token

    def tell_duckdns(self, **addresses: str) -> None:
        """Updates the record at DuckDNS, as another program of the operator's would."""
        token = (self.folder / "duckdns-token").read_text()
        query = urllib.parse.urlencode({"domains": DUCKDNS_DOMAIN.split(".")[0], "token": token, **addresses})
        url = f"http://127.0.0.1:{(self.folder / 'duckdns-port').read_text()}/update?{query}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            if answer.read() != b"OK":
                raise RuntimeError("the stand-in of DuckDNS has refused an update")

    def names(self, domain: str, kind: str) -> list[str]:
        """The values of the domain's records, as the name servers of the world have them."""
        port = int((self.folder / "dns-port").read_text())
        response = dns.query.udp(dns.message.make_query(domain, kind), "127.0.0.1", 20, port)
        return [record.to_text() for rrset in response.answer for record in rrset]

    def read_secrets(self) -> dict[str, str]:
        """The lines of the secrets file."""
        return dict(re.findall(r'(?m)^(\w+): "(.*)"$', self.secrets.read_text()))

    def forget_secret(self, name: str) -> None:
        """Removes its line from the secrets file, so that a new one is generated."""
        lines = self.secrets.read_text().splitlines(keepends=True)
        self.secrets.write_text("".join(line for line in lines if not line.startswith(f"{name}: ")))

    def follow_domain(self, domain: str) -> None:
        """Lets clients find that domain at the addresses to which its record leads now."""
        self.learn(domain=domain)
        lead_to(self.folder, domain, self.addresses())

    def addresses(self) -> list[str]:
        """The addresses to which the record of the domain leads now."""
        return self.names(self.domain, "A")

    def build_commit(self, revision: str) -> str:
        """Builds the image of another commit, and returns its name."""
        return output(REPOSITORY / "scripts/image", "--commit", revision)

    def build_release(self, suffix: str, dockerfile: str, **files: str) -> str:
        """Builds a release on top of an image; the files of its context are executable."""
        return self._build_image(f"{self.release}-{suffix}", dockerfile, **files)

    def build_edge(self, suffix: str, dockerfile: str) -> str:
        """Builds an image of the edge on top of another."""
        return self._build_image(f"{self.settings.edge_image}-{suffix}", dockerfile)

    def _build_image(self, name: str, dockerfile: str, **files: str) -> str:
        with tempfile.TemporaryDirectory(dir=self.folder) as context:
            (Path(context) / "Dockerfile").write_text(dockerfile)
            for file, content in files.items():
                (Path(context) / file).write_text(content)
                (Path(context) / file).chmod(0o755)
            run("docker", "build", "--quiet", "--label", self.parts.label, "--tag", name, context)
        return name

    # --- Inside the host

    def on_host(self, *command: str, input: str = "", number: int = 1) -> str:
        """The output of a command on a host, as root, without SSH."""
        return self.parts.on_host(*command, input=input, number=number)

    def containers_of(self, service: str, number: int = 1) -> list[str]:
        """The ids of the containers of a service that run on a host."""
        label = f"label=com.docker.swarm.service.name={service}"
        return self.on_host("docker", "ps", "--no-trunc", "--quiet", "--filter", label, number=number).split()

    def process_of(self, container: str, number: int = 1) -> str:
        """The id of a container's process on the host."""
        return self.on_host("docker", "inspect", "--format", "{{.State.Pid}}", container, number=number)

    def in_network_of(self, service: str, *command: str, input: str = "", number: int = 1) -> str:
        """Runs one of the host's own programs in the network of a service's first container."""
        process = self.process_of(self.containers_of(service, number)[0], number)
        return self.on_host("nsenter", "--net", "--target", process, *command, input=input, number=number)

    def service_versions(self, number: int = 1) -> str:
        """Ids and versions of all services of a host: they differ after any change."""
        ids = self.on_host("docker", "service", "ls", "--quiet", number=number).split()
        form = ("--format", "{{.ID}} {{.Version.Index}}")
        return self.on_host("docker", "service", "inspect", *form, *ids, number=number)

    def replicas_of(self, release: str, number: int = 1) -> int:
        """The number of a host's replicas that run that release and are to go on."""
        image = self.on_host("docker", "image", "inspect", "--format", "{{.Id}}", release, number=number)
        tasks = self.on_host(
            *("docker", "service", "ps", "--filter", "desired-state=running"),
            *("--format", "{{.Image}} {{.CurrentState}}", "herolo_api"),
            number=number,
        )
        return sum(line.startswith(f"{image} Running") for line in tasks.splitlines())

    def requests_of_router(self, router: str, number: int = 1) -> Counter[str]:
        """How many requests of a router a host's Traefik has answered since its start, by their statuses."""
        url = "http://127.0.0.1:8082/metrics"
        text = self.in_network_of("edge_traefik", "curl", "--silent", "--show-error", url, number=number)
        found = re.findall(r"^traefik_router_requests_total{(.*)} (\S+)$", text, re.MULTILINE)
        counts = Counter()
        for labels, value in found:
            if f'router="{router}"' in labels:
                counts[re.search(r'code="(\d+)"', labels).group(1)] += float(value)
        return counts

    def access_log(self, text: str, number: int = 1) -> list[dict]:
        """The lines of a host's access log that contain a text, of the last minutes and of the Traefik that runs: of
        errors and of slow requests."""
        found = []
        for container in self.containers_of("edge_traefik", number):
            script = f"docker logs --since 5m {container} 2>&1 | grep -F {shlex.quote(text)} || true"
            found += self.on_host("sh", "-c", script, number=number).splitlines()
        return [json.loads(line) for line in found if line.startswith("{")]

    # --- The balancer

    def health(self) -> dict[int, str]:
        """The state of each registered host in the balancer's view, by number."""
        states = json.loads((self.folder / "aws-port.targets").read_text())
        return {host.number: states[host.id] for host in self.cloud.hosts() if host.id in states}

    def await_healthy(self, *numbers: int, limit: float = 300) -> None:
        """Waits until the balancer finds these hosts healthy."""

        def healthy() -> bool:
            health = self.health()
            return all(health.get(number) == "healthy" for number in numbers)

        wait_until(healthy, f"the balancer finds the hosts {numbers} healthy", limit)

    def certificates(self) -> dict[int, dict]:
        """The certificate that each host serves at its own public address, by number."""
        return {host.number: self.certificate(address=host.address) for host in self.cloud.hosts()}

    def issued(self) -> int:
        """The number of certificates that the first authority has issued."""
        return self.parts.log_of(AUTHORITY).count(b"Issued certificate serial")

    def set_lag(self, seconds: float) -> None:
        """Lets the balancer go on for so long to open connections to a host whose health check has failed."""
        Lag(self.folder).set(seconds)

    # --- Clients

    def curl(self, *options: str, config: str = "") -> str:
        """The output of curl, to which the domain leads to the host and whose certificate it trusts. `config` is for
        options with secrets: arguments can be seen by all users of a machine."""
        files = ("--config", str(self.folder / "curl"), "--config", "-")
        return run("curl", "--silent", "--show-error", *files, *options, input=config).stdout

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        token: str = "",
        options: tuple[str, ...] = (),
        scheme: str = "https",
    ) -> Answer:
        """Sends one request with exactly that path. A body that is no bytes is sent as JSON."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            files = Path(name)
            words = ["--max-time", "60", "--path-as-is", "--globoff", "--request", method]
            words += ["--output", str(files / "body"), "--dump-header", str(files / "headers"), *options]
            if body is not None:
                (files / "sent").write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
                words += ["--header", "Content-Type: application/json", "--data-binary", f"@{files / 'sent'}"]
            self.curl(*words, f"{scheme}://{self.domain}{path}", config=bearer(token))
            answered = files / "body"
            return read_answer((files / "headers").read_text(), answered.read_bytes() if answered.exists() else b"")

    def sign_up(self, name: str) -> Account:
        """Makes an account and logs it in; the name gets a suffix, so that a test can run twice."""
        name = f"{name}-{secrets.token_hex(4)}"
        account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        created = self.request("POST", "/users", account)
        if created.status != 201:
            raise RuntimeError(f"no account was made: {created}")
        return Account(name, self.log_in(name).json()["access_token"])

    def wait_for_write(self) -> None:
        """Waits until an account can be made."""

        def writes() -> bool:
            try:
                return bool(self.sign_up("writer"))
            except RuntimeError:
                return False

        wait_until(writes, "a write succeeds", 120)

    def log_in(self, name: str) -> Answer:
        """The answer to a log-in with the right password."""
        return self.request("POST", f"/users/{name}/token", {"password": PASSWORD})

    def send(self, sender: Account, receiver: Account, subject: str, message: str) -> Answer:
        """The answer to sending a message."""
        body = {"receiver": receiver.name, "subject": subject, "message": message}
        return self.request("POST", f"/users/{sender.name}/messages", body, sender.token)

    @contextmanager
    def event_stream(self, account: Account) -> Iterator[Path]:
        """A client that listens to an account's events; yields the file into which it writes them."""
        heard = self.folder / "events"
        command = ["curl", "--silent", "--no-buffer", "--max-time", "240", "--config", str(self.folder / "curl")]
        url = f"https://{self.domain}/users/{account.name}/events"
        with heard.open("wb") as file:
            client = subprocess.Popen([*command, "--config", "-", url], stdin=subprocess.PIPE, stdout=file)
        try:
            assert client.stdin
            client.stdin.write(bearer(account.token).encode())
            client.stdin.close()
            yield heard
        finally:
            client.kill()
            client.wait()

    def tls_issuer(self) -> str:
        """The common name of the issuer of the host's certificate, which must be valid for the domain."""
        return dict(pair for part in self.certificate()["issuer"] for pair in part)["commonName"]

    def certificate(self, authority: str = AUTHORITY, address: str = "") -> dict:
        """The certificate at the domain (or at that address), which must be that authority's for the domain."""
        context = ssl.create_default_context(cafile=self.folder / f"{authority}-root.pem")
        with self.tls(context, address) as connection:
            return connection.getpeercert() or {}

    def tls(self, context: ssl.SSLContext, address: str = "") -> ssl.SSLSocket:
        """A TLS connection by the domain, or to that address with the domain as its name."""
        plain = socket.create_connection((address or self.addresses()[0], 443), 20)
        return context.wrap_socket(plain, server_hostname=self.domain)

    def await_end_of_replaced(self, *hosts: int) -> None:
        """Waits until the last of the replaced replicas on these hosts (else the only one) has ended."""

        def complete() -> bool:
            return all(
                len(self.containers_of("herolo_api", number)) == self.settings.replicas for number in hosts or (1,)
            )

        wait_until(complete, "all replicas that were replaced ended", 300)

    @contextmanager
    def under_load(self, *hosts: int) -> Iterator[Counts]:
        """Sends requests meanwhile, until the last of the replaced replicas on these hosts (else the only one) has
        ended. The counts are complete when it is over."""
        authority, several = self.folder / "acme-ca.pem", self.settings.hosts > 1
        load, counts = Load(Resolver(self.addresses), self.domain, authority, all_kinds=several), Counts()
        load.start()
        counts.load = load
        try:
            yield counts
            self.await_end_of_replaced(*hosts)
            vars(counts).update(vars(load.finish()))
        finally:
            load.stop()
            load.stop_listening()


def bearer(token: str) -> str:
    """An option of curl for a token."""
    return f'oauth2-bearer = "{token}"\n' if token else ""


def read_answer(headers: str, body: bytes) -> Answer:
    """Of the last block of headers: those before it are interim answers."""
    status, *lines = headers.strip().replace("\r\n", "\n").split("\n\n")[-1].splitlines()
    pairs = [line.partition(":") for line in lines]
    return Answer(int(status.split()[1]), [(name.lower(), value.strip()) for name, _, value in pairs], body)


def command_line(pid: str) -> str:
    """Of a process; empty if there is none, or if it has ended but was not waited for."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def require_commands() -> None:
    """Raises Unusable unless this machine has the commands that a rehearsal runs."""
    for command in ("curl", "docker", "make", "openssl", "ssh", "ssh-keygen"):
        if not shutil.which(command):
            raise Unusable(f"{command} is missing: install it and run this again")


def choose_ssh_port() -> int:
    """A port for SSH that no server of this machine holds on all addresses, as its own sshd does with 22."""
    for port in (80, 443):
        if is_taken(port):
            raise Unusable(f"port {port} is taken on every address of this machine: stop its server and run this again")
    return next(port for port in range(22, 65536, 1000) if not is_taken(port))


def is_taken(port: int) -> bool:
    """Asked on an address that no server chooses, so a server there listens on all of them."""
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.254.254.254", port)) == 0
