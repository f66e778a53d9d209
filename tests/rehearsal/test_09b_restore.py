"""A backup is restored beside the current database, and the service moves there and back."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rehearsal.processes import wait_until
from rehearsal.settings import ENVIRONMENT
from rehearsal.world import Account, World

SNAPSHOT = "before-the-accident"
FIRST = f"herolo-{ENVIRONMENT}"
BEFORE, AFTER = 20, 5  # messages that the backup has, and that it lacks
ROWS = (
    "SELECT id, SHA2(CONCAT_WS('|', id, sender_id, subject, body, created_at), 256) FROM herolo.messages ORDER BY id; "
    "SELECT message_id, SHA2(CONCAT_WS('|', message_id, receiver_id), 256) FROM herolo.receipts ORDER BY 1, 2; "
    "SELECT id, SHA2(CONCAT_WS('|', id, username, email, password_hash, created_at), 256) FROM herolo.users ORDER BY id"
)
LARGEST = "SELECT MAX(id) FROM herolo.messages UNION ALL SELECT MAX(id) FROM herolo.users"


@dataclasses.dataclass
class Sent:
    """A message as a client sent it, and the answer."""

    text: str
    status: int
    id: int
    time: float


@dataclasses.dataclass
class Accident:
    """What there was when the backup was taken, and what came later."""

    before: list[Sent]
    after: list[Sent]
    rows: str  # of the database, when the backup was taken
    late: Account
    revoked: Account  # whose tokens were revoked later


def send(world: World, alice: Account, bob: Account, text: str) -> Sent:
    answer = world.send(alice, bob, "subject", text)
    return Sent(text, answer.status, answer.json()["id"] if answer.status == 201 else 0, time.monotonic())


def reads(world: World, account: Account, sent: Sent) -> bool:
    """Whether the account reads that message as it was sent."""
    answer = world.request("GET", f"/users/{account.name}/messages/{sent.id}", token=account.token)
    return answer.status == 200 and digest(answer.json()["message"]) == digest(sent.text)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def sending(world: World, alice: Account, bob: Account) -> Iterator[list[Sent]]:
    """Sends messages one after another meanwhile."""
    sent: list[Sent] = []
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            sent.append(send(world, alice, bob, f"meanwhile {len(sent)}"))
            over.wait(0.1)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield sent
    finally:
        over.set()
        thread.join()


def part_of(world: World) -> str:
    """The part that is the restored database."""
    (name,) = [name for name in world.cloud.databases() if name != FIRST]
    return f"database{name.removeprefix(FIRST)}"


@pytest.fixture(scope="module")
def accident(world: World, alice: Account, bob: Account) -> Iterator[Accident]:
    before = [send(world, alice, bob, f"before {number} é") for number in range(BEFORE)]
    revoked = world.sign_up("revoked")
    rows = world.parts.query_database(ROWS)
    world.cloud.take_snapshot(FIRST, SNAPSHOT)
    wait_until((world.folder / f"snapshot-{SNAPSHOT}.sql").is_file, "the snapshot has its data")
    after = [send(world, alice, bob, f"after {number}") for number in range(AFTER)]
    assert world.request("DELETE", f"/users/{revoked.name}/tokens", token=revoked.token).status == 204
    yield Accident(before, after, rows, world.sign_up("late"), revoked)
    world.cloud.delete_snapshot(SNAPSHOT)


@pytest.mark.parametrize(
    ("backup", "fix"),
    [
        ("never", f"there is no snapshot 'never' in .*: the newest are .*{SNAPSHOT}"),
        ("back", "has one database only"),
    ],
)
def test_a_backup_that_is_not_there_is_refused_with_the_fix(
    world: World, accident: Accident, backup: str, fix: str
) -> None:
    assert world.operate("restore", FROM=backup).refuses(f"^error: .*{fix}")


@pytest.mark.prerequisite
def test_restore_tells_what_would_be_lost_and_moves_nothing_without_the_name(
    world: World, alice: Account, bob: Account, accident: Accident
) -> None:
    said = world.operate("restore", FROM=SNAPSHOT, YES="1")
    assert said.refuses(f"CONFIRM={ENVIRONMENT}")
    assert said.says(f"{AFTER} messages and 1 users of {FIRST} are newer")
    assert reads(world, bob, accident.after[-1])


@pytest.mark.prerequisite
def test_restore_goes_on_with_that_database_and_moves_the_service_within_seconds(
    world: World, alice: Account, bob: Account, accident: Accident, show
) -> None:
    with sending(world, alice, bob) as sent:
        said = world.operate("restore", FROM=SNAPSHOT, CONFIRM=ENVIRONMENT)
    assert said.succeeded
    assert len(world.cloud.databases()) == 2
    refused = [message for message in sent if message.status != 201]
    assert {message.status for message in refused} <= {503}
    length = refused[-1].time - refused[0].time if refused else 0
    # Nothing is acknowledged by the former database once the restored one is in use.
    moved = [message for message in sent if refused and message.status == 201 and message.time > refused[0].time]
    assert moved
    assert all(reads(world, bob, message) for message in moved)
    show(f"{len(sent)} messages sent meanwhile, {len(refused)} of them answered with 503, for {length:.0f} s")


def test_every_message_from_before_is_there_hash_for_hash(world: World, bob: Account, accident: Accident) -> None:
    assert set(accident.rows.splitlines()) <= set(world.parts.query_database(ROWS, part_of(world)).splitlines())
    assert all(reads(world, bob, message) for message in accident.before)


def test_what_the_backup_lacks_is_gone(world: World, bob: Account, accident: Accident) -> None:
    assert not any(reads(world, bob, message) for message in accident.after)
    assert world.log_in(accident.late.name).status == 401


def test_tokens_that_were_revoked_since_stay_revoked(world: World, accident: Accident) -> None:
    path = f"/users/{accident.revoked.name}/messages"
    assert world.request("GET", path, token=accident.revoked.token).status == 401
    token = world.log_in(accident.revoked.name).json()["access_token"]
    assert world.request("GET", path, token=token).status == 200


def test_no_id_is_assigned_twice(world: World, alice: Account, bob: Account, accident: Accident) -> None:
    """A token contains the id of its user, so the token of a user that is gone would be another user's."""
    used = [int(number) for number in world.parts.query_database(LARGEST).split()]
    send(world, alice, bob, "the next one")
    world.sign_up("next")
    assigned = [int(number) for number in world.parts.query_database(LARGEST, part_of(world)).split()]
    assert all(new > old for new, old in zip(assigned, used, strict=True))
    answer = world.request("GET", f"/users/{accident.late.name}/messages", token=accident.late.token)
    assert answer.status in (401, 403)


