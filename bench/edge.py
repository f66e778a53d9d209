"""The edge that is measured: Traefik with what Ansible makes of its templates, and replicas behind it.

All of it is on the network of this machine, like MySQL: published ports and overlay networks would add what the kernel
costs, which no setting changes. What the roles configure is changed where that or the measurement needs it, in `adapt`.
"""

import concurrent.futures
import copy
import json
import pathlib
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml
from operations import HERE, request_line
from parts import Service, children_seconds, drive_h2load, drive_wrk, processor_seconds, summary

sys.path.append(str(HERE.parent / "tests"))

from configuration.rendered import HOSTS, Rendered, Sources, write_inputs
from support.certificates import make_authority, make_certificate

DOMAIN = "localhost"
# Of Traefik's entry points, by name. The first one is there for the measurement only: websecure without TLS.
PORTS = {"plain": 18_180, "web": 18_181, "websecure": 18_443, "health": 18_182, "ping": 18_183}
SWARM_PORT = 18_184
# The replicas have the port of the routers' labels, each on a loopback address of its own, from 127.0.0.11 on.
REPLICA_PORT = 8000
FIRST_ADDRESS = 11
NO_LIMIT = 1_000_000
CONTAINER = "herolo-bench-traefik"


class Configuration:
    """What the roles deploy, which a variant may change."""

    def __init__(self, rendered):
        stack = rendered.edge["services"]["traefik"]
        self.install, self.routing = rendered.install, {"http": rendered.routing}
        self.routing["tls"] = yaml.safe_load((HERE.parent / "traefik/routing.yml").read_text(encoding="utf-8"))["tls"]
        self.unrouted = yaml.safe_load(rendered.unrouted_text)
        self.labels = rendered.service["services"]["api"]["deploy"]["labels"]
        self.environment, self.command, self.user = stack.get("environment", {}), stack["command"], stack["user"]
        self.memory = stack["deploy"]["resources"]["limits"]["memory"]
        daemon = json.loads(rendered.texts["host/daemon.json"])
        self.logging = stack.get("logging") or {"driver": daemon["log-driver"], "options": daemon["log-opts"]}

    def adapt(self):
        """To this machine, to clients that are one, and to a certificate that no authority has issued."""
        entry_points = self.install["entryPoints"]
        entry_points["plain"] = copy.deepcopy(entry_points["websecure"])
        for name, settings in entry_points.items():
            settings["address"] = f"127.0.0.1:{PORTS[name]}"
        self.install["providers"]["swarm"]["endpoint"] = f"tcp://127.0.0.1:{SWARM_PORT}"
        self.install.pop("certificatesResolvers", None)
        for middleware in self.routing["http"]["middlewares"].values():
            if "rateLimit" in middleware:
                middleware["rateLimit"] |= {"average": NO_LIMIT, "burst": NO_LIMIT}
            if "inFlightReq" in middleware:
                middleware["inFlightReq"]["amount"] = NO_LIMIT
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
        self.labels = labels


# --- Variants ---


def log_all(configuration):
    """Every request is logged."""
    configuration.install["accessLog"].pop("filters", None)


def log_nothing(configuration):
    """No request is logged."""
    configuration.install.pop("accessLog")


def log_few_fields(configuration):
    """Every request is logged, with few fields."""
    log_all(configuration)
    kept = ("ClientHost", "RequestMethod", "RequestPath", "DownstreamStatus", "Duration", "StartUTC", "ServiceAddr")
    configuration.install["accessLog"]["fields"] |= {"defaultMode": "drop", "names": dict.fromkeys(kept, "keep")}


def log_buffered(configuration):
    """Every request is logged, by a goroutine of its own."""
    log_all(configuration)
    configuration.install["accessLog"]["bufferingSize"] = 1000


def log_common(configuration):
    """Every request is logged, in the common log format."""
    log_all(configuration)
    configuration.install["accessLog"]["format"] = "common"


def log_to_local_driver(configuration):
    """Every request is logged, through Docker's driver `local`."""
    log_all(configuration)
    configuration.logging = {"driver": "local", "options": {"max-size": "10m", "max-file": "5"}}


