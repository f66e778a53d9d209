"""What the collector on the host makes of its measurements, and what it does when CloudWatch does not take them."""

import importlib.util
import json
import pathlib
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import boto3
import botocore.exceptions
import pytest
from moto import mock_aws
from support.commands import REPOSITORY

NAMESPACE, REGION, DOMAIN = "herolo-test", "eu-central-1", "herolo.example.com"
ENOUGH = {"ReplicasReady": 3, "EdgeHealthy": 1}

COUNTERS = """\
# HELP traefik_entrypoint_requests_total How many HTTP requests processed on an entrypoint.
# TYPE traefik_entrypoint_requests_total counter
traefik_entrypoint_requests_total{code="200",entrypoint="websecure",method="GET",protocol="http"} 90
traefik_entrypoint_requests_total{code="404",entrypoint="websecure",method="GET",protocol="http"} 4
traefik_entrypoint_requests_total{code="502",entrypoint="websecure",method="POST",protocol="http"} 1
traefik_entrypoint_requests_total{code="503",entrypoint="websecure",method="GET",protocol="http"} 5e+00
traefik_entrypoint_requests_total{code="503",entrypoint="web",method="GET",protocol="http"} 70
traefik_router_request_duration_seconds_bucket{code="200",router="herolo@swarm",method="GET",le="0.1"} 80
traefik_router_request_duration_seconds_bucket{code="200",router="herolo@swarm",method="GET",le="0.3"} 90
traefik_router_request_duration_seconds_bucket{code="200",router="herolo@swarm",method="GET",le="+Inf"} 90
traefik_router_request_duration_seconds_bucket{code="200",router="pages@swarm",method="GET",le="0.1"} 10
traefik_router_request_duration_seconds_bucket{code="200",router="pages@swarm",method="GET",le="0.3"} 10
traefik_router_request_duration_seconds_bucket{code="200",router="pages@swarm",method="GET",le="+Inf"} 10
traefik_router_request_duration_seconds_bucket{code="200",router="events@swarm",method="GET",le="0.1"} 0
traefik_router_request_duration_seconds_bucket{code="200",router="events@swarm",method="GET",le="+Inf"} 900
traefik_config_reloads_total 7
"""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The collector, on a host where it measures little."""
    path = REPOSITORY / "ansible/roles/monitoring/files/collector.py"
    spec = importlib.util.spec_from_file_location("collector", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "measure", lambda domain: dict(ENOUGH))
    monkeypatch.setattr(module, "read_counters", lambda: counted(100, 2))
    return module


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The account's CloudWatch."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "stand-in")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("cloudwatch", region_name=REGION)


@pytest.fixture
def files(tmp_path: pathlib.Path) -> tuple[str, str]:
    """The files of the settings and of the state, of which only the first exists."""
    settings, state = tmp_path / "settings.json", tmp_path / "state.json"
    settings.write_text(json.dumps({"namespace": NAMESPACE, "region": REGION, "domain": DOMAIN}))
    return str(settings), str(state)


def counted(requests: float, errors: float, container: str = "first", **durations: float) -> dict[str, Any]:
    return {"container": container, "requests": requests, "errors": errors, "durations": durations}


def written(cloudwatch: Any) -> set[str]:
    metrics = cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert not any(metric["Dimensions"] for metric in metrics)
    return {metric["MetricName"] for metric in metrics}


# --- What Traefik counts


def test_requests_and_errors_are_those_of_https(collector: ModuleType) -> None:
    counters = collector.parse_counters(COUNTERS)
    assert (counters["requests"], counters["errors"]) == (100, 6)


def test_event_streams_have_no_duration(collector: ModuleType) -> None:
    assert collector.parse_counters(COUNTERS)["durations"] == {"0.1": 90, "0.3": 100, "+Inf": 100}


def test_a_minute_has_what_was_added_since_the_last_one(collector: ModuleType) -> None:
    assert collector.changes(counted(100, 2), counted(130, 3)) == {"Requests": 30, "ServerErrors": 1}


def test_a_new_traefik_counts_from_its_start(collector: ModuleType) -> None:
    assert collector.changes(counted(100, 2), counted(7, 1, "second")) == {"Requests": 7, "ServerErrors": 1}


def test_a_traefik_that_does_not_answer_has_counted_nothing_that_is_known(collector: ModuleType) -> None:
    assert collector.changes(counted(100, 2), None) == {}


@pytest.mark.parametrize(
    ("durations", "expected"),
    [
        pytest.param({"0.1": 0, "0.3": 100, "+Inf": 100}, 0.1 + 0.2 * 0.99, id="within one bucket"),
        pytest.param({"0.1": 98, "0.3": 100, "+Inf": 100}, 0.2, id="in the middle of the second"),
        pytest.param({"0.1": 0, "0.3": 0, "+Inf": 5}, 0.3, id="longer than the longest"),
        pytest.param({"0.1": 0, "+Inf": 0}, None, id="no request"),
        pytest.param({}, None, id="nothing counted"),
    ],
)
def test_the_99th_percentile_is_interpolated_in_its_bucket(
    collector: ModuleType, durations: dict[str, float], expected: float | None
) -> None:
    found = collector.percentile(0.99, durations)
    assert found == (expected if expected is None else pytest.approx(expected))


# --- Writing


def test_all_that_was_measured_is_written_with_a_unit(
    collector: ModuleType, cloudwatch: Any, files: tuple[str, str]
) -> None:
    collector.main(*files)
    assert written(cloudwatch) == {*ENOUGH, "Requests", "ServerErrors"} <= set(collector.METRICS)


def test_the_metrics_of_one_of_several_hosts_are_told_apart_by_its_number(
    collector: ModuleType, cloudwatch: Any, files: tuple[str, str]
) -> None:
    settings = pathlib.Path(files[0])
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "host": "2"}))
    collector.main(*files)
    metrics = cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert metrics and all(metric["Dimensions"] == [{"Name": "Host", "Value": "2"}] for metric in metrics)


def test_the_state_has_the_time_of_the_last_write_and_the_counters(
    collector: ModuleType, cloudwatch: Any, files: tuple[str, str]
) -> None:
    start = time.time()
    collector.main(*files)
    state = json.loads(pathlib.Path(files[1]).read_text())
    assert start <= state["written"] <= time.time() and state["counters"]["requests"] == 100
    assert "error" not in state


def test_a_failure_is_remembered_and_the_next_run_writes_what_both_have_counted(
    collector: ModuleType, cloudwatch: Any, files: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector.main(*files)

    def refuse(*_: object) -> None:
        raise botocore.exceptions.EndpointConnectionError(endpoint_url="https://monitoring.example.com")

    with monkeypatch.context() as unreachable:
        unreachable.setattr(collector, "write", refuse)
        unreachable.setattr(collector, "read_counters", lambda: counted(110, 2))
        with pytest.raises(SystemExit, match="error: CloudWatch did not take the metrics: EndpointConnectionError"):
            collector.main(*files)
    state = json.loads(pathlib.Path(files[1]).read_text())
    assert "monitoring.example.com" in state["error"] and state["counters"]["requests"] == 100

    sent: list[dict[str, float]] = []
    monkeypatch.setattr(collector, "write", lambda _, metrics: sent.append(metrics))
    monkeypatch.setattr(collector, "read_counters", lambda: counted(130, 3))
    collector.main(*files)
    assert (sent[0]["Requests"], sent[0]["ServerErrors"]) == (30, 1)
    assert "error" not in json.loads(pathlib.Path(files[1]).read_text())


def test_a_state_that_is_cut_off_is_begun_anew(collector: ModuleType, cloudwatch: Any, files: tuple[str, str]) -> None:
    pathlib.Path(files[1]).write_text('{"written": 1, "coun')
    collector.main(*files)
    assert "Requests" in written(cloudwatch)


def test_without_docker_no_replica_is_ready_and_no_traefik_is_healthy(
    collector: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # of `measure`
    monkeypatch.setattr(collector, "run", lambda *_, **__: None)
    metrics = collector.measure(DOMAIN)
    assert metrics["ReplicasReady"] == metrics["EdgeHealthy"] == 0
    assert "CertificateDays" not in metrics and 0 < metrics["DiskUsed"] <= 100 and 0 < metrics["MemoryUsed"] < 100


def test_traefiks_own_certificate_is_valid_for_no_day(collector: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "notAfter=Jan  1 00:00:00 2100 GMT\nissuer=CN = TRAEFIK DEFAULT CERT"
    monkeypatch.setattr(collector, "run", lambda *_, **__: said)
    assert collector.certificate_days(DOMAIN) == 0


def test_the_days_of_a_certificate_end_at_its_end(collector: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    end = time.strftime("%b %d %H:%M:%S %Y GMT", time.gmtime(time.time() + 25 * 86400))
    monkeypatch.setattr(collector, "run", lambda *_, **__: f"notAfter={end}\nissuer=CN = Pebble")
    assert collector.certificate_days(DOMAIN) == pytest.approx(25, abs=0.1)
