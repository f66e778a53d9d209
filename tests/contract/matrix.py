"""A request for each operation of the OpenAPI document that its owner may make, and callers who may not make it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
from support.services import Mysql, Service, clean_environment, until
from support.users import code_for

METHODS = ("get", "put", "post", "delete", "patch")
PATIENCE = 60  # seconds for a response
# They end the account's tokens, so the owner makes them last, in this order.
ENDING = ("revokeTokens", "changePassword", "deleteAccount")


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operation of the document."""

    name: str
    method: str
    path: str
    takes_token: bool
    success: int  # the status

    @property
    def is_about_an_item(self) -> bool:
        """Whether the path names something that belongs to a user."""
        return "{id}" in self.path


def operations_of(document: dict[str, Any]) -> Iterator[Operation]:
    """All operations."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if described := item.get(method):
                success = min(int(status) for status in described["responses"] if status.startswith("2"))
                yield Operation(described["operationId"], method.upper(), path, "security" in described, success)


@dataclasses.dataclass(frozen=True)
class Request:
    """What completes an operation to a request that succeeds."""

    parameters: dict[str, object] = dataclasses.field(default_factory=dict)
    body: Any = None


class Api:
    """Requests to the service under test."""

    def __init__(self, service: Service, mysql: Mysql) -> None:
        self.service, self.mysql = service, mysql
        self.session = requests.Session()
        self.session.trust_env = False

    def send(
        self, operation: Operation, request: Request, token: str | None, username: str | None = None
    ) -> requests.Response:
        """Sends a request, with another name in its path if one is given. Of an event stream, only the head is read."""
        parameters = {**request.parameters, **({"username": username} if username else {})}
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        with self.session.request(
            operation.method,
            self.service.url + operation.path.format(**parameters),
            json=request.body,
            headers=headers,
            timeout=PATIENCE,
            stream=True,
        ) as response:
            if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                response.content  # noqa: B018, since this reads it
            return response

    def ask(self, method: str, path: str, body: Any, token: str = "") -> Any:
        """The body of a response, which must be a success."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = self.service.url + path
        response = self.session.request(method, url, json=body, headers=headers, timeout=PATIENCE)
        assert response.ok, (method, path, response.status_code, response.text)
        return response.json() if response.content else None

    def manage(self, *words: str) -> None:
        """Runs a command of the operator, again if the database is too slow for it."""
        outputs: list[str] = []

        def has_run() -> bool:
            done = subprocess.run(
                [self.service.binary, "user", *words],
                check=False,
                env={**clean_environment(), **self.service.environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            outputs.append(done.stdout + done.stderr)
            return done.returncode == 0

        try:
            until(has_run, f"the command user {words[0]} succeeds", PATIENCE)
        except AssertionError as fault:
            raise AssertionError(f"{fault}:\n{outputs[-1]}") from fault


class Account:
    """A user with a token, and things of theirs that requests can name."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.name, self.password = f"matrix-{secrets.token_hex(6)}", secrets.token_hex(8)
        body = {"username": self.name, "email": f"{self.name}@example.com", "password": self.password}
        api.ask("POST", "/users", body)
        self.log_in()

    def log_in(self) -> None:
        """Gets a new token."""
        self.token = self.api.ask("POST", f"/users/{self.name}/token", {"password": self.password})["access_token"]

    def message(self) -> int:
        """The id of a new message, from the user to themselves."""
        body = {"receiver": self.name, "subject": "Private", "message": "For me alone."}
        return self.api.ask("POST", f"/users/{self.name}/messages", body, self.token)["id"]

    def invitation(self) -> str:
        """The id of a new invitation."""
        return self.api.ask("POST", f"/users/{self.name}/invitations", None, self.token)["id"]

    def code(self, kind: str = "password-reset") -> str:
        """A code of a kind, for a new password by default, as if it had been sent by mail."""
        return code_for(self.api.mysql, self.name, kind)


def new_user() -> dict[str, str]:
    """A sign-up."""
    name = f"matrix-{secrets.token_hex(6)}"
    return {"username": name, "email": f"{name}@example.com", "password": secrets.token_hex(8)}


def of_user(make: Callable[[Account], Any] = lambda _: None) -> Callable[[Account, Account], Request]:
    """A request on the user's own path, with a body."""
    return lambda owner, _: Request({"username": owner.name}, make(owner))


def on_message(body: Any = None) -> Callable[[Account, Account], Request]:
    """A request on a message of the user."""
    return lambda owner, _: Request({"username": owner.name, "id": owner.message()}, body)


def public(make: Callable[[Account], Any] = lambda _: None) -> Callable[[Account, Account], Request]:
    """A request that has no owner. Its account, if it is about one, is the second: one without a role in the matrix."""
    return lambda _, bystander: Request({"username": bystander.name}, make(bystander))


# By operationId: what its owner can ask with success, from the owner and a bystander.
REQUESTS: dict[str, Callable[[Account, Account], Request]] = {
    "checkDraining": public(),
    "checkLiveness": public(),
    "checkReadiness": public(),
    "getMetrics": public(),
    "getOpenApiDocument": public(),
    "getServiceInfo": public(),
    "createUser": public(lambda _: new_user()),
    "issueToken": public(lambda account: {"password": account.password}),
    "requestPasswordReset": public(lambda account: {"account": account.name}),
    # For an account that nothing else is about, since its password is another one then.
    "completePasswordReset": lambda _, bystander: Request(
        {}, {"code": Account(bystander.api).code(), "new_password": secrets.token_hex(8)}
    ),
    "completeEmailVerification": lambda _, bystander: Request({}, {"code": bystander.code("email-verification")}),
    "getAccount": of_user(),
    "exportAccount": of_user(),
    "streamEvents": of_user(),
    "listBlocks": of_user(),
    "blockUser": lambda owner, bystander: Request({"username": owner.name, "name": bystander.name}),
    "unblockUser": lambda owner, bystander: Request({"username": owner.name, "name": bystander.name}),
    "listInvitations": of_user(),
    "createInvitation": of_user(),
    "deleteInvitation": lambda owner, _: Request({"username": owner.name, "id": owner.invitation()}),
    "listMessages": of_user(),
    "sendMessage": of_user(lambda owner: {"receiver": owner.name, "subject": "Mine", "message": "From me."}),
    "markMessages": of_user(lambda owner: {"ids": [owner.message()], "read": True}),
    "getMessage": on_message(),
    "markMessage": on_message({"read": True}),
    "deleteMessage": on_message(),
    "requestEmailVerification": of_user(),
    "turnOnUnreadNotices": of_user(lambda _: {"after_minutes": 60}),
    "turnOffUnreadNotices": of_user(),
    "stopUnreadNotices": lambda _, bystander: Request({"code": bystander.code("unread-messages")}),
    "changeEmail": of_user(
        lambda owner: {"email": f"new-{secrets.token_hex(6)}@example.com", "password": owner.password}
    ),
    "revokeTokens": of_user(),
    "changePassword": of_user(lambda owner: {"password": owner.password, "new_password": f"new-{owner.password}"}),
    "deleteAccount": of_user(lambda owner: {"password": owner.password}),
}


# --- Tokens that the service has not issued ---


def encoded(data: bytes) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(part: str) -> dict[str, Any]:
    """A part of a token, read."""
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def signed(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    """A token with this signature."""
    text = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{text}.{encoded(hmac.digest(key, text.encode(), hashlib.sha256))}"


def forgeries(service: Service, own: str, victim: str) -> dict[str, str]:
    """Tokens for the victim's account, made from that token and from one of the forger's own. One is signed with the
    service's key, but has expired."""
    (header, claims, signature), own_signature = victim.split("."), own.rpartition(".")[2]
    key_text = Path(service.environment["HEROLO_TOKEN_KEYS_FILE"]).read_text().strip().partition(":")[2]
    key, known = base64.b64decode(key_text), (decoded(header), decoded(claims))
    assert encoded(hmac.digest(key, f"{header}.{claims}".encode(), hashlib.sha256)) == signature
    none = encoded(json.dumps({**known[0], "alg": "none"}).encode())
    return {
        "signed with another key": signed(*known, secrets.token_bytes(32)),
        "signed with an empty key": signed(*known, b""),
        "without a signature": f"{header}.{claims}.",
        "with the algorithm none": f"{none}.{claims}.",
        "with the forger's own signature": f"{header}.{claims}.{own_signature}",
        "with a changed signature": f"{header}.{claims}.{signature[::-1]}",
        "expired": signed(known[0], {**known[1], "iat": 1, "exp": int(time.time()) - 3600}, key),
        "for another audience": signed(known[0], {**known[1], "aud": "another"}, key),
    }
