"""Pages that are read while a flood of logins comes from many addresses."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import itertools
import json
import random
import secrets
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from endure.deployment import Deployment, Prober, Threads
from endure.faults import Bench
from endure.ledger import NO_ANSWER, Attempt, Ledger
from endure.load import Client
from endure.report import Row
from endure.settings import Settings
from endure.workers import worker_processes
from support.users import User, sign_up

ADDRESS_HEADER = "X-Real-Ip"
# The limits of logins are those of a service as it is installed.
SETTINGS = {"HEROLO_LIMIT_LOGINS": "10", "HEROLO_CLIENT_ADDRESS_HEADER": ADDRESS_HEADER}
FLOODS = 2  # each after a time without one
USERS = 8
MESSAGES = 20  # in the inbox of each
PAGERS = 8
LOGIN_TIMEOUT = 15  # seconds
SHOWN = 3  # reasons of logins without an answer
REFUSALS = (429, 503)
ANSWERS = (401, *REFUSALS)
# Below this share of the wanted rate, the flood was none.
LEAST_SHARE = 0.9


@dataclasses.dataclass(frozen=True)
class Login:
    """A login with a wrong password. Times are those of `time.monotonic`, which all processes share."""

    begun: float
    seconds: float
    status: int
    has_retry_after: bool
    fault: str = ""  # why there was no answer


def flood(ports: Sequence[int], names: Sequence[str], clients: int, rate: float, seconds: float) -> list[Login]:
    """Logs in at this rate, whether or not there are answers. Runs in a process of its own, so that it does not delay
    those who read."""
    return asyncio.run(flood_at_rate(ports, names, clients, rate, seconds))


async def flood_at_rate(
    ports: Sequence[int], names: Sequence[str], clients: int, rate: float, seconds: float
) -> list[Login]:
    """The logins, once all are answered: every second one by a name that nobody has."""
    begun = time.monotonic()
    logins = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
        name = random.choice(names) if number % 2 else f"nobody-{secrets.token_hex(4)}"
        address = f"198.51.100.{random.randrange(clients) + 1}"  # of a network for examples (RFC 5737)
        logins.append(asyncio.create_task(log_in(ports[number % len(ports)], name, address)))
    return list(await asyncio.gather(*logins))


async def log_in(port: int, name: str, address: str) -> Login:
    """One login on a connection of its own."""
    body = json.dumps({"password": f"wrong {secrets.token_hex(8)}"})
    request = (
        f"POST /users/{name}/token HTTP/1.1\r\nHost: herolo\r\nContent-Type: application/json\r\n"
        f"{ADDRESS_HEADER}: {address}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    )
    begun, head, fault = time.monotonic(), b"", ""
    try:
        async with asyncio.timeout(LOGIN_TIMEOUT):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request.encode())
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.read()
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as exception:
        head, fault = b"", repr(exception)
    status = int(head.split(b" ", 2)[1]) if head else NO_ANSWER
    return Login(begun, time.monotonic() - begun, status, b"\r\nretry-after:" in head.lower(), fault)


class Pagers(Threads):
    """Clients that read the first page of an inbox at a steady rate, on all replicas in turn. A context."""

    def __init__(
        self, deployment: Deployment, users: Sequence[User], rate: float, *, are_half_new: bool = False
    ) -> None:
        """`are_half_new`: every second client opens a connection for each of its requests."""
        self.deployment, self.users, self.rate, self.ledger = deployment, users, rate, Ledger()
        self.are_half_new = are_half_new
        super().__init__(functools.partial(self._read, number) for number in range(PAGERS))

    def _read(self, number: int) -> None:
        client, user = Client(self.deployment, self.ledger, number), self.users[number % len(self.users)]
        due = time.monotonic() + number / self.rate
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due = max(due + PAGERS / self.rate, time.monotonic())
            client.ask("page", "GET", f"/users/{user.name}/messages", user.token)
            if self.are_half_new and number % 2:
                client.close()
        client.close()


def flood_with_logins(bench: Bench) -> Row:
    """Reads pages alone, in a flood, alone, and in a flood."""
    deployment = Deployment(
        Path(bench.settings.binary), bench.folder / "logins", bench.database.url_file(bench.database.port), SETTINGS
    )
    begun, floods = time.monotonic(), []
    with deployment, worker_processes(1) as workers:
        users = [sign_up(deployment.replicas[0], f"flooded-{number}") for number in range(USERS)]
        for user, _ in itertools.product(users, range(MESSAGES)):
            user.send(user.name)
        workers.submit(time.monotonic).result()  # the process has started
        with Prober(deployment) as prober, Pagers(deployment, users, bench.settings["flood-pages"]) as pagers:
            for _ in range(FLOODS):
                time.sleep(bench.settings["flood-seconds"])
                floods.append(workers.submit(flood, *arguments(deployment, users, bench.settings)).result())
    return judge(floods, pagers.ledger.attempts, prober, bench.settings, time.monotonic() - begun)


def arguments(deployment: Deployment, users: Sequence[User], settings: Settings) -> tuple:
    """Those of a flood."""
    ports, names = [replica.port for replica in deployment.replicas], [user.name for user in users]
    return ports, names, settings.times("flood-clients"), settings["flood-rate"], settings["flood-seconds"]


def judge(
    floods: Sequence[Sequence[Login]], pages: Sequence[Attempt], prober: Prober, settings: Settings, duration: float
) -> Row:
    """Compares the pages with and without a flood, and looks at what the logins were answered."""
    failed = [page for page in pages if page.has_failed]
    row = Row(
        fault=f"{settings['flood-rate']:g} logins a second for {settings['flood-seconds']:g} s",
        times=len(floods),
        duration=duration,
        requests=len(pages),
        failed=len(failed),
        worst=max(page.seconds for page in pages),
    )
    if failed:
        row.misses.append(f"{len(failed)} pages failed ({', '.join(sorted({str(page.status) for page in failed}))})")
    if prober.failures:
        row.misses.append(f"/livez failed {len(prober.failures)} times: {prober.failures[:3]}")
    judge_pages(row, floods, pages, settings["page-ratio-limit"])
    judge_logins(row, floods, settings)
    return row


def judge_pages(row: Row, floods: Sequence[Sequence[Login]], pages: Sequence[Attempt], limit: float) -> None:
    """A page belongs to a flood if it began after the first login, and before the last answer."""
    spans = [(logins[0].begun, max(login.begun + login.seconds for login in logins)) for logins in floods]
    by_flood: dict[bool, list[float]] = {False: [], True: []}
    for page in pages:
        by_flood[any(begun <= page.begun <= ended for begun, ended in spans)].append(page.seconds)
    (calm, calm_99), (flooded, flooded_99) = (
        (statistics.median(times), percentile_99(times)) for times in by_flood.values()
    )
    row.notes.append(
        f"pages without a flood: median {calm * 1000:.1f} ms, 99th percentile {calm_99 * 1000:.1f} ms; "
        f"during one: {flooded * 1000:.1f} and {flooded_99 * 1000:.1f} ms ({flooded_99 / calm_99:.2f} times)"
    )
    if limit and flooded_99 > limit * calm_99:
        row.misses.append(f"the 99th percentile of pages is more than {limit:g} times as long during a flood")


def judge_logins(row: Row, floods: Sequence[Sequence[Login]], settings: Settings) -> None:
    """Each is answered with what the API has for it, and is refused at once if at all."""
    logins = list(itertools.chain.from_iterable(floods))
    answers = Counter(login.status for login in logins)
    refused = [login for login in logins if login.status in REFUSALS]
    rate = min(len(logins) / (logins[-1].begun - logins[0].begun) for logins in floods)
    told = ", ".join(f"{number:,} times {status or 'none'}" for status, number in sorted(answers.items()))
    row.notes.append(f"{len(logins):,} logins, at least {rate:.0f} a second, were answered: {told}")
    if strange := sorted(set(answers) - set(ANSWERS)):
        row.misses.append(f"logins were answered with {', '.join(str(status or 'nothing') for status in strange)}")
    if faults := Counter(login.fault for login in logins if login.fault):
        told = ", ".join(f"{number:,} times {fault}" for fault, number in faults.most_common(SHOWN))
        row.notes.append(f"without an answer: {told}")
    if without := sum(not login.has_retry_after for login in refused):
        row.misses.append(f"{without} refusals without Retry-After")
    if missing := [status for status in REFUSALS if not answers[status]]:
        row.misses.append(f"no login was answered with {' or '.join(map(str, missing))}, so it was no flood")
    longest = max(login.seconds for login in logins)
    row.notes.append(f"the longest answer to a login took {longest:.1f} s")
    if settings["answer-limit"] and longest > settings["answer-limit"]:
        row.misses.append(f"the answer to a login took more than {settings['answer-limit']:g} s")
    if not refused:
        return
    slowest = percentile_99([login.seconds for login in refused])
    row.notes.append(f"a refusal took {slowest * 1000:.1f} ms at the 99th percentile")
    limit = settings["refusal-limit"]
    if limit and slowest > limit:
        row.misses.append(f"at the 99th percentile, refusals took more than {limit * 1000:g} ms")
    if limit and rate < LEAST_SHARE * settings["flood-rate"]:
        row.misses.append(f"only {rate:.0f} logins a second were sent")


def percentile_99(times: Sequence[float]) -> float:
    """The time that one in a hundred exceeds."""
    return statistics.quantiles(times, n=100, method="inclusive")[98]
