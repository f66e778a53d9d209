"""What Schemathesis cannot know of the service: existing accounts and messages, and rules that a schema cannot express.

A generated request refers to users and messages that do not exist, so its response proves little. Therefore most of the
valid requests get existing values: a user with a token, a message that the user has received, an existing receiver. The
others are sent as they were generated.

Environment: HEROLO_CONTRACT_URL, where the service listens; HEROLO_CONTRACT_STATISTICS, the file that gets the number
of responses of each status to each operation, for `fuzzer.py`.
"""

import collections
import json
import os
import secrets
import zlib

import requests
import schemathesis
from schemathesis import HookContext
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine.run import PhaseName
from schemathesis.openapi.checks import (
    AllowHeaderMismatch,
    EnsureResourceAvailability,
    RejectedPositiveData,
    UnsupportedMethodResponse,
)

URL = os.environ["HEROLO_CONTRACT_URL"]
STATISTICS = os.environ["HEROLO_CONTRACT_STATISTICS"]

DOCUMENT = requests.get(f"{URL}/openapi.json", timeout=10).json()
OPERATIONS = {operation["operationId"]: operation for item in DOCUMENT["paths"].values() for operation in item.values()}
# They delete an account or revoke its tokens.
ENDING = {"changePassword", "deleteAccount", "revokeTokens"}
# They require the password of an account.
CONFIRMED = {"changePassword", "changeEmail", "deleteAccount"}
ON_A_MESSAGE = {"getMessage", "markMessage", "deleteMessage"}
ON_AN_INVITATION = {"deleteInvitation"}
ON_A_BLOCK = {"blockUser", "unblockUser"}
# One of so many requests is sent as it was generated.
AS_MADE = 8

SESSION = requests.Session()