def log_to_file(configuration):
    """Every request is logged, to a file in memory instead of to Docker."""
    log_all(configuration)
    configuration.install["accessLog"]["filePath"] = "/tmp/access.log"


def use_fast_proxy(configuration):
    """Traefik's experimental proxy for HTTP/1.1."""
    configuration.install["experimental"] = {"fastProxy": {}}


def count_nothing(configuration):
    """No metrics."""
    configuration.install.pop("metrics")


def count_no_routers(configuration):
    """No metrics of routers."""
    configuration.install["metrics"]["prometheus"]["addRoutersLabels"] = False


def use_no_middleware(configuration):
    """No middleware on the way to a replica."""
    configuration.labels = {name: value for name, value in configuration.labels.items() if ".middlewares" not in name}


def leave_out(*names):
    """Without some of the middlewares of requests to the API."""

    def change(configuration):
        chain = configuration.routing["http"]["middlewares"]["api"]["chain"]["middlewares"]
        chain[:] = [one for one in chain if not one.startswith(names)]

    return change


def use_no_failover(configuration):
    """Routers lead to the replicas, without another service between."""
    for name in configuration.labels:
        if name.startswith("traefik.http.routers.") and name.endswith(".service"):
            configuration.labels[name] = configuration.labels[name].replace("replicas@file", "herolo")


def set_environment(**variables):
    """With other variables of the environment."""

    def change(configuration):
        configuration.environment |= variables

    return change


VARIANTS = {
    "shipped": lambda _: None,
    "log-all": log_all,
    "log-nothing": log_nothing,
    "log-few-fields": log_few_fields,
    "log-buffered": log_buffered,
    "log-common": log_common,
    "log-local": log_to_local_driver,
    "log-file": log_to_file,
    "fast-proxy": use_fast_proxy,
    "no-metrics": count_nothing,
    "no-router-metrics": count_no_routers,
    "no-middlewares": use_no_middleware,
    "no-failover": use_no_failover,
    "no-limits": leave_out("limit-"),
    "no-encode": leave_out("encode-"),
    "no-retry": leave_out("retry"),
    "no-explain": leave_out("explain-"),
    "no-headers": leave_out("add-headers"),
    "gogc-200": set_environment(GOGC="200"),
    "gogc-400": set_environment(GOGC="400"),
    "gogc-off": set_environment(GOGC="off"),
    "one-thread": set_environment(GOMAXPROCS="1"),
}


# --- What runs ---


