"""What Traefik's access log and metrics answer: errors and slow requests by a line each, all others by their number."""

import json
import re
import time

import pytest
from configuration.parts import begin, docker, image, statuses_of
from support.commands import wait_until

SLOW = 1.1  # seconds, longer than a request may take without a line


def lines_of(edge, path):
    """The lines of the access log that have a path."""
    lines = (json.loads(line) for line in edge.logs().splitlines() if '"RequestPath"' in line)
    return [line for line in lines if line["RequestPath"] == path]


def counts(edge):
    """What the metrics count, by entry point and status, as the host's collector reads them."""
    network = ("--network", f"container:{edge.container}", "--label", edge.network.label)
    text = docker("run", "--rm", *network, image("host"), "curl", "--silent", "http://127.0.0.1:8082/metrics")
    found = {}
    for labels, value in re.findall(r"^traefik_entrypoint_requests_total{(.*)} (\S+)$", text, re.MULTILINE):
        label = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        key = label["entrypoint"], label["code"]
        found[key] = found.get(key, 0) + float(value)
    return found


@pytest.fixture(scope="module")
def marked(edge):
    """After requests that have no line, one that has: then Traefik has written what it writes of those before."""
    assert edge.status("/succeeds?1") == 200
    assert edge.status("/own/404?mark") == 404
    wait_until(lambda: lines_of(edge, "/own/404"), 60, "an error is not logged")
    return edge


def test_a_successful_request_is_not_logged(marked):
    assert lines_of(marked, "/succeeds") == []


def test_a_successful_request_is_counted(edge):
    before = counts(edge).get(("websecure", "200"), 0)
    assert edge.status("/succeeds") == 200
    wait_until(lambda: counts(edge).get(("websecure", "200"), 0) > before, 60, "a request is not counted")


@pytest.mark.parametrize("status", [401, 413, 429, 500, 503])
def test_an_error_of_a_replica_is_logged_with_what_identifies_it(edge, status):
    assert edge.status(f"/own/{status}") == status
    wait_until(lambda: lines_of(edge, f"/own/{status}"), 60, "an error is not logged")
    line = lines_of(edge, f"/own/{status}")[-1]
    assert (line["DownstreamStatus"], line["OriginStatus"], line["RequestMethod"]) == (status, status, "GET")
    assert {"ClientHost", "Duration", "RouterName", "ServiceAddr", "time"} <= set(line)


def test_an_error_of_traefik_itself_is_logged_with_the_status_that_the_client_sees(edge):
    assert edge.status("/late?logged") == 504
    wait_until(lambda: lines_of(edge, "/late"), 60, "an error is not logged")
    assert {line["DownstreamStatus"] for line in lines_of(edge, "/late")} == {504}


def test_a_slow_request_is_logged_at_its_end_although_it_succeeds(edge, machine):
    machine.hold()
    holding = begin(statuses_of(edge.curl("/hold?slow")))
    try:
        wait_until(lambda: machine.held() == 1, 60, "the request is not served")
        time.sleep(SLOW)
    finally:
        machine.release()
        assert holding.communicate()[0].split() == ["200"]
    wait_until(lambda: lines_of(edge, "/hold"), 60, "a slow request is not logged")
    line = lines_of(edge, "/hold")[-1]
    assert line["DownstreamStatus"] == 200 and line["Duration"] > SLOW * 1e9
