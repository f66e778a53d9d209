"""Valid requests for each operation of the OpenAPI document, with what their client knows of its accounts."""

from __future__ import annotations

import dataclasses
import itertools
import secrets
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from support.users import PASSWORD

MOST_KNOWN = 200  # messages and other things that an account keeps in mind
SUBJECT, LONG_TEXT = "Random", 20_000
SPENT_AT_ONCE = 20  # accounts to spend of which some are logged in
TRIES = 20  # of an operation that must succeed once


@dataclasses.dataclass
class Account:
    """An account, and what its client knows of it."""

    name: str
    password: str = PASSWORD
    token: str = ""
    messages: list[int] = dataclasses.field(default_factory=list)  # ids of received ones
    invitations: list[str] = dataclasses.field(default_factory=list)  # ids
    invitation_codes: list[str] = dataclasses.field(default_factory=list)
    blocked: list[str] = dataclasses.field(default_factory=list)
    tags: list[str] = dataclasses.field(default_factory=lambda: ['W/"0"'])  # of pages
    events: list[str] = dataclasses.field(default_factory=lambda: ["0"])  # ids of events


@dataclasses.dataclass
class Draft:
    """A valid request, before it is written and changed."""

    operation: str
    path: dict[str, str] = dataclasses.field(default_factory=dict)
    query: dict[str, str] = dataclasses.field(default_factory=dict)
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    fields: dict[str, Any] | None = None  # of the body
    caller: Account | None = None


class World:
    """What one client knows: an account of its own, others to write to, and accounts that it may spend.

    No other client spends these, so what it knows of them stays true.
    """

    def __init__(
        self, dice: Random, own: Account, others: Sequence[str], spare: Sequence[Account], prefix: str
    ) -> None:
        """`prefix` is of the names of accounts that this client alone makes."""
        self.dice, self.own, self.others, self.spare, self.prefix = dice, own, list(others), list(spare), prefix
        self.reset_codes = [code_of("reset", account.name) for account in spare]
        self.address_codes = [code_of("address", account.name) for account in spare]
        self.stop_code = code_of("stop", own.name)
        self.succeeded: set[str] = set()  # operations of valid requests
        self._numbers = itertools.count()

    def new_name(self) -> str:
        """A name that nobody has."""
        return f"{self.prefix}-{next(self._numbers)}-{secrets.token_hex(3)}"

    def logged_in(self) -> Account | None:
        """An account to spend that has a token."""
        found = [account for account in self.spare[:SPENT_AT_ONCE] if account.token]
        return self.dice.choice(found) if found else None


def code_of(kind: str, name: str) -> str:
    """The code of a mail of this kind to that account: letters and digits alone."""
    return f"{kind}{''.join(letter for letter in name if letter.isalnum())}"


def _own(world: World, operation: str, **parts: Any) -> Draft:
    """A request of the client's own account, on its own path."""
    path = {"username": world.own.name, **parts.pop("path", {})}
    return Draft(operation, path, caller=world.own, **parts)


def _message(world: World) -> str:
    """The id of a received message; 1, of none, if there is none."""
    return str(world.dice.choice(world.own.messages) if world.own.messages else 1)


def _on_message(operation: str, fields: Callable[[World], dict[str, Any] | None]) -> Callable[[World], Draft]:
    """A request on a received message, or a message to oneself if there is none."""

    def draft(world: World) -> Draft:
        if not world.own.messages:
            return _own(world, "sendMessage", fields=_text(world) | {"receiver": world.own.name})
        return _own(world, operation, path={"id": _message(world)}, fields=fields(world))

    return draft


def _read(world: World) -> dict[str, Any]:
    return {"read": world.dice.choice((True, False))}


def _text(world: World) -> dict[str, Any]:
    return {"subject": SUBJECT, "message": f"Text {world.dice.random()}"}