class Account:
    """An account with a token."""

    def __init__(self) -> None:
        self.username = f"user-{secrets.token_hex(8)}"
        self.password = secrets.token_hex(8)
        self.token = ""
        self.post("/users", username=self.username, email=f"{self.username}@example.com", password=self.password)
        self.log_in()

    def log_in(self) -> None:
        """Gets a token."""
        self.token = self.post(f"/users/{self.username}/token", password=self.password)["access_token"]

    def post(self, path: str, **fields: str) -> dict:
        """Posts a body, and returns that of the response; raises for an error."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = SESSION.post(f"{URL}{path}", json=fields, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def message(self) -> int:
        """The id of a new message, which the user sent to themselves."""
        path = f"/users/{self.username}/messages"
        return self.post(path, receiver=self.username, subject="Contract", message="To be read.")["id"]

    def invitation(self) -> dict:
        """An open invitation of the user, with its code if it is new."""
        path, headers = f"{URL}/users/{self.username}/invitations", {"Authorization": f"Bearer {self.token}"}
        answer = SESSION.post(path, headers=headers, timeout=30)
        if answer.status_code != requests.codes.too_many_requests:
            answer.raise_for_status()
            return answer.json()
        return SESSION.get(path, headers=headers, timeout=30).json()["invitations"][0]


class World:
    """The accounts that exist."""

    def __init__(self) -> None:
        self.alice = Account()
        self.bob = Account()
        # Sends and receives nothing else, because a block would change what arrives.
        self.blocked = Account()
        # The passwords of accounts that may be deleted, since the requests themselves created them.
        self.passwords: dict[str, str] = {}
        # The tokens of the accounts that must stay, and of those for which a request has issued one.
        self.tokens = {one.username: one.token for one in (self.alice, self.bob)}
        # Further accounts that may be deleted, and those of them that a request is using.
        self.spare: list[Account] = []
        self.in_use: dict[str, Account] = {}

    def newcomer(self) -> str:
        """The name of a new account, which may be deleted."""
        account = Account()
        self.passwords[account.username] = account.password
        return account.username

    def borrow(self, case_id: str) -> Account:
        """An account for this request alone."""
        account = self.spare.pop() if self.spare else Account()
        if not account.token:
            account.log_in()
        self.in_use[case_id] = account
        return account


WORLD = World()


def operation_of(case: schemathesis.Case) -> str:
    """The operationId of a request."""
    return case.operation.definition.raw["operationId"]


def choose(value: object, number: int) -> int:
    """0 to `number` - 1, the same for the same value in every run."""
    return zlib.crc32(repr(value).encode()) % number


def is_fit(case: schemathesis.Case, part: ParameterLocation) -> bool:
    """Whether a part of the request is valid by the document, and may be replaced by existing values.

    In a series all valid parts are replaced: Schemathesis gives up a series if the same requests get other responses.
    """
    if case.meta is None or part not in case.meta.components or case.meta.is_negative_at(part):
        return False
    return is_walk(case) or choose((case.path_parameters, case.body), AS_MADE) != 0


def is_walk(case: schemathesis.Case) -> bool:
    """Whether the request is one of a series."""
    return case.meta is not None and case.meta.phase.name == PhaseName.STATEFUL_TESTING


@schemathesis.hook
def before_load_schema(_: HookContext, document: dict) -> None:
    """Compares each event of the stream with the schema of events; the document calls the whole stream a text."""
    answer = document["paths"]["/users/{username}/events"]["get"]["responses"]["200"]
    answer["content"]["text/event-stream"] = {"schema": {"$ref": "#/components/schemas/Event"}}


@schemathesis.auth(refresh_interval=None)
class Callers:
    """Sends the token of the user in the path; if that user does not exist, the token of one that does."""

    def get(self, case: schemathesis.Case, _: schemathesis.AuthContext) -> tuple[str, str] | None:
        """The name and the token of the caller."""
        if "security" not in OPERATIONS[operation_of(case)]:
            return None
        named, may_end = name_in(case), operation_of(case) in ENDING | CONFIRMED
        if named in WORLD.tokens and (named in WORLD.passwords or not may_end):
            return named, WORLD.tokens[named]
        account = WORLD.borrow(case.id) if may_end else WORLD.alice
        return account.username, account.token

    def set(self, case: schemathesis.Case, caller: tuple[str, str], _: schemathesis.AuthContext) -> None:
        """Makes the request the caller's."""
        username, token = caller
        case.headers["Authorization"] = f"Bearer {token}"
        if is_fit(case, ParameterLocation.PATH) and name_in(case) != username:
            case.path_parameters["username"] = username
            if operation_of(case) in ON_A_MESSAGE:
                case.path_parameters["id"] = WORLD.alice.message()
            if operation_of(case) in ON_AN_INVITATION:
                case.path_parameters["id"] = WORLD.alice.invitation()["id"]
            if operation_of(case) in ON_A_BLOCK:
                case.path_parameters["name"] = WORLD.blocked.username


def name_in(case: schemathesis.Case) -> str:
    """The user in the path."""
    return str(case.path_parameters.get("username", "")).lower()


