"""What an answer to a random request may be, by the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import jsonschema_rs
from endure.random_requests.requests import Request
from endure.random_requests.wire import EVENT_STREAM, Answer

URN = "urn:problem-type:herolo:"
PROBLEM, JSON = "application/problem+json", "application/json"
# What the HTTP library answers itself, without a body, to what is no HTTP or too large.
BARE = (400, 414, 431)
SHED = 503
# By the overview of the document, any operation can be answered with these if the headers are wrong: one that is not
# UTF-8 or is there twice, a body that is too large, and one with the content type of a form or a content coding.
OF_ANY = ((400, "malformed"), (413, "too-large"), (415, "unsupported-media-type"), (415, "unsupported-content-coding"))
# And what is no operation with these.
OF_NONE = ((404, "not-found"), (405, "method-not-allowed"))
WITH_ERRORS = ("invalid", "taken")
METHODS = ("get", "put", "post", "delete", "patch")
SHOWN = 300  # characters of an answer


class Contract:
    """The answers that the operations of a document have."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self.endpoints: dict[str, tuple[str, str]] = {}  # method and path of each operation
        self._schemas: dict[tuple[str, int], jsonschema_rs.Validator | None] = {}
        self._problems: dict[str, set[tuple[int, str]]] = {}  # statuses and types
        for path, item in document["paths"].items():
            for method in METHODS:
                if method in item:
                    self._add(item[method], method.upper(), path)
        self._problem = self._validator({"$ref": "#/components/schemas/Problem"})
        self._any = {*OF_ANY, *OF_NONE}.union(*self._problems.values())

    def _add(self, operation: dict[str, Any], method: str, path: str) -> None:
        name = operation["operationId"]
        self.endpoints[name], self._problems[name] = (method, path), set()
        for status, described in operation["responses"].items():
            content = self._resolved(described).get("content", {})
            if PROBLEM in content:
                examples = content[PROBLEM]["examples"].values()
                self._problems[name] |= {(int(status), each["value"]["type"].removeprefix(URN)) for each in examples}
            else:
                schema = content.get(JSON, {}).get("schema")
                self._schemas[name, int(status)] = self._validator(schema) if schema else None

    def _resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        """A part of the document, with a reference resolved."""
        while "$ref" in part:
            names = part["$ref"].removeprefix("#/").split("/")
            part = self._document
            for name in names:
                part = part[name]
        return part

    def _validator(self, schema: dict[str, Any]) -> jsonschema_rs.Validator:
        """Compares values with a schema, which may refer to the document's components."""
        return jsonschema_rs.Draft202012Validator({**schema, "components": self._document["components"]})

    def fault(self, request: Request, answer: Answer) -> str:
        """What is wrong with an answer; nothing if it is as documented."""
        if answer.status >= 500 and not is_shed(answer):
            return f"status {answer.status}: {shown(answer)}"
        is_bare = answer.status in BARE and not answer.body and "X-Request-Id" not in answer.headers
        if is_bare:
            return "" if not request.is_http else f"a bare {answer.status}"
        if not answer.headers.get("X-Request-Id"):
            return f"{answer.status} without X-Request-Id"
        judge = self._fault_of_problem if answer.status >= 400 else self._fault_of_success
        return judge(request, answer)

    def _fault_of_problem(self, request: Request, answer: Answer) -> str:
        if answer.headers.get("Content-Type") != PROBLEM:
            return f"{answer.status} is no problem document but {answer.headers.get('Content-Type')}"
        if request.method == "HEAD":
            return ""
        problem = parsed(answer.body)
        if not isinstance(problem, dict) or not self._problem.is_valid(problem) or problem["status"] != answer.status:
            return f"{answer.status} with a wrong problem document: {shown(answer)}"
        kind = problem["type"].removeprefix(URN)
        known = {*OF_ANY, *self._problems[request.operation]} if request.operation else self._any
        if (answer.status, kind) not in known:
            return f"{answer.status} {kind} is not documented for {request.operation or 'any operation'}"
        if ("errors" in problem) != (kind in WITH_ERRORS):
            return f"{kind} with the wrong members: {shown(answer)}"
        missing = [name for name in headers_of(answer.status) if name not in answer.headers]
        return f"{answer.status} without {missing[0]}" if missing else ""

    def _fault_of_success(self, request: Request, answer: Answer) -> str:
        found = parsed(answer.body) if answer.headers.get("Content-Type") == JSON and request.method != "HEAD" else None
        if found is INVALID:
            return f"{answer.status} is no JSON: {shown(answer)}"
        if not request.operation:
            return ""
        if (request.operation, answer.status) not in self._schemas:
            return f"{answer.status} is not documented for {request.operation}"
        schema = self._schemas[request.operation, answer.status]
        if schema is None or request.method == "HEAD":
            return ""
        return "" if schema.is_valid(found) else f"{answer.status} has another schema: {shown(answer)}"


INVALID = object()  # what is no JSON


def parsed(body: bytes) -> Any:
    """The JSON of a body, or INVALID."""
    try:
        return json.loads(body)
    except ValueError:
        return INVALID


def is_shed(answer: Answer) -> bool:
    """Whether the service says that it is overloaded, as the document has it: with the time to wait."""
    problem = parsed(answer.body) if answer.body else {"type": f"{URN}unavailable"}  # HEAD has no body
    is_known = isinstance(problem, dict) and problem.get("type") == f"{URN}unavailable"
    return answer.status == SHED and is_known and "Retry-After" in answer.headers


def headers_of(status: int) -> Iterable[str]:
    """The headers that an error of this status needs (RFC 9110)."""
    names: Mapping[int, tuple[str, ...]] = {
        401: ("WWW-Authenticate",),
        405: ("Allow",),
        429: ("Retry-After",),
        503: ("Retry-After",),
    }
    return names.get(status, ())


def shown(answer: Answer) -> str:
    """The beginning of a body."""
    return answer.body[:SHOWN].decode(errors="backslashreplace")


def is_stream(answer: Answer) -> bool:
    """Whether it is an event stream, which does not end."""
    return answer.headers.get("Content-Type", "").startswith(EVENT_STREAM)
