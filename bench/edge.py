"""The edge that is measured: Traefik with the configuration that is deployed, and replicas behind it.

Requests are not limited, because the load tool is one client; variants change more.
"""

import concurrent.futures
import pathlib
import sys

from operations import HERE, KEYED, request_line
from parts import Service, children_seconds, drive_h2load, drive_wrk, processor_seconds, summary

sys.path.append(str(HERE.parent / "tests"))

from configuration.edge import REPLICA_PORT, Edge, addresses_of

CONTAINER = "herolo-bench-traefik"


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


class ReplicatedEdge(Edge):
    """Traefik and the replicas; ended at the end of a `with`."""

    def __init__(self, bench, data, replicas):
        self.bench = bench
        addresses = addresses_of(replicas)
        self.replicas = [
            Service(bench.options.binary, bench.mysql, data.name, REPLICA_PORT, address=address, settings=SETTINGS)
            for address in addresses
        ]
        super().__init__(bench.folder / "edge", addresses, CONTAINER, REPLICA_PORT)

    def __enter__(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(Service.__enter__, self.replicas))
        return self

    def __exit__(self, *_):
        self.stop()
        for replica in self.replicas:
            replica.__exit__()

    def start_variant(self, variant):
        """Traefik, in place of one that runs."""
        configuration = self.configuration()
        configuration.lift_limits()
        for change in variant.split("+"):
            VARIANTS[change](configuration)
        self.start(configuration)

    def check_shares(self):
        """Traefik has divided the requests among the replicas."""
        seconds = [replica.processor_seconds() for replica in self.replicas]
        if min(seconds) < max(seconds) / 2:
            raise SystemExit(f"error: the replicas do not share the requests: they took {seconds} s")

    def processor_seconds(self):
        """Of Traefik, of Docker for what Traefik logs, and of each replica."""
        traefik = self.process()
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


# --- The stage ---


def measure_edge(bench):
    """Requests through Traefik and three replicas, against those that one replica answers directly."""
    options, data, found = bench.options, bench.large, {}
    print(
        f"{'variant':<18}{'operation':<10}{'way':<14}{'/s':>8}{'ratio':>7}{'p50 ms':>8}{'p99 ms':>8}   "
        "processor time in us: traefik, log, replicas, mysql, tool",
        flush=True,
    )
    with bench.service(data) as direct, ReplicatedEdge(bench, data, options.replicas) as edge:
        works = {operation: work_of(bench, operation, data) for operation in options.edge_operations}
        runs = {}
        for _ in range(options.rounds):
            for variant in options.variants:
                edge.start_variant(variant)
                for operation, work in works.items():
                    drive(edge, direct, "tls", work, options.connections, 1)  # connections are opened
                    # h2load makes one request again and again, so it can give no key to each.
                    for way in (way for way in options.ways if way != "http2" or operation not in KEYED):
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
