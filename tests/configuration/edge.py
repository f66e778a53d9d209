"""Traefik with what Ansible makes of its templates, in front of replicas that run as processes.

All of it is on the network of this machine: published ports and overlay networks would add what the kernel costs, which
no setting changes. What the roles configure is changed where this machine needs it, in `Configuration.adapt`.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from configuration.rendered import HOSTS, ROUTING, Rendered, Sources, make_readable, write_inputs
from support.certificates import make_authority, make_certificate
from support.commands import REPOSITORY
from support.services import LABEL, free_port

DOMAIN = "localhost"
# Of Traefik's entry points. The first one is not configured by the roles: it is websecure without TLS.
ENTRY_POINTS = ("plain", "web", "websecure", "health", "ping")
SERVER_PORT = "traefik.http.services.herolo.loadbalancer.server.port"  # a label
# The replicas have one port, each on a loopback address of its own, from 127.0.0.11 on.
REPLICA_PORT = 8000
FIRST_ADDRESS = 11
NO_LIMIT = 1_000_000
START_PATIENCE = 120  # seconds


def addresses_of(replicas: int) -> list[str]:
    """The loopback addresses of so many replicas."""
    return [f"127.0.0.{FIRST_ADDRESS + number}" for number in range(replicas)]


class Configuration:
    """What the roles deploy for Traefik, which may be changed before it starts."""

    def __init__(self, rendered: Rendered) -> None:
        stack = rendered.edge["services"]["traefik"]
        self.install: dict[str, Any] = rendered.install
        self.routing: dict[str, Any] = {"http": rendered.routing}
        self.routing["tls"] = yaml.safe_load(ROUTING.read_text(encoding="utf-8"))["tls"]
        self.unrouted: dict[str, Any] = yaml.safe_load(rendered.unrouted_text)
        self.labels: dict[str, str] = rendered.service["services"]["api"]["deploy"]["labels"]
        self.environment: dict[str, str] = stack.get("environment", {})
        self.command, self.user = stack["command"], stack["user"]
        self.memory = stack["deploy"]["resources"]["limits"]["memory"]
        daemon = json.loads(rendered.texts["host/daemon.json"])
        self.logging = stack.get("logging") or {"driver": daemon["log-driver"], "options": daemon["log-opts"]}

    def adapt(self, ports: dict[str, int], replica_port: int, stand_in: str) -> None:
        """To the ports of this machine, to a certificate that no authority has issued, and to a stand-in for what
        Traefik finds around it (HOST:PORT). All limits and timeouts stay as they are."""
        entry_points = self.install["entryPoints"]
        entry_points["plain"] = copy.deepcopy(entry_points["websecure"])
        for name, settings in entry_points.items():
            settings["address"] = f"127.0.0.1:{ports[name]}"
        self.install["providers"]["swarm"]["endpoint"] = f"tcp://{stand_in}"
        self.install.pop("certificatesResolvers", None)
        self.routing["http"]["services"]["problems"]["loadBalancer"]["servers"] = [{"url": f"http://{stand_in}"}]
        self.routing["tls"]["certificates"] = [
            {"certFile": "/etc/traefik/server.pem", "keyFile": "/etc/traefik/server.key"}
        ]
        labels = {}
        for name, value in self.labels.items():
            value = value.replace("$$", "$")  # as `docker stack deploy` does
            if name.endswith(".tls.certresolver"):
                name, value = name.removesuffix(".certresolver"), "true"
            labels[name] = value
            if name.startswith("traefik.http.routers.") and not name.endswith(".tls"):
                copied = name.replace("traefik.http.routers.", "traefik.http.routers.plain-")
                labels[copied] = "plain" if value == "websecure" else value
        self.labels = {**labels, SERVER_PORT: str(replica_port)}

    def lift_limits(self) -> None:
        """For clients that all have one address, which may ask as much as they can."""
        for middleware in self.routing["http"]["middlewares"].values():
            if "rateLimit" in middleware:
                middleware["rateLimit"] |= {"average": NO_LIMIT, "burst": NO_LIMIT}
            if "inFlightReq" in middleware:
                middleware["inFlightReq"]["amount"] = NO_LIMIT

    def write(self, folder: Path, certificates: Path) -> None:
        """Writes the files of /etc/traefik, with the certificate of another folder."""
        (folder / "routing").mkdir(parents=True, exist_ok=True)
        documents = {
            "traefik.yml": self.install,
            "routing/routing.yml": self.routing,
            "routing/unrouted.yml": self.unrouted,
        }
        for name, document in documents.items():
            (folder / name).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        for name in ("server.pem", "server.key"):
            (folder / name).write_bytes((certificates / name).read_bytes())
        make_readable(folder)  # for Traefik's own user

    def options(self) -> list[str]:
        """Those of `docker create`, as the stack file has them."""
        options = [f"--env={name}={value}" for name, value in self.environment.items()]
        options += [f"--log-driver={self.logging['driver']}", f"--memory={self.memory}"]
        options += [f"--log-opt={name}={value}" for name, value in self.logging["options"].items()]
        options += [f"--user={self.user}", "--read-only", "--cap-drop=ALL"]
        return [*options, "--tmpfs=/tmp:size=67108864", "--volume=/etc/traefik"]


class StandIn(ThreadingHTTPServer):
    """What Docker would tell Traefik: one service with the labels, and a task for each replica. It answers in place of
    the documents of Traefik's errors, too, with something that is none."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        super().__init__(("127.0.0.1", 0), StandInHandler)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.server_address[1]}"

    def start(self, labels: dict[str, str], addresses: Sequence[str]) -> None:
        """Answers from now on."""
        network = labels["traefik.swarm.network"]
        spec = {"Name": "herolo_api", "Labels": labels, "Mode": {"Replicated": {}}, "EndpointSpec": {"Mode": "dnsrr"}}
        self.answers = {
            "_ping": "OK",
            "version": {"ApiVersion": "1.44", "MinAPIVersion": "1.24"},
            "services": [{"ID": "api", "Spec": spec}],
            "networks": [{"Id": "network", "Name": network, "Scope": "swarm", "Driver": "overlay"}],
            "tasks": [
                {
                    "ID": f"task{slot}",
                    "ServiceID": "api",
                    "Slot": slot,
                    "DesiredState": "running",
                    "Status": {"State": "running"},
                    "NetworksAttachments": [{"Network": {"ID": "network"}, "Addresses": [f"{address}/8"]}],
                }
                for slot, address in enumerate(addresses, 1)
            ],
        }
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Traefik ends in the middle of a question."""


class StandInHandler(BaseHTTPRequestHandler):
    """Answers Traefik's questions."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The answer that there is for the end of the path, else an empty list."""
        name = urllib.parse.urlsplit(self.path).path.rsplit("/", 1)[-1]
        body = json.dumps(self.server.answers.get(name, [])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Edge:
    """Traefik, which can be started again with another configuration. It is removed by `stop`."""

    def __init__(self, folder: Path, addresses: Sequence[str], container: str, replica_port: int) -> None:
        """`addresses` are those of the replicas; `folder` must not exist yet."""
        self.folder, self.addresses, self.container = folder, addresses, container
        self.replica_port = replica_port
        self.ports = {name: free_port() for name in ENTRY_POINTS}
        self.image = run("tests/deploy/image", "traefik")
        self.stand_in: StandIn | None = None
        self.rendered = self.render(len(addresses))

    @property
    def authority(self) -> Path:
        """The file of the authority of Traefik's certificate."""
        return self.folder / "ca.pem"

    def render(self, replicas: int) -> Path:
        """As site.yml deploys it."""
        self.folder.mkdir()
        inputs = write_inputs(self.folder)
        deployment = json.loads(inputs.read_text(encoding="utf-8"))["deployment"]
        deployment |= {"hosts": HOSTS[:1], "domain": DOMAIN, "replicas": replicas, "service_settings": {}}
        make_certificate(make_authority(self.folder), DOMAIN, self.folder)
        (self.folder / "sources").mkdir()
        return Sources(self.folder / "sources").render(inputs, self.folder / "rendered", deployment=deployment)

    def configuration(self) -> Configuration:
        """What the roles configure, which the caller may change before the start."""
        return Configuration(Rendered(self.rendered))

    def start(self, configuration: Configuration) -> None:
        """Traefik, in place of one that runs, once it reaches all replicas."""
        self.stop()
        self.stand_in = StandIn()
        configuration.adapt(self.ports, self.replica_port, self.stand_in.address)
        self.stand_in.start(configuration.labels, self.addresses)
        configuration.write(self.folder / "files", self.folder)
        options = ("--name", self.container, "--label", LABEL, "--network=host", *configuration.options())
        run("docker", "create", *options, self.image, *configuration.command)
        run("docker", "cp", "--quiet", f"{self.folder / 'files'}/.", f"{self.container}:/etc/traefik")
        run("docker", "start", self.container)
        begun = time.monotonic()
        while not self.reaches_all():
            if time.monotonic() - begun > START_PATIENCE:
                raise RuntimeError(f"Traefik does not reach the replicas: {self.log()[-2000:]}")
            time.sleep(0.2)
        self.check()

    def reaches_all(self) -> bool:
        """Whether Traefik serves, and counts all replicas as healthy."""
        request = urllib.request.Request(f"{self.url('plain')}/livez", headers={"Host": DOMAIN})
        try:
            for _ in self.addresses:
                with urllib.request.urlopen(request, timeout=5) as response:
                    if response.status != 200:
                        return False
        except (urllib.error.URLError, OSError):
            return False
        return True

    def log(self) -> str:
        """What Traefik has logged."""
        done = subprocess.run(["docker", "logs", self.container], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def check(self) -> None:
        """What runs is what was configured: Traefik has nothing to complain about. On a busy machine, replicas may
        respond to its health checks too late."""
        complaints = [line for line in self.log().splitlines() if re.search('"level":"(warn|error|fatal)"', line)]
        complaints = [line for line in complaints if "Health check failed" not in line]
        if complaints:
            raise RuntimeError(f"Traefik complains: {complaints[0]}")

    def process(self) -> int:
        """The id of Traefik's process."""
        return int(run("docker", "inspect", "--format", "{{.State.Pid}}", self.container))

    def state(self) -> str:
        """Its state, how often it was started again, and whether it was killed for its memory."""
        form = "{{.State.Status}} {{.RestartCount}} {{.State.OOMKilled}}"
        return run("docker", "inspect", "--format", form, self.container)

    def stop(self) -> None:
        """Removes Traefik, if it runs."""
        if self.stand_in:
            self.stand_in.shutdown()
            self.stand_in.server_close()
            self.stand_in = None
        subprocess.run(["docker", "rm", "--force", "--volumes", self.container], capture_output=True, check=False)

    def url(self, entry_point: str) -> str:
        """The address of an entry point."""
        scheme = "https" if entry_point == "websecure" else "http"
        return f"{scheme}://{DOMAIN}:{self.ports[entry_point]}"


def run(*command: str) -> str:
    """Runs a command in the repository, which must succeed, and returns what it prints."""
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} fails: {(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout.strip()