@schemathesis.hook
def before_call(_: HookContext, case: schemathesis.Case, kwargs: dict) -> None:
    """Replaces valid values by existing users, their passwords, and names that are not taken."""
    for name, value in case.headers.items():
        # A link that Schemathesis infers can hand on a number.
        case.headers[name] = str(value) if isinstance(value, int) else value
    if is_walk(case) and "Idempotency-Key" in case.headers and is_fit(case, ParameterLocation.HEADER):
        case.headers["Idempotency-Key"] = secrets.token_hex(8)
    if operation_of(case) == "stopUnreadNotices" and is_fit(case, ParameterLocation.PATH):
        case.path_parameters["code"] = "noticeofforgetful1"  # can be used again
    if is_fit(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        case.body = fitted(case, case.body)


def fitted(case: schemathesis.Case, body: dict) -> dict:
    """The body with existing names and passwords."""
    operation, name = operation_of(case), f"new-{secrets.token_hex(8)}"
    is_new = is_walk(case) or choose(body, 2) == 0
    for field in {"password", "new_password"} & body.keys():
        # Neither one that is easily guessed nor one that is too short after Unicode normalization.
        body = {**body, field: f"{body[field][:100]}-{secrets.token_hex(8)}"} if is_new else body
    if operation == "createUser" and is_new:
        body = {**body, "username": name, "email": f"{name}@example.com"}
        # Most sign-ups have no invitation, or a valid one.
        code = WORLD.alice.invitation().get("code", "") if "invitation" in body and choose(body, 4) else ""
        return {**body, "invitation": code} if code else {key: body[key] for key in body if key != "invitation"}
    if operation == "issueToken":
        if name_in(case) not in WORLD.passwords:
            case.path_parameters["username"] = WORLD.newcomer() if is_walk(case) else WORLD.bob.username
        return {"password": WORLD.passwords.get(name_in(case), WORLD.bob.password)}
    if operation == "completePasswordReset" and is_new:
        # One of the accounts that `conftest.py` makes; a code is good once.
        return {**body, "code": f"code-of-forgetful-{secrets.randbelow(900) + 1}"}
    # Its body is a code alone, so few of its requests are valid, and one of them must succeed.
    if operation == "completeEmailVerification" and (is_walk(case) or choose(body, 8)):
        return {**body, "code": f"address-of-forgetful-{secrets.randbelow(900) + 1}"}
    if operation == "sendMessage":
        return with_original(with_receivers(body))
    if operation == "markMessages" and "ids" in body:
        body = {**body, "ids": [WORLD.alice.message(), *body["ids"][1:]]}
    if operation in CONFIRMED:
        borrowed = WORLD.in_use.get(case.id)
        password = borrowed.password if borrowed else WORLD.passwords.get(name_in(case), body["password"])
        body = {**body, "password": password}
    if operation == "changeEmail" and is_new:
        body["email"] = f"{name}@example.com"
    return body


def with_receivers(body: dict) -> dict:
    """A message with existing receivers."""
    people = [WORLD.alice.username, WORLD.bob.username]
    if "receiver" in body:
        return {**body, "receiver": people[choose(body["receiver"], 2)]}
    if isinstance(body.get("receivers"), list):
        return {**body, "receivers": [people[choose(name, 2)] for name in body["receivers"]]}
    return body


def with_original(body: dict) -> dict:
    """A message that answers an existing one, if it answers any; some keep an id that does not exist."""
    if "in_reply_to" in body and choose(body["in_reply_to"], AS_MADE):
        return {**body, "in_reply_to": WORLD.alice.message()}
    return body


@schemathesis.hook
def after_call(_: HookContext, case: schemathesis.Case, response: schemathesis.Response) -> None:
    """Records new accounts and tokens, and forgets those that have been deleted or revoked."""
    borrowed = WORLD.in_use.pop(case.id, None)
    if borrowed and not (operation_of(case) == "deleteAccount" and response.status_code < 300):
        WORLD.spare.append(borrowed)
    if response.status_code >= 300:
        return
    operation, named = operation_of(case), name_in(case)
    if operation == "createUser":
        WORLD.passwords[response.json()["username"]] = case.body["password"]
    if operation == "issueToken" and named in WORLD.passwords:
        WORLD.tokens[named] = response.json()["access_token"]
    if operation == "changePassword":
        if borrowed:
            borrowed.password = case.body["new_password"]
        elif named in WORLD.passwords:
            WORLD.passwords[named] = case.body["new_password"]
    if operation in ENDING:
        WORLD.tokens.pop(named, None)
        if borrowed:
            borrowed.token = ""
    if operation == "deleteAccount":
        WORLD.passwords.pop(named, None)


# Rules that a schema cannot express, each by a part of the service's error message.
BEYOND_SCHEMAS = [
    "(in Unicode's NFC)",  # of a password's length, which a schema counts before letters are composed
    "different characters",  # passwords that are easily guessed
    "one of the most common passwords",
    "a placeholder that programs put in place of a password",
    "and up to four other characters",
    "is reserved for the operator",
    "that is valid in the DNS",  # of the domain of an e-mail address
    "characters that need quotation marks",  # before the @
    "is not the name of a user",
    "receiver is missing",  # of three properties, one can be `in_reply_to`
    "must be the id of a message that you sent, or received",
    "with this per_page; follow `next` to read on",  # of pages, fewer the longer they are
    "applies to received messages",  # `unread` in the sent box
    "cannot be combined with conversation",  # `box` and the filters
    "urn:problem-type:herolo:key-reused",
    "urn:problem-type:herolo:own-account",  # a user to block who is the caller
    "must be the unchanged id of an event",  # `9-8` can be one, `8-9` cannot
]


@schemathesis.hook
def filter_failure(
    _: HookContext, failure: Exception, case: schemathesis.Case, response: schemathesis.Response
) -> bool:
    """Whether a failure that Schemathesis reports is a fault of the service or its document."""
    if isinstance(failure, RejectedPositiveData) and response.status_code in (400, 422):
        return not any(reason in response.text for reason in BEYOND_SCHEMAS)
    if isinstance(failure, AcceptedNegativeData):
        # The strings are accepted for booleans, but the document has booleans only: generated clients need one type.
        words = [{**case.body, "read": read} for read in ("true", "false")] if isinstance(case.body, dict) else []
        if operation_of(case) in ("markMessage", "markMessages") and case.body in words:
            return False
        # The service ignores these headers if they are not UTF-8, as the document says.
        return all(is_utf8(str(case.headers.get(name, ""))) for name in ("If-None-Match", "X-Request-Id"))
    # A GET leads browsers to the inbox, whose addresses the document leaves out.
    if operation_of(case) == "stopUnreadNotices":
        return not isinstance(failure, AllowHeaderMismatch | UnsupportedMethodResponse)
    # A message can be marked by its receivers, and Schemathesis tries it as the sender who has just made it.
    return not (isinstance(failure, EnsureResourceAvailability) and operation_of(case) == "markMessage")


def is_utf8(header: str) -> bool:
    """Whether the bytes of a header, as Latin-1 sends them, are UTF-8."""
    try:
        header.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return False
    except UnicodeEncodeError:
        return True
    return True


def resolved(thing: dict) -> dict:
    """A part of the document, with a reference resolved."""
    while "$ref" in thing:
        path = thing["$ref"].removeprefix("#/").split("/")
        thing = DOCUMENT
        for name in path:
            thing = thing[name]
    return thing


@schemathesis.check
def problems_are_documented(_: object, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """Every error is a problem document with the response's status and a type of the document's examples."""
    if response.status_code < 400:
        return
    problem = response.json()
    assert problem["status"] == response.status_code, problem
    described = OPERATIONS[operation_of(case)]["responses"].get(str(response.status_code))
    if described is None or response.status_code == 405:
        kinds = {404: ["not-found"], 405: ["method-not-allowed"]}.get(response.status_code, [])
        kinds = [f"urn:problem-type:herolo:{kind}" for kind in kinds]
    else:
        examples = resolved(described)["content"]["application/problem+json"]["examples"]
        kinds = [example["value"]["type"] for example in examples.values()]
    assert problem["type"] in kinds, f"{problem['type']} is none of {kinds}"
    assert ("errors" in problem) == problem["type"].endswith((":invalid", ":taken")), problem


@schemathesis.check
class Statistics:
    """Counts the responses."""

    def __init__(self) -> None:
        self.responses: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)

    def after_response(self, _: object, response: schemathesis.Response, case: schemathesis.Case) -> None:
        """Counts one."""
        self.responses[operation_of(case)][str(response.status_code)] += 1

    def after_run(self, _: object) -> None:
        """Writes the numbers to the file."""
        with open(STATISTICS, "w", encoding="utf-8") as file:
            json.dump(self.responses, file)
