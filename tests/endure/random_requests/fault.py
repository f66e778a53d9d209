"""Random requests to all replicas, none of which may be answered with a 5xx, end a replica, or stop the others."""

from __future__ import annotations

import collections
import itertools
import json
import shlex
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from endure.database import NAME, Database
from endure.deployment import Deployment, Prober
from endure.enumeration import mail_server
from endure.faults import Bench
from endure.random_requests.clients import Failure, Tally, Task, run
from endure.random_requests.grammar import NAMES, code_of
from endure.random_requests.verdict import SHED
from endure.report import Row
from endure.settings import Settings
from endure.workers import worker_processes
from support.services import REPOSITORY, Service, until
from support.users import sign_up

PROCESSES, CLIENTS = 2, 24
MODEL = "random-model"  # the account whose copies the clients use
# Accounts to spend, of each client: so many, and one for each so many requests.
SPARE, REQUESTS_FOR_SPARE = 20, 250
# Below these shares of answers with success, the requests would prove little: of all, and of those sent as valid.
LEAST_SUCCESSES, LEAST_VALID_SUCCESSES = 0.4, 0.9
FOLDER = REPOSITORY / "target/endure/random"
KEPT, SHOWN, SHOWN_BYTES = 50, 3, 600  # failures in files; in a row; bytes of each that are printed
# Limits that are told in answers and never reached, all that users may do, and what is read of a proxy.
SETTINGS = {
    **{f"HEROLO_LIMIT_{name}": "1000000" for name in ("LOGINS", "SIGN_UPS", "SENDS", "SEARCHES")},
    "HEROLO_USER_INVITATIONS": "100",
    "HEROLO_CORS_ORIGINS": "all",
    "HEROLO_CLIENT_ADDRESS_HEADER": "X-Real-Ip",
    "HEROLO_MAIL_FROM": "noreply@example.com",
    "HEROLO_PUBLIC_URL": "http://127.0.0.1",
}
# What a log has if a request was more than refused.
PANIC, ERROR = "panicked", "ERROR"


def send_random_requests(bench: Bench) -> Row:
    """Sends them from processes of their own, while /livez is asked."""
    settings, begun = bench.settings, time.monotonic()
    print(f"==> the seed is {settings.seed}; --seed {settings.seed} sends the same requests again", file=sys.stderr)
    with mail_server() as mail_port:
        deployment = Deployment(
            Path(settings.binary),
            bench.folder / "random",
            bench.database.url_file(bench.database.port),
            {**SETTINGS, "HEROLO_SMTP_URL": f"smtp://127.0.0.1:{mail_port}?tls=none"},
        )
        with deployment:
            tasks = tasks_for(deployment, bench.database, settings)
            with Prober(deployment) as prober:
                tally = send(tasks)
            row = judge(tally, prober, settings, time.monotonic() - begun)
            row.misses += ended(deployment)
            row.misses += complaints(replica.log for replica in deployment.replicas)
    for line in reproductions(tally.failures, FOLDER):
        print(line, file=sys.stderr)
    return row


def send(tasks: Sequence[Task]) -> Tally:
    """All requests of all processes."""
    total = Tally(collections.Counter())
    with worker_processes(len(tasks)) as workers:
        for tally in workers.map(run, tasks):
            total.add(tally)
    return total


