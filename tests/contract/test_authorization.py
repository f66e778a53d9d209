"""Each operation of the OpenAPI document, asked by each kind of caller.

A caller who may not make a request is refused, and then its owner makes the same request with success: so it was the
caller who was refused, and the refused request has changed nothing. An operation that the matrix has no request for
fails all tests: add it to `REQUESTS` in `matrix.py`.
"""

from __future__ import annotations

import secrets

import pytest
import requests
from contract.matrix import ENDING, REQUESTS, Account, Api, Operation, Request, forgeries, operations_of
from support.services import Mysql, Service

FORGERIES = (
    *("signed with another key", "signed with an empty key", "without a signature", "with the algorithm none"),
    *("with the forger's own signature", "with a changed signature", "expired", "for another audience"),
)
Requests = dict[Operation, Request]


@pytest.fixture(scope="module")
def api(service: Service, mysql: Mysql) -> Api:
    """The service under test."""
    return Api(service, mysql)


@pytest.fixture(scope="module")
def operations(service: Service) -> list[Operation]:
    """All operations; those that end the tokens come last."""
    found = list(operations_of(service.openapi_document()))
    return sorted(found, key=lambda operation: ENDING.index(operation.name) if operation.name in ENDING else -1)


@pytest.fixture(scope="module")
def bystander(api: Api) -> Account:
    """A user whom requests can name."""
    return Account(api)


@pytest.fixture
def owner(api: Api) -> Account:
    """A user who has all that the requests are about."""
    return Account(api)


@pytest.fixture
def prepared(operations: list[Operation], owner: Account, bystander: Account) -> Requests:
    """A request for each operation, which its owner could make."""
    return {operation: REQUESTS[operation.name](owner, bystander) for operation in operations}


def check(operation: Operation, response: requests.Response, status: int, kind: str = "") -> None:
    """The response has the status and, as a problem, the type."""
    said = f"{operation.name} is answered with {response.status_code} instead of {status}: {response.text[:200]}"
    assert response.status_code == status, said
    if kind:
        assert response.headers["Content-Type"].startswith("application/problem+json"), operation.name
        assert response.json()["type"] == f"urn:problem-type:herolo:{kind}", (operation.name, response.text)
    if status == 401:
        assert response.headers["WWW-Authenticate"].startswith("Bearer"), operation.name


def play_owner(api: Api, owner: Account, prepared: Requests) -> None:
    """The owner makes all requests, with success."""
    for operation, request in prepared.items():
        if not operation.takes_token:
            continue
        check(operation, api.send(operation, request, owner.token), operation.success)
        if operation.name in ENDING and operation.name != "deleteAccount":
            owner.password = (request.body or {}).get("new_password", owner.password)
            owner.log_in()
            renew_password(prepared, owner)


def renew_password(prepared: Requests, owner: Account) -> None:
    """What is confirmed with the password has the new one."""
    for request in prepared.values():
        if request.parameters.get("username") == owner.name and "password" in (request.body or {}):
            request.body["password"] = owner.password


def check_public(api: Api, prepared: Requests, token: str | None) -> None:
    """What needs no token is answered whatever the token is."""
    for operation, request in prepared.items():
        if not operation.takes_token:
            check(operation, api.send(operation, request, token), operation.success)


def check_refused(
    api: Api, prepared: Requests, token: str | None, status: int, kind: str, username: str | None = None
) -> None:
    """What needs a token is refused."""
    for operation, request in prepared.items():
        if operation.takes_token:
            check(operation, api.send(operation, request, token, username), status, kind)


def test_the_matrix_has_each_operation_and_no_other(operations: list[Operation]) -> None:
    """So a new route must be added."""
    assert {operation.name for operation in operations} == set(REQUESTS)


def test_each_path_of_a_user_needs_a_token_but_for_signing_in(operations: list[Operation]) -> None:
    """So a route whose document forgets the token is not taken for a public one."""
    of_users = [operation for operation in operations if operation.path.startswith("/users/{")]
    public = {operation.name for operation in of_users if not operation.takes_token}
    assert public == {"issueToken"}


