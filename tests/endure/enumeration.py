"""Answers that must not tell what exists: the same contents, and the same times, whether it does or not."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.client
import json
import math
import random
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from endure.database import NAME, Database
from endure.deployment import UNLIMITED
from endure.faults import Bench
from endure.report import Row
from endure.settings import Settings
from scipy.stats import ks_2samp
from support.services import Service, free_port
from support.users import User, sign_up

# What differs from one answer to the next, whoever asks.
VARYING = re.compile(r'(?<="id":)\d+|(?<="created_at":")[^"]+|(?<=/messages/)\d+')
VARYING_HEADERS = ("date", "x-request-id", "content-length")
TIMEOUT = 15  # seconds
ABSENT = 10**12  # added to the id of a message, it is that of none
OTHERS = 10  # messages between other users
# A thread that has hashed a password pauses for twice as long. A request after it would wait for that, and the median
# of times with and without such a wait lies anywhere between both.
REST_AFTER_HASH = 3
# While medians are not known well enough to be compared, questions go on, up to so many times as many.
MOST = 4
BLOCK = 200  # pairs between two such looks
QUANTILE = 1.96  # of the normal distribution, for confidence intervals of 95 %
SHOWN, SHOWN_CHARACTERS = 3, 400  # examples in a report, and of each


@dataclasses.dataclass(frozen=True)
class Question:
    """A request, and the texts in it that its answer may repeat. `rest` is the pause after its answer, as a multiple of
    the time that it took."""

    method: str
    path: str
    body: dict | None = None
    token: str = ""
    texts: tuple[str, ...] = ()
    rest: float = 0


@dataclasses.dataclass
class Answers:
    """Those to one kind of question."""

    status: int
    seconds: dict[bool, list[float]] = dataclasses.field(default_factory=lambda: {True: [], False: []})
    differences: list[str] = dataclasses.field(default_factory=list)

    def medians(self) -> tuple[float, float]:
        """Those of the times, of what exists and of what does not, in seconds."""
        return statistics.median(self.seconds[True]), statistics.median(self.seconds[False])

    def uncertainty(self) -> float:
        """Half the confidence interval of the difference of the medians, as a share of them."""
        halves = (half_interval(times) for times in self.seconds.values())
        return math.hypot(*halves) / min(self.medians())


def half_interval(times: Sequence[float]) -> float:
    """Half the confidence interval of the median, which order statistics bound, in seconds."""
    ordered, middle, reach = sorted(times), len(times) // 2, math.ceil(QUANTILE * math.sqrt(len(times)) / 2)
    return (ordered[min(middle + reach, len(ordered) - 1)] - ordered[max(middle - reach, 0)]) / 2


class World:
    """Users of whom questions are asked: those who exist, and those who do not."""

    def __init__(self, service: Service, database: Database, names: int) -> None:
        self.asker = sign_up(service, "asker")
        self.others = [sign_up(service, f"asked-other-{number}") for number in range(2)]
        self.blocker, self.friend = sign_up(service, "asked-blocker"), sign_up(service, "asked-reader")
        self.blocker.ask("PUT", f"/blocks/{self.asker.name}")
        self.messages = [self.others[0].send(self.others[1].name) for _ in range(OTHERS)]
        # Copies of an account, since a sign-up takes the time of a password's hash.
        said = database.administrate(
            f"USE {NAME}; SET SESSION cte_max_recursion_depth = {names};"
            "INSERT INTO users (username, email, normalized_email, password_hash, created_at)"
            f" WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {names - 1})"
            " SELECT CONCAT('known-', LPAD(n, 6, '0')), CONCAT('known-', LPAD(n, 6, '0'), '@example.com'),"
            " CONCAT('known-', LPAD(n, 6, '0'), '@example.com'), password_hash, created_at"
            f" FROM numbers, users WHERE username = '{self.asker.name}'"
        )
        assert not said, said

    def name(self, number: int, exists: bool) -> str:
        """A name that is taken, or not; both are of one length."""
        return f"{'known' if exists else 'ghost'}-{number:06}"

    def message(self, number: int, exists: bool) -> int:
        """The id of a message between other users, or of none."""
        return self.messages[number % OTHERS] + (0 if exists else ABSENT)

    def sign_in(self, number: int, exists: bool) -> Question:
        """Signs in with a wrong password."""
        name = self.name(number, exists)
        body = {"password": "a wrong pass phrase"}
        return Question("POST", f"/users/{name}/token", body, texts=(name,), rest=REST_AFTER_HASH)

    def reset(self, number: int, exists: bool) -> Question:
        """Says that the password of a name is forgotten. Each known one is asked for once, and gets a mail."""
        name = self.name(number, exists)
        return Question("POST", "/password-resets", {"account": name}, texts=(name,))

    def other_user(self, number: int, exists: bool) -> Question:
        """Reads the inbox of another user."""
        name = self.name(number, exists)
        return Question("GET", f"/users/{name}/messages", token=self.asker.token, texts=(name,))

    def other_message(self, number: int, exists: bool) -> Question:
        """Reads a message of others."""
        path = f"/users/{self.asker.name}/messages/{self.message(number, exists)}"
        return Question("GET", path, token=self.asker.token)

    def reply(self, number: int, exists: bool) -> Question:
        """Replies to a message of others."""
        return self._send(self.friend, {"in_reply_to": self.message(number, exists)})

    def blocked(self, number: int, exists: bool) -> Question:
        """Writes to somebody who blocks the asker, or does not."""
        return self._send(self.blocker if exists else self.friend, {})

    def _send(self, receiver: User, fields: dict) -> Question:
        body = {"receiver": receiver.name, "subject": "Question", "message": "Anybody there?", **fields}
        return Question("POST", f"/users/{self.asker.name}/messages", body, self.asker.token, (receiver.name,))


# Each with the status that all answers have. A sign-up is not among them: that a name is taken, it has to say. Nor is a
# send to an unknown name, which says so.
KINDS: dict[str, tuple[Callable[[World, int, bool], Question], int]] = {
    "sign-in": (World.sign_in, 401),
    "forgotten password": (World.reset, 202),
    "inbox of another user": (World.other_user, 403),
    "message of others": (World.other_message, 404),
    "reply to a message of others": (World.reply, 422),
    "send to a blocker": (World.blocked, 201),
}


class Asker:
    """One client on one connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)

    def ask(self, question: Question) -> tuple[float, int, str]:
        """The seconds until the answer was complete, its status, and all that it tells, without what always varies."""
        headers = {"Content-Type": "application/json"}
        if question.token:
            headers["Authorization"] = f"Bearer {question.token}"
        body = None if question.body is None else json.dumps(question.body)
        begun = time.perf_counter()
        self.connection.request(question.method, question.path, body, headers)
        response = self.connection.getresponse()
        content = response.read()
        seconds = time.perf_counter() - begun
        kept = sorted(
            f"{name.lower()}: {value}" for name, value in response.getheaders() if name.lower() not in VARYING_HEADERS
        )
        told = "\n".join([*kept, content.decode(errors="replace")])
        for text in question.texts:
            told = told.replace(text, "...")
        return seconds, response.status, VARYING.sub("...", told)


