"""How far a size of the deployment goes: a model of processor time, disk operations, memory and constant limits.

Everything that it computes from is in scaling.toml and in the results of the bench. Times are in seconds unless their
names end in `_us`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

DAY, HOURS = 86_400, 24
MICRO = 1e-6
GIB = 2**30
# The operations of the workload, by their names in the bench.
OPERATIONS = {"sends": "keyed_send", "pages": "page", "reads": "read", "marks": "mark", "removes": "remove"}
EDGE, BEHIND = "http2", "tls"  # the ways whose edge, and whose replicas and MySQL are taken: one of h2load has one user
CHANGES = ("sends", "marks", "removes")
NO_SETTING = "none in the form"
MOST_HOSTS = 6  # that the form accepts


@dataclass(frozen=True)
class Cost:
    """Processor time of a request, in µs."""

    edge_us: float
    replica_us: float
    mysql_us: float

    @property
    def host_us(self) -> float:
        """What the host spends on it."""
        return self.edge_us + self.replica_us


@dataclass(frozen=True)
class Step:
    """A size: settings of the form, and provisioned IOPS, which are none."""

    hosts: int
    instance_type: str
    replicas: int
    database_class: str
    database_storage_gib: int
    iops: int = 0

    @property
    def database_multi_az(self) -> bool:
        """The default of the form."""
        return self.hosts > 1


@dataclass(frozen=True)
class Limit:
    """Something that ends at a number of messages a day."""

    name: str
    messages: float  # a day
    setting: str  # of the form, to be raised next


@dataclass(frozen=True)
class Load:
    """What one message a day causes in a day, with everything that users do for each message that they send."""

    host: float  # processor time of the edge and the replicas
    replica: float  # of the replicas alone
    mysql: float
    requests: float
    changes: float
    sign_ins: float
    sent_bytes: float


@dataclass
class Model:
    """The facts and assumptions of scaling.toml, and the bench's results."""

    facts: dict[str, Any]
    results: dict[str, Any]
    costs: dict[str, Cost] = field(init=False)

    def __post_init__(self) -> None:
        self.costs = self._measure_costs()

    def _measure_costs(self) -> dict[str, Cost]:
        """Of each operation behind the edge. What was not measured there is as much more expensive than a page as it is
        without the edge, at few connections: behind it, few requests share a batch."""
        measured, logins = self._measured_behind_edge(), self.results["logins"]["alone"]
        page = measured["page"]
        direct = {name: sizes["large"] for name, sizes in self.results["data"]["operations"].items()}
        replica = page.replica_us / direct["page"]["service_us"]
        mysql = page.mysql_us / direct["page"]["mysql_us"]
        costs = {
            name: Cost(page.edge_us, replica * of["service_us"], mysql * of["mysql_us"]) for name, of in direct.items()
        }
        sign_in = Cost(page.edge_us, logins["service_us"], mysql * logins["mysql_us"])
        return {**costs, **measured, "sign-in": sign_in}

    def _measured_behind_edge(self) -> dict[str, Cost]:
        """Pages, and sends with a key. These were not measured over HTTP/2, so theirs is the edge of sends without one:
        Traefik sees no difference but a header."""
        found, operations = {}, self.results["edge"]["variants"]["shipped"]
        for name, alike in (("page", "page"), ("keyed_send", "send")):
            edge, behind = operations[alike][EDGE], operations[name][BEHIND]
            found[name] = Cost(edge["traefik_us"] + edge["log_us"], behind["replicas_us"], behind["mysql_us"])
        return found

    def requests_a_second(self, instance_type: str, operation: str) -> float:
        """How many requests a host carries, within the margin of its processors."""
        host = self.facts["hosts"][instance_type]
        processors = self.facts["margins"]["processors"] * host["vcpus"] * self.facts["guesses"]["vcpu"]
        return processors / (self.costs[operation].host_us * MICRO)

    # --- The load ---

    def requests_of_user(self) -> dict[str, float]:
        """Requests of a user in a day, by their cost. Opening a stream, and a message on it, cost as much as reading a
        message."""
        workload = self.facts["workload"]
        requests = {operation: workload[name] for name, operation in OPERATIONS.items()}
        streams = workload["hours_online"] * 60 / self.facts["constants"]["stream_minutes"]
        requests["read"] += streams + workload["live_share"] * workload["sends"]
        return {**requests, "sign-in": workload["sign_ins"]}

    def load(self, step: Step) -> Load:
        """For each message a day."""
        workload, requests = self.facts["workload"], self.requests_of_user()
        messages = workload["sends"]
        all_replicas = step.hosts * step.replicas
        tail = messages * all_replicas * self.facts["guesses"]["tail_row_us"] * MICRO

        def total(part: str) -> float:
            return sum(number * getattr(self.costs[name], part) for name, number in requests.items()) * MICRO

        others = sum(requests.values()) - requests["page"]
        return Load(
            host=total("host_us") / messages,
            replica=total("replica_us") / messages,
            mysql=(total("mysql_us") + tail) / messages,
            requests=sum(requests.values()) / messages,
            changes=sum(workload[name] for name in CHANGES) / messages,
            sign_ins=requests["sign-in"] / messages,
            sent_bytes=(requests["page"] * workload["page_kib"] + others * workload["response_kib"]) * 1024 / messages,
        )

    # --- The limits ---

    def limits(self, step: Step) -> list[Limit]:
        """All limits of messages a day, in the order in which they end."""
        load = self.load(step)
        found = [*self._limits_of_hosts(step, load), *self._limits_of_database(step, load)]
        return sorted(found, key=lambda limit: limit.messages)

    def spared_hosts(self, step: Step) -> int:
        """The hosts that must do in the busiest hour, after one is lost."""
        return max(1, step.hosts - (self.facts["margins"]["spare_hosts"] if step.hosts > 1 else 0))

    def _at_peak(self, capacity: float, cost: float) -> float:
        """Messages a day, from what there is each second of the busiest hour and what a message costs."""
        return capacity * DAY / self.facts["workload"]["peak"] / cost

    def _limits_of_hosts(self, step: Step, load: Load) -> Iterator[Limit]:
        host, margins = self.facts["hosts"][step.instance_type], self.facts["margins"]
        constants = self.facts["constants"]
        hosts, vcpus = self.spared_hosts(step), host["vcpus"] * self.facts["guesses"]["vcpu"]
        replicas = hosts * step.replicas
        bigger = "instance_type" if step.hosts == MOST_HOSTS else "instance_type or hosts"
        used = margins["processors"]
        yield Limit("processors of the hosts", self._at_peak(used * hosts * vcpus, load.host), bigger)
        if host["earned"] < 1:  # an average day must not use more credits than it earns
            yield Limit("CPU credits of the hosts", step.hosts * vcpus * host["earned"] * DAY / load.host, bigger)
        yield Limit("request threads", self._at_peak(used * replicas, load.replica), "replicas")
        threads = max(1, host["vcpus"] // 2)
        # All replicas of a host hash on the same half of its processors.
        of_processors = threads * self.facts["guesses"]["vcpu"] / (self.costs["sign-in"].replica_us * MICRO)
        of_threads = constants["logins_of_replica"] * threads * step.replicas
        sign_ins, setting = min((of_threads, "replicas"), (of_processors, bigger))
        yield Limit("sign-ins", self._at_peak(used * hosts * sign_ins, load.sign_ins), setting)
        in_progress = margins["requests"] * constants["requests"] / (self.facts["guesses"]["request_ms"] / 1000)
        yield Limit("requests in progress", self._at_peak(hosts * in_progress, load.requests), "hosts")
        bandwidth = used * hosts * host["network_gbps"] * 1e9 / 8
        yield Limit("network of the hosts", self._at_peak(bandwidth, load.sent_bytes), bigger)

    def _limits_of_database(self, step: Step, load: Load) -> Iterator[Limit]:
        database, storage = self.facts["databases"][step.database_class], self.facts["storage"]
        workload, guesses, margins = self.facts["workload"], self.facts["guesses"], self.facts["margins"]
        vcpus = self._useful_vcpus(database["vcpus"]) * guesses["vcpu"]
        polling = step.hosts * step.replicas * guesses["background_statements"] * self.costs["unknown"].mysql_us * MICRO
        name, setting = "of the database", "database_class"
        used = margins["processors"]
        yield Limit(f"processors {name}", self._at_peak(used * vcpus - polling, load.mysql), setting)
        if database["earned"] < 1:
            earned = database["vcpus"] * database["earned"] * guesses["vcpu"]
            yield Limit(f"CPU credits {name}", (earned - polling) * DAY / load.mysql, setting)
        of_disk = step.iops or self.included_iops(step)
        which = self._setting_of_iops(step, of_disk < database["iops"])
        operations = margins["disk_operations"] * min(of_disk, database["iops"])
        cost = load.changes * guesses["writes_per_change"]
        yield Limit(f"disk operations {name}", self._at_peak(operations, cost), which)
        disk = storage["growth"] * step.database_storage_gib * GIB
        bytes_of_message = workload["message_bytes"]
        yield Limit(f"disk {name}", disk / bytes_of_message / workload["kept_days"], "database_storage_gib")
        buffer = storage["buffer_share"] * database["memory_gib"] * GIB
        yield Limit(f"memory {name}", buffer / bytes_of_message / workload["hot_days"], setting)

    def _useful_vcpus(self, vcpus: int) -> float:
        small = self.facts["guesses"]["small_database_vcpus"]
        return min(vcpus, small) + self.facts["guesses"]["large_database"] * max(0, vcpus - small)

    def included_iops(self, step: Step) -> int:
        """Of the disk, without extra charge."""
        storage = self.facts["storage"]
        return storage["large_iops" if step.database_storage_gib >= storage["large_from_gib"] else "small_iops"]

    def _setting_of_iops(self, step: Step, is_of_disk: bool) -> str:
        if not is_of_disk:
            return "database_class"
        is_small = self.included_iops(step) == self.facts["storage"]["small_iops"]
        return "database_storage_gib" if is_small else f"provisioned IOPS, {NO_SETTING}"

    # --- Users ---

    def listeners(self, step: Step) -> int:
        """Users who can listen live at once: with an event stream each."""
        constants = self.facts["constants"]
        of_host = min(constants["listeners"], constants["listeners_of_replica"] * step.replicas)
        return self.spared_hosts(step) * of_host

    def online_without_stream(self, step: Step) -> int:
        """Users who can be online at once without listening live: each has a connection for as long as it is idle after
        a request."""
        workload, constants = self.facts["workload"], self.facts["constants"]
        a_second = sum(workload[name] for name in (*OPERATIONS, "sign_ins")) / (workload["hours_online"] * 3600)
        open_share = min(1, a_second * constants["idle_seconds"])
        return int(self.spared_hosts(step) * constants["connections"] / open_share)

    def online_at_peak(self, messages: float) -> float:
        """Users online in the busiest hour of a day with so many messages."""
        workload = self.facts["workload"]
        return messages / workload["sends"] * workload["hours_online"] / HOURS * workload["peak"]

    def messages_of(self, online: float) -> float:
        """The reverse: messages of a day with so many users online in its busiest hour."""
        return online / self.online_at_peak(1)

    # --- What a step needs in any case ---

    def connections(self, step: Step) -> int:
        """To the database: `database_connections` in infra/locals.tf."""
        return step.hosts * (step.replicas + 2) * self.facts["constants"]["connections_of_replica"] + 20

    def connections_that_fit(self, step: Step) -> int:
        """RDS's default of max_connections, by the memory of the class."""
        memory = self.facts["databases"][step.database_class]["memory_gib"] * GIB
        return int(memory / self.facts["storage"]["bytes_of_connection"])

    def needed_mib(self, step: Step) -> int:
        """Memory of a host: `needed_memory_mib` in infra/locals.tf."""
        constants = self.facts["constants"]
        return (step.replicas + 1) * constants["replica_mib"] + constants["other_mib"]
