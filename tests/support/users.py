"""Users of the service's API."""

from __future__ import annotations

import secrets
from typing import Any, Protocol

from support.services import Mysql

PASSWORD = "a long pass phrase"


class Api(Protocol):
    """Where the API is asked: a service, or the edge in front of several."""

    def request(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """The status and the JSON of a response; 0 if there is none."""


def sign_up(service: Api, name: str) -> User:
    """A new user of this name, with a token."""
    status, response = service.request(
        "POST", "/users", {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    )
    assert status == 201, response
    return User(service, name)


def code_for(mysql: Mysql, name: str, kind: str) -> str:
    """A code of this kind for a user, as if it had been sent by mail to the user's address."""
    code = secrets.token_hex(13)
    mysql.execute(
        "herolo",
        "INSERT INTO mail_codes (code_hash, user_id, kind, mailbox_hash, expires_at) "
        f"SELECT UNHEX(SHA2('{code}', 256)), id, '{kind}', UNHEX(SHA2(normalized_email, 256)), "
        f"UTC_TIMESTAMP(3) + INTERVAL 1 DAY FROM users WHERE username = '{name}'",
    )
    return code


class User:
    """A user of the API, who has an account."""

    def __init__(self, service: Api, name: str) -> None:
        self.service, self.name = service, name
        _, response = service.request("POST", f"/users/{name}/token", {"password": PASSWORD})
        self.token = response["access_token"]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The body of a response, whose status must be a success."""
        status, response = self.service.request(method, f"/users/{self.name}{path}", body, self.token)
        assert 200 <= status < 300, (status, response)
        return response

    def send(self, receiver: str, subject: str = "Hello", message: str = "How are you?") -> int:
        """Sends a message and returns its id."""
        return self.ask("POST", "/messages", {"receiver": receiver, "subject": subject, "message": message})["id"]

    def received(self) -> list[Any]:
        """The newest page of the received messages."""
        return self.ask("GET", "/messages?per_page=100")["messages"]

    def revoke_tokens(self) -> None:
        """Ends all sessions of this user; this object gets a new token."""
        self.ask("DELETE", "/tokens")
        self.token = User(self.service, self.name).token
