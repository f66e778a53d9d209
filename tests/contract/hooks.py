"""What Schemathesis cannot know of the service: who may ask, what there is, and what a schema cannot say.

A made-up request is one of nobody's about nothing, which says little. So most of those that are to succeed are given
what the service has: a user with their token, a message that they received, a receiver that there is. The others go out
as they were made.

Environment: HEROLO_CONTRACT_URL, where the service listens; HEROLO_CONTRACT_STATISTICS, the file that gets a line for
each operation with the answers to it.
"""

import collections
import json
import os
import secrets
import threading
import zlib

import requests
import schemathesis
from schemathesis import HookContext
from schemathesis.core.parameters import ParameterLocation

URL = os.environ["HEROLO_CONTRACT_URL"]
STATISTICS = os.environ["HEROLO_CONTRACT_STATISTICS"]

DOCUMENT = requests.get(f"{URL}/openapi.json", timeout=10).json()
OPERATIONS = {
    operation["operationId"]: operation for item in DOCUMENT["paths"].values() for operation in item.values()
}
# After their success an account or its tokens are no more.
ENDING = {"changePassword", "deleteAccount", "revokeTokens"}
# They take the password, which a user has to have.
CONFIRMED = {"changePassword", "changeEmail", "deleteAccount"}
ON_A_MESSAGE = {"getMessage", "markMessage", "deleteMessage"}
# Requests that go out as they were made, one of so many.
AS_MADE = 8