def test_the_former_database_is_kept_and_nobody_writes_to_it(world: World, accident: Accident) -> None:
    locked = "SELECT account_locked FROM mysql.user WHERE user = 'herolo_service'"
    assert world.parts.query_database(locked) == "Y"
    threads = "SELECT COUNT(*) FROM performance_schema.processlist WHERE user = 'herolo_service'"
    assert world.parts.query_database(threads) == "0"
    assert set(accident.rows.splitlines()) <= set(world.parts.query_database(ROWS).splitlines())


@pytest.mark.prerequisite
def test_restore_goes_back_to_the_former_database(
    world: World, alice: Account, bob: Account, accident: Accident
) -> None:
    assert world.operate("restore", FROM="back", CONFIRM=ENVIRONMENT).succeeded
    assert all(reads(world, bob, message) for message in accident.before + accident.after)
    newest = max(int(number) for number in world.parts.query_database(LARGEST, part_of(world)).split())
    assert send(world, alice, bob, "back again").id > newest


@pytest.mark.prerequisite
def test_the_other_database_goes_when_that_is_told(world: World, accident: Accident) -> None:
    part = part_of(world)
    assert world.operate("restore-finish").refuses(f"CONFIRM={ENVIRONMENT}")
    assert world.operate("restore-finish", CONFIRM=ENVIRONMENT).succeeded
    assert world.cloud.databases() == [FIRST]
    wait_until(lambda: world.parts.name_of(part) not in world.parts.containers(), "its container is gone")
