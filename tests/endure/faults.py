"""The faults of processes, connections and the database, one function for each."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from endure.database import Database
from endure.deployment import Deployment, Prober
from endure.load import Load
from endure.report import Row
from endure.settings import Settings
from endure.trial import CALM, Trial
from support.tcp_proxy import TcpProxy

DELAY = 2.0  # seconds that each answer of a slow database takes longer
KILLS_AT_ONCE = 50


class Bench:
    """What the faults happen to."""

    def __init__(self, settings: Settings, database: Database, folder: Path) -> None:
        self.settings, self.database, self.folder = settings, database, folder
        self.direct = Deployment(Path(settings.binary), folder / "direct", database.url_file(database.port))
        self.proxy = TcpProxy(database.port)

    def behind_proxy(self) -> Deployment:
        """Replicas that reach the database through the proxy, which must have begun."""
        return Deployment(Path(self.settings.binary), self.folder / "proxied", self.database.url_file(self.proxy.port))

    def trial(self, name: str, deployment: Deployment, heal_limit: str = "heal-limit") -> Trial:
        """A trial on those replicas."""
        load = Load(deployment, self.settings["rate"], name.replace(" ", "-"))
        return Trial(name, deployment, load, self.settings[heal_limit])


def stay_calm(bench: Bench) -> Row:
    """No fault: what the machine makes of the load."""
    trial = bench.trial("none", bench.direct)
    with Prober(bench.direct) as prober, trial.load:
        time.sleep(bench.settings["calm-seconds"])
    return trial.judge(bench.settings["answer-limit"], prober)


def kill_replicas(bench: Bench) -> Row:
    """Kills one replica after another while requests are under way, and starts it again."""
    trial = bench.trial("replica killed", bench.direct, "kill-heal-limit")
    starts = []
    with trial.load:
        for number in range(bench.settings.times("kills")):
            index = number % len(bench.direct.replicas)
            time.sleep(random.uniform(0.1, 0.5))
            with trial.outage(index):
                bench.direct.replicas[index].stop(signal.SIGKILL)
                time.sleep(random.uniform(0, 0.3))
                begun = time.monotonic()
                bench.direct.replicas[index].start()
                starts.append(time.monotonic() - begun)
            trial.load.await_successes(10)
        trial.calm()
    trial.notes.append(
        f"a replica took up to {max(starts, default=0):.1f} s to start, which the time to heal leaves out"
    )
    return trial.judge()


def kill_mysql(bench: Bench) -> Row:
    """Kills mysqld while requests are under way, and starts it again with its data."""
    trial = bench.trial("mysqld killed", bench.direct, "kill-heal-limit")
    starts = []
    with Prober(bench.direct) as prober, trial.load:
        for _ in range(bench.settings.times("mysql-kills")):
            time.sleep(random.uniform(0.2, 1))
            with trial.outage():
                bench.database.kill()
                starts.append(bench.database.restart())
            trial.load.await_successes(30)
            trial.calm()
    trial.notes.append(f"mysqld took up to {max(starts, default=0):.1f} s to start, which the time to heal leaves out")
    return trial.judge(prober=prober)


def kill_connections(bench: Bench) -> Row:
    """Kills connections to the database that have a statement or a transaction under way."""
    trial = bench.trial("connections killed", bench.direct)
    left = bench.settings.times("connection-kills")
    with Prober(bench.direct) as prober, trial.load:
        while left > 0:
            with trial.outage(times=0):
                killed = bench.database.kill_connections(min(left, KILLS_AT_ONCE))
            if not killed:
                trial.notes.append(f"{left} were not killed, since none was busy")
                break
            trial.times += killed
            left -= killed
        trial.load.await_successes(30)
        trial.calm()
    return trial.judge(prober=prober)


def outage_of_database(
    bench: Bench,
    name: str,
    deployment: Deployment,
    fault: Callable[[], contextlib.AbstractContextManager[None]],
    heal_limit: str = "heal-limit",
) -> Row:
    """A fault of the database that lasts as long as its context."""
    trial = bench.trial(name, deployment, heal_limit)
    with Prober(deployment) as prober, trial.load:
        time.sleep(CALM)  # what follows is compared with it in the figure
        with trial.outage(), fault():
            pass
        trial.load.await_successes(30)
        trial.calm()
    return trial.judge(bench.settings["answer-limit"], prober)


@contextlib.contextmanager
def through_proxy(bench: Bench, begin: Callable[[], None], seconds: float) -> Iterator[None]:
    """A fault of the network between the replicas and the database."""
    begin()
    time.sleep(seconds)
    yield
    bench.proxy.forward()


@contextlib.contextmanager
def read_only(bench: Bench, seconds: float) -> Iterator[None]:
    """A database that refuses changes."""
    bench.database.set_read_only(True)
    time.sleep(seconds)
    yield
    bench.database.set_read_only(False)


@contextlib.contextmanager
def exhausted(bench: Bench, seconds: float) -> Iterator[None]:
    """A database without connections for the service."""
    bench.database.exhaust_connections(seconds)
    yield


def database_faults(bench: Bench, deployment: Deployment) -> dict[str, Callable[[], Row]]:
    """The faults that replicas behind the proxy meet, by their names in the settings."""
    seconds, proxy = bench.settings, bench.proxy

    def network(name: str, begin: Callable[[], None], duration: str, limit: str = "heal-limit") -> Callable[[], Row]:
        length = seconds[duration]
        return lambda: outage_of_database(
            bench, f"{name} for {length:g} s", deployment, lambda: through_proxy(bench, begin, length), limit
        )

    def server(name: str, fault: Callable[..., contextlib.AbstractContextManager[None]], duration: str):
        length = seconds[duration]
        return lambda: outage_of_database(bench, f"{name} for {length:g} s", deployment, lambda: fault(bench, length))

    return {
        "refused": network("database refused", proxy.refuse, "refused-seconds"),
        "hole": network("database silent", proxy.swallow, "hole-seconds", "hole-heal-limit"),
        "slow": network("database 2 s slower", lambda: proxy.slow_down(DELAY), "slow-seconds"),
        "read-only": server("database read-only", read_only, "read-only-seconds"),
        "too-many-connections": server("database without connections", exhausted, "connections-seconds"),
    }
