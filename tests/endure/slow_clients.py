"""Thousands of slow connections at the edge, while other clients read pages."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import multiprocessing
import statistics
import time
from collections.abc import Iterator, Sequence

from endure.attackers import BODIES, HEADS, OPENING_SECONDS, READERS, Attack, Target, run
from endure.behind_edge import EdgeDeployment, why_not
from endure.deployment import Prober
from endure.faults import Bench
from endure.holdings import Holdings, Memory, await_release, grown_counts
from endure.ledger import Attempt
from endure.logins import Pagers, percentile_99
from endure.report import NotRun, Row
from endure.settings import Settings
from endure.sockets import Held, Lifetimes
from support.services import until
from support.users import User, sign_up

NAME = "slow-clients"
USERS = 8
MESSAGES = 20  # in the inbox of each
LARGE = "/openapi.json"  # the largest answer that needs no account
# Below this share of the wanted connections, the attack was none.
LEAST_SHARE = 0.9
KINDS = {HEADS: "heads", BODIES: "bodies", READERS: "unread answers"}
PROCESSES = ("replica 1", "replica 2", "replica 3", "Traefik")
HEALTHY = "running 0 false"


@dataclasses.dataclass
class Observed:
    """What was seen. Times are those of `time.monotonic`."""

    begun: float  # of the attack
    ended: float
    pages: Sequence[Attempt]
    connections: Sequence[Held]
    counts: Sequence[tuple[float, int]]  # of connections, by time
    left: Sequence[Held]  # connections that the edge still held in the end
    before: Holdings
    after: Holdings
    growth: Sequence[float]  # of the memory of each process, at most, MiB
    edge: str  # the state of Traefik in the end
    probes: Sequence[str]  # failures


def attack_slowly(bench: Bench) -> Row | NotRun:
    """Reads pages without slow clients, with them, and without them."""
    if reason := why_not(2 * bench.settings.times("slow-clients")):
        return NotRun(NAME, reason)
    begun = time.monotonic()
    with EdgeDeployment(bench, NAME) as deployment:
        users = [sign_up(deployment.replicas[0], f"slow-clients-{number}") for number in range(USERS)]
        for user, _ in itertools.product(users, range(MESSAGES)):
            user.send(user.name)
        seen = observe(bench, deployment, users)
    return judge(seen, bench.settings, time.monotonic() - begun)


def observe(bench: Bench, deployment: EdgeDeployment, users: Sequence[User]) -> Observed:
    """The attack, and what others see of it."""
    settings, processes = bench.settings, [*deployment.processes(), deployment.edge.process()]
    target = Target(deployment.server, deployment.tls_name, LARGE, str(deployment.edge.authority))
    attack = Attack(target, settings.times("slow-clients"), settings.times("slow-clients-addresses"))
    lifetimes, memory = Lifetimes(deployment.server, tuple(KINDS)), Memory(processes)

    def read() -> Holdings:
        return Holdings.read(processes, bench.database)

    pagers = Pagers(deployment, users, settings["others-rate"], are_half_new=True)
    with Prober(deployment) as prober, pagers, lifetimes:
        time.sleep(settings["slow-clients-seconds"] / 2)
        before, begun = read(), time.monotonic()
        with memory, attacked(attack, settings["slow-clients-seconds"]):
            ended = time.monotonic()
            await_end(lifetimes, settings)
        after = await_release(read, before, len(PROCESSES), settings["reader-cut-limit"])
        time.sleep(settings["slow-clients-seconds"] / 2)
    return Observed(
        *(begun, ended, pagers.ledger.attempts, lifetimes.all(), lifetimes.counts, lifetimes.open()),
        *(before, after, memory.growth(before.memory), deployment.edge.state(), prober.failures),
    )


@contextlib.contextmanager
def attacked(attack: Attack, seconds: float) -> Iterator[None]:
    """Attacks for so long. In the block, no connection is opened any more, but those that are open are kept."""
    context = multiprocessing.get_context("spawn")
    over = context.Event()
    attackers = context.Process(target=run, args=(attack, over), daemon=True)
    attackers.start()
    try:
        time.sleep(seconds)
        over.set()
        yield
    finally:
        attackers.terminate()
        attackers.join()


def await_end(lifetimes: Lifetimes, settings: Settings) -> None:
    """Until the edge has closed what the attackers have opened, or has kept it for longer than it may. That takes
    minutes, so without a limit it is not awaited."""
    limit = settings["reader-cut-limit"]
    with contextlib.suppress(AssertionError):  # what is left is told
        until(lambda: lifetimes.counts[-1][1] == 0 or not limit, "the edge closes the connections", limit)


def judge(seen: Observed, settings: Settings, duration: float) -> Row:
    """Compares what others have seen with and without the attack, and looks at what became of the attackers."""
    failed = [page for page in seen.pages if page.has_failed]
    row = Row(
        fault=f"{settings['slow-clients']:,.0f} slow clients for {settings['slow-clients-seconds']:g} s",
        times=len(seen.connections),
        duration=duration,
        requests=len(seen.pages),
        failed=len(failed),
        worst=max(page.seconds for page in seen.pages),
    )
    # On a busy machine, for which there are no limits, requests fail without an attack.
    told = row.misses if settings["sender-cut-limit"] else row.notes
    if failed:
        statuses = ", ".join(sorted({str(page.status or "none") for page in failed}))
        told.append(f"{len(failed)} requests of others failed ({statuses})")
    if seen.probes:
        told.append(f"/livez of a replica failed {len(seen.probes)} times: {seen.probes[:3]}")
    if seen.edge != HEALTHY:
        row.misses.append(f"Traefik ended (state, restarts, out of memory: {seen.edge})")
    judge_pages(row, seen, settings["slow-clients-ratio-limit"])
    judge_cuts(row, seen, settings)
    judge_memory(row, seen, settings["slow-clients-memory-limit"])
    return row


def judge_pages(row: Row, seen: Observed, limit: float) -> None:
    """A page belongs to the attack if it began while connections were opened; what began later, while the edge still
    held some, belongs to neither side."""
    end = max((held.begun + held.seconds for held in seen.connections), default=seen.ended)
    attacked = [page.seconds for page in seen.pages if seen.begun <= page.begun <= seen.ended]
    calm = [page.seconds for page in seen.pages if page.begun < seen.begun or page.begun > max(end, seen.ended)]
    calm_99, attacked_99 = percentile_99(calm), percentile_99(attacked)
    row.notes.append(
        f"pages without slow clients: median {statistics.median(calm) * 1000:.1f} ms, 99th percentile "
        f"{calm_99 * 1000:.1f} ms; with them: {statistics.median(attacked) * 1000:.1f} and {attacked_99 * 1000:.1f} ms "
        f"({attacked_99 / calm_99:.2f} times)"
    )
    if limit and attacked_99 > limit * calm_99:
        row.misses.append(f"the 99th percentile of others is more than {limit:g} times as long")


def judge_cuts(row: Row, seen: Observed, settings: Settings) -> None:
    """There were as many as wanted, and each was cut off in time."""
    opened = seen.begun + OPENING_SECONDS
    usual = statistics.median([count for when, count in seen.counts if opened <= when <= seen.ended] or [0])
    row.notes.append(f"{usual:,.0f} of {settings['slow-clients']:,.0f} connections were open at a time")
    least = LEAST_SHARE if settings["sender-cut-limit"] else 0.0  # a busy machine may not keep up
    if usual <= least * settings["slow-clients"]:
        row.misses.append(f"only {usual:,.0f} connections were open, so it was no such attack")
    for prefix, name in KINDS.items():
        held = [each.seconds for each in seen.connections if each.client.address.startswith(prefix)]
        limit = settings["reader-cut-limit" if prefix == READERS else "sender-cut-limit"]
        longest = max(held, default=0.0)
        row.notes.append(f"{name}: {len(held):,} connections, held for up to {longest:.0f} s")
        if limit and longest > limit:
            late = sum(seconds > limit for seconds in held)
            row.misses.append(f"{name}: {late} connections were held for more than {limit:g} s")
    if seen.left and settings["reader-cut-limit"]:
        row.misses.append(f"{len(seen.left)} connections were never closed")


def judge_memory(row: Row, seen: Observed, limit: float) -> None:
    """The replicas', together, may grow by so much (MiB); Traefik has a limit of its own, at which it is killed."""
    *replicas, edge = seen.growth
    total = sum(replicas)
    row.notes.append(f"memory grew by up to {total:.0f} MiB in the replicas, and {edge:.0f} MiB in Traefik")
    if limit and total > limit:
        row.misses.append(f"the replicas' memory grew by more than {limit:g} MiB")
    if limit:
        row.misses += grown_counts(seen.before, seen.after)