def _send(world: World) -> Draft:
    dice = world.dice
    body = _text(world)
    if dice.random() < 0.02:
        body["message"] = "é" * LONG_TEXT
    chance = dice.random()
    if chance < 0.7:
        body["receiver"] = world.own.name if chance < 0.3 else dice.choice(world.others)
    elif chance < 0.9:
        body["receivers"] = dice.choices(world.others, k=dice.choice((1, 2, 3)))
    elif world.own.messages:
        body["in_reply_to"] = int(_message(world))
        body["receiver"] = dice.choice(world.others)
    else:
        body["receiver"] = world.own.name
    headers = {"Idempotency-Key": secrets.token_hex(8)} if dice.random() < 0.5 else {}
    return _own(world, "sendMessage", fields=body, headers=headers)


def _list(world: World) -> Draft:
    dice, query = world.dice, {}
    choices: dict[str, Callable[[], str]] = {
        "per_page": lambda: str(dice.choice((1, 2, 5, 10, 20))),
        "unread": lambda: dice.choice(("true", "false")),
        "from": lambda: dice.choice(world.others),
        "since": lambda: dice.choice(("2026-01-01T00:00:00Z", "2026-11-22T12:00:00.5+02:00")),
        "q": lambda: dice.choice(("Text", "Random", "text lunch", "0", "é")),
        "before": lambda: _message(world),
    }
    for name in dice.sample(list(choices), dice.choice((0, 1, 1, 2, 3))):
        query[name] = choices[name]()
    if dice.random() < 0.2:
        query["page"] = str(dice.choice((1, 2, 3)))
    if not query and dice.random() < 0.5:
        query = {"box": "sent"} if dice.random() < 0.5 else {"conversation": _message(world)}
    headers = {"If-None-Match": dice.choice(world.own.tags)} if dice.random() < 0.3 else {}
    return _own(world, "listMessages", query=query, headers=headers)


def _mark_many(world: World) -> Draft:
    is_read = world.dice.choice((True, False))
    if world.dice.random() < 0.3:
        return _own(world, "markMessages", fields={"read": is_read, "until": int(_message(world))})
    ids = world.dice.choices(world.own.messages or [1], k=world.dice.choice((1, 2, 10)))
    return _own(world, "markMessages", fields={"read": is_read, "ids": ids})


def _stream(world: World) -> Draft:
    headers = {"Last-Event-ID": world.dice.choice(world.own.events)} if world.dice.random() < 0.5 else {}
    return _own(world, "streamEvents", headers=headers)


def _sign_up(world: World) -> Draft:
    name = world.new_name()
    body = {"username": name, "email": f"{name}@example.com", "password": secrets.token_hex(8)}
    if world.own.invitation_codes and world.dice.random() < 0.5:
        body["invitation"] = world.own.invitation_codes.pop()
    return Draft("createUser", fields=body)


def _log_in(world: World) -> Draft | None:
    is_own = not world.own.token or not world.spare
    account = world.own if is_own else world.dice.choice(world.spare[:SPENT_AT_ONCE])
    return Draft("issueToken", {"username": account.name}, fields={"password": account.password})


def _spent(
    operation: str, fields: Callable[[World, Account], dict[str, Any] | None]
) -> Callable[[World], Draft | None]:
    """A request of an account that may be spent."""

    def draft(world: World) -> Draft | None:
        account = world.logged_in()
        if account is None:
            return _log_in(world)
        return Draft(operation, {"username": account.name}, fields=fields(world, account), caller=account)

    return draft


def _new_email(world: World, account: Account) -> dict[str, Any]:
    return {"password": account.password, "email": f"{world.new_name()}@example.com"}


def _reset(world: World) -> Draft | None:
    if not world.reset_codes:
        return None
    body = {"code": world.reset_codes.pop(), "new_password": secrets.token_hex(8)}
    return Draft("completePasswordReset", fields=body)


def _verify(world: World) -> Draft | None:
    if not world.address_codes:
        return None
    return Draft("completeEmailVerification", fields={"code": world.address_codes.pop()})


def _forgotten(world: World) -> Draft:
    named = world.dice.choice(world.spare or [world.own]).name
    return Draft("requestPasswordReset", fields={"account": world.dice.choice((named, f"{named}@example.com"))})


def _unblock(world: World) -> Draft:
    return _own(world, "unblockUser", path={"name": world.dice.choice(world.own.blocked or world.others)})


