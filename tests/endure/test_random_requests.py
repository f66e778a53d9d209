"""Random requests are built as they are meant, repeated by their seed, and judged by what the document has."""

from __future__ import annotations

import collections
import email.message
import http.client
import json
import socket
import threading
import types
from pathlib import Path
from random import Random

import pytest
from endure.random_requests.clients import Failure, Tally
from endure.random_requests.fault import complaints, judge, reproductions
from endure.random_requests.grammar import NAMES, Account, Draft, World, draft, learn
from endure.random_requests.malformed import malformed
from endure.random_requests.requests import Request, changed, parts_of, written
from endure.random_requests.values import changed_body
from endure.random_requests.verdict import Contract
from endure.random_requests.wire import NO_ANSWER, Answer, Connection, answers_in
from endure.settings import parse

URN = "urn:problem-type:herolo:"
# Operations whose paths name no account.
OF_NO_ACCOUNT = (
    *("checkLiveness", "checkReadiness", "checkDraining", "getMetrics", "getOpenApiDocument", "getServiceInfo"),
    *("createUser", "requestPasswordReset", "completePasswordReset", "completeEmailVerification", "stopUnreadNotices"),
)
NOT_FOUND = {"type": f"{URN}not-found", "title": "Not found", "status": 404}


def document() -> dict:
    """One operation for each name, of which one has a schema and a problem."""
    problem = {"type": "object", "required": ["type", "title", "status"]}
    operations = {
        name: {"operationId": name, "responses": {"200": {}, "404": {"$ref": "#/components/responses/NotFound"}}}
        for name in NAMES
    }
    operations["getMessage"]["responses"]["200"] = {
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
    }
    examples = {"notFound": {"value": NOT_FOUND}}
    return {
        "paths": {
            f"/{name}" if name in OF_NO_ACCOUNT else f"/users/{{username}}/{name}": {"post": operation}
            for name, operation in operations.items()
        },
        "components": {
            "schemas": {"Problem": problem, "Message": {"type": "object", "required": ["id"]}},
            "responses": {"NotFound": {"content": {"application/problem+json": {"examples": examples}}}},
        },
    }


CONTRACT = Contract(document())


def world(seed: int) -> World:
    """A client with an account of its own, and one to spend."""
    return World(Random(seed), Account("own", token="t.t.t"), ["other", "third"], [Account("spare")], "made")


def request(operation: str = "getMessage", kind: str = "valid", is_http: bool = True, method: str = "POST") -> Request:
    """One that was sent."""
    return Request(b"POST / HTTP/1.1\r\n\r\n", method, operation, kind, is_http, Draft("getMessage"))


def answer(status: int, body: object = None, kind: str = "application/problem+json", **headers: str) -> Answer:
    """One that came back; the names of headers are written with underscores."""
    message: http.client.HTTPMessage = http.client.HTTPMessage(email.message.Message().policy)
    for name, value in {"X_Request_Id": "a", "Content_Type": kind, **headers}.items():
        if value:
            message[name.replace("_", "-")] = value
    return Answer(status, message, b"" if body is None else json.dumps(body).encode())


def unavailable(**headers: str) -> Answer:
    """A 503 of an overloaded service."""
    return answer(503, {"type": f"{URN}unavailable", "title": "Unavailable", "status": 503}, **headers)


def test_what_the_document_has_is_no_fault() -> None:
    """A success, a problem of the operation, and one that any operation can have."""
    assert CONTRACT.fault(request(), answer(200, {"id": 1}, "application/json")) == ""
    assert CONTRACT.fault(request(), answer(404, NOT_FOUND)) == ""
    malformed_problem = {"type": f"{URN}malformed", "title": "Malformed", "status": 400}
    assert CONTRACT.fault(request(), answer(400, malformed_problem)) == ""


def test_a_server_error_is_a_fault_whatever_was_sent() -> None:
    """A problem document does not excuse it."""
    internal = {"type": f"{URN}internal", "title": "Internal", "status": 500}
    for sent in (request(), request(operation="", kind="malformed", is_http=False)):
        assert CONTRACT.fault(sent, answer(500, internal)).startswith("status 500")
        assert CONTRACT.fault(sent, answer(502, None)).startswith("status 502")


def test_a_503_is_no_fault_if_it_says_when_to_try_again() -> None:
    """That is how the service sheds load."""
    document_ = document()
    problems = document_["components"]["responses"]["NotFound"]["content"]["application/problem+json"]["examples"]
    problems["unavailable"] = {"value": {"type": f"{URN}unavailable"}}
    document_["paths"]["/users/{username}/getMessage"]["post"]["responses"]["503"] = {
        "$ref": "#/components/responses/NotFound"
    }
    contract = Contract(document_)
    assert contract.fault(request(), unavailable(Retry_After="1")) == ""
    assert contract.fault(request(), unavailable()).startswith("status 503")
    assert "not documented" in CONTRACT.fault(request(), unavailable(Retry_After="1"))


