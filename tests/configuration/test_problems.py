"""Whether Traefik's own errors are problem documents, and those of the service stay as they are."""

import dataclasses
import json
import pathlib

import pytest
from configuration.parts import Traefik
from configuration.rendered import DOMAIN
from support.commands import REPOSITORY, run, wait_until

PREFIX = "urn:problem-type:herolo:"
POLICY = "default-src 'none'; frame-ancestors 'none'"


@dataclasses.dataclass
class Answer:
    """What a client gets."""

    status: int
    headers: dict[str, str]
    body: str

    def problem(self) -> tuple[int, str, str]:
        """Status, type and path of the problem document; fails if it is none, or another status."""
        assert self.headers["content-type"] == "application/problem+json", self
        document = json.loads(self.body)
        assert document["status"] == self.status and document["title"] and document["detail"], self
        return self.status, document["type"].removeprefix(PREFIX), document["instance"]


def parse(text: str) -> Answer:
    """Of a response as `curl --include` prints it."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split()[1]), headers, body)


def ask(edge: Traefik, path: str, *options: str) -> Answer:
    """The answer to a request."""
    return parse(edge.ask(path, "--include", *options))


# --- Without a router of the service ---


def test_an_internal_path_is_a_404(edge):
    assert ask(edge, "/metrics/x?y=1").problem() == (404, "not-found", "/metrics/x")


def test_while_no_replica_runs_there_is_a_503_that_says_when_to_retry(edge):
    answer = ask(edge, "/unrouted/path")
    assert answer.problem() == (503, "unavailable", "/unrouted/path")
    assert answer.headers["retry-after"] == "1"


def test_another_host_than_that_of_the_connection_is_a_421(edge):
    assert ask(edge, "/users", "--header", "Host: other.example.com").problem() == (421, "other", "/users")


def test_plain_http_is_a_404_that_names_https(edge):
    url = f"http://{edge.address(80)}/users"
    answer = parse(run("curl", "--silent", "--include", "--header", f"Host: {DOMAIN}", url))
    assert answer.problem() == (404, "not-found", "/users")
    assert "https://" in json.loads(answer.body)["detail"]


def test_a_body_of_a_megabyte_is_a_413(edge, tmp_path):
    (tmp_path / "body").write_bytes(b"\0" * 1_000_000)
    assert ask(edge, "/", "--data-binary", f"@{tmp_path / 'body'}").problem() == (413, "too-large", "/")


@pytest.mark.parametrize("path", ["/unrouted", "/metrics"])
def test_an_error_has_the_headers_of_all_responses(edge, path):
    headers = ask(edge, path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["strict-transport-security"] and headers["x-content-type-options"] == "nosniff"


def test_an_error_without_a_body_has_the_status_and_the_type_of_content(edge):
    answer = parse(edge.ask("/unrouted", "--head"))
    assert (answer.status, answer.headers["content-type"], answer.body) == (503, "application/problem+json", "")


def test_a_path_of_any_characters_is_in_the_document(edge):
    path = '/unrouted/"quoted"/%22/\u00e9'
    assert ask(edge, path).problem()[2] == "/unrouted/%22quoted%22/%22/%C3%A9"


# --- Between Traefik and a replica ---


def test_a_replica_that_closes_the_connection_is_a_502(edge):
    assert ask(edge, "/cut").problem() == (502, "other", "/cut")


def test_a_replica_that_does_not_respond_in_time_is_a_504(edge):
    assert ask(edge, "/late").problem() == (504, "other", "/late")


def test_while_no_replica_is_healthy_there_is_a_503_that_says_when_to_retry(edge, machine):
    machine.post("drain")
    try:
        wait_until(lambda: edge.status("/checked") == 503, 120, "the replica is not found to drain")
        answer = ask(edge, "/checked", "--data", "a body")
    finally:
        machine.post("serve")
    assert answer.problem() == (503, "unavailable", "/checked")
    assert answer.headers["retry-after"] == "1"
    wait_until(lambda: edge.status("/checked") == 200, 120, "the replica is not found to serve again")


@pytest.mark.parametrize("status", [400, 404, 413, 429, 500, 503])
def test_the_document_of_the_service_stays_as_it_is(edge, status):
    answer = ask(edge, f"/own/{status}")
    assert answer.body == json.dumps({"type": "own", "status": status, "detail": "The service says more."})
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.headers.get("retry-after") == ("7" if status in (429, 503) else None)


# --- Limits ---


def test_a_page_over_the_limit_is_a_429_that_says_when_to_retry(edge, tmp_path):
    parallel = ("--parallel", "--parallel-max", "8", "--output", str(tmp_path / "#1"))
    told = r"%{http_code} %{content_type} %header{retry-after} %{filename_effective}\n"
    refused = []

    def is_refused() -> bool:
        lines = edge.ask("/page?[1-600]", *parallel, "--write-out", told).splitlines()
        refused[:] = [line.split() for line in lines if line.startswith("429 ")]
        return bool(refused)

    wait_until(is_refused, 180, "no request is refused")
    for _, content_type, retry_after, file in refused:
        assert (content_type, retry_after) == ("application/problem+json", "1")
        document = json.loads(pathlib.Path(file).read_bytes())
        assert (document["status"], document["type"], document["instance"]) == (429, f"{PREFIX}too-many", "/page")
    wait_until(lambda: edge.status("/page") == 200, 120, "pages are not served again")


# --- The documents ---


def test_an_error_that_the_service_has_too_has_its_type_and_title(rendered):
    source = (REPOSITORY / "service/src/http/problem/spec.rs").read_text(encoding="utf-8")
    problems = rendered.variables_of_edge["edge_problems"].values()
    known = [problem for problem in problems if problem["type"] != "other"]
    assert known
    for problem in known:
        assert f'({problem["status"]}, "{problem["type"]}", "{problem["title"]}")' in source


def test_the_responder_gets_no_token_and_no_cookie(rendered):
    errors = [one["errors"] for one in rendered.routing["middlewares"].values() if "errors" in one]
    assert errors
    assert all(one["errorRequestHeaders"] == ["Accept"] for one in errors)