def tasks_for(deployment: Deployment, database: Database, settings: Settings) -> list[Task]:
    """One for each process, with the accounts that its clients use."""
    requests = settings.times("random-requests")
    sign_up(deployment.replicas[0], MODEL)
    own = make_accounts(database, "client", CLIENTS)
    spare = make_accounts(database, "spare", CLIENTS * (SPARE + requests // CLIENTS // REQUESTS_FOR_SPARE))
    make_codes(database, own, len(spare))
    document, ports = deployment.replicas[0].openapi_document(), tuple(replica.port for replica in deployment.replicas)
    return [
        Task(
            *(settings.seed, document, ports, tuple(own), clients),
            spare=tuple(tuple(spare[client::CLIENTS]) for client in clients),
            requests=tuple(requests // CLIENTS + (client < requests % CLIENTS) for client in clients),
        )
        for clients in (tuple(range(first, CLIENTS, PROCESSES)) for first in range(PROCESSES))
    ]


def make_accounts(database: Database, prefix: str, number: int) -> list[str]:
    """The names of copies of an account, since a sign-up takes the time of a password's hash."""
    name = f"CONCAT('{prefix}-', LPAD(n, 6, '0'))"
    email = f"CONCAT({name}, '@example.com')"
    _administrate(
        database,
        f"SET SESSION cte_max_recursion_depth = {number};"
        "INSERT INTO users (username, email, normalized_email, password_hash, created_at)"
        f" WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {number - 1})"
        f" SELECT {name}, {email}, {email}, password_hash, created_at FROM numbers, users WHERE username = '{MODEL}'",
    )
    return [f"{prefix}-{each:06}" for each in range(number)]


def make_codes(database: Database, own: Sequence[str], number: int) -> None:
    """Codes as if they had been sent by mail: of each kind to accounts to spend, and to stop mails to the others."""
    insert = "INSERT INTO mail_codes (code_hash, user_id, kind, mailbox_hash, expires_at)"
    rest = "UNHEX(SHA2(normalized_email, 256)), UTC_TIMESTAMP(3) + INTERVAL 1 DAY FROM users WHERE"
    codes = [
        f"{insert} SELECT UNHEX(SHA2(CONCAT('{code_of(kind, 'spare')}', SUBSTRING(username, 7)), 256)), id, '{name}',"
        f" {rest} username LIKE 'spare-%'"
        for kind, name in (("reset", "password-reset"), ("address", "email-verification"))
    ]
    codes += [
        f"{insert} SELECT UNHEX(SHA2('{code_of('stop', name)}', 256)), id, 'unread-messages',"
        f" {rest} username = '{name}'"
        for name in own
    ]
    _administrate(database, ";".join(codes))
    found = database.administrate(
        f"SELECT COUNT(*) FROM {NAME}.mail_codes JOIN {NAME}.users ON users.id = user_id"
        " WHERE kind = 'password-reset' AND username LIKE 'spare-%'"
    ).strip()
    assert found == str(number), f"{found} codes instead of {number}"


def _administrate(database: Database, statements: str) -> None:
    said = database.administrate(f"USE {NAME}; {statements}")
    assert not said, said


def judge(tally: Tally, prober: Prober, settings: Settings, duration: float) -> Row:
    """Tells each answer that is not as documented, and requests that reached too little of the service."""
    sent = tally.answers.total()
    row = Row(
        fault=f"{settings['random-requests']:,.0f} random requests",
        times=sent,
        duration=duration,
        requests=sent,
        failed=len(tally.failures),
        worst=tally.slowest,
    )
    if tally.failures:
        reasons = collections.Counter(failure.reason for failure in tally.failures)
        told = "; ".join(f"{number} times {reason}" for reason, number in reasons.most_common(SHOWN))
        row.misses.append(f"{len(tally.failures)} answers are not as documented: {told}")
    if prober.failures:
        row.misses.append(f"/livez failed {len(prober.failures)} times: {prober.failures[:SHOWN]}")
    if sent < settings["random-requests"]:
        row.misses.append(f"only {sent:,} requests were sent")
    judge_shares(row, tally)
    shed = sum(tally.shed.values())
    told = "; ".join(f"{number:,} times '{detail}'" for detail, number in tally.shed.most_common())
    row.notes.append(f"{shed:,} were shed with 503{f' ({told})' if told else ''}")
    row.notes.append(f"/livez answered {prober.answers:,} times, in {prober.slowest:.2f} s at most")
    row.notes.append(f"the seed was {settings.seed}")
    return row


def judge_shares(row: Row, tally: Tally) -> None:
    """Few successes would mean that most requests were refused early, and reached little."""
    by_kind: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    by_operation: collections.Counter[str] = collections.Counter(dict.fromkeys(NAMES, 0))
    statuses: collections.Counter[int] = collections.Counter()
    for (kind, operation, status), number in tally.answers.items():
        statuses[status] += number
        if status != SHED:  # which says nothing of what the request would have reached
            by_kind[kind][status // 100] += number
        if operation and is_success(status):
            by_operation[operation] += number
    successes = {kind: share_of_success(counts) for kind, counts in by_kind.items()}
    all_successes = share_of_success(sum(by_kind.values(), collections.Counter()))
    rarest, number = by_operation.most_common()[-1]
    told = ", ".join(f"{count:,} times {status or 'none'}" for status, count in sorted(statuses.items()))
    row.notes += [
        f"answers: {told}",
        f"success: {all_successes:.0%} of all, "
        + ", ".join(f"{share:.1%} of {by_kind[kind].total():,} {kind}" for kind, share in sorted(successes.items())),
        f"each of {len(by_operation)} operations succeeded {number:,} times or more ({rarest})",
        f"{row.requests / row.duration:.0f} requests a second, {tally.bytes_sent / 1e6:,.0f} MB",
    ]
    if missing := [name for name, count in by_operation.items() if not count]:
        row.misses.append(f"no request succeeded of {', '.join(missing)}")
    if all_successes < LEAST_SUCCESSES:
        row.misses.append(f"less than {LEAST_SUCCESSES:.0%} of the requests succeeded")
    if successes.get("valid", 0) < LEAST_VALID_SUCCESSES:
        row.misses.append(f"less than {LEAST_VALID_SUCCESSES:.0%} of the valid requests succeeded")


def is_success(status: int) -> bool:
    """Whether it is one of a request that was done; that a page has not changed (304) is one."""
    return 200 <= status < 400


def share_of_success(counts: Mapping[int, int]) -> float:
    """Of the numbers of answers by their hundreds."""
    return (counts.get(2, 0) + counts.get(3, 0)) / max(1, sum(counts.values()))


def ended(deployment: Deployment) -> list[str]:
    """What no longer works after all requests: replicas, and a message through each of them."""
    if len(deployment.processes()) != len(deployment.replicas):
        return ["a replica has ended"]
    misses = []
    for number, replica in enumerate(deployment.replicas):
        names = (f"afterwards-{number}-{attempt}" for attempt in itertools.count())
        try:
            until(lambda replica=replica, names=names: serves(replica, next(names)), f"replica {number + 1} serves")
        except AssertionError as fault:
            misses.append(f"afterwards: {fault}")
    return misses


def serves(replica: Service, name: str) -> bool:
    """Whether a new user can send and receive a message. A busy machine may need more than one attempt."""
    try:
        user = sign_up(replica, name)
        return user.send(name) in [message["id"] for message in user.received()]
    except (AssertionError, TypeError, KeyError):  # a request was refused
        return False


def complaints(logs: Iterable[Path]) -> list[str]:
    """What the replicas have logged that no request may cause: panics, errors, and lines that are no JSON."""
    found: list[str] = []
    for log in logs:
        with log.open(errors="backslashreplace") as lines:
            for line in lines:
                try:
                    level = json.loads(line)["level"]
                except (ValueError, KeyError, TypeError):
                    level = "no event"
                if level == ERROR or level == "no event" or PANIC in line:
                    found.append(f"{level}: {line.strip()[:SHOWN_BYTES]}")
    return [f"{len(found)} lines of the logs are complaints: {found[:SHOWN]}"] if found else []


def reproductions(failures: Sequence[Failure], folder: Path) -> list[str]:
    """Writes a request for each kind of failure into a file, with a line that sends it again, and its beginning."""
    lines = []
    different = {failure.reason: failure for failure in failures}  # the same fault may be there thousands of times
    for number, failure in enumerate(list(different.values())[:KEPT], 1):
        lines.append(f"==> {failure.reason}")
        if failure.data:
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"{number}.http"
            file.write_bytes(failure.data)
            if failure.before:
                (folder / f"{number}-before.http").write_bytes(failure.before)
            lines.append(f"    nc 127.0.0.1 {failure.port} <{shlex.quote(str(file))}  # {failure.data[:SHOWN_BYTES]!r}")
    return lines