def test_another_status_type_or_schema_than_the_documented_ones_is_a_fault() -> None:
    """Each is told apart."""
    taken = {"type": f"{URN}taken", "title": "Taken", "status": 409, "errors": []}
    assert CONTRACT.fault(request(), answer(409, taken)) == "409 taken is not documented for getMessage"
    assert CONTRACT.fault(request(operation=""), answer(409, taken)) == "409 taken is not documented for any operation"
    assert CONTRACT.fault(request(), answer(204)) == "204 is not documented for getMessage"
    assert "another schema" in CONTRACT.fault(request(), answer(200, {}, "application/json"))
    assert "no JSON" in CONTRACT.fault(request(), Answer(200, answer(200, None, "application/json").headers, b"{"))


def test_an_error_that_is_no_complete_problem_document_is_a_fault() -> None:
    """Also one of another status than its own."""
    assert "is no problem document" in CONTRACT.fault(request(), answer(404, NOT_FOUND, "text/html"))
    assert "wrong problem document" in CONTRACT.fault(request(), answer(404, {**NOT_FOUND, "status": 400}))
    assert "wrong problem document" in CONTRACT.fault(request(), answer(404, {"type": "a"}))
    assert "wrong members" in CONTRACT.fault(request(), answer(404, {**NOT_FOUND, "errors": []}))
    assert CONTRACT.fault(request(), answer(404, NOT_FOUND, X_Request_Id="")) == "404 without X-Request-Id"


def test_a_bare_error_is_that_of_the_http_library_to_what_is_no_http() -> None:
    """To all else, the service must say what is wrong."""
    bare = answer(400, kind="", X_Request_Id="")
    assert CONTRACT.fault(request(kind="malformed", is_http=False), bare) == ""
    assert CONTRACT.fault(request(), bare) == "a bare 400"


def sent_by(seed: int) -> list[bytes]:
    """The bytes of 100 requests of each kind."""
    known, data = world(seed), []
    for _ in range(100):
        valid = written(known.dice, parts_of(draft(known), CONTRACT.endpoints), "valid")
        parts = parts_of(valid.draft, CONTRACT.endpoints)
        change = written(known.dice, changed(known.dice, known, parts), "changed")
        data += [valid.data, change.data, malformed(known.dice, valid).data]
    return data