def _drop_invitation(world: World) -> Draft | None:
    if not world.own.invitations:
        return _own(world, "createInvitation")
    return _own(world, "deleteInvitation", path={"id": world.own.invitations[-1]})


def _public(operation: str) -> Callable[[World], Draft]:
    return lambda _: Draft(operation)


def _plain(operation: str, **parts: Any) -> Callable[[World], Draft]:
    return lambda world: _own(world, operation, **parts)


# By operationId: a valid request, and how often it is made. A password is hashed slowly on purpose, an export and a
# verification by mail are large or rare, and an event stream takes a connection. None if none is possible any more.
DRAFTS: dict[str, tuple[float, Callable[[World], Draft | None]]] = {
    "sendMessage": (12, _send),
    "listMessages": (14, _list),
    "getMessage": (10, _on_message("getMessage", lambda _: None)),
    "markMessage": (7, _on_message("markMessage", _read)),
    "markMessages": (7, _mark_many),
    "deleteMessage": (7, _on_message("deleteMessage", lambda _: None)),
    "getAccount": (4, _plain("getAccount")),
    "listBlocks": (3, _plain("listBlocks")),
    "blockUser": (3, lambda world: _own(world, "blockUser", path={"name": world.dice.choice(world.others)})),
    "unblockUser": (3, _unblock),
    "listInvitations": (3, _plain("listInvitations")),
    "createInvitation": (2, _plain("createInvitation")),
    "deleteInvitation": (2, _drop_invitation),
    "turnOnUnreadNotices": (
        3,
        lambda world: _own(world, "turnOnUnreadNotices", fields={"after_minutes": world.dice.choice((10, 60, 10080))}),
    ),
    "turnOffUnreadNotices": (3, _plain("turnOffUnreadNotices")),
    "stopUnreadNotices": (2, lambda world: Draft("stopUnreadNotices", {"code": world.stop_code})),
    "streamEvents": (0.5, _stream),
    "exportAccount": (0.2, _plain("exportAccount")),
    "requestEmailVerification": (0.2, _plain("requestEmailVerification")),
    "requestPasswordReset": (1, _forgotten),
    "completeEmailVerification": (0.3, _verify),
    "completePasswordReset": (0.2, _reset),
    "createUser": (0.15, _sign_up),
    "issueToken": (0.3, _log_in),
    "revokeTokens": (0.1, _spent("revokeTokens", lambda *_: None)),
    "changePassword": (
        0.1,
        _spent(
            "changePassword",
            lambda _, account: {"password": account.password, "new_password": secrets.token_hex(8)},
        ),
    ),
    "changeEmail": (0.1, _spent("changeEmail", _new_email)),
    "deleteAccount": (0.1, _spent("deleteAccount", lambda _, account: {"password": account.password})),
    "getServiceInfo": (2, _public("getServiceInfo")),
    "checkLiveness": (2, _public("checkLiveness")),
    "checkReadiness": (1, _public("checkReadiness")),
    "checkDraining": (1, _public("checkDraining")),
    "getMetrics": (0.5, _public("getMetrics")),
    "getOpenApiDocument": (0.1, _public("getOpenApiDocument")),
}
NAMES, WEIGHTS = tuple(DRAFTS), tuple(itertools.accumulate(weight for weight, _ in DRAFTS.values()))


def draft(world: World) -> Draft:
    """A random valid request. One of the client's own account is a login if it has no token any more."""
    if not world.own.token:
        return _log_in(world) or Draft("checkLiveness")
    (name,) = world.dice.choices(NAMES, cum_weights=WEIGHTS)
    return DRAFTS[name][1](world) or Draft("checkLiveness")


def each_once(world: World) -> Iterator[Draft]:
    """Valid requests until each operation has succeeded, or was tried often."""
    for name in ("issueToken", *NAMES):
        for _ in range(TRIES):
            found = DRAFTS[name][1](world)  # of another operation, if that makes this one possible
            if found is None or name in world.succeeded:
                break
            yield found