class Swarm(ThreadingHTTPServer):
    """What Docker would tell Traefik: one service with the labels, and a task for each replica."""

    daemon_threads = True

    def __init__(self, labels, addresses):
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
        super().__init__(("127.0.0.1", SWARM_PORT), SwarmHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """Traefik ends in the middle of a question."""


class SwarmHandler(BaseHTTPRequestHandler):
    """Answers Traefik's questions."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        name = urllib.parse.urlsplit(self.path).path.rsplit("/", 1)[-1]
        body = json.dumps(self.server.answers.get(name, [])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Edge:
    """Traefik and the replicas; ended at the end of a `with`."""

    def __init__(self, bench, data, replicas):
        self.bench, self.folder = bench, bench.folder / "edge"
        self.addresses = [f"127.0.0.{FIRST_ADDRESS + number}" for number in range(replicas)]
        self.replicas = [
            Service(bench.options.binary, bench.mysql, data.name, REPLICA_PORT, address=address, settings=SETTINGS)
            for address in self.addresses
        ]
        self.image = run([HERE.parent / "tests/deploy/image", "traefik"])
        self.swarm = None
        self.rendered = self.render(replicas)

    def render(self, replicas):
        """As site.yml deploys it."""
        self.folder.mkdir()
        inputs = write_inputs(self.folder)
        deployment = json.loads(inputs.read_text(encoding="utf-8"))["deployment"]
        deployment |= {"hosts": HOSTS[:1], "domain": DOMAIN, "replicas": replicas, "service_settings": {}}
        make_certificate(make_authority(self.folder), DOMAIN, self.folder)
        (self.folder / "sources").mkdir()
        return Sources(self.folder / "sources").render(inputs, self.folder / "rendered", deployment=deployment)

    def __enter__(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(Service.__enter__, self.replicas))
        return self

    def __exit__(self, *_):
        self.stop()
        for replica in self.replicas:
            replica.__exit__()

    def start(self, variant):
        """Traefik, in place of one that runs."""
        self.stop()
        configuration = Configuration(Rendered(self.rendered))
        configuration.adapt()
        for change in variant.split("+"):
            VARIANTS[change](configuration)
        self.swarm = Swarm(configuration.labels, self.addresses)
        files = self.folder / "files"
        (files / "routing").mkdir(parents=True, exist_ok=True)
        documents = {
            "traefik.yml": configuration.install,
            "routing/routing.yml": configuration.routing,
            "routing/unrouted.yml": configuration.unrouted,
        }
        for name, document in documents.items():
            (files / name).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        for name in ("server.pem", "server.key"):
            (files / name).write_bytes((self.folder / name).read_bytes())
        for path in files.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        options = [f"--env={name}={value}" for name, value in configuration.environment.items()]
        options += [f"--log-driver={configuration.logging['driver']}", f"--memory={configuration.memory}"]
        options += [f"--log-opt={name}={value}" for name, value in configuration.logging["options"].items()]
        options += ["--network=host", f"--user={configuration.user}", "--read-only", "--cap-drop=ALL"]
        options += ["--tmpfs=/tmp:size=67108864", "--volume=/etc/traefik"]
        run(["docker", "create", "--name", CONTAINER, *options, self.image, *configuration.command])
        run(["docker", "cp", "--quiet", f"{files}/.", f"{CONTAINER}:/etc/traefik"])
        run(["docker", "start", CONTAINER])
        begin = time.monotonic()
        while not self.reaches_all():
            if time.monotonic() - begin > 120:
                raise SystemExit(f"error: Traefik does not reach the replicas: {self.log()[-2000:]}")
            time.sleep(0.2)
        self.check()

    def reaches_all(self):
        """Whether Traefik serves, and counts all replicas as healthy."""
        url = f"http://127.0.0.1:{PORTS['plain']}/livez"
        try:
            for _ in self.replicas:
                with urllib.request.urlopen(
                    urllib.request.Request(url, headers={"Host": DOMAIN}), timeout=5
                ) as response:
                    if response.status != 200:
                        return False
        except (urllib.error.URLError, OSError):
            return False
        return True

    def check_shares(self):
        """Traefik has divided the requests among the replicas."""
        seconds = [replica.processor_seconds() for replica in self.replicas]
        if min(seconds) < max(seconds) / 2:
            raise SystemExit(f"error: the replicas do not share the requests: they took {seconds} s")

    def log(self):
        done = subprocess.run(["docker", "logs", CONTAINER], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def check(self):
        """What is measured is what was configured: Traefik has nothing to complain about. On a busy machine, replicas
        may respond to its health checks too late."""
        complaints = [line for line in self.log().splitlines() if re.search('"level":"(warn|error|fatal)"', line)]
        complaints = [line for line in complaints if "Health check failed" not in line]
        if complaints:
            raise SystemExit(f"error: Traefik complains: {complaints[0]}")

    def stop(self):
        if self.swarm:
            self.swarm.shutdown()
            self.swarm.server_close()
            self.swarm = None
        subprocess.run(["docker", "rm", "--force", "--volumes", CONTAINER], capture_output=True, check=False)

    def url(self, entry_point):
        scheme = "https" if entry_point == "websecure" else "http"
        return f"{scheme}://{DOMAIN}:{PORTS[entry_point]}"

    def processor_seconds(self):
        """Of Traefik, of Docker for what Traefik logs, and of each replica."""
        traefik = int(run(["docker", "inspect", "--format", "{{.State.Pid}}", CONTAINER]))
        shim = int(pathlib.Path(f"/proc/{traefik}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[1])
        daemon = int(pathlib.Path("/var/run/docker.pid").read_text(encoding="ascii"))
        return {
            "traefik": processor_seconds(traefik),
            "log": processor_seconds(shim) + processor_seconds(daemon),
            **{f"replica {replica.address}": replica.processor_seconds() for replica in self.replicas},
        }


# How requests reach a replica: the entry point (none: one replica is asked directly), the load tool, and whether each
# has a connection of its own.
WAYS = {
    "direct": (None, "wrk", False),
    "plain": ("plain", "wrk", False),
    "tls": ("websecure", "wrk", False),
    "http2": ("websecure", "h2load", False),
    "direct-fresh": (None, "wrk", True),
    "plain-fresh": ("plain", "wrk", True),
    "tls-fresh": ("websecure", "wrk", True),
}


def drive(edge, direct, way, work, connections, seconds):
    """One run, with the processor time that each part takes for a request."""
    entry_point, tool, fresh = WAYS[way]
    url, mysql = edge.url(entry_point) if entry_point else direct.url, edge.bench.mysql

    def used():
        of_edge = edge.processor_seconds() if entry_point else {"replica": direct.processor_seconds()}
        return {**of_edge, "mysql": mysql.processor_seconds(), "tool": children_seconds()}

    before = used()
    if tool == "h2load":
        outcome = drive_h2load(url, work, connections, seconds, edge.folder)
    else:
        outcome = drive_wrk(url, work, connections, seconds, fresh=fresh)
    after, requests = used(), max(outcome["requests"], 1)
    # Those that were cut off at the end of a run are not counted alike by both.
    if outcome["refused"] or outcome["broken"] > connections or not outcome["requests"]:
        raise SystemExit(
            f"error: of {outcome['requests']} requests ({way}), {outcome['refused']} were refused and "
            f"{outcome['broken']} broken off: see what is answered to them"
        )
    costs = {name: (after[name] - before[name]) / requests * 1e6 for name in after}
    of_replicas = [us for name, us in costs.items() if name.startswith("replica")]
    for name in ("traefik", "log", "mysql", "tool"):
        outcome[f"{name}_us"] = costs.get(name, 0.0)
    outcome["replicas_us"] = sum(of_replicas)
    return outcome


# As the service's stack has it; without limits, as the bench's other services.
SETTINGS = {"HEROLO_CLIENT_ADDRESS_HEADER": "X-Real-Ip"}


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"error: {command[0]} fails: {(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout.strip()


# --- The stage ---


def measure_edge(bench):
    """Requests through Traefik and three replicas, against those that one replica answers directly."""
    options, data, found = bench.options, bench.large, {}
    print(
        f"{'variant':<18}{'operation':<10}{'way':<14}{'/s':>8}{'ratio':>7}{'p50 ms':>8}{'p99 ms':>8}   "
        "processor time in us: traefik, log, replicas, mysql, tool",
        flush=True,
    )
    with bench.service(data) as direct, Edge(bench, data, options.replicas) as edge:
        works = {operation: work_of(bench, operation, data) for operation in options.edge_operations}
        runs = {}
        for _ in range(options.rounds):
            for variant in options.variants:
                edge.start(variant)
                for operation, work in works.items():
                    drive(edge, direct, "tls", work, options.connections, 1)  # connections are opened
                    for way in options.ways:
                        outcome = drive(edge, direct, way, work, options.connections, options.seconds)
                        runs.setdefault((variant, operation, way), []).append(outcome)
                edge.check()
        edge.check_shares()
        for (variant, operation, way), outcomes in runs.items():
            one = found.setdefault(variant, {}).setdefault(operation, {})[way] = summary(outcomes)
            reference = found[variant][operation].get("direct", one)
            one["ratio"] = one["per_second"] / reference["per_second"]
            print_edge(variant, operation, way, one)
    bench.save("edge", {"connections": options.connections, "replicas": options.replicas, "variants": found})


def print_edge(variant, operation, way, one):
    costs = ", ".join(f"{one[f'{part}_us']:.0f}" for part in ("traefik", "log", "replicas", "mysql", "tool"))
    print(
        f"{variant:<18}{operation:<10}{way:<14}{one['per_second']:>8.0f}{one['ratio']:>7.2f}{one['p50_ms']:>8.1f}"
        f"{one['p99_ms']:>8.1f}   {costs}",
        flush=True,
    )


def work_of(bench, operation, data):
    if operation != "livez":
        return bench.work(operation, data, bench.options.seconds)[1]
    work = bench.folder / "livez.service"
    work.write_text(request_line("GET", "/livez", "", "", 0), encoding="ascii")
    return work