def test_the_requests_of_two_seeds_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one seed are the same, without what must be new in each run."""
    monkeypatch.setattr("secrets.token_hex", lambda size: "a" * 2 * size)
    assert sent_by(1) == sent_by(1)
    assert sent_by(1) != sent_by(2)


def test_most_changes_leave_http_that_reaches_the_service() -> None:
    """Of a valid request all is left, and of a malformed one, nothing is promised."""
    known = world(1)
    requests = [
        written(known.dice, changed(known.dice, known, parts_of(draft(known), CONTRACT.endpoints)), "changed")
        for _ in range(1_000)
    ]
    assert sum(request.is_http for request in requests) > 900
    assert len({request.data for request in requests}) > 900
    assert sum(not request.operation for request in requests) < 400
    assert not malformed(known.dice, requests[0]).is_http


def test_a_valid_request_is_framed_as_http_has_it() -> None:
    """Its length is that of its body, in bytes."""
    known = world(1)
    sent = Draft("sendMessage", {"username": "ö/"}, {"q": "é &"}, {"A": "b"}, {"message": "é"}, known.own)
    data = written(known.dice, parts_of(sent, CONTRACT.endpoints), "valid").data
    assert data == (
        b"POST /users/%C3%B6%2F/sendMessage?q=%C3%A9%20%26 HTTP/1.1\r\nHost: herolo\r\nA: b\r\n"
        b"Authorization: Bearer t.t.t\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n"
        b'{"message": "\xc3\xa9"}'
    )


def test_bodies_have_what_no_serializer_writes() -> None:
    """Repeated fields, lone surrogates, deep nesting, and bytes that are no text."""
    dice = Random(1)
    bodies = [changed_body(dice, {"subject": "s", "message": "m"}) for _ in range(3_000)]
    for part in (b'"subject":"s","message":"m","', b"\\ud800", b"[" * 1_000, b"1E400", b"\xff", b"\xef\xbb\xbf"):
        assert any(part in body for body in bodies), part
    assert any(len(body) > 512 * 1024 for body in bodies)


def test_an_account_that_was_changed_by_chance_is_forgotten() -> None:
    """What is known of the others stays true."""
    known = world(1)
    spare = known.spare[0]
    asked = Draft("changePassword", {"username": "spare"}, fields={"new_password": "new"}, caller=spare)
    learn(known, asked, False, 204, None)
    assert (spare.password, spare.token) == ("new", "")
    learn(known, asked, True, 204, None)
    assert known.spare == []


def test_all_answers_on_a_connection_are_read() -> None:
    """What follows them and is none is told."""
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    assert [each.status for each in answers_in(data)] == [200, 400]
    assert answers_in(b"") == []
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n:ok\n\r\n"
    assert [each.body for each in answers_in(stream)] == [b":ok\n"]
    with pytest.raises(NO_ANSWER):
        answers_in(data + b"noise")
    with pytest.raises(NO_ANSWER):
        answers_in(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}")


def tally(valid: int = 200, number: int = 100, failures: int = 0, **others: int) -> Tally:
    """What came of requests: valid ones of each operation with this status, and others."""
    counts = collections.Counter({("valid", name, valid): number for name in NAMES})
    counts.update({("changed", "", int(status[1:])): number for status, number in others.items()})
    return Tally(counts, failures=[Failure("status 500", 1, b"GET /")] * failures)


def misses(of: Tally, prober: list[str] | None = None, requests: int = 1000) -> list[str]:
    """What is told of it."""
    settings = parse(["--binary", "b", "--mysql-image", "m", "--random-requests", str(requests)])
    probes = types.SimpleNamespace(failures=prober or [], answers=1, slowest=0.1)
    return judge(of, probes, settings, 10).misses


def test_requests_that_were_answered_as_documented_have_met_the_limits() -> None:
    """Also those that were refused, if they are not most of them."""
    assert misses(tally()) == []
    assert misses(tally(s422=3_000)) == []


def test_faults_of_answers_and_probes_are_told() -> None:
    """Each kind once."""
    assert misses(tally(failures=2)) == ["2 answers are not as documented: 2 times status 500"]
    assert misses(tally(), prober=["503"]) == ["/livez failed 1 times: ['503']"]
    assert misses(tally(), requests=10_000) == ["only 3,400 requests were sent"]


def test_requests_that_reach_too_little_are_told() -> None:
    """Of the service, or of one operation."""
    assert misses(tally(s404=90_000)) == ["less than 40% of the requests succeeded"]
    only_refused = tally()
    del only_refused.answers["valid", "getMessage", 200]
    assert misses(only_refused) == ["no request succeeded of getMessage"]
    assert "less than 90% of the valid requests succeeded" in misses(tally(valid=404, s200=90_000))


def test_panics_errors_and_other_lines_of_a_log_are_told(tmp_path: Path) -> None:
    """A warning is none of them."""
    log = tmp_path / "service.log"
    log.write_text('{"level":"INFO","message":"a"}\n{"level":"WARN","message":"b"}\n')
    assert complaints([log]) == []
    for line in ('{"level":"ERROR","message":"c"}', '{"level":"INFO","message":"thread panicked"}', "noise"):
        log.write_text(f"{line}\n")
        assert complaints([log])[0].startswith("1 lines"), line


def test_a_failure_is_printed_with_a_command_that_repeats_it(tmp_path: Path) -> None:
    """Its bytes are in a file, and so are those before it on its connection, which it may have got the answer to."""
    failure = Failure("status 500", 8000, b"GET /\0\r\n\r\n", b"GET /livez\0")
    file = tmp_path / "kept" / "1.http"
    assert reproductions([failure], tmp_path / "kept") == [
        "==> status 500",
        f"    nc 127.0.0.1 8000 <{file}  # {failure.data!r}",
    ]
    assert file.read_bytes() == failure.data
    assert file.with_name("1-before.http").read_bytes() == failure.before


def test_a_stream_is_not_read_to_its_end() -> None:
    """It has none, and goes on after the client has said that no more will come."""
    over = threading.Event()

    def stream(listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        with accepted:
            accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            while not over.wait(0.1):
                accepted.sendall(b"event:ping\n\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=stream, args=(listener,), daemon=True)
        server.start()
        deadline = threading.Timer(60, over.set)  # else, a failure would never end
        deadline.start()
        connection = Connection(listener.getsockname()[1])
        received = connection.receive_all()
        assert not over.is_set(), "it was read for a minute"
        connection.close()
        deadline.cancel()
        over.set()
        server.join()
    assert [(answer.status, answer.closes) for answer in answers_in(received)] == [(200, True)]


def test_changes_of_changes_can_be_sent() -> None:
    """One may leave nothing of what the next one changes."""
    client, dice = world(1), Random(1)
    for _ in range(50):
        parts = parts_of(draft(client), CONTRACT.endpoints)
        for _ in range(100):
            parts = changed(dice, client, parts)
            written(dice, parts, "changed")