def learn(world: World, asked: Draft, is_changed: bool, status: int, answer: Any) -> None:
    """Keeps what the answer to a draft says of the accounts. `is_changed` tells whether something else was sent."""
    account = asked.caller
    if status == 401 and not is_changed:
        if account:
            account.token = ""
        elif asked.path.get("username") == world.own.name and world.spare:
            world.own = world.spare.pop()  # a changed request has changed its password
    if not 200 <= status < 300:
        return
    if not is_changed:
        world.succeeded.add(asked.operation)
    if is_changed and asked.operation in WITH_PASSWORDS:
        named = answer.get("username") if isinstance(answer, dict) else None
        world.spare = [each for each in world.spare if each is not account and each.name != named]
    elif asked.operation in LESSONS:
        LESSONS[asked.operation](world, asked, answer if isinstance(answer, dict) else {})


# After a changed request, nothing is known of the account.
WITH_PASSWORDS = ("createUser", "changePassword", "completePasswordReset", "deleteAccount")


def _learn_token(world: World, asked: Draft, answer: dict[str, Any]) -> None:
    for account in (world.own, *world.spare):
        if account.name == asked.path["username"]:
            account.token = answer.get("access_token", account.token)


def _learn_account(world: World, asked: Draft, _: dict[str, Any]) -> None:
    if asked.fields:
        world.spare.insert(0, Account(asked.fields["username"], asked.fields["password"]))


def _learn_password(world: World, asked: Draft, _: dict[str, Any]) -> None:
    if asked.caller and asked.fields:
        asked.caller.password, asked.caller.token = asked.fields["new_password"], ""


def _learn_reset(world: World, asked: Draft, answer: dict[str, Any]) -> None:
    for account in world.spare:
        if asked.fields and account.name == answer.get("username"):
            account.password, account.token = asked.fields["new_password"], ""


def _learn_end(world: World, asked: Draft, _: dict[str, Any]) -> None:
    world.spare = [account for account in world.spare if account is not asked.caller]


def _learn_messages(world: World, _: Draft, answer: dict[str, Any]) -> None:
    found = [message["id"] for message in answer.get("messages", ()) if message["receiver"] == world.own.name]
    world.own.messages = list(dict.fromkeys([*found, *world.own.messages]))[:MOST_KNOWN]


def _learn_send(world: World, _: Draft, answer: dict[str, Any]) -> None:
    if answer.get("receiver") == world.own.name:
        world.own.messages = [answer["id"], *world.own.messages][:MOST_KNOWN]


def _forget_message(world: World, asked: Draft, _: dict[str, Any]) -> None:
    world.own.messages = [known for known in world.own.messages if str(known) != asked.path["id"]]


def _learn_invitation(world: World, _: Draft, answer: dict[str, Any]) -> None:
    if "id" in answer:
        world.own.invitations.append(str(answer["id"]))
        world.own.invitation_codes.append(answer["code"])


def _forget_invitation(world: World, asked: Draft, _: dict[str, Any]) -> None:
    world.own.invitations = [known for known in world.own.invitations if known != asked.path["id"]]
    world.own.invitation_codes.clear()


def _learn_block(world: World, asked: Draft, _: dict[str, Any]) -> None:
    world.own.blocked = [asked.path["name"], *world.own.blocked][:MOST_KNOWN]


def _forget_block(world: World, asked: Draft, _: dict[str, Any]) -> None:
    world.own.blocked = [name for name in world.own.blocked if name != asked.path["name"]]


def _forget_token(world: World, asked: Draft, _: dict[str, Any]) -> None:
    if asked.caller:
        asked.caller.token = ""


LESSONS: dict[str, Callable[[World, Draft, dict[str, Any]], None]] = {
    "issueToken": _learn_token,
    "createUser": _learn_account,
    "changePassword": _learn_password,
    "completePasswordReset": _learn_reset,
    "deleteAccount": _learn_end,
    "revokeTokens": _forget_token,
    "listMessages": _learn_messages,
    "sendMessage": _learn_send,
    "deleteMessage": _forget_message,
    "createInvitation": _learn_invitation,
    "deleteInvitation": _forget_invitation,
    "blockUser": _learn_block,
    "unblockUser": _forget_block,
}