def test_an_owner_is_served(api: Api, owner: Account, prepared: Requests) -> None:
    """And public operations are, with a token."""
    check_public(api, prepared, owner.token)
    play_owner(api, owner, prepared)


def test_without_a_token_nothing_of_a_user_is_served(api: Api, owner: Account, prepared: Requests) -> None:
    """A 401, and the owner is served."""
    check_public(api, prepared, None)
    check_refused(api, prepared, None, 401, "token-missing")
    play_owner(api, owner, prepared)


def test_another_user_is_forbidden(api: Api, owner: Account, prepared: Requests) -> None:
    """A 403 for each path of the owner, and the owner is served."""
    other = Account(api)
    check_refused(api, prepared, other.token, 403, "other-user")
    play_owner(api, owner, prepared)


def test_items_of_others_do_not_exist_on_the_own_path(api: Api, owner: Account, prepared: Requests) -> None:
    """The same 404, byte by byte, as for an id that never was; and the owner is served."""
    other = Account(api)
    about_items = [operation for operation in prepared if operation.is_about_an_item]
    assert about_items
    for operation in about_items:
        request = prepared[operation]
        unknown = Request({**request.parameters, "id": never_an_id(request.parameters["id"])}, request.body)
        answers = [api.send(operation, one, other.token, other.name) for one in (request, unknown)]
        for answer in answers:
            check(operation, answer, 404, "not-found")
        known, never = (answer.text.replace(answer.json()["instance"], "") for answer in answers)
        assert known == never, operation.name
    play_owner(api, owner, prepared)


def never_an_id(known: object) -> object:
    """An id in the form of this one, which nothing has."""
    return 2**62 if isinstance(known, int) else secrets.token_hex(len(str(known)))[: len(str(known))]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_is_refused(api: Api, owner: Account, prepared: Requests, forgery: str) -> None:
    """A 401 for each path, and the owner is served."""
    forged = forgeries(api.service, Account(api).token, owner.token)
    assert set(forged) == set(FORGERIES)
    check_public(api, prepared, forged[forgery])
    check_refused(api, prepared, forged[forgery], 401, "token-invalid")
    play_owner(api, owner, prepared)


def test_a_revoked_token_is_refused(api: Api, owner: Account, prepared: Requests) -> None:
    """A 401 for each path, and the owner is served with a new token."""
    revoked = owner.token
    api.ask("DELETE", f"/users/{owner.name}/tokens", None, revoked)
    owner.log_in()
    check_public(api, prepared, revoked)
    check_refused(api, prepared, revoked, 401, "token-invalid")
    play_owner(api, owner, prepared)


def test_a_suspended_account_is_refused(api: Api, owner: Account, bystander: Account, prepared: Requests) -> None:
    """A 403 of its own, also on paths of others; the owner is served after the suspension."""
    suspended = owner.token
    api.manage("suspend", owner.name)
    check_public(api, prepared, suspended)
    check_refused(api, prepared, suspended, 403, "account-suspended")
    check_refused(api, prepared, suspended, 403, "account-suspended", Account(api).name)
    api.manage("resume", owner.name)
    check_refused(api, prepared, suspended, 401, "token-invalid")
    owner.log_in()
    for operation in prepared:
        if operation.name == "deleteInvitation":  # since a suspension voids invitations
            prepared[operation] = REQUESTS[operation.name](owner, bystander)
    play_owner(api, owner, prepared)


def test_a_deleted_account_is_refused(api: Api, owner: Account, prepared: Requests) -> None:
    """A 401 for each path, its own and that of the next who has the name."""
    deleted = owner.token
    api.ask("POST", f"/users/{owner.name}/deletion", {"password": owner.password}, deleted)
    check_public(api, prepared, deleted)
    check_refused(api, prepared, deleted, 401, "token-invalid")
    check_refused(api, prepared, deleted, 401, "token-invalid", Account(api).name)