class Account:
    """A user who is signed up and logged in."""

    def __init__(self) -> None:
        self.username = f"user-{secrets.token_hex(8)}"
        self.password = secrets.token_hex(8)
        self.post("/users", username=self.username, email=f"{self.username}@example.com", password=self.password)
        self.token = self.post(f"/users/{self.username}/token", password=self.password)["access_token"]

    def post(self, path: str, **fields: str) -> dict:
        """Posts a body; raises unless that succeeds."""
        headers = {"Authorization": f"Bearer {self.token}"} if hasattr(self, "token") else {}
        answer = requests.post(f"{URL}{path}", json=fields, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def message(self) -> int:
        """The id of a new message, which the user sent to themselves."""
        path = f"/users/{self.username}/messages"
        return self.post(path, receiver=self.username, subject="Contract", message="To be read.")["id"]


class World:
    """Who and what there is."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.alice = Account()
        self.bob = Account()
        # Users whom the requests themselves signed up.
        self.names: set[str] = set()
        # Of those of them who logged in.
        self.tokens: dict[str, str] = {}
        # Those who may come to an end: nobody else uses them meanwhile.
        self.spare: list[Account] = []
        self.in_use: dict[str, Account] = {}

    def borrow(self, case_id: str) -> Account:
        """A user for this request alone."""
        with self.lock:
            account = self.spare.pop() if self.spare else None
        account = account or Account()
        with self.lock:
            self.in_use[case_id] = account
        return account

    def give_back(self, case_id: str, is_over: bool) -> None:
        """Ends the borrowing, if there was one."""
        with self.lock:
            account = self.in_use.pop(case_id, None)
            if account and not is_over:
                self.spare.append(account)


WORLD = World()


def operation_of(case: schemathesis.Case) -> str:
    """The operationId of a request."""
    return case.operation.definition.raw["operationId"]


def choose(value: object, number: int) -> int:
    """0 to `number` - 1, the same for the same value in every run."""
    return zlib.crc32(repr(value).encode()) % number


def is_fit(case: schemathesis.Case, part: ParameterLocation) -> bool:
    """Whether a part of the request is one that the document allows, and the request is not left as it was made."""
    if case.meta is None or part not in case.meta.components or case.meta.is_negative_at(part):
        return False
    return choose((case.path_parameters, case.body), AS_MADE) != 0


@schemathesis.auth(refresh_interval=None)
class Callers:
    """Sends the token of the user in the path; whose path is nobody's gets somebody's."""

    def get(self, case: schemathesis.Case, _: schemathesis.AuthContext) -> tuple[str, str] | None:
        """The name and the token of the user who asks."""
        if "security" not in OPERATIONS[operation_of(case)]:
            return None
        named = str(case.path_parameters.get("username", "")).lower()
        if named in WORLD.tokens:
            return named, WORLD.tokens[named]
        is_alone = operation_of(case) in ENDING | CONFIRMED
        account = WORLD.borrow(case.id) if is_alone else WORLD.alice
        return account.username, account.token

    def set(self, case: schemathesis.Case, caller: tuple[str, str], _: schemathesis.AuthContext) -> None:
        """Makes the request the caller's."""
        username, token = caller
        case.headers["Authorization"] = f"Bearer {token}"
        if is_fit(case, ParameterLocation.PATH) and username not in WORLD.tokens:
            case.path_parameters["username"] = username
            if operation_of(case) in ON_A_MESSAGE:
                case.path_parameters["id"] = WORLD.alice.message()


@schemathesis.hook
def before_call(_: HookContext, case: schemathesis.Case, kwargs: dict) -> None:
    """Names users who are there, and their passwords; and those who are not there yet."""
    for name, value in case.headers.items():
        # A link that Schemathesis infers can hand on a number.
        case.headers[name] = str(value) if isinstance(value, int) else value
    if not is_fit(case, ParameterLocation.BODY) or not isinstance(case.body, dict):
        return
    operation = operation_of(case)
    if operation == "createUser" and choose(case.body, 2) == 0:
        name = f"new-{secrets.token_hex(8)}"
        case.body = {**case.body, "username": name, "email": f"{name}@example.com"}
    elif operation == "issueToken" and not is_followed(case):
        case.path_parameters["username"] = WORLD.bob.username
        case.body = {"password": WORLD.bob.password}
    elif operation == "sendMessage":
        case.body = with_receivers(case.body)
    elif operation in CONFIRMED and case.id in WORLD.in_use:
        case.body = {**case.body, "password": WORLD.in_use[case.id].password}


def is_followed(case: schemathesis.Case) -> bool:
    """Whether an earlier answer led to this login."""
    return str(case.path_parameters["username"]).lower() in WORLD.names


def with_receivers(body: dict) -> dict:
    """A message with receivers that there are."""
    people = [WORLD.alice.username, WORLD.bob.username]
    if "receiver" in body:
        return {**body, "receiver": people[choose(body["receiver"], 2)]}
    if isinstance(body.get("receivers"), list):
        return {**body, "receivers": [people[choose(name, 2)] for name in body["receivers"]]}
    return body


@schemathesis.hook
def after_call(_: HookContext, case: schemathesis.Case, response: schemathesis.Response) -> None:
    """Remembers who signed up and logged in, and whose account or tokens are no more."""
    operation, succeeded = operation_of(case), response.status_code < 300
    if operation == "createUser" and succeeded:
        WORLD.names.add(response.json()["username"])
    if operation == "issueToken" and succeeded:
        named = str(case.path_parameters["username"]).lower()
        if named in WORLD.names:
            WORLD.tokens[named] = response.json()["access_token"]
    if operation in ENDING and succeeded:
        WORLD.tokens.pop(str(case.path_parameters["username"]).lower(), None)
    WORLD.give_back(case.id, succeeded and operation in ENDING)


# What makes a request invalid that each of its values alone does not, by a part of what the service says of it.
BEYOND_SCHEMAS = [
    "is not the name of a user",
    "must be a whole number from 1 to",  # of pages, fewer the longer they are
    "applies to received messages",  # `unread` in the sent box
    "A message with this Idempotency-Key was sent before",
    "must be the id of an event as it came",  # `9-8` can be one, `8-9` cannot
]


@schemathesis.hook
def filter_failure(_: HookContext, failure: Exception, case: schemathesis.Case, response: schemathesis.Response) -> bool:
    """Whether a failure is one: not if a request was refused for what no schema can say."""
    is_refusal = type(failure).__name__ == "RejectedPositiveData" and response.status_code in (400, 422)
    return not (is_refusal and any(reason in response.text for reason in BEYOND_SCHEMAS))


def resolved(thing: dict) -> dict:
    """A part of the document, where it points to another one."""
    while "$ref" in thing:
        path = thing["$ref"].removeprefix("#/").split("/")
        thing = DOCUMENT
        for name in path:
            thing = thing[name]
    return thing


@schemathesis.check
def problems_are_documented(_: object, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """Every error is a problem document of a kind that the answer's examples name, and tells of this request."""
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
class EverythingSucceeds:
    """Each operation was answered with success at least once: a run that was only ever refused proves nothing."""

    def __init__(self) -> None:
        self.answers: dict[str, collections.Counter] = {name: collections.Counter() for name in OPERATIONS}

    def after_response(self, _: object, response: schemathesis.Response, case: schemathesis.Case) -> None:
        """Counts an answer."""
        self.answers[operation_of(case)][response.status_code] += 1

    def after_run(self, _: object) -> None:
        """Writes the counts down and looks for what never succeeded."""
        with open(STATISTICS, "w", encoding="utf-8") as file:
            for name, answers in self.answers.items():
                counts = ", ".join(f"{status}: {count}" for status, count in sorted(answers.items()))
                print(f"{name:20} {counts}", file=file)
        failed = [name for name, answers in self.answers.items() if not any(status < 300 for status in answers)]
        assert not failed, f"never answered with success: {', '.join(failed)}"
