"""A database whose file system is full, for a time."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from endure.database import Database
from endure.deployment import Deployment, Prober
from endure.faults import Bench
from endure.ledger import Attempt
from endure.report import Row
from endure.trial import Trial
from support.services import docker, until

DATA = "/var/lib/mysql"
# Enough for an empty server (about 250 MiB) and the load of a long run. It is memory: a file system of this size on a
# disk would need a loop device, which a container may not have.
MEGABYTES = 1024
# The stand-in image copies its files with holes, and InnoDB ends mysqld if there is no block for one. On the disk of a
# real server, InnoDB has allocated all of them.
ALLOCATE = (
    # Without those that InnoDB prepares and renames meanwhile.
    f"find {DATA} -ignore_readdir_race -type f -size +0 ! -name '*_tmp' -exec sh -c"
    """ 'fallocate --length "$(stat -c %s "$1")" "$1"' _ {} \\;"""
)
# The redo log of the stand-in image is made with this capacity. With another one, InnoDB enlarges unused files when it
# comes to them, and ends mysqld if it cannot; on a real server, all have their size.
REDO_LOG = "--innodb-redo-log-capacity=8M"
BALLAST = f"{DATA}/ballast"
FILL_SECONDS = 0.5  # between two looks for space that MySQL has freed meanwhile
# MySQL waits for 60 s before it tries a write to its binary log again (MY_WAIT_FOR_USER_TO_FIX_PANIC in its source).
PATIENCE = 120
KINDS = ("page", "read", "mark", "send")


class SmallDatabase(Database):
    """A MySQL server whose data are on a small file system of their own."""

    def __init__(self, image: str, folder: Path) -> None:
        folder.mkdir()
        super().__init__(image, folder, ("--tmpfs", f"{DATA}:rw,size={MEGABYTES}m"))
        self.options = (*self.options, REDO_LOG)

    def stay_full(self, seconds: float) -> None:
        """Leaves its file system no free block, whatever MySQL deletes meanwhile."""
        docker("exec", self.container, "sh", "-c", ALLOCATE)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            # It ends when nothing more can be written, which is no success to `cat`.
            docker("exec", self.container, "sh", "-c", f"cat /dev/zero >>{BALLAST}", check=False)
            time.sleep(FILL_SECONDS)

    def free(self) -> None:
        """Frees all space but that of its own files. It must have survived."""
        if docker("inspect", "--format", "{{.State.Running}}", self.container) != "true":
            raise RuntimeError(f"mysqld has ended: {self._last_error()}")
        docker("exec", self.container, "rm", BALLAST)

    def _last_error(self) -> str:
        log = subprocess.run(
            ["docker", "logs", self.container], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ).stdout
        errors = [line for line in log.splitlines() if "[ERROR]" in line]
        return errors[-1] if errors else "without an error"

    def told(self) -> tuple[int, int]:
        """How often it has said that it waits for space, and the most connections that it has had at once."""
        said = self.administrate(
            "SELECT COUNT(*) FROM performance_schema.error_log WHERE data LIKE 'Disk is full writing%';"
            "SELECT variable_value FROM performance_schema.global_status WHERE variable_name = 'Max_used_connections'"
        )
        waits, connections = said.split()
        return int(waits), int(connections)


def fill_disk(bench: Bench) -> Row:
    """Fills the file system of a database of its own, while the load goes on, and frees it."""
    database = SmallDatabase(bench.settings.mysql_image, bench.folder / "small")
    try:
        database.start()
        deployment = Deployment(
            Path(bench.settings.binary), bench.folder / "disk-full", database.url_file(database.port)
        )
        with deployment:
            return fill_while_loaded(bench, database, deployment)
    finally:
        database.remove()


def fill_while_loaded(bench: Bench, database: SmallDatabase, deployment: Deployment) -> Row:
    """Reads should go on; what sends have waited for is known once MySQL has found space again."""
    seconds = bench.settings["disk-full-seconds"]
    trial = bench.trial(f"disk of the database full for {seconds:g} s", deployment, "disk-full-heal-limit")
    with Prober(deployment) as prober, trial.load:
        with trial.outage():
            database.stay_full(seconds)
            database.free()
        until(lambda: has_sent(trial), "a message is sent", PATIENCE)
        trial.load.await_successes(30)
        trial.calm()
    waits, connections = database.told()
    trial.notes += [told(trial, kind) for kind in KINDS]
    trial.notes.append(f"MySQL reported waiting for space {waits} times, and had up to {connections} connections")
    row = trial.judge(bench.settings["answer-limit"], prober)
    if not any(attempt.has_failed for attempt in during(trial, "send")):
        row.misses.append("no send failed, so the disk was not full")
    return row


def during(trial: Trial, *kinds: str) -> list[Attempt]:
    """The requests of these kinds that began while the disk was full, or while MySQL had not looked for space since."""
    outage, attempts = trial.outages[0], list(trial.load.ledger.attempts)
    sent = [one.ended for one in attempts if one.kind == "send" and one.begun >= outage.ended and not one.has_failed]
    healed = min(sent, default=float("inf"))
    return [one for one in attempts if one.kind in kinds and outage.begun <= one.begun < healed]


def told(trial: Trial, kind: str) -> str:
    """How many requests of this kind were answered with success meanwhile."""
    attempts = during(trial, kind)
    return f"{sum(not attempt.has_failed for attempt in attempts):,} of {len(attempts):,} requests ({kind}) succeeded"


def has_sent(trial: Trial) -> bool:
    """Whether a send that began after the fault was acknowledged."""
    ended = trial.outages[0].ended
    attempts = list(trial.load.ledger.attempts)
    return any(one.kind == "send" and one.begun >= ended and not one.has_failed for one in attempts)