def compare_answers(bench: Bench) -> Row:
    """Asks about what exists and what does not, in pairs, in random order."""
    begun, pairs = time.monotonic(), bench.settings.times("pairs")
    with mail_server() as port, answering(bench, port) as service:
        world, asker = World(service, bench.database, MOST * pairs), Asker(service.port)
        answers = {kind: Answers(status) for kind, (_, status) in KINDS.items()}
        kinds = list(KINDS)
        for number in range(MOST * pairs):
            if number >= pairs and (number - pairs) % BLOCK == 0:
                kinds = [kind for kind in kinds if not is_known(answers[kind], bench.settings["median-limit"])]
            for kind in kinds:
                ask_pair(asker, functools.partial(KINDS[kind][0], world, number), answers[kind])
    return judge(answers, bench.settings, time.monotonic() - begun)


def is_known(answers: Answers, limit: float) -> bool:
    """Whether chance makes the medians differ by half of the limit at most. Without a limit, nothing needs to be known
    about them."""
    return limit == 0 or answers.uncertainty() <= limit / 2


@contextlib.contextmanager
def mail_server() -> Iterator[int]:
    """A mail server that takes all mails, and its port."""
    port = free_port()
    server = Controller(Sink(), hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield port
    finally:
        server.stop()


@contextlib.contextmanager
def answering(bench: Bench, mail_port: int) -> Iterator[Service]:
    """A replica that sends mails and limits nobody."""
    folder = bench.folder / "enumeration"
    folder.mkdir()
    settings = {
        **UNLIMITED,
        "HEROLO_SMTP_URL": f"smtp://127.0.0.1:{mail_port}?tls=none",
        "HEROLO_MAIL_FROM": "noreply@example.com",
        "HEROLO_PUBLIC_URL": "http://127.0.0.1",
    }
    service = Service(Path(bench.settings.binary), folder, bench.database.url_file(bench.database.port), settings)
    service.migrate()
    service.start()
    try:
        yield service
    finally:
        service.stop()


def ask_pair(asker: Asker, question: Callable[[bool], Question], answers: Answers) -> None:
    """Asks both, and compares the answers with each other and with what the API has for them."""
    told = {}
    for exists in random.sample([True, False], 2):
        asked = question(exists)
        seconds, status, told[exists] = asker.ask(asked)
        answers.seconds[exists].append(seconds)
        time.sleep(asked.rest * seconds)
        if status != answers.status:
            answers.differences.append(f"the status is {status}, not {answers.status}")
    if told[True] != told[False]:
        lines = (set(text.splitlines()) for text in told.values())
        answers.differences.append(" / ".join(sorted(set.symmetric_difference(*lines)))[:SHOWN_CHARACTERS])


def judge(answers: dict[str, Answers], settings: Settings, duration: float) -> Row:
    """Two requests that are answered differently are told, and so are times that differ, if those are judged."""
    seconds = [time for kind in answers.values() for times in kind.seconds.values() for time in times]
    row = Row(
        fault="questions about what exists",
        times=len(seconds) // 2,
        duration=duration,
        requests=len(seconds),
        failed=sum(len(kind.differences) for kind in answers.values()),
        worst=max(seconds),
    )
    for name, kind in answers.items():
        if kind.differences:
            row.misses.append(f"{name}: {len(kind.differences)} answers differ ({kind.differences[:SHOWN]})")
        judge_times(row, name, kind, settings)
    return row


def judge_times(row: Row, name: str, answers: Answers, settings: Settings) -> None:
    """Compares the medians and, with the test of Kolmogorov and Smirnov, the distributions. The more times that test
    has, the smaller a difference it finds, down to one that no client can use: so it has a fixed number of them."""
    known, unknown = answers.seconds[True], answers.seconds[False]
    pairs = int(settings["pairs"])
    medians = answers.medians()
    difference = abs(medians[0] - medians[1]) / min(medians)
    probability = float(ks_2samp(known[:pairs], unknown[:pairs]).pvalue)
    of_all = float(ks_2samp(known, unknown).pvalue)
    row.notes.append(
        f"{name}: medians of {medians[0] * 1000:.2f} and {medians[1] * 1000:.2f} ms over {len(known):,} pairs,"
        f" {difference:.1%} apart (by chance up to {answers.uncertainty():.1%}), p = {probability:.3f} over the first"
        f" {min(pairs, len(known)):,}, {of_all:.3f} over all"
    )
    if settings["median-limit"] and difference > settings["median-limit"]:
        row.misses.append(f"{name}: the medians are more than {settings['median-limit']:.0%} apart")
    if probability < settings["distribution-limit"]:
        row.misses.append(f"{name}: the times are of different distributions")
